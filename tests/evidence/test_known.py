from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.evidence import samples

from opsproof.controls import Known
from opsproof.evidence.bundle import BundleBuilder
from opsproof.evidence.known import known_subjects
from opsproof.evidence.model import Outcome, SubjectKind


def seal(
    reports: Path,
    number: int,
    outcome: Outcome,
    sites: tuple[str, ...] = (),
    known: Known | None = None,
) -> str:
    """A run of one host; the sites are those that were seen."""
    now = samples.NOW + timedelta(days=number)
    run_id = f"{now:%Y%m%dT%H%M%SZ}-daily-{number:04x}"
    builder = BundleBuilder(reports, run_id)
    for site in sites:
        about = samples.subject(SubjectKind.SITE, site, "a")
        builder.add_observation(samples.observation(run_id, about, {"state": "Started"}))
    builder.add_input("known.json", (known or Known()).to_bytes())
    builder.write(samples.run_record(run_id, now, hosts={"a": samples.host(outcome)}), [])
    builder.seal(samples.keys().signer, now=now)
    return run_id


def found(reports: Path, **register: list[tuple[str, SubjectKind, str]]) -> list[tuple[str, str]]:
    known = known_subjects(reports, ["a"], ["sample"], register)
    return [(entry.subject.id, entry.source) for entry in known.subjects]


def test_nothing_is_known_at_first(reports: Path) -> None:
    assert found(reports) == []


def test_the_last_run_that_saw_the_host_tells(reports: Path) -> None:
    seal(reports, 1, Outcome.OK, ("old",))
    second = seal(reports, 2, Outcome.CHANGED, ("portal", "shop"))
    assert found(reports) == [("portal", second), ("shop", second)]


def test_runs_that_did_not_reach_it_hand_on_what_they_knew(reports: Path) -> None:
    first = seal(reports, 1, Outcome.OK, ("portal",))
    for number in (2, 3):
        known = known_subjects(reports, ["a"], ["sample"])
        seal(reports, number, Outcome.UNREACHABLE, known=known)
    assert found(reports) == [("portal", first)]


def test_a_host_that_failed_half_way_does_not_shorten_the_list(reports: Path) -> None:
    first = seal(reports, 1, Outcome.OK, ("portal", "shop"))
    seal(reports, 2, Outcome.FAILED, ("portal",))
    assert found(reports) == [("portal", first), ("shop", first)]


def test_the_register_is_listed_beside(reports: Path) -> None:
    run = seal(reports, 1, Outcome.OK, ("portal",))
    register = [("sample", SubjectKind.SITE, "must")]
    assert found(reports, a=register) == [("portal", run), ("must", "register")]


def test_known_subjects_survive_the_file() -> None:
    known = samples.known()
    assert Known.from_bytes(known.to_bytes()) == known

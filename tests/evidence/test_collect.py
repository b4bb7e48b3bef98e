from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from tests.evidence import samples

from opsproof.errors import OpsproofError, UsageError
from opsproof.evidence.bundle import BundleBuilder
from opsproof.evidence.canonical import canonical
from opsproof.evidence.collect import LARGEST_OBSERVATION, RESULT_KEY, collect, read_result
from opsproof.evidence.model import SubjectKind
from opsproof.evidence.schemas import FactsError, facts_type

RUN = "20261122T091500Z-daily-0001"
DUE = {
    "item": "daily",
    "playbook": "daily",
    "due_from": "2026-11-21T16:00:00Z",
    "due_until": "2026-11-22T16:00:00Z",
    "done": False,
    "done_by": None,
}


def arguments(**changes: Any) -> dict[str, Any]:
    subject = {"kind": "due-item", "id": "daily@2026-11-22", "facts": DUE}
    return {"activity": "schedule", "collector": "test 1", "subjects": [subject], **changes}


def run(**changes: Any) -> Any:
    return collect(arguments(**changes), run_id=RUN, host="app-01", now=samples.NOW)


def with_facts(**changes: Any) -> list[dict[str, Any]]:
    return [{"kind": "due-item", "id": "daily@2026-11-22", "facts": {**DUE, **changes}}]


def test_a_role_gets_observations_with_ids_from_their_content() -> None:
    (observation,) = run(clock_offset_ms=-12).observations
    assert observation.run == RUN
    assert observation.subject.key == "app-01/due-item/daily@2026-11-22"
    assert observation.collected_at == "2026-11-22T09:15:00Z"
    assert observation.clock_offset_ms == -12
    assert observation.facts == DUE
    assert run(clock_offset_ms=-12).observations[0].id == observation.id
    assert run().observations[0].id != observation.id


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"subjects": with_facts(done="no")},
            "schedule/due-item: subjects[daily@2026-11-22].facts.done: Expected `bool`, got `str`",
        ),
        (
            {"subjects": with_facts(extra=1)},
            "schedule/due-item: subjects[daily@2026-11-22].facts: "
            "Object contains unknown field `extra`",
        ),
        ({"activity": "nothing"}, "there is no schema for the activity 'nothing'"),
        ({"activity": "../x"}, "there is no schema for the activity '../x'"),
        (
            {"facts": {}},
            "the activity 'schedule' has no facts about the kind 'host'",
        ),
        ({"subjects": []}, "arguments: neither facts nor subjects were handed over"),
        ({"schema": "schedule/9"}, "schedule: the schema 'schedule/9' is not known"),
        ({"colour": 1}, "arguments: Object contains unknown field `colour`"),
        (
            {"subjects": with_facts() * 2},
            "arguments: the subject app-01/due-item/daily@2026-11-22 was handed over twice",
        ),
        (
            {"artifacts": [{"path": "/nowhere", "name": "x", "media_type": "text/plain"}]},
            "artifacts[0].path: /nowhere is not a file",
        ),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(FactsError) as caught:
        run(**changes)
    assert str(caught.value) == text


def test_more_than_256_kb_belongs_into_an_artifact() -> None:
    with pytest.raises(FactsError) as caught:
        run(subjects=with_facts(item="x" * LARGEST_OBSERVATION))
    assert str(caught.value).endswith("(hand the bulk over as an artifact)")
    assert "schedule/app-01/due-item/daily@2026-11-22: the observation has 2625" in str(
        caught.value
    )


def test_secrets_go_before_the_id_is_made() -> None:
    arguments_ = arguments(subjects=with_facts(item="login hunter22 password=abc"))
    collected = collect(
        arguments_, run_id=RUN, host="app-01", now=samples.NOW, secrets=["hunter22"]
    )
    (observation,) = collected.observations
    assert observation.facts["item"] == (
        "login [redacted:exact-secret] password=[redacted:named-secret]"
    )
    assert [(r.rule, r.count) for r in observation.redactions] == [
        ("exact-secret", 1),
        ("named-secret", 1),
    ]


def test_a_result_survives_the_job_events_and_enters_a_bundle(tmp_path: Path) -> None:
    log = tmp_path / "Security.evtx"
    log.write_bytes(samples.RAW)
    artifact = {"path": str(log), "name": "Security.evtx", "media_type": "application/x-evtx"}
    event = {"res": {RESULT_KEY: run(artifacts=[artifact]).to_result()}}
    collected = read_result(json.loads(json.dumps(event))["res"])
    assert collected is not None
    builder = BundleBuilder(tmp_path / "reports", RUN, bureau=samples.keys().bureau)
    (stored,) = builder.add_collected(collected)
    assert stored.artifacts[0].sha256 == hashlib.sha256(samples.RAW).hexdigest()
    assert stored.artifacts[0].stored == "encrypted"
    path = builder.path / str(stored.artifacts[0].stored_as)
    assert path.name == hashlib.sha256(path.read_bytes()).hexdigest()
    assert samples.RAW[:20] not in path.read_bytes()
    builder.close()


def test_a_file_that_changed_after_hashing_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "x"
    log.write_bytes(b"one")
    collected = run(artifacts=[{"path": str(log), "name": "x", "media_type": "text/plain"}])
    log.write_bytes(b"two")
    builder = BundleBuilder(tmp_path / "reports", RUN, bureau=samples.keys().bureau)
    with pytest.raises(OpsproofError, match="is not the file that was collected"):
        builder.add_collected(collected)
    builder.close()


def test_other_results_are_nothing_and_damaged_ones_an_error() -> None:
    assert read_result({"changed": False}) is None
    broken: list[dict[str, Any]] = [
        {},
        {"observations": [], "files": []},
        {"observations": [{}], "files": []},
    ]
    for damaged in broken:
        with pytest.raises(UsageError, match="a job event holds"):
            read_result({RESULT_KEY: damaged})


def test_every_schema_has_the_subjects_it_says() -> None:
    assert facts_type("inspection", SubjectKind.HOST).__name__ == "HostFacts"
    assert facts_type("inspection", SubjectKind.CERTIFICATE).__name__ == "CertificateFacts"


def test_the_size_limit_is_below_what_the_runner_cuts() -> None:
    assert len(canonical({"a": "x" * LARGEST_OBSERVATION})) < 700_000

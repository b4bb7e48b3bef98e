"""A baseline has an owner, a reason and an end, and covers no hit that nobody has seen."""

from __future__ import annotations

import errno
import os
from datetime import date
from pathlib import Path

import pytest
import yaml

from opsproof.errors import UsageError
from opsproof.logs.audit import Limits, Options, audit
from opsproof.logs.baseline import Baseline, make_baseline, write_baseline
from opsproof.logs.model import AuditReport
from opsproof.logs.rules.load import compile_texts
from opsproof.logs.suppress import load_suppressions

RULES = compile_texts(
    [
        (
            "a.yml",
            b"title: Admin page\nname: a\nid: 6f1f3c0e-0000-4000-8000-00000000000a\n"
            b"logsource: {category: webserver}\n"
            b"detection: {s: {cs-uri-stem: /admin}, condition: s}\n",
        ),
        (
            "b.yml",
            b"title: Anything at all\nid: 6f1f3c0e-0000-4000-8000-00000000000b\n"
            b"correlation: {type: event_count, rules: [a], timespan: 1h, generate: true,"
            b" condition: {gte: 3}}\n",
        ),
    ]
)
TODAY = date(2026, 1, 6)
HEAD = "#Fields: date time c-ip cs-method cs-uri-stem sc-status\n"


def report(folder: Path, *clients: str, limits: int = 1000, **options: object) -> AuditReport:
    log = folder / "u_ex260105.log"
    lines = [f"2026-01-05 10:00:{n:02d} {c} GET /admin 200\n" for n, c in enumerate(clients) if c]
    log.write_text(HEAD + "".join(lines))
    asked = Options(limits=Limits(hits_per_rule=limits), today=TODAY, **options)  # type: ignore[arg-type]  # tests name real fields
    return audit([log], RULES, options=asked)


def accepted(found: AuditReport, expires: date = date(2026, 6, 30)) -> Baseline:
    return make_baseline(found, owner="li.si", reason="known", expires=expires, today=TODAY)


def test_accepted_hits_come_back_when_the_baseline_has_expired(tmp_path: Path) -> None:
    made = accepted(report(tmp_path, "10.0.0.1", "10.0.0.1"))
    assert (made.entries, made.covered, made.uncovered) == (1, 2, {})
    file = tmp_path / "accepted.yml"
    write_baseline(made, file)
    known = load_suppressions([file])
    again = report(tmp_path, "10.0.0.1", "10.0.0.2", suppressions=known)
    assert (again.counts.hits, again.counts.suppressed) == (1, 1)
    late = Options(suppressions=known, today=date(2026, 7, 1))
    expired = audit([tmp_path / "u_ex260105.log"], RULES, options=late)
    assert (expired.counts.hits, expired.counts.suppressed) == (2, 0)
    assert expired.suppressions[0].expired


def test_a_hit_without_anything_to_tell_it_by_is_accepted_alone(tmp_path: Path) -> None:
    """An entry without fields would accept every later burst as well."""
    clients = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    found = report(tmp_path, *clients)
    made = accepted(found)
    assert (made.entries, made.uncovered) == (4, {})
    [burst] = [hit for hit in found.hits if hit.burst]
    entries = [one for one in yaml.safe_load(made.text) if one["rule"] == burst.rule]
    assert [(one["hit"], "match" in one) for one in entries] == [(burst.id, False)]
    file = tmp_path / "accepted.yml"
    file.write_text(yaml.safe_dump(entries))
    known = load_suppressions([file])
    # It may have gone on since; one that began at another time is another one.
    for again, bursts in (([*clients, "10.0.0.4"], 0), (["", *clients], 1)):
        hits = report(tmp_path, *again, suppressions=known).hits
        assert sum(hit.burst is not None for hit in hits) == bursts


def test_hits_that_the_report_does_not_show_are_not_accepted(tmp_path: Path) -> None:
    made = accepted(report(tmp_path, "10.0.0.1", "10.0.0.2", limits=1))
    assert made.uncovered == {"Admin page": 1}


@pytest.mark.parametrize(
    ("owner", "reason", "expires", "message"),
    [
        (" ", "known", date(2026, 6, 30), "--owner: a baseline needs"),
        ("li.si", "", date(2026, 6, 30), "--reason: a baseline needs"),
        ("li.si", "known", date(2026, 1, 5), "has passed"),
        ("li.si", "known", date(2027, 1, 8), "more than a year away"),
    ],
)
def test_nothing_is_accepted_by_nobody_for_no_reason_or_for_ever(
    tmp_path: Path, owner: str, reason: str, expires: date, message: str
) -> None:
    found = report(tmp_path, "10.0.0.1")
    with pytest.raises(UsageError, match=message):
        make_baseline(found, owner=owner, reason=reason, expires=expires, today=TODAY)


def test_another_list_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "accepted.yml"
    made = accepted(report(tmp_path, "10.0.0.1"))
    write_baseline(made, file)
    write_baseline(made, file)
    file.write_text("- somebody's decision\n")
    with pytest.raises(UsageError, match="is there already"):
        write_baseline(made, file)
    assert file.read_text() == "- somebody's decision\n"
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_list_for_which_there_is_no_room_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    file = tmp_path / "accepted.yml"
    with pytest.raises(OSError, match="No space left") as error:
        write_baseline(Baseline("- id: a\n", 1, 1, 0, {}), file)
    assert error.value.filename == str(file)
    assert list(tmp_path.iterdir()) == []

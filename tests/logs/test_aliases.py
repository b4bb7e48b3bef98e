"""A computer that was renamed is told, and counts as one where somebody says so."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from opsproof.errors import UsageError
from opsproof.logs.aliases import checked
from opsproof.logs.audit import Options, audit
from opsproof.logs.model import AuditReport
from opsproof.logs.rules.load import compile_texts
from winlab.host.events import EventRecord, named
from winlab.host.evtx_writer import evtx_bytes

RULES = compile_texts(
    [
        (
            "a.yml",
            b"title: Failed\nname: failed\nid: 6f1f3c0e-0000-4000-8000-00000000000a\n"
            b"logsource: {product: windows, service: security}\n"
            b"detection: {s: {EventID: 4625, Computer|startswith: WIN-}, condition: s}\n",
        ),
        (
            "b.yml",
            b"title: Failed often\nname: b\nid: 6f1f3c0e-0000-4000-8000-00000000000b\n"
            b"correlation: {type: event_count, rules: [any], group-by: [Computer], timespan: 1m,"
            b" condition: {gte: 4}}\n",
        ),
        (
            "c.yml",
            b"title: Any\nname: any\nid: 6f1f3c0e-0000-4000-8000-00000000000c\n"
            b"logsource: {product: windows, service: security}\n"
            b"detection: {s: {EventID: 4625}, condition: s}\n",
        ),
    ]
)


def event(number: int, computer: str) -> EventRecord:
    return EventRecord(
        record_id=number,
        time_created=datetime(2026, 1, 5, 10, 0, number % 60, tzinfo=UTC),
        provider="Microsoft-Windows-Security-Auditing",
        event_id=4625,
        channel="Security",
        computer=computer,
        data=named(TargetUserName="anna"),
    )


def audited(folder: Path, names: dict[int, str], **options: Any) -> AuditReport:
    file = folder / "Security.evtx"
    file.write_bytes(evtx_bytes([event(number, name) for number, name in names.items()]))
    return audit([file], RULES, options=Options(**options))


RENAMED = {1: "WIN-A1B2", 2: "WIN-A1B2", 3: "WEB01.corp.local", 4: "WEB01.corp.local"}


def test_a_log_that_another_name_goes_on_with_is_told(tmp_path: Path) -> None:
    report = audited(tmp_path, RENAMED)
    [gap] = report.gaps
    assert (gap.kind, gap.channel) == ("computer-renamed", "Security")
    assert gap.detail == (
        "up to record 2 the computer is called WIN-A1B2, from 3 on WEB01.corp.local: it counts as two; "
        "--alias WIN-A1B2=WEB01.corp.local makes it one"
    )
    assert [hit.title for hit in report.hits] == ["Failed", "Failed"]


@pytest.mark.parametrize(
    "names",
    [
        {1: "A", 2: "B", 3: "A", 4: "B"},
        {1: "A", 2: "A", 100: "B", 101: "B"},
    ],
    ids=["in turn", "apart"],
)
def test_a_collector_of_several_computers_events_is_none(
    tmp_path: Path, names: dict[int, str]
) -> None:
    assert not [gap for gap in audited(tmp_path, names).gaps if gap.kind == "computer-renamed"]


def test_with_an_alias_it_counts_as_one(tmp_path: Path) -> None:
    report = audited(tmp_path, RENAMED, aliases=checked({"win-a1b2": "WEB01.corp.local"}))
    assert report.gaps == ()
    [burst] = [hit for hit in report.hits if hit.burst]
    assert burst.burst is not None
    assert burst.burst.group == {"Computer": "WEB01.corp.local"}
    # Rules go by the name in the record, which the hit keeps beside the one that counts.
    failed = [hit for hit in report.hits if hit.title == "Failed"]
    assert [(hit.computer, hit.fields["Computer"]) for hit in failed] == [
        ("WEB01.corp.local", "WIN-A1B2")
    ] * 2


def test_a_hole_at_the_renaming_is_seen(tmp_path: Path) -> None:
    names = {1: "OLD", 2: "OLD", 7: "NEW", 8: "NEW"}
    assert [gap.kind for gap in audited(tmp_path, names).gaps] == []
    report = audited(tmp_path, names, aliases={"old": "NEW"})
    assert [gap.kind for gap in report.gaps] == ["record-id-hole"]


@pytest.mark.parametrize("aliases", [{"": "A"}, {"A": " "}, {"A": "B", "b": "C"}, {"A": "a"}])
def test_aliases_that_name_no_computer_are_refused(aliases: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"alias needs|is itself an old name"):
        checked(aliases)

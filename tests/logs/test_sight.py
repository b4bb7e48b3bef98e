"""Where rules that ran were blind: told by file and event, not hidden behind another file that they saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.logs.samples import record

from opsproof.evidence.canonical import canonical
from opsproof.logs import collect
from opsproof.logs.audit import Options, audit
from opsproof.logs.model import AuditReport, Reason
from opsproof.logs.rules.load import compile_texts
from winlab.host.events import EventRecord, named
from winlab.host.evtx_writer import evtx_bytes

RULES = b"""\
title: Query
id: 00000000-0000-0000-0000-000000000021
level: high
logsource: {category: webserver}
detection: {s: {cs-uri-query|contains: union}, condition: s}
---
title: Whole
id: 00000000-0000-0000-0000-000000000022
logsource: {category: webserver}
detection: {s: {c-uri|contains: union}, condition: s}
---
title: Failed page
id: 00000000-0000-0000-0000-000000000023
name: failed_page
logsource: {category: webserver}
detection: {s: {sc-status: 503}, condition: s}
---
title: Down
id: 00000000-0000-0000-0000-000000000024
correlation: {type: event_count, rules: [failed_page], group-by: [s-port], timespan: 1m, condition: {gte: 3}}
---
title: Child
id: 00000000-0000-0000-0000-000000000025
logsource: {product: windows, category: process_creation}
detection: {s: {ParentImage|endswith: w3wp.exe}, condition: s}
---
title: Any event
id: 00000000-0000-0000-0000-000000000026
logsource: {product: windows, service: security}
detection: {s: {NewProcessName|endswith: cmd.exe}, condition: s}
"""
FULL = "#Fields: date time cs-uri-stem cs-uri-query s-port sc-status\n"
LESS = "#Fields: date time cs-uri-stem sc-status\n"


def audited(folder: Path, **options: Any) -> AuditReport:
    return audit([folder], compile_texts([("r.yml", RULES)]), options=Options(**options))


def places(report: AuditReport) -> set[tuple[str, ...]]:
    return {
        (one.title, Path(one.file).name, one.channel, one.event, *one.fields)
        for one in report.blind
    }


def process(number: int, **data: str) -> EventRecord:
    fields = named(NewProcessName=r"C:\Windows\System32\cmd.exe", **data)
    return record(number, number, event_id=4688, data=fields)


@pytest.fixture
def web(tmp_path: Path) -> Path:
    down = "2026-01-05 10:00:00 /a 503\n" * 200
    (tmp_path / "a.log").write_text(LESS + down)
    (tmp_path / "b.log").write_text(FULL + "2026-01-05 10:00:00 /a - 443 503\n")
    return tmp_path


def test_a_web_log_that_lacks_a_field_is_named_beside_one_that_has_it(web: Path) -> None:
    report = audited(web)
    assert places(report) == {
        ("Query", "a.log", "", "", "cs-uri-query"),
        ("Whole", "a.log", "", "", "cs-uri-query"),
        ("Down", "a.log", "", "", "s-port"),
    }
    blind = {rule.title: rule.blind for rule in report.rules_run}
    assert blind == {"Query": 1, "Whole": 1, "Down": 1}
    assert report.blind[0].title == "Query"


def test_a_field_that_is_logged_and_never_filled_is_seen(tmp_path: Path) -> None:
    for count in (1, 200):
        (tmp_path / f"{count}.log").write_text(FULL + "2026-01-05 10:00:00 /a - 443 200\n" * count)
    report = audited(tmp_path)
    assert report.blind == ()
    assert {rule.title for rule in report.rules_run} == {"Query", "Whole", "Down"}


def test_what_sees_nowhere_did_not_run_and_is_blind_nowhere(web: Path) -> None:
    (web / "b.log").unlink()
    report = audited(web)
    why = {one.title: one.reason for one in report.rules_not_run}
    assert (why["Query"], why["Down"]) == (Reason.NO_FIELD, Reason.NO_FIELD)
    assert places(report) == {("Whole", "a.log", "", "", "cs-uri-query")}


def test_events_without_the_name_of_the_parent_are_named_beside_sysmons(tmp_path: Path) -> None:
    sysmon = record(
        1,
        1,
        event_id=1,
        channel="Microsoft-Windows-Sysmon/Operational",
        data=named(Image="a.exe", ParentImage="b.exe"),
    )
    (tmp_path / "sysmon.evtx").write_bytes(evtx_bytes([sysmon]))
    (tmp_path / "old.evtx").write_bytes(evtx_bytes([process(1), record(2, 2)]))
    (tmp_path / "new.evtx").write_bytes(evtx_bytes([process(1, ParentProcessName="b.exe")]))
    report = audited(tmp_path)
    assert places(report) == {("Child", "old.evtx", "security", "4688", "ParentImage")}
    (tmp_path / "sysmon.evtx").unlink()
    (tmp_path / "new.evtx").unlink()
    report = audited(tmp_path)
    why = {one.title: one.reason for one in report.rules_not_run}
    assert (why["Child"], report.blind) == (Reason.NO_FIELD, ())


def test_parts_and_processes_see_the_same(web: Path) -> None:
    whole = canonical(audited(web, processes=1))
    assert canonical(audited(web, processes=1, part_bytes=1000)) == whole


def test_only_so_many_places_are_listed(web: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "_MOST_BLIND", 1)
    report = audited(web)
    assert [one.title for one in report.blind] == ["Query"]
    assert sum(rule.blind for rule in report.rules_run) == 3

"""The id of a hit is that of what was found, not of the file it was found in."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from opsproof.errors import UsageError
from opsproof.logs.audit import Options, audit
from opsproof.logs.model import AuditReport, Hit
from opsproof.logs.rules.load import compile_texts
from opsproof.logs.suppress import Suppression, load_suppressions
from winlab.host.events import EventRecord, named
from winlab.host.evtx_writer import evtx_bytes

RULE = "6f1f3c0e-0000-4000-8000-00000000000a"
OTHER = "6f1f3c0e-0000-4000-8000-00000000000b"
RULES = compile_texts(
    [
        (
            "a.yml",
            f"title: Failed\nid: {RULE}\nlogsource: {{product: windows, service: security}}\n"
            "detection: {s: {EventID: 4625}, condition: s}\n".encode(),
        ),
        (
            "b.yml",
            f"title: Page\nid: {OTHER}\nlogsource: {{category: webserver}}\n"
            "detection: {s: {cs-method: GET}, condition: s}\n".encode(),
        ),
    ]
)
WEB = "#Fields: date time c-ip cs-method cs-uri-stem sc-status\n"


def event(number: int, computer: str = "SRV01") -> EventRecord:
    return EventRecord(
        record_id=number,
        time_created=datetime(2026, 1, 5, 10, 0, number, tzinfo=UTC),
        provider="Microsoft-Windows-Security-Auditing",
        event_id=4625,
        channel="Security",
        computer=computer,
        data=named(TargetUserName="anna"),
    )


def found(file: Path, *events: EventRecord, **options: Any) -> AuditReport:
    file.write_bytes(evtx_bytes(list(events)))
    return audit([file], RULES, options=Options(**options))


def recomputed(hit: Hit) -> str:
    """As the documentation says, with nothing of ours."""
    place = {"log": hit.computer} if hit.computer else {"fields": hit.fields}
    told = {"rule": hit.rule, "channel": hit.channel, "record": hit.record_id,
            "time": hit.time, **place}  # fmt: skip
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "HIT-" + hashlib.sha256(text.encode()).hexdigest()[:24]


def test_an_event_has_one_id_in_every_export(tmp_path: Path) -> None:
    [first] = found(tmp_path / "a.evtx", event(7)).hits
    both = found(tmp_path / "b.evtx", event(6), event(7)).hits
    assert first.sha256 != both[1].sha256
    assert [hit.id == first.id for hit in both] == [False, True]
    [elsewhere] = found(tmp_path / "c.evtx", event(7, "SRV02")).hits
    assert elsewhere.id != first.id


def test_anybody_can_check_an_id(tmp_path: Path) -> None:
    log = tmp_path / "u_ex260105.log"
    log.write_text(WEB + "2026-01-05 10:00:00 203.0.113.9 GET /a 200\n" * 2)
    hits = audit([log], RULES).hits + found(tmp_path / "a.evtx", event(7)).hits
    assert [hit.id for hit in hits] == [recomputed(hit) for hit in hits]
    assert len({hit.id for hit in hits}) == len(hits) == 3


LINE = "2026-01-05 10:00:0{} 203.0.113.9 GET /a?password=geheim{} 200\n"


def test_a_request_has_one_id_however_its_log_grows(tmp_path: Path) -> None:
    """IIS names no computer by default, and the log of the day is collected while it is written."""
    log = tmp_path / "W3SVC1" / "u_ex260105.log"
    log.parent.mkdir()
    log.write_text(WEB + LINE.format(1, 1))
    [before] = audit([log], RULES).hits
    log.write_text(WEB + LINE.format(1, 1) + LINE.format(1, 1) + LINE.format(2, 1))
    after = audit([log], RULES).hits
    assert before.sha256 != after[0].sha256
    assert [hit.id == before.id for hit in after] == [True, False, False]
    assert len({hit.id for hit in after}) == 3
    # Another request at that place: of another server, say.
    log.write_text(WEB + LINE.format(1, 1).replace("203", "198"))
    assert audit([log], RULES).hits[0].id != before.id
    # An id tells no more of a secret than the report does.
    log.write_text(WEB + LINE.format(1, 2))
    assert audit([log], RULES).hits[0].id == before.id


def test_one_request_is_accepted_by_its_id_and_stays_so(tmp_path: Path) -> None:
    log = tmp_path / "u_ex260105.log"
    log.write_text(WEB + LINE.format(1, 1))
    [first] = audit([log], RULES).hits
    accepted = Suppression(
        id="x", rule="Page", owner="li.si", reason="a test", expires=date(2026, 6, 30), hit=first.id
    )
    log.write_text(WEB + LINE.format(1, 1) * 2)
    report = audit([log], RULES, options=Options(suppressions=(accepted,)))
    assert [hit.record_id for hit in report.hits] == [3]


def test_one_hit_is_accepted_by_its_id(tmp_path: Path) -> None:
    first, second = found(tmp_path / "a.evtx", event(6), event(7)).hits
    accepted = Suppression(
        id="x", rule="*", owner="li.si", reason="a test", expires=date(2026, 6, 30), hit=first.id
    )
    report = found(tmp_path / "b.evtx", event(5), event(6), event(7), suppressions=(accepted,))
    assert [hit.record_id for hit in report.hits] == [5, second.record_id]
    assert (report.counts.suppressed, report.suppressions[0].hits) == (1, 1)


def test_an_id_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text(
        "- id: a\n  rule: '*'\n  owner: li.si\n  reason: a test\n  expires: 2026-06-30\n"
        "  hit: HIT-12\n"
    )
    with pytest.raises(UsageError, match=r"a\.yml:6.*'HIT-12' is no id of a hit"):
        load_suppressions([file])

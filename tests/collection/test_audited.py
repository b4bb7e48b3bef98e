"""One audit of several hosts, and what of it belongs to which."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsproof.collection.audited import host_facts, inputs
from opsproof.collection.home import HandedOver, Staged, write_list
from opsproof.collection.model import Kind
from opsproof.errors import IncompleteError
from opsproof.evidence.canonical import canonical, decode
from opsproof.logs.audit import Limits, Options, audit
from opsproof.logs.model import AuditReport, Gap, GapKind, Unreadable

RULES = """\
title: Upload
id: 6f1f3c0e-0000-4000-8000-000000000001
name: upload
level: high
logsource: {category: webserver}
detection: {selection: {cs-method: POST, cs-uri-stem: /upload}, condition: selection}
---
title: The same address uploads to several servers
id: 6f1f3c0e-0000-4000-8000-000000000002
level: critical
correlation: {type: value_count, generate: true, rules: [upload], group-by: [c-ip], timespan: 10m,
  condition: {gte: 2, field: s-ip}}
"""
HEAD = "#Fields: date time s-ip cs-method cs-uri-stem c-ip sc-status\n"


def line(time: str, server: str, client: str = "10.9.9.9") -> str:
    return f"2026-11-22 {time} {server} POST /upload {client} 200\n"


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    return tmp_path / "staging"


def hand_over(staging: Path, host: str, text: str, since: str, name: str = "u_ex.log") -> None:
    file = staging / "logs" / host / "iis/W3SVC1" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    data = text.encode()
    staged = Staged(
        file=f"logs/{host}/iis/W3SVC1/{name}",
        kind=Kind.IIS,
        path=f"C:\\inetpub\\logs\\LogFiles\\W3SVC1\\{name}",
        source="",
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        since=since,
        part="0" * 64,
    )
    over = HandedOver(
        host=host, since=since, until="2026-11-22T12:00:00Z", schemas=(f"{host}.yml",),
        files=(staged,),
    )  # fmt: skip
    write_list(staging, over)


def audited(staging: Path, tmp_path: Path, **limits: int) -> Path:
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES)
    asked = inputs(staging)
    options = Options(since=datetime.fromisoformat(asked["since"]), limits=Limits(**limits))
    report = audit(
        [Path(p) for p in asked["paths"]], [rules], options=options, cache=tmp_path / "c"
    )
    file = staging / "log-audit.json"
    file.write_bytes(canonical(report))
    return file


def facts(staging: Path, report: Path, host: str) -> dict[str, Any]:
    return host_facts(staging, report, host)


def test_hits_belong_to_the_host_whose_log_holds_them(staging: Path, tmp_path: Path) -> None:
    hand_over(staging, "a", HEAD + line("10:00:00", "10.0.0.1"), "2026-11-22T09:00:00Z")
    hand_over(staging, "b", HEAD + line("11:00:00", "10.0.0.2"), "2026-11-22T09:00:00Z")
    report = audited(staging, tmp_path)
    for host in ("a", "b"):
        found = facts(staging, report, host)
        assert found["by_severity"]["high"] == 1
        assert found["by_severity"]["critical"] == 0
        assert found["hits"][0]["file"] == f"logs/{host}/iis/W3SVC1/u_ex.log"
        assert (found["audit"]["hosts"], found["audit"]["files"], found["audit"]["records"]) == (
            2,
            1,
            1,
        )


def test_a_log_without_what_a_rule_looks_at_is_told_on_its_host(
    staging: Path, tmp_path: Path
) -> None:
    hand_over(staging, "a", HEAD + line("10:00:00", "10.0.0.1"), "2026-11-22T09:00:00Z")
    short = "#Fields: date time s-ip cs-method c-ip\n2026-11-22 10:00:00 10.0.0.2 POST 10.9.9.9\n"
    hand_over(staging, "b", short, "2026-11-22T09:00:00Z")
    report = audited(staging, tmp_path)
    assert facts(staging, report, "a")["blind"] == []
    [upload, _chain] = sorted(facts(staging, report, "b")["blind"], key=lambda one: one["rule"])
    assert (upload["title"], upload["fields"]) == ("Upload", ["cs-uri-stem"])


def test_a_burst_over_several_hosts_counts_on_each(staging: Path, tmp_path: Path) -> None:
    hand_over(staging, "a", HEAD + line("10:00:00", "10.0.0.1"), "2026-11-22T09:00:00Z")
    hand_over(staging, "b", HEAD + line("10:05:00", "10.0.0.2"), "2026-11-22T09:00:00Z")
    hand_over(staging, "c", HEAD + line("10:05:00", "10.0.0.3", "10.1.1.1"), "2026-11-22T09:00:00Z")
    report = audited(staging, tmp_path)
    criticals = {h: facts(staging, report, h)["by_severity"]["critical"] for h in "abc"}
    assert criticals == {"a": 1, "b": 1, "c": 0}
    burst = facts(staging, report, "b")["hits"][0]
    assert {member["file"].split("/")[1] for member in burst["burst"]["members"]} == {"a", "b"}


def test_what_was_audited_before_does_not_count_again(staging: Path, tmp_path: Path) -> None:
    """A grown log comes whole; and the host that is looked at for the first time begins earlier."""
    both = HEAD + line("10:00:00", "10.0.0.1") + line("11:30:00", "10.0.0.1")
    hand_over(staging, "a", both, "2026-11-22T11:00:00Z")
    hand_over(staging, "b", HEAD + line("06:00:00", "10.0.0.2"), "2026-11-22T05:00:00Z")
    assert inputs(staging)["since"] == "2026-11-22T04:00:00Z"
    report = audited(staging, tmp_path)
    assert facts(staging, report, "a")["by_severity"]["high"] == 1
    assert facts(staging, report, "b")["by_severity"]["high"] == 1


def test_a_burst_that_began_before_the_window_is_seen(staging: Path, tmp_path: Path) -> None:
    text = HEAD + line("10:58:00", "10.0.0.1") + line("11:02:00", "10.0.0.2")
    hand_over(staging, "a", text, "2026-11-22T11:00:00Z")
    found = facts(staging, audited(staging, tmp_path), "a")
    assert (found["by_severity"]["critical"], found["by_severity"]["high"]) == (1, 1)


def test_the_same_log_on_two_hosts_counts_on_both(staging: Path, tmp_path: Path) -> None:
    text = HEAD + line("10:00:00", "10.0.0.1")
    for host in ("a", "b"):
        hand_over(staging, host, text, "2026-11-22T09:00:00Z")
    report = audited(staging, tmp_path)
    for host in ("a", "b"):
        found = facts(staging, report, host)
        assert (found["by_severity"]["high"], found["audit"]["records"]) == (1, 1)


def test_hits_that_the_report_does_not_show_are_told(staging: Path, tmp_path: Path) -> None:
    text = HEAD + "".join(line(f"10:00:0{n}", "10.0.0.1") for n in range(5))
    hand_over(staging, "a", text, "2026-11-22T09:00:00Z")
    found = facts(staging, audited(staging, tmp_path, hits_per_rule=2), "a")
    assert found["audit"]["unattributed"] == 3


def test_a_host_without_anything_new_is_no_missing_one(staging: Path, tmp_path: Path) -> None:
    write_list(
        staging,
        HandedOver(host="a", since="2026-11-22T09:00:00Z", until="2026-11-22T12:00:00Z"),
    )
    assert inputs(staging)["files"] == 0
    found = facts(staging, tmp_path / "none.json", "a")
    assert (found["audit"]["records"], found["hits"], found["by_severity"]) == (0, None, None)
    with pytest.raises(IncompleteError, match="not collected"):
        facts(staging, tmp_path / "none.json", "b")


def test_logs_without_a_record_of_the_time_asked_for_are_no_all_clear(
    staging: Path, tmp_path: Path
) -> None:
    hand_over(staging, "a", HEAD + line("01:00:00", "10.0.0.1"), "2026-11-22T09:00:00Z")
    hand_over(staging, "b", HEAD + line("10:00:00", "10.0.0.2"), "2026-11-22T09:00:00Z")
    report = audited(staging, tmp_path)
    old, new = (facts(staging, report, host) for host in "ab")
    assert (old["audit"]["records"], old["audit"]["examined"], old["by_severity"]) == (1, 0, None)
    assert (new["audit"]["examined"], new["by_severity"]["high"]) == (1, 1)


def test_gaps_are_told_once_and_incidents_first(staging: Path, tmp_path: Path) -> None:
    """Events are exported from an hour earlier: a log cleared then was told by the run before."""
    hand_over(staging, "a", HEAD + line("10:00:00", "10.0.0.1"), "2026-11-22T09:00:00Z")
    report = audited(staging, tmp_path)
    found = decode(report.read_bytes(), AuditReport, where="report")
    [source] = found.sources
    told: list[tuple[GapKind, str]] = [
        ("quiet-day", "2026-11-20T00:00:00.000000Z"),
        ("log-cleared", "2026-11-22T08:30:00.000000Z"),
        ("log-cleared", "2026-11-22T09:30:00.000000Z"),
    ]
    gaps = tuple(
        Gap(kind=kind, file=source.file, sha256=source.sha256, channel="x", detail="", first=first)
        for kind, first in told
    )
    report.write_bytes(canonical(msgspec.structs.replace(found, gaps=gaps)))
    assert [(gap["kind"], gap["first"]) for gap in facts(staging, report, "a")["gaps"]] == [
        told[2],
        told[0],
    ]


def test_a_folder_that_cannot_be_listed_is_its_hosts(staging: Path, tmp_path: Path) -> None:
    for host in ("a", "b"):
        hand_over(staging, host, HEAD + line("10:00:00", host), "2026-11-22T09:00:00Z")
    report = audited(staging, tmp_path)
    closed = Unreadable(
        file="logs/a", sha256="", offset=None, record=None, records=0, what="it cannot be read"
    )
    found = decode(report.read_bytes(), AuditReport, where="report")
    report.write_bytes(canonical(msgspec.structs.replace(found, unreadable=(closed,))))
    assert [one["file"] for one in facts(staging, report, "a")["unreadable"]] == ["logs/a"]
    assert facts(staging, report, "b")["unreadable"] == []


def test_a_report_that_is_not_there_is_no_empty_one(staging: Path, tmp_path: Path) -> None:
    hand_over(staging, "a", HEAD + line("10:00:00", "10.0.0.1"), "2026-11-22T09:00:00Z")
    with pytest.raises(IncompleteError, match="no report"):
        facts(staging, tmp_path / "none.json", "a")


def test_schema_maps_of_all_hosts_are_used(staging: Path) -> None:
    for host in ("a", "b"):
        hand_over(staging, host, HEAD, "2026-11-22T09:00:00Z")
    assert inputs(staging)["schemas"] == ["a.yml", "b.yml"]

from __future__ import annotations

from datetime import date, timedelta

import msgspec
import pytest
from tests.reports.estate import (
    MORNING,
    Host,
    Sealing,
    day_of,
    in_memory,
    lab,
    missed,
    observations_of,
    partial_run,
    troubled,
)
from tests.reports.page import Page
from tests.reports.sheets import rows_of, sheet_of, states_of

from opsproof.evidence.canonical import canonical
from opsproof.evidence.ledger import line_sha256
from opsproof.evidence.model import Outcome, State
from opsproof.evidence.records import Correction
from opsproof.evidence.schemas import validate
from opsproof.reports.html import render
from opsproof.reports.model import Group, Verdict
from opsproof.reports.sources import read_day

YESTERDAY = MORNING - timedelta(days=1)


def silent(host: Host, outcome: Outcome = Outcome.UNREACHABLE) -> Host:
    host.facts, host.sites, host.certificates, host.files = None, [], [], {}
    host.outcome = outcome
    return host


def test_a_good_day_says_normal_and_prints_no_row() -> None:
    sheet = sheet_of(day_of(in_memory(lab())))
    assert sheet.verdict is Verdict.NORMAL
    assert rows_of(sheet) == []
    assert sheet.counts.due == sheet.counts.normal == sheet.counts.collected
    assert (sheet.hosts_planned, sheet.hosts_seen) == (22, 22)


def test_all_findings_are_counted_once() -> None:
    run = in_memory(troubled())
    counts = sheet_of(day_of(run)).counts
    assert counts.due + counts.not_applicable == len(run.bundle.findings)


def test_what_is_wrong_is_a_row_in_its_group() -> None:
    sheet = sheet_of(day_of(in_memory(troubled())))
    assert sheet.verdict is Verdict.ABNORMAL
    assert states_of(sheet, "app-info-01") == {"INS-DISK-001": "fail"}
    assert {row.control for row in rows_of(sheet, Group.IIS)} == {
        "INS-IIS-001",
        "INS-IIS-002",
        "INS-CERT-002",
    }
    assert {row.control for row in rows_of(sheet, Group.SECURITY)} == {
        "INS-SECURITY-001",
        "INS-SECURITY-002",
        "INS-SECURITY-003",
    }


def test_rows_are_numbered_through_and_the_worst_comes_first() -> None:
    rows = rows_of(sheet_of(day_of(in_memory(troubled()))))
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert rows[0].state is State.FAIL


def test_a_fact_that_says_nothing_is_an_error_and_not_collected() -> None:
    sheet = sheet_of(day_of(in_memory(troubled())))
    assert states_of(sheet, "app-crypt-01") == {"INS-DISK-001": "error"}
    assert sheet.counts.error == 1
    assert sheet.counts.not_collected > sheet.counts.error


def test_an_unreachable_host_is_one_row_that_holds_all_its_findings() -> None:
    sheet = sheet_of(day_of(in_memory(troubled())))
    [row] = [row for row in rows_of(sheet) if row.host == "app-icert-02"]
    assert row.group is Group.HOST
    assert len(row.findings) == sum(f.host == "app-icert-02" for f in sheet.findings)
    assert row.measured["en"] == f"unreachable; none of {len(row.findings)} checks collected"
    assert row.asset.code == "AST-LAB-APP-0013"
    assert [(h.host, h.outcome) for h in sheet.incomplete_hosts] == [
        ("app-icert-02", "unreachable")
    ]


def test_when_every_host_is_unreachable_nothing_is_concluded() -> None:
    hosts = {name: silent(host) for name, host in lab().items()}
    sheet = sheet_of(day_of(in_memory(hosts)))
    assert sheet.verdict is Verdict.NO_CHECK
    assert (sheet.counts.normal, sheet.counts.collected, sheet.hosts_seen) == (0, 0, 0)
    assert sheet.counts.not_collected == sheet.counts.due > 0
    assert len(rows_of(sheet)) == 22


def test_a_group_whose_hosts_are_silent_is_not_called_empty() -> None:
    hosts = {name: silent(host) for name, host in lab().items()}
    sheet = sheet_of(day_of(in_memory(hosts)))
    blocks = {block.group: block for block in sheet.groups}
    assert blocks[Group.SECURITY].silent > 0
    # Sites and certificates of hosts that were not seen are IIS checks all the same.
    kinds = {f.control for f in sheet.findings if f.control.startswith(("INS-IIS", "INS-CERT"))}
    assert blocks[Group.IIS].silent == len(kinds) * 22
    assert sum(block.silent for block in sheet.groups) == sheet.counts.due
    text = Page(render(sheet, "zh-CN")).text
    assert f"安全日志 另有{blocks[Group.SECURITY].silent}项因主机未采集而未知" in text
    assert "防病毒 本组当前未设检查项，不作结论。" in text


def test_with_half_of_the_hosts_missing_a_clean_rest_is_incomplete() -> None:
    hosts = lab()
    for name in sorted(hosts)[::2]:
        silent(hosts[name])
    sheet = sheet_of(day_of(in_memory(hosts)))
    assert sheet.verdict is Verdict.INCOMPLETE
    assert sheet.counts.abnormal == 0
    assert sheet.counts.not_collected > 0
    assert sheet.counts.normal > 0


def test_a_day_without_any_evidence_says_so() -> None:
    sheet = sheet_of(day_of())
    assert sheet.verdict is Verdict.NO_RUN
    assert (sheet.counts.due, sheet.counts.normal) == (0, 0)
    assert (sheet.integrity.length, sheet.integrity.head) == (0, "0" * 64)


def test_a_day_without_a_run_shows_the_last_one_as_not_collected() -> None:
    before = in_memory(troubled(), start=YESTERDAY)
    sheet = sheet_of(day_of(basis=before))
    due = [f for f in before.bundle.findings if f.state is not State.NOT_APPLICABLE]
    assert sheet.verdict is Verdict.NO_RUN
    assert sheet.counts.not_collected == sheet.counts.due == len(due)
    assert all(finding.inferred and not finding.evidence for finding in sheet.findings)
    assert [run.id for run in sheet.basis_runs] == [before.entry.id]


@pytest.mark.parametrize(
    ("change", "mark"),
    [
        ({"check": True}, "check"),
        ({"limit": "app-*"}, "limit"),
        ({"retry_of": "20261121T003000Z-daily-1111"}, "retry"),
    ],
)
def test_a_partial_run_is_shown_and_satisfies_nothing(change: dict[str, object], mark: str) -> None:
    sheet = sheet_of(day_of(in_memory(lab(), change=partial_run(**change))))
    assert sheet.verdict is Verdict.NO_RUN
    assert sheet.counts.normal == 0
    [line] = sheet.runs
    assert mark in line.marks
    assert not line.counted


def test_the_newest_full_run_counts_and_the_older_is_marked() -> None:
    first = in_memory(troubled(), nonce="1111", seq=1)
    second = in_memory(lab(), start=MORNING + timedelta(hours=3), nonce="2222", seq=2)
    sheet = sheet_of(day_of(first, second))
    assert sheet.verdict is Verdict.NORMAL
    assert [(line.counted, line.marks) for line in sheet.runs] == [
        (False, ("superseded",)),
        (True, ()),
    ]


def test_a_later_run_that_reached_nobody_does_not_hide_an_earlier_one() -> None:
    first = in_memory(lab(), nonce="1111", seq=1)
    dead = {name: silent(host) for name, host in lab().items()}
    second = in_memory(dead, start=MORNING + timedelta(hours=3), nonce="2222", seq=2)
    sheet = sheet_of(day_of(first, second))
    assert [line.counted for line in sheet.runs] == [True, False]
    assert "failed" in sheet.runs[1].marks


def test_a_retry_stands_beside_the_row_and_does_not_change_the_count() -> None:
    first = in_memory(troubled())
    again = in_memory(
        {"app-icert-02": lab()["app-icert-02"]},
        start=MORNING + timedelta(hours=1),
        nonce="2222",
        seq=2,
        change=partial_run(retry_of=first.entry.id),
    )
    sheet = sheet_of(day_of(first, again))
    [row] = [row for row in rows_of(sheet) if row.host == "app-icert-02"]
    assert row.state is State.NOT_COLLECTED
    assert {(later.run, later.state) for later in row.follow_up} == {(again.entry.id, State.PASS)}
    assert sheet.counts == sheet_of(day_of(first)).counts


def test_what_was_due_and_did_not_run_is_listed_once() -> None:
    runs = [
        in_memory(lab(), nonce=nonce, seq=seq, change=partial_run(missed=missed("weekly")))
        for seq, nonce in ((1, "1111"), (2, "2222"))
    ]
    sheet = sheet_of(day_of(*runs))
    [item] = sheet.missed
    assert (item.item, item.due_at) == ("weekly", "2026-11-21T08:30:00+08:00")


def test_times_are_those_of_the_estate() -> None:
    sheet = sheet_of(day_of(in_memory(lab())))
    assert sheet.period == ("2026-11-22T00:00:00+08:00", "2026-11-23T00:00:00+08:00")
    assert sheet.cutoff == "2026-11-22T08:31:23+08:00"


def test_a_correction_is_shown_beside_what_it_supersedes() -> None:
    run = in_memory(lab())
    record = Correction(
        id="20261123T010000Z-correction-0001",
        supersedes=run.bundle.findings[0].id,
        run=run.entry.id,
        statement="certificate was replaced already",
        reason="wrong store read",
        by="li.qiang",
        made_at="2026-11-23T01:00:00Z",
        seq=2,
    )
    [line] = sheet_of(day_of(run, corrections=(record,))).corrections
    assert (line.supersedes, line.sequence, line.at) == (
        run.bundle.findings[0].id,
        2,
        "2026-11-23T09:00:00+08:00",
    )


def test_the_sheet_carries_the_head_of_the_ledger_by_both_hashes() -> None:
    run = in_memory(lab())
    integrity = sheet_of(day_of(run)).integrity
    line = canonical(run.entry)
    assert integrity.head == line_sha256(line)
    assert len(integrity.head_sm3) == 64
    assert integrity.head_sm3 != integrity.head
    assert (integrity.mapping_reviewed, integrity.mapping_total > 0) == (0, True)


def test_a_log_cleared_leads_to_the_very_record() -> None:
    run = in_memory(troubled())
    sheet = sheet_of(day_of(run))
    [finding] = [f for f in sheet.findings if f.control == "INS-SECURITY-001" and f.events]
    events = {e.anchor: e for o in sheet.observations for e in o.events}
    hosts = troubled()
    raw = hosts["app-audit-01"].files["Security.evtx"]
    assert {events[anchor].record_id for anchor in finding.events} == {"48213"}
    [observation] = [o for o in sheet.observations if o.id in finding.evidence]
    assert {events[a].sha256 for a in finding.events} == {a.sha256 for a in observation.artifacts}
    assert observation.artifacts[0].size == len(raw)


def test_the_sheet_reads_back_unchanged_from_json() -> None:
    sheet = sheet_of(day_of(in_memory(troubled())))
    assert msgspec.json.decode(msgspec.json.encode(sheet), type=type(sheet)) == sheet


def test_a_waived_finding_is_to_be_reviewed_and_names_who_let_it_pass(sealing: Sealing) -> None:
    waiver = (
        b"- {control: INS-REBOOT-001, subject: app-perm-01/host/*, reason: agreed for the 24th,"
        b" approver: 'Wang, bureau', expires: '2026-12-31'}"
    )
    sealing.run({"app-perm-01": troubled()["app-perm-01"]}, waivers=waiver)
    sheet = sheet_of(read_day(sealing.reports, date(2026, 11, 22)))
    assert (sheet.verdict, sheet.counts.review) == (Verdict.REVIEW, 1)
    [finding] = [f for f in sheet.findings if f.waiver]
    [record] = sheet.waivers
    assert record.id == finding.waiver
    assert (record.approver, record.expires) == ("Wang, bureau", "2026-12-31")
    text = Page(render(sheet, "zh-CN")).text
    assert "agreed for the 24th · 批准人：Wang, bureau · 有效期至：2026-12-31" in text


def test_the_sample_has_the_shape_of_real_facts() -> None:
    for host in troubled().values():
        for observation in observations_of(host, "20261122T003000Z-daily-7f3a", MORNING):
            validate("inspection", observation.subject.kind, observation.facts)

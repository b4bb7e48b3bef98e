"""Hardening on the sheet: what deviates by setting, and what has changed since the last sealed run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.reports.estate import Sealing, lab
from tests.reports.page import Page
from tests.reports.sheets import rows_of

from opsproof.controls.load import parse_controls
from opsproof.controls.scope import INPUT, Known, evaluate_run
from opsproof.controls.waivers import parse_waivers
from opsproof.errors import TamperedError
from opsproof.evidence.bundle import BundleBuilder
from opsproof.evidence.ids import timestamp
from opsproof.evidence.keys import Keys
from opsproof.evidence.model import Observation, Outcome, Run, RunHost, State, Subject, SubjectKind
from opsproof.reports.daily import daily_sheet
from opsproof.reports.html import render
from opsproof.reports.model import LANGUAGES, DailySheet, Group, Verdict
from opsproof.reports.settings_model import Change, ChangeKind, Settings
from opsproof.reports.shelf import data_of
from opsproof.reports.sources import read_day

FIRST = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
CONTROLS = """\
activity: hardening
owner_remedy: {zh: "请改 {owner}", en: "Change {owner}"}
controls:
"""
ONE = """\
  - id: HRD-X-{number:03}
    title: {{zh: 设置{number}, en: Setting {number}}}
    remedy: {{zh: 执行加固, en: Harden}}
    subject: host
    severity: medium
    demands: [B-3]
    clauses: []
    owner: settings.x{number}.gpo
    test:
      all:
        - {{path: settings.x{number}.present, equals: true}}
        - {{path: settings.x{number}.value, at_least: {wanted}}}
"""
WAIVER = b"""\
- control: HRD-X-002
  subject: b/host/*
  reason: ordered
  approver: Wang
  expires: 2026-12-31
"""


def controls(count: int = 3, wanted: int = 10) -> bytes:
    parts = (ONE.format(number=number, wanted=wanted) for number in range(1, count + 1))
    return (CONTROLS + "".join(parts)).encode()


def facts(*values: int | None, gpo: str = "", applied: tuple[str, ...] = ()) -> dict[str, Any]:
    """Settings x1, x2 ... with these values; the first one is set by a GPO when it is named."""
    settings: dict[str, Any] = {
        f"x{number}": {"present": value is not None, "value": value}
        for number, value in enumerate(values, 1)
    }
    if gpo:
        settings["x1"]["gpo"] = gpo
    changes = [{"id": name, "target": "", "before": "", "after": ""} for name in applied]
    return {"settings": settings, "applied": bool(applied), "changes": changes}


class Ledger:
    """Seals runs of the playbook ``harden``, a day apart."""

    def __init__(self, reports: Path, keys: Keys) -> None:
        self.reports, self.keys, self.days = reports, keys, 0

    def run(
        self,
        hosts: Mapping[str, dict[str, Any] | None],
        *,
        data: bytes | None = None,
        limit: str | None = None,
        check: bool = False,
        hours: int = 24,
        waivers: bytes = b"",
    ) -> str:
        start = FIRST + timedelta(hours=self.days)
        self.days += hours
        name = f"{start:%Y%m%dT%H%M%SZ}-harden-{self.days:04x}"
        builder = BundleBuilder(self.reports, name, bureau=self.keys.bureau)
        files = {"hardening.yml": controls() if data is None else data}
        builder.add_input("controls/hardening.yml", files["hardening.yml"])
        builder.add_input(INPUT, Known().to_bytes())
        if waivers:
            builder.add_input("waivers.yml", waivers)
        seen = [
            builder.add_observation(
                Observation(
                    id="",
                    run=name,
                    activity="hardening",
                    subject=Subject(kind=SubjectKind.HOST, id=host, host=host),
                    collected_at=timestamp(start),
                    clock_offset_ms=0,
                    collector="hardening/1",
                    facts=found,
                )
            )
            for host, found in hosts.items()
            if found is not None
        ]
        record = Run(
            id=name,
            kind="harden",
            inventory="lab",
            playbook="playbooks/harden.yml",
            started_at=timestamp(start),
            finished_at=timestamp(start),
            evaluated_at=timestamp(start),
            status="completed",
            rc=0,
            operator="x",
            host="ops",
            limit=limit,
            check=check,
            hosts={
                host: RunHost(
                    outcome=Outcome.OK if found is not None else Outcome.UNREACHABLE,
                    planned=True,
                    seen=True,
                    activities=("hardening",),
                )
                for host, found in hosts.items()
            },
        )
        findings = evaluate_run(
            record,
            parse_controls(files),
            seen,
            Known(),
            parse_waivers(waivers, name="w") if waivers else [],
            start,
        )
        builder.write(record, findings)
        builder.seal(self.keys.signer, now=start + timedelta(minutes=1))
        return name

    def sheet(self) -> DailySheet:
        """The sheet of the day of the last run."""
        last = max(self.reports.glob("runs/2*")).name[:8]
        day = datetime.strptime(last, "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
        return daily_sheet(read_day(self.reports, day), template_sha256="t" * 64)

    def settings(self) -> Settings:
        part = self.sheet().settings
        assert part is not None
        return part


@pytest.fixture
def ledger(tmp_path: Path, keys: Keys) -> Ledger:
    return Ledger(tmp_path / "reports", keys)


def told(change: Change) -> tuple[str, str, str, str, tuple[str, ...]]:
    return change.kind, change.control[-3:], change.was["en"], change.now["en"], change.hosts


def test_a_first_run_says_that_there_is_nothing_to_compare_with(ledger: Ledger) -> None:
    ledger.run({"a": facts(1, 20, 20), "b": facts(20, 20, 20)})
    sheet = ledger.sheet()
    assert sheet.settings is not None
    assert sheet.settings.changes == ()
    assert [host.compared_with for host in sheet.settings.hosts] == ["", ""]
    assert "There is no earlier run to compare with" in Page(render(sheet, "en")).text
    assert "没有更早的运行可供比较" in Page(render(sheet, "zh-CN")).text
    assert "New deviation" not in render(sheet, "en")


def test_each_kind_of_change_is_told_by_setting_with_was_and_is(ledger: Ledger) -> None:
    before = ledger.run({"a": facts(1, 20, 5), "b": facts(20, 20, 5), "c": facts(20, None, 20)})
    ledger.run({"a": facts(20, 30, 6), "b": facts(2, 20, 6), "c": facts(2, None, 20)})
    part = ledger.settings()
    assert [told(change) for change in part.changes] == [
        (ChangeKind.NEW, "001", "20", "2", ("b", "c")),
        (ChangeKind.OTHER, "003", "5", "6", ("a", "b")),
        (ChangeKind.RESOLVED, "001", "1", "20", ("a",)),
        (ChangeKind.VALUE, "002", "20", "30", ("a",)),
    ]
    by_host = {host.host: host for host in part.hosts}
    assert by_host["a"].changes == {"other": 1, "resolved": 1, "value": 1}
    assert by_host["b"].changes == {"new": 1, "other": 1}
    assert by_host["c"].unchanged == 2
    assert {host.compared_with for host in part.hosts} == {before}
    for host in part.hosts:
        assert sum(host.changes.values()) + host.unchanged + host.not_compared == 3


def test_the_second_day_without_a_change_is_quiet(ledger: Ledger) -> None:
    for _ in range(2):
        ledger.run({"a": facts(1, 20, 20)})
    sheet = ledger.sheet()
    assert sheet.settings is not None
    assert sheet.settings.changes == ()
    assert sheet.settings.hosts[0].unchanged == 3
    assert "No setting has changed since." in Page(render(sheet, "en")).text


def test_since_when_is_the_first_run_of_an_unbroken_series(ledger: Ledger) -> None:
    ledger.run({"a": facts(3, 20, 20)})
    ledger.run({"a": facts(20, 20, 20)})
    again = ledger.run({"a": facts(4, 20, 20)})
    ledger.run({"a": None})
    ledger.run({"a": facts(5, 20, 20)})
    [change] = ledger.settings().changes
    assert change.kind is ChangeKind.OTHER
    assert change.since is not None
    assert (change.since.run, change.since.or_earlier) == (again, False)


def test_each_host_is_compared_with_the_last_run_that_saw_it(ledger: Ledger) -> None:
    first = ledger.run({"a": facts(20, 20, 20), "b": facts(20, 20, 20)})
    second = ledger.run({"a": facts(20, 20, 20), "b": None})
    ledger.run({"a": facts(1, 20, 20), "b": facts(1, 20, 20)})
    part = ledger.settings()
    assert {host.host: host.compared_with for host in part.hosts} == {"a": second, "b": first}
    assert [told(change)[-1] for change in part.changes] == [("a", "b")]


def test_two_runs_of_one_day_are_compared_with_each_other(ledger: Ledger) -> None:
    ledger.run({"a": facts(20, 20, 20)})
    morning = ledger.run({"a": facts(1, 20, 20)}, hours=2)
    ledger.run({"a": facts(20, 20, 20, applied=("HRD-X-001",))}, limit="a")
    part = ledger.settings()
    assert part.hosts[0].compared_with == morning
    [change] = part.changes
    assert (change.kind, change.by_run) == (ChangeKind.RESOLVED, True)


def test_a_trial_is_no_run_to_compare_with_and_compares_nothing(ledger: Ledger) -> None:
    first = ledger.run({"a": facts(20, 20, 20)})
    ledger.run({"a": facts(1, 20, 20)}, check=True)
    assert ledger.sheet().settings is None
    ledger.run({"a": facts(20, 20, 20)})
    part = ledger.settings()
    assert part.changes == ()
    assert part.hosts[0].compared_with == first


def test_hosts_that_are_missed_are_named_and_those_left_out_are_counted(ledger: Ledger) -> None:
    everybody = {name: facts(20, 20, 20) for name in "abc"}
    first = ledger.run(everybody)
    ledger.run({"a": facts(20, 20, 20), "b": None})
    part = ledger.settings()
    assert [(host.host, host.run, host.planned) for host in part.unseen] == [
        ("b", first, True),
        ("c", first, False),
    ]
    text = Page(render(ledger.sheet(), "en")).text
    assert "2 host(s) were not seen this time: b (last 2026-11-20), c (last 2026-11-20, no" in text
    ledger.run(everybody)
    ledger.run({"a": facts(20, 20, 20)}, limit="a")
    part = ledger.settings()
    assert (part.unseen, part.not_asked) == ((), 2)


def test_a_host_that_was_gone_before_the_last_whole_run_is_no_news(ledger: Ledger) -> None:
    ledger.run({"a": facts(20, 20, 20), "old": facts(20, 20, 20)})
    ledger.run({"a": facts(20, 20, 20)})
    ledger.run({"a": facts(20, 20, 20)})
    assert ledger.settings().unseen == ()


def test_a_baseline_that_asks_for_more_is_not_taken_for_drift(ledger: Ledger) -> None:
    ledger.run({"a": facts(10, 20, 20)})
    ledger.run({"a": facts(10, 20, 20)}, data=controls(wanted=15))
    [change] = ledger.settings().changes
    assert (change.kind, change.demand) == (ChangeKind.NEW, True)
    assert "baseline changed" in Page(render(ledger.sheet(), "en")).text


def test_a_setting_that_a_baseline_has_got_since_is_not_compared(ledger: Ledger) -> None:
    ledger.run({"a": facts(20, 20)}, data=controls(2))
    ledger.run({"a": facts(20, 20, 1)})
    part = ledger.settings()
    assert part.changes == ()
    assert (part.hosts[0].unchanged, part.hosts[0].not_compared) == (2, 1)


def test_a_setting_that_nobody_can_say_any_more_is_a_change(ledger: Ledger) -> None:
    ledger.run({"a": facts(20, 20, 20)})
    ledger.run({"a": facts(20, 20)})
    ledger.run({"a": facts(20, 20, 20)})
    [back] = ledger.settings().changes
    assert told(back) == (ChangeKind.BACK, "003", "Collection error", "20", ("a",))


def test_a_waiver_is_a_deviation_as_before(ledger: Ledger) -> None:
    ledger.run({"a": facts(20, 1, 20), "b": facts(20, 1, 20)})
    ledger.run({"a": facts(20, 1, 20), "b": facts(20, 1, 20)}, waivers=WAIVER)
    part = ledger.settings()
    assert part.changes == ()
    assert {host.host: host.states["pass"] for host in part.hosts} == {"a": 2, "b": 2}


def test_a_setting_is_one_row_on_however_many_hosts_and_a_gpo_s_is_its_own(ledger: Ledger) -> None:
    ledger.run(
        {
            "a": facts(1, 20, 20),
            "b": facts(2, 20, 20),
            "c": facts(2, 20, 20),
            "d": facts(3, 20, 20, gpo="域基线 <b>{x}"),
        }
    )
    sheet = ledger.sheet()
    shared, domain = rows_of(sheet, Group.HARDENING)
    assert (shared.hosts, len(shared.findings)) == (("a", "b", "c"), 3)
    assert shared.measured["en"] == "2 ×2 · 1 ×1"
    assert shared.threshold["en"] == "value ≥ 10"
    assert shared.remedy["en"] == "Harden"
    assert (domain.host, domain.remedy["zh-CN"]) == ("d", "请改 域基线 <b>{x}")
    assert domain.measured["en"] == "3 · set by GPO 域基线 <b>{x}"
    assert sheet.counts.abnormal == 4
    page = Page(render(sheet, "en"))
    assert "on 4 host(s)" in page.text
    assert "<b>{x}" in page.text
    inside = {link[1:] for link in page.links if link.startswith("#")}
    assert inside - set(page.ids) == set()
    for row in (shared, domain):
        assert set(row.findings) <= set(page.ids)


def test_what_a_host_took_back_and_what_broke_are_rows_of_their_own(ledger: Ledger) -> None:
    shipped = Path(__file__).parents[2] / "controls/hardening.yml"
    start = "  - id: HRD-RUN-001"
    data = controls() + (start + shipped.read_text().partition(start)[2]).encode()
    well: dict[str, Any] = {"taken_back": [], "stopped": []}
    ledger.run({"a": facts(10, 10, 10) | well, "b": facts(10, 10, 10) | well}, data=data)
    assert rows_of(ledger.sheet(), Group.HARDENING) == []
    unwell = {"taken_back": ["HRD-URA-012"], "stopped": ["service W32Time", "port 443"]}
    ledger.run({"a": facts(10, 10, 10) | unwell, "b": facts(10, 10, 10) | well}, data=data)
    rows = rows_of(ledger.sheet(), Group.HARDENING)
    assert {(row.control, row.host, row.measured["en"]) for row in rows} == {
        ("HRD-RUN-001", "a", "HRD-URA-012"),
        ("HRD-RUN-002", "a", "service W32Time, port 443"),
    }


def test_settings_that_hold_are_counted_by_host_with_their_lines(ledger: Ledger) -> None:
    name = ledger.run({"a": facts(20, 20, 20), "b": facts(1, 20, 20)})
    sheet = ledger.sheet()
    assert sheet.settings is not None
    lines = (ledger.reports / "runs" / name / "findings.jsonl").read_text("utf-8").splitlines()
    for host in sheet.settings.hosts:
        own = lines[host.first_line - 1 : host.last_line]
        assert len(own) == 3
        assert all(f'"host":"{host.host}"' in line for line in own)
    assert sheet.counts.normal == 5
    assert [record.state for record in sheet.findings] == [State.FAIL]


def test_the_same_evidence_gives_the_same_bytes_and_altered_evidence_none(ledger: Ledger) -> None:
    first = ledger.run({"a": facts(20, 20, 20)})
    ledger.run({"a": facts(1, 20, 20)})
    assert data_of(ledger.sheet()) == data_of(ledger.sheet())
    assert msgspec.json.decode(data_of(ledger.sheet()), type=DailySheet) == ledger.sheet()
    path = ledger.reports / "runs" / first / "findings.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"state":"pass"', b'"state":"fail"', 1))
    with pytest.raises(TamperedError, match="is not what was sealed"):
        ledger.sheet()


def test_a_bad_day_of_many_hosts_and_settings_stays_readable(ledger: Ledger) -> None:
    many = controls(45)
    good = {f"h{n:03}": facts(*[20] * 45) for n in range(65)}
    bad = {f"h{n:03}": facts(*[n % 7] * 45) for n in range(65)}
    ledger.run(good, data=many)
    ledger.run(bad, data=many)
    sheet = ledger.sheet()
    assert sheet.counts.abnormal == 65 * 45
    for language in LANGUAGES:
        page = Page(render(sheet, language))
        assert page.tags.count("tr") < 400
        inside = {link[1:] for link in page.links if link.startswith("#")}
        assert inside - set(page.ids) == set()
        assert len(page.ids) == len(set(page.ids))


def test_a_day_on_which_only_settings_were_looked_at_is_no_quiet_day(
    sealing: Sealing, keys: Keys
) -> None:
    few = {name: host for name, host in lab().items() if name == "mgmt-01"}
    sealing.run(few, start=FIRST, nonce="1111")
    ledger = Ledger(sealing.reports, keys)
    ledger.days = 24
    ledger.run({"mgmt-01": facts(20, 20, 20)})
    sheet = ledger.sheet()
    assert sheet.settings is not None
    assert sheet.counts.normal == 3
    assert sheet.counts.not_collected > 10
    assert sheet.verdict is Verdict.INCOMPLETE
    assert [run.id[17:22] for run in sheet.basis_runs] == ["daily"]


def test_no_earlier_run_is_read_for_a_day_without_settings(sealed_days: Path) -> None:
    assert (
        daily_sheet(read_day(sealed_days, date(2026, 11, 22)), template_sha256="t" * 64).settings
        is None
    )

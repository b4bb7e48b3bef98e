"""Accepted hits are counted, not shown, and come back when the acceptance ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from tests.logs.samples import record, titles

from opsproof.errors import UsageError
from opsproof.logs import aside
from opsproof.logs.audit import Options, audit
from opsproof.logs.baseline import make_baseline
from opsproof.logs.model import AuditReport
from opsproof.logs.rules.compiled import RuleSet
from opsproof.logs.rules.load import compile_texts
from opsproof.logs.suppress import Suppression, load_suppressions
from winlab.host.events import named
from winlab.host.evtx_writer import evtx_bytes


def _accept(rule: str, expires: date = date(2026, 12, 31), **match: str) -> Suppression:
    return Suppression("s1", rule, "zhang.san", "test", expires, match)


def test_suppressed_hits_are_counted_not_shown(folder: Path, rules: RuleSet) -> None:
    options = Options(suppressions=(_accept("Failed", TargetUserName="ANN*"),))
    report = audit([folder], rules, options=options)
    assert titles(report) == ["Attack"]
    assert report.counts.suppressed == 4
    (one,) = report.suppressions
    assert (one.owner, one.hits, one.expired) == ("zhang.san", 4, False)


def test_suppressed_burst_leaves_single_hits(folder: Path, rules: RuleSet) -> None:
    options = Options(suppressions=(_accept("Burst", Computer="srv1"),))
    report = audit([folder], rules, options=options)
    assert "Burst" not in titles(report)
    assert "Failed" in titles(report)


OUTER = """\
title: Failed
id: 6f1f3c0e-0000-4000-8000-0000000000d1
name: failed
logsource: {product: windows, service: security}
detection: {s: {EventID: 4625}, condition: s}
---
title: Burst
id: 6f1f3c0e-0000-4000-8000-0000000000d2
name: burst
correlation:
  {type: event_count, rules: [failed], group-by: [TargetUserName], timespan: 1m, condition: {gte: 3}}
---
title: Logon
id: 6f1f3c0e-0000-4000-8000-0000000000d3
name: logon
logsource: {product: windows, service: security}
detection: {s: {EventID: 4624}, condition: s}
---
title: Counted
id: 6f1f3c0e-0000-4000-8000-0000000000d4
correlation:
  {type: event_count, rules: [burst], group-by: [TargetUserName], timespan: 9m, condition: {gte: 1}}
---
title: Beside
id: 6f1f3c0e-0000-4000-8000-0000000000d5
correlation: {type: temporal, rules: [burst, logon], group-by: [TargetUserName], timespan: 9m}
---
title: In order
id: 6f1f3c0e-0000-4000-8000-0000000000d6
correlation: {type: temporal_ordered, rules: [burst, logon], group-by: [TargetUserName], timespan: 9m}
"""


@pytest.mark.parametrize("step", [aside.STEP, 1, 2])
def test_an_accepted_burst_feeds_no_correlation_of_any_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Both of Anna are accepted; those of the others are not."""
    monkeypatch.setattr(aside, "STEP", step)
    events = [
        record(
            1000 * place + 100 * hour + number,
            hour * 3600 + number * 10 + place,
            event_id=4624 if number == 4 else 4625,
            data=named(TargetUserName=name),
        )
        for place, name in enumerate(("ada", "anna", "bert"))
        for hour in (1, 3)
        for number in range(5)
    ]
    (tmp_path / "Security.evtx").write_bytes(
        evtx_bytes(sorted(events, key=lambda e: e.time_created))
    )
    rules = compile_texts([("o.yml", OUTER.encode())])

    def found(*accepted: Suppression) -> dict[str, list[str]]:
        report = audit([tmp_path], rules, options=Options(suppressions=accepted))
        return {
            title: [
                hit.burst.group["TargetUserName"]
                for hit in report.hits
                if hit.title == title and hit.burst is not None
            ]
            for title in ("Counted", "Beside", "In order")
        }

    everybody = ["ada", "anna", "bert"] * 2
    assert found() == dict.fromkeys(("Counted", "Beside", "In order"), everybody)
    others = [name for name in everybody if name != "anna"]
    assert found(_accept("burst", TargetUserName="anna")) == {
        "Counted": others,
        "Beside": others,
        "In order": others,
    }


@pytest.mark.parametrize(
    "accepted",
    [
        _accept("Failed", TargetUserName="bert"),
        _accept("Failed", Missing="x"),
        _accept("Failed", date(2026, 1, 4)),
        _accept("Other"),
    ],
)
def test_what_does_not_fit_or_has_expired_suppresses_nothing(
    folder: Path, rules: RuleSet, accepted: Suppression
) -> None:
    options = Options(suppressions=(accepted,), today=date(2026, 1, 5))
    assert len(audit([folder], rules, options=options).hits) == 7


def test_baseline_of_a_report_covers_its_hits_and_no_others(
    folder: Path, tmp_path: Path, rules: RuleSet
) -> None:
    before = audit([folder], rules)
    file = tmp_path / "baseline.yml"
    file.write_text(
        make_baseline(
            before,
            owner="li.si",
            reason="known",
            expires=date(2026, 12, 31),
            today=date(2026, 1, 5),
        ).text,
        "utf-8",
    )
    options = Options(suppressions=load_suppressions([file]), today=date(2026, 1, 6))
    assert audit([folder], rules, options=options).hits == ()
    new = record(9, 3600, data=named(TargetUserName="eve", IpAddress="10.0.0.9"))
    (folder / "more.evtx").write_bytes(evtx_bytes([new]))
    assert titles(audit([folder], rules, options=options)) == ["Failed"]


COMMANDS = """\
title: Command
id: 6f1f3c0e-0000-4000-8000-0000000000c0
logsource: {product: windows, service: security}
detection: {s: {EventID: 4688}, condition: s}
"""


def test_a_baseline_knows_what_a_report_shows_otherwise_and_no_other_command(
    tmp_path: Path,
) -> None:
    """A line feed is a space there, a secret is gone, and what is long is cut."""
    known = (
        "one\ntwo\tthree",
        "sqlcmd -S db -U sa -P 'x' password=Geheim1! -Q go",
        f"run {'x' * 600} end",
        "a*b?c[d]",
    )
    new = (
        "one two four",
        "sqlcmd -S other password=Geheim1! -Q go",
        f"run {'y' * 600} end",
        "axbyc[d]",
    )

    def found(lines: Sequence[str], options: Options | None = None) -> AuditReport:
        events = [
            record(number, number, event_id=4688, data=named(CommandLine=line))
            for number, line in enumerate(lines, 1)
        ]
        file = tmp_path / "Security.evtx"
        file.write_bytes(evtx_bytes(events))
        return audit([file], compile_texts([("c.yml", COMMANDS.encode())]), options=options)

    made = make_baseline(
        found(known),
        owner="li.si",
        reason="known",
        expires=date(2026, 12, 31),
        today=date(2026, 1, 5),
    )
    assert "Geheim" not in made.text
    file = tmp_path / "baseline.yml"
    file.write_text(made.text, "utf-8")
    options = Options(suppressions=load_suppressions([file]), today=date(2026, 1, 6))
    report = found([*known, *new], options)
    assert [hit.record_id for hit in report.hits] == [5, 6, 7, 8]
    assert report.counts.suppressed == len(known)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b", r"s\.yml:1: this is no list of suppressions"),
        ("\n- a", r"s\.yml:2: this is no list of suppressions"),
        ("- {id: a}", r"s\.yml:1: this suppression lacks rule, owner, reason, expires"),
        ("- {id: a, rule: x, owner: ' ', reason: r, expires: 2026-01-01}", "lacks owner"),
        (
            "- id: a\n  rule: x\n  owner: o\n  reason: r\n  expires: soon",
            r"s\.yml:5: expires: Invalid",
        ),
        ("- {id: a, rule: x, owner: o, reason: r, expires: 2026-01-01, mach: {}}", "mach"),
        (
            "- {id: a, rule: x, owner: o, reason: r, expires: 2026-01-01}\n"
            "- {id: a, rule: y, owner: o, reason: r, expires: 2026-01-01}",
            "the id 'a' stands twice",
        ),
        ("- {", r"s\.yml:1: is not YAML"),
    ],
)
def test_wrong_suppressions_are_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "s.yml"
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_suppressions([file])

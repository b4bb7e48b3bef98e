"""The audit as a whole: sources, gaps, suppressions, limits, the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import cabarchive
import pytest

from opsproof.errors import UsageError
from opsproof.evidence.canonical import canonical
from opsproof.logs.audit import Limits, Options, audit
from opsproof.logs.baseline import make_baseline
from opsproof.logs.model import AuditReport, Kind, Reason
from opsproof.logs.rules.compiled import RuleSet
from opsproof.logs.rules.load import compile_texts
from opsproof.logs.schema import load_schemas
from opsproof.logs.suppress import Suppression, load_suppressions
from winlab.host.events import EventRecord, named, user_data
from winlab.host.evtx_writer import evtx_bytes

RULES = """\
title: Failed
id: 00000000-0000-0000-0000-000000000001
name: failed
logsource: {product: windows, service: security}
detection: {s: {EventID: 4625}, condition: s}
---
title: Burst
id: 00000000-0000-0000-0000-000000000002
correlation:
  type: event_count
  generate: true
  rules: [failed]
  group-by: [Computer, TargetUserName]
  timespan: 1m
  condition: {gte: 3}
---
title: Attack
id: 00000000-0000-0000-0000-000000000003
logsource: {category: webserver}
detection: {s: {cs-uri-query|contains: union select}, condition: s}
---
title: Two logs
id: 00000000-0000-0000-0000-000000000004
correlation:
  type: temporal_ordered
  generate: true
  rules: [00000000-0000-0000-0000-000000000003, failed]
  timespan: 1m
---
title: Needs Sysmon
id: 00000000-0000-0000-0000-000000000005
logsource: {product: windows, category: process_creation}
detection: {s: {Image|endswith: x}, condition: s}
---
title: Look-around
id: 00000000-0000-0000-0000-000000000006
logsource: {product: windows, service: security}
detection: {s: {Image|re: 'a(?=b)'}, condition: s}
---
title: No reader
id: 00000000-0000-0000-0000-000000000007
logsource: {product: linux}
detection: {s: {a: b}, condition: s}
"""
_START = datetime(2026, 1, 5, 10, tzinfo=UTC)
WEB = """\
#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status
2026-01-05 09:59:59 203.0.113.9 GET /a.asp id=1'+UNION%20select+1&password=secret1 500
"""


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return compile_texts([("rules.yml", RULES.encode())])


def record(number: int, second: float, **fields: Any) -> EventRecord:
    plain: dict[str, Any] = {
        "provider": "Microsoft-Windows-Security-Auditing",
        "event_id": 4625,
        "channel": "Security",
        "computer": "SRV1",
        "level": 0,
        "data": named(TargetUserName="anna", TargetDomainName="EXAM", IpAddress="10.0.0.8"),
    }
    moment = _START + timedelta(seconds=second)
    return EventRecord(record_id=number, time_created=moment, **{**plain, **fields})


def failures(*numbers: int, step: float = 10) -> Iterator[EventRecord]:
    return (record(number, step * place) for place, number in enumerate(numbers))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "logs"
    made.mkdir()
    (made / "security.evtx").write_bytes(evtx_bytes(failures(1, 2, 3, 4)))
    (made / "W3SVC1_u_ex260105.log").write_text(WEB)
    return made


def titles(report: AuditReport) -> list[str]:
    return [hit.title for hit in report.hits]


def test_hits_of_all_logs_and_of_both_together(folder: Path, rules: RuleSet) -> None:
    report = audit([folder], rules)
    assert titles(report) == ["Attack", "Two logs", "Failed", "Burst", "Failed", "Failed", "Failed"]
    burst = report.hits[3].burst
    assert burst is not None
    assert (burst.peak, burst.events, burst.group) == (
        4,
        4,
        {"Computer": "SRV1", "TargetUserName": "anna"},
    )
    assert [one.record_id for one in burst.members] == [1, 2, 3, 4]
    chain = report.hits[1].burst
    assert chain is not None
    assert [Path(one.file).name for one in chain.members][:2] == [
        "W3SVC1_u_ex260105.log",
        "security.evtx",
    ]


def test_a_hit_names_its_record_and_shows_no_secret(folder: Path, rules: RuleSet) -> None:
    hit = audit([folder], rules).hits[0]
    assert (hit.file, hit.record_id, hit.channel) == ("logs/W3SVC1_u_ex260105.log", 2, "W3SVC1")
    assert "secret1" not in str(hit)
    assert hit.redactions == 1


def test_rules_that_could_not_run_say_why(folder: Path, rules: RuleSet) -> None:
    report = audit([folder], rules)
    assert {(one.title, one.reason) for one in report.rules_not_run} == {
        ("Needs Sysmon", Reason.NO_FIELD),
        ("Look-around", Reason.UNSUPPORTED),
        ("No reader", Reason.NO_SOURCE),
    }
    assert report.counts.rules_run == 4


def test_same_input_same_bytes_whatever_the_order(folder: Path, rules: RuleSet) -> None:
    files = sorted(folder.iterdir())
    assert canonical(audit(files, rules)) == canonical(audit(files[::-1], rules))


def test_file_under_two_names_counts_once(folder: Path, rules: RuleSet) -> None:
    (folder / "copy.evtx").write_bytes((folder / "security.evtx").read_bytes())
    report = audit([folder], rules)
    assert (report.counts.duplicates, report.counts.files) == (1, 2)


def test_records_that_two_exports_hold_count_once_in_a_burst(
    tmp_path: Path, rules: RuleSet
) -> None:
    (tmp_path / "a.evtx").write_bytes(evtx_bytes(failures(1, 2)))
    (tmp_path / "b.evtx").write_bytes(evtx_bytes([record(2, 10), record(9, 500)]))
    assert "Burst" not in titles(audit([tmp_path], rules))


def test_time_limits_count_what_they_leave_out(folder: Path, rules: RuleSet) -> None:
    since, until = _START + timedelta(seconds=10), _START + timedelta(seconds=30)
    report = audit([folder], rules, since=since, until=until)
    assert titles(report) == ["Failed", "Failed"]
    assert report.counts.filtered == 3


def test_limits_bound_what_is_shown_not_what_is_counted(folder: Path, rules: RuleSet) -> None:
    report = audit([folder], rules, options=Options(limits=Limits(hits_per_rule=1, members=2)))
    assert titles(report) == ["Attack", "Two logs", "Failed", "Burst"]
    (failed,) = [one for one in report.rules_run if one.title == "Failed"]
    assert (failed.hits, failed.shown) == (4, 1)


def test_summary_counts_failed_logons_and_cleared_logs(tmp_path: Path, rules: RuleSet) -> None:
    cleared = record(
        6, 60, event_id=1102, data=user_data("LogFileCleared", "urn:x", [("SubjectUserName", "eve")])
    )  # fmt: skip
    error = record(7, 61, event_id=5, channel="System", level=2, provider="disk", data=None)
    (tmp_path / "a.evtx").write_bytes(evtx_bytes([*failures(1, 2), cleared, error]))
    summary = audit([tmp_path], rules).summary
    assert summary.failed_logons.total == 2
    assert [(one.name, one.count) for one in summary.failed_logons.by_account] == [
        ("EXAM\\anna", 2)
    ]
    assert [(one.name, one.count) for one in summary.failed_logons.by_source] == [("10.0.0.8", 2)]
    assert [(one.channel, one.record_id, one.account) for one in summary.log_cleared] == [
        ("Security", 6, "eve")
    ]
    assert (summary.errors, [(one.provider, one.event_id) for one in summary.top]) == (
        1,
        [("disk", 5)],
    )


def test_damaged_and_foreign_files_do_not_hide_the_rest(folder: Path, rules: RuleSet) -> None:
    (folder / "cut.evtx").write_bytes(evtx_bytes(failures(50))[:30_000])
    (folder / "notes.txt").write_text("not a log")
    (folder / "broken.cab").write_bytes(b"MSCF" + bytes(100))
    report = audit([folder], rules)
    assert "Burst" in titles(report)
    assert {Path(one.file).name for one in report.unreadable} == {
        "cut.evtx",
        "notes.txt",
        "broken.cab",
    }


def test_cabinets_are_unpacked_and_their_files_named(tmp_path: Path, rules: RuleSet) -> None:
    archive = cabarchive.CabArchive()
    archive["W3SVC7_u_ex260105.log"] = cabarchive.CabFile(WEB.encode())
    (tmp_path / "host.cab").write_bytes(archive.save(compress=True))
    (hit,) = audit([tmp_path / "host.cab"], rules).hits
    assert (hit.file, hit.channel) == ("host.cab!W3SVC7_u_ex260105.log", "W3SVC7")


@pytest.mark.parametrize(
    ("records", "kinds"),
    [
        ([record(1, 0), record(2, 1)], []),
        ([record(1, 0), record(5, 1)], ["record-id-hole"]),
        ([record(1, 100), record(2, 0)], ["time-backwards"]),
        ([record(1, 30), record(2, 0)], []),
        ([], ["no-records"]),
    ],
)
def test_gaps(tmp_path: Path, rules: RuleSet, records: list[EventRecord], kinds: list[str]) -> None:
    (tmp_path / "a.evtx").write_bytes(evtx_bytes(records))
    assert [gap.kind for gap in audit([tmp_path], rules).gaps] == kinds


def test_holes_in_an_export_prove_nothing(tmp_path: Path, rules: RuleSet) -> None:
    (tmp_path / "a.evtx").write_bytes(evtx_bytes([record(3, 0), record(9, 1)], exported=True))
    assert audit([tmp_path], rules).gaps == ()


def test_gap_says_how_many_and_where(tmp_path: Path, rules: RuleSet) -> None:
    (tmp_path / "a.evtx").write_bytes(evtx_bytes([record(1, 0), record(5, 1), record(7, 2)]))
    (gap,) = audit([tmp_path], rules).gaps
    assert gap.detail == "4 record ids are missing in 2 places, first between 1 and 5"
    assert gap.channel == "Security"


def test_what_one_computer_has_makes_up_for_nothing_that_another_lacks(
    tmp_path: Path, rules: RuleSet
) -> None:
    """Two computers in one audit, and both in one file, as a collector of events has them."""
    mine = [record(1, -300 * 86_400), record(2, -300 * 86_400), record(3, 0)]
    other = [record(number, number, computer="SRV2") for number in (40, 41, 45)]
    (tmp_path / "both.evtx").write_bytes(evtx_bytes([*mine[:2], *other[:2], mine[2], other[2]]))
    options = Options(retained_since=_START - timedelta(days=183))
    gaps = audit([tmp_path], rules, options=options).gaps
    assert [(gap.kind, gap.detail) for gap in gaps] == [
        (
            "record-id-hole",
            "of SRV2, 3 record ids are missing in 1 places, first between 41 and 45",
        ),
        (
            "short-retention",
            "the oldest record is of 2026-01-05T10:00:40.000000Z; policy asks for 2025-07-06",
        ),
    ]


def test_a_day_that_one_site_lacks_is_missing_though_another_has_it(
    tmp_path: Path, rules: RuleSet
) -> None:
    for server, days in ((1, (1, 3)), (2, (1, 2, 3))):
        for day in days:
            file = tmp_path / "logs" / f"srv{server}" / "W3SVC1" / f"u_ex26010{day}.log"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(
                WEB.replace("2026-01-05", f"2026-01-0{day}").replace("9 GET", f"{server} GET")
            )
    report = audit([tmp_path / "logs"], rules)
    assert [(gap.kind, gap.file, gap.detail) for gap in report.gaps] == [
        (
            "quiet-day",
            "logs/srv1/W3SVC1/u_ex260103.log",
            "no log of 2026-01-02 (Friday): no requests, or they are lost; "
            "no other log here has a record of that day",
        )
    ]


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("u_ex260101.log", "u_ex260103.log"), ["2026-01-02"]),
        (("u_ex260101_x.log", "u_ex260103_x.log"), ["2026-01-02"]),
        (("u_ex26010100.log", "u_ex26010101.log", "u_ex26010323.log"), ["2026-01-02"]),
        (("access-2026-01-01.log", "access-2026-01-03.log"), ["2026-01-02"]),
        (("a_20260101.log", "a_20260103.log", "b_20260102.log"), ["2026-01-02"]),
        (("u_ex2601w1.log", "u_ex2601.log", "9920260101.log", "u_ex269999.log"), []),
    ],
)
def test_the_day_of_a_log_is_in_its_name(
    tmp_path: Path, rules: RuleSet, names: tuple[str, ...], missing: list[str]
) -> None:
    for number, name in enumerate(names):
        (tmp_path / name).write_text(WEB.replace("203.0.113.9", f"203.0.113.{number}"))
    details = [gap.detail for gap in audit([tmp_path], rules).gaps if gap.kind == "quiet-day"]
    assert [detail.partition(" (")[0] for detail in details] == [
        f"no log of {day}" for day in missing
    ]


def test_a_cabinet_is_one_place_whatever_folders_it_has(tmp_path: Path, rules: RuleSet) -> None:
    cabinet = cabarchive.CabArchive()
    for folder, day in enumerate((1, 2, 4)):
        text = WEB.replace("2026-01-05", f"2026-01-0{day}")
        cabinet[f"{folder}\\u_ex26010{day}.log"] = cabarchive.CabFile(text.encode())
    (tmp_path / "web01.cab").write_bytes(cabinet.save())
    options = Options(retained_since=_START - timedelta(days=183))
    gaps = audit([tmp_path], rules, options=options).gaps
    assert sorted(gap.kind for gap in gaps) == ["quiet-day", "short-retention"]


def test_a_damaged_cabinet_is_called_so(tmp_path: Path, rules: RuleSet) -> None:
    (tmp_path / "web01.cab").write_bytes(b"MSCF" + bytes(40))
    (place,) = audit([tmp_path], rules).unreadable
    assert "a cabinet that is damaged" in str(place)


def test_days_whose_logs_are_alike_are_all_there(tmp_path: Path, rules: RuleSet) -> None:
    head = "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time c-ip\n"
    for day in (1, 2, 3):
        (tmp_path / f"u_ex26010{day}.log").write_text(head)
    report = audit([tmp_path], rules)
    assert [gap.kind for gap in report.gaps] == ["no-records"]
    assert report.counts.duplicates == 2


def test_quiet_days_and_short_retention(tmp_path: Path, rules: RuleSet) -> None:
    for day in (1, 2, 5):
        text = WEB.replace("2026-01-05", f"2026-01-0{day}")
        (tmp_path / f"W3SVC1_u_ex26010{day}.log").write_text(text)
    options = Options(retained_since=datetime(2025, 7, 1, tzinfo=UTC))
    gaps = audit([tmp_path], rules, options=options).gaps
    assert [(gap.kind, gap.detail) for gap in gaps] == [
        (
            "short-retention",
            "the oldest record is of 2026-01-01T09:59:59.000000Z; policy asks for 2025-07-01",
        ),
        *(
            (
                "quiet-day",
                f"no log of 2026-01-0{day}: no requests, or they are lost; "
                "no other log here has a record of that day",
            )
            for day in ("3 (Saturday)", "4 (Sunday)")
        ),
    ]


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


def test_data_logs_are_read_by_their_map(tmp_path: Path, rules: RuleSet) -> None:
    schema = tmp_path / "map.yml"
    schema.write_text(
        "product: p\nmatch: 'sign_*.csv'\ntime: {column: t}\ncolumns: {u: user}\n", "utf-8"
    )
    log = tmp_path / "sign_1.csv"
    log.write_text("t,u\n2026-01-05 10:00:00,anna\n")
    report = audit([log], rules, options=Options(schemas=load_schemas([schema])))
    (source,) = report.sources
    assert (source.kind, source.records, source.first) == (
        Kind.DATA,
        1,
        "2026-01-05T02:00:00.000000Z",
    )
    assert audit([log], rules).unreadable[0].what.startswith("it is no log that opsproof reads")


@pytest.mark.parametrize(
    "text",
    [
        "product: p",
        "product: p\nmatch: x\ntime: {column: t}\ncolumns: {}\nzone: Mars/Base",
        "product: p\nmatch: x\ntime: {column: t}\ncolumns: {}\nencoding: klingon",
        "product: p\nmatch: x\ntime: {column: t}\ncolumns: {a: {name: b, unit: miles}}",
    ],
)
def test_wrong_schema_maps_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "map.yml"
    file.write_text(text)
    with pytest.raises(UsageError):
        load_schemas([file])


def test_paths_that_do_not_exist_are_refused(tmp_path: Path, rules: RuleSet) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        audit([tmp_path / "none"], rules)


def test_a_device_that_never_ends_is_refused(rules: RuleSet) -> None:
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        audit([Path("/dev/zero")], rules)


def test_centralised_binary_log_is_named_with_what_to_do(tmp_path: Path, rules: RuleSet) -> None:
    (tmp_path / "ra260105.ibl").write_bytes(bytes(range(256)))
    report = audit([tmp_path / "ra260105.ibl"], rules)
    (place,) = report.unreadable
    assert "centralised binary log" in place.what
    assert "Log Parser" in place.what
    assert (report.counts.files, report.counts.bytes, report.counts.records) == (1, 256, 0)


def test_a_correlation_whose_group_no_record_has_is_told_not_passed(tmp_path: Path) -> None:
    texts = [
        (
            "r.yml",
            b"title: Any request\nname: any\nid: 6f1f3c0e-0000-4000-8000-00000000000c\n"
            b"logsource: {category: webserver}\n"
            b"detection: {s: {cs-method: GET}, condition: s}\n---\n"
            b"title: Many of one user\nid: 6f1f3c0e-0000-4000-8000-00000000000d\n"
            b"correlation: {type: event_count, rules: [any], group-by: [cs-host], timespan: 1h,"
            b" condition: {gte: 2}}\n",
        )
    ]
    log = tmp_path / "u_ex260105.log"
    log.write_text(
        "#Fields: date time c-ip cs-method cs-uri-stem\n"
        + "2026-01-05 10:00:00 10.0.0.1 GET /a\n" * 3
    )
    report = audit([log], compile_texts(texts))
    [why] = [one for one in report.rules_not_run if one.title == "Many of one user"]
    assert (why.reason, why.detail) == (
        Reason.NO_FIELD,
        "no record that it counts has the field cs-host",
    )


@pytest.mark.parametrize("part", [1 << 16, 100])
def test_records_without_a_time_are_told_for_no_correlation_sees_them(
    tmp_path: Path, rules: RuleSet, part: int
) -> None:
    file = tmp_path / "u_ex260105.log"
    lines = ["2026-01-05 10:00:00 /a", "2026-01-05 25:00:00 /b", "2026-01-35 10:00:00 /c"] * 5
    file.write_text("\n".join(["#Fields: date time cs-uri-stem", *lines, ""]))
    report = audit([tmp_path], rules, options=Options(part_bytes=part))
    [told] = report.unreadable
    assert told.what == "the time of 10 records cannot be read: no correlation sees them"
    assert told.record == 3
    assert report.counts.records == 15

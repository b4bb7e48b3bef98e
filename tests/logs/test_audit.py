"""The audit as a whole: sources, limits, what could not run, the same bytes every time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import cabarchive
import pytest
from tests.logs.samples import START, WEB, failures, record, titles

from opsproof.errors import UsageError
from opsproof.evidence.canonical import canonical
from opsproof.logs.audit import Limits, Options, audit
from opsproof.logs.model import Kind, Reason
from opsproof.logs.rules.compiled import RuleSet
from opsproof.logs.rules.load import compile_texts
from opsproof.logs.schema import load_schemas
from winlab.host.events import user_data
from winlab.host.evtx_writer import evtx_bytes


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
    since, until = START + timedelta(seconds=10), START + timedelta(seconds=30)
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

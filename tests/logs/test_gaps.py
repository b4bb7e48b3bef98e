"""What logs lack: records, days, a beginning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import cabarchive
import pytest
from tests.logs.samples import START, WEB, record

from opsproof.logs.audit import Options, audit
from opsproof.logs.rules.compiled import RuleSet
from winlab.host.events import EventRecord
from winlab.host.evtx_writer import evtx_bytes


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
    options = Options(retained_since=START - timedelta(days=183))
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
    options = Options(retained_since=START - timedelta(days=183))
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

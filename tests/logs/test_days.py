"""A day of which a web site has no log: lost, or nobody came; and who may accept that."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from opsproof.errors import UsageError
from opsproof.logs.audit import Options, audit
from opsproof.logs.baseline import make_baseline
from opsproof.logs.days import place_of
from opsproof.logs.habits import BUSY, SiteDays
from opsproof.logs.model import Gap
from opsproof.logs.rules.load import compile_texts
from opsproof.logs.suppress import load_suppressions
from winlab.host.events import EventRecord, named
from winlab.host.evtx_writer import evtx_bytes

RULES = compile_texts([])
TODAY = date(2026, 2, 1)
MONDAY = date(2026, 1, 5)


def web(folder: Path, day: date, requests: int = 1, name: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{day} 10:00:00 203.0.113.9 GET /{folder.name}/{n} 200\n" for n in range(requests)]
    file = folder / (name or f"u_ex{day:%y%m%d}.log")
    file.write_text("#Fields: date time c-ip cs-method cs-uri-stem sc-status\n" + "".join(lines))


def events(file: Path, days: Iterable[date], computer: str = "WEB01") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    made = [
        EventRecord(
            record_id=number,
            time_created=datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
            provider="Service Control Manager",
            event_id=7036,
            channel="System",
            computer=computer,
            data=named(param1=computer),
        )
        for number, day in enumerate(days, 1)
    ]
    file.write_bytes(evtx_bytes(made))


def week(*offsets: int) -> list[date]:
    return [MONDAY + timedelta(days=offset) for offset in offsets]


def gaps(folder: Path, options: Options | None = None) -> list[Gap]:
    found = audit([folder], RULES, options=options).gaps
    return [gap for gap in found if gap.kind in {"quiet-day", "missing-day"}]


@pytest.mark.parametrize(
    ("requests", "days", "kinds"),
    [
        (BUSY, (0, 1, 3), ["missing-day"]),
        (BUSY - 1, (0, 1, 3), ["quiet-day"]),
        # Two working days say little, and nothing of a weekend.
        (BUSY, (0, 2), ["quiet-day"]),
        (BUSY, (0, 1, 2, 3, 4, 7), ["quiet-day", "quiet-day"]),
    ],
)
def test_a_site_that_is_always_busy_does_not_rest_for_a_day(
    tmp_path: Path, requests: int, days: tuple[int, ...], kinds: list[str]
) -> None:
    for day in week(*days):
        web(tmp_path / "W3SVC1", day, requests)
    assert [gap.kind for gap in gaps(tmp_path)] == kinds


def test_what_says_that_the_computer_ran_is_named(tmp_path: Path) -> None:
    host = tmp_path / "logs" / "web01"
    for day in week(0, 2):
        web(host / "iis" / "W3SVC1", day)
    [gap] = gaps(tmp_path / "logs")
    assert gap.detail == (
        "no log of 2026-01-06 (Tuesday): no requests, or they are lost; "
        "no other log here has a record of that day"
    )
    assert (gap.first, gap.channel) == ("2026-01-06T00:00:00.000000Z", "W3SVC1")
    # Another computer's logs say nothing, and neither does the site's own next log.
    events(tmp_path / "logs" / "web02" / "events" / "System.evtx", week(0, 1, 2), "WEB02")
    web(host / "iis" / "W3SVC1", week(1)[0], name=f"u_ex{week(2)[0]:%y%m%d}.log")
    assert "no other log" in gaps(tmp_path / "logs")[0].detail
    events(host / "events" / "System.evtx", week(0, 1, 2))
    assert gaps(tmp_path / "logs")[0].detail.endswith(
        "; the computer ran: logs/web01/events/System.evtx has records of that day"
    )


def test_of_two_computers_logs_in_one_place_nobody_knows_whose_the_site_is(tmp_path: Path) -> None:
    for day in week(0, 2):
        web(tmp_path / "W3SVC1", day)
    events(tmp_path / "a.evtx", week(1), "WEB01")
    assert "the computer ran" in gaps(tmp_path)[0].detail
    events(tmp_path / "b.evtx", week(1), "WEB02")
    assert "no other log" in gaps(tmp_path)[0].detail
    web(tmp_path / "W3SVC2", week(1)[0])
    assert "the computer ran" in gaps(tmp_path)[0].detail


def test_days_after_the_last_log_are_told_while_the_computer_is_seen(tmp_path: Path) -> None:
    """Up to the last of them: that one need not be over."""
    host = tmp_path / "web01"
    for day in week(0, 1):
        web(host / "W3SVC1", day)
    assert gaps(host) == []
    events(host / "System.evtx", week(0, 4))
    found = gaps(host)
    assert [str(gap.first)[:10] for gap in found] == ["2026-01-07", "2026-01-08"]
    assert {gap.file for gap in found} == {"web01/W3SVC1/u_ex260106.log"}
    # Of two computers nobody knows whose the site is.
    events(host / "b.evtx", week(4), "WEB02")
    assert gaps(host) == []


def test_a_busy_site_whose_last_log_was_removed_is_told_as_one(tmp_path: Path) -> None:
    for day in week(0, 1, 2):
        web(tmp_path / "W3SVC1", day, BUSY)
        web(tmp_path / "W3SVC2", day)
    web(tmp_path / "W3SVC2", week(4)[0])
    found = [(gap.kind, gap.channel, str(gap.first)[:10]) for gap in gaps(tmp_path)]
    assert found == [
        ("missing-day", "W3SVC1", "2026-01-08"),
        ("quiet-day", "W3SVC2", "2026-01-08"),
    ]


def test_the_first_days_of_a_weekly_log_are_no_sign_of_missing_ones(tmp_path: Path) -> None:
    """``ex260104`` begins on the 22nd; what its name seems to say is weeks ago."""
    web(tmp_path / "W3SVC1", date(2026, 1, 22), name="u_ex260104.log")
    events(tmp_path / "System.evtx", [date(2026, 1, 23)])
    assert gaps(tmp_path) == []


def test_a_site_that_is_known_otherwise_is_judged_by_that_alone(tmp_path: Path) -> None:
    """The daily audit: the logs at hand are of the days that they happen to be of."""
    folder = tmp_path / "logs" / "web01" / "iis"
    for day in week(0, 3):
        web(folder / "W3SVC1", day)
    events(tmp_path / "logs" / "web01" / "events" / "System.evtx", week(2, 3))
    assert [str(gap.first)[:10] for gap in gaps(tmp_path / "logs")] == ["2026-01-06", "2026-01-07"]
    known = SiteDays(
        "logs/web01/iis/W3SVC1/", week(2)[0], week(3)[0], dict.fromkeys(week(0, 1, 3), 10)
    )
    [gap] = gaps(tmp_path / "logs", Options(sites=(known,)))
    assert (gap.kind, gap.channel, gap.file) == ("quiet-day", "W3SVC1", "logs/web01/iis/W3SVC1/")
    assert gap.detail == (
        "no log of 2026-01-07 (Wednesday): no requests, or they are lost; "
        "the computer ran: logs/web01/events/System.evtx has records of that day"
    )


def test_a_quiet_day_of_a_site_that_is_known_otherwise_is_accepted_like_any(tmp_path: Path) -> None:
    web(tmp_path / "logs" / "web01" / "iis" / "W3SVC1", week(3)[0])
    known = SiteDays("logs/web01/iis/W3SVC1/", week(1)[0], week(3)[0], {week(0)[0]: 10})
    report = audit([tmp_path / "logs"], RULES, options=Options(sites=(known,)))
    assert len(report.gaps) == 2
    made = make_baseline(
        report, owner="li.si", reason="holiday", expires=date(2026, 6, 30), today=TODAY
    )
    file = tmp_path / "accepted.yml"
    file.write_text(made.text)
    options = Options(sites=(known,), suppressions=load_suppressions([file]), today=TODAY)
    assert gaps(tmp_path / "logs", options) == []


def test_weekly_logs_are_not_taken_for_days(tmp_path: Path) -> None:
    """``ex260101`` is the first week of January as well as a day."""
    for week_number in (1, 2, 4):
        file = tmp_path / f"u_ex26010{week_number}.log"
        web(tmp_path, MONDAY, name=file.name)
        later = MONDAY + timedelta(days=week_number)
        file.write_text(file.read_text() + f"{later} 10:00:00 203.0.113.9 GET / 200\n")
    # One of them may hold a single day.
    web(tmp_path, MONDAY, name="u_ex260201.log")
    assert gaps(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("logs/web01/iis/W3SVC1/u_ex260105.log", "logs/web01/"),
        ("logs/web01/events/System.evtx", "logs/web01/"),
        ("logs/web01/httperr/HTTPERR/httperr1.log", "logs/web01/"),
        ("web01/inetpub/logs/LogFiles/W3SVC2/u_ex260105.log", "web01/"),
        ("W3SVC1/u_ex260105.log", ""),
        ("web01.cab!0001/u_ex260105.log", "web01.cab!"),
    ],
)
def test_the_place_of_a_computer(file: str, place: str) -> None:
    assert place_of(file) == place


def test_a_quiet_day_is_accepted_by_its_owner(tmp_path: Path) -> None:
    for day in week(0, 2):
        web(tmp_path / "W3SVC1", day)
    report = audit([tmp_path], RULES)
    made = make_baseline(
        report, owner="li.si", reason="holiday", expires=date(2026, 6, 30), today=TODAY
    )
    assert (made.gaps, made.covered, made.uncovered) == (1, 0, {})
    file = tmp_path.parent / "accepted.yml"
    file.write_text(made.text)
    known = load_suppressions([file])
    web(tmp_path / "W3SVC1", week(4)[0])
    left = audit([tmp_path], RULES, options=Options(suppressions=known, today=TODAY))
    # The next one is not accepted with it.
    assert [gap.first for gap in left.gaps] == ["2026-01-08T00:00:00.000000Z"]
    assert (left.counts.suppressed, left.suppressions[0].hits) == (1, 1)
    late = Options(suppressions=known, today=date(2026, 7, 1))
    assert len(gaps(tmp_path, late)) == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rule": "gap:weekend"}, r"a\.yml:\d+.*'gap:weekend' is no kind of gap .*gap:quiet-day"),
        ({"match": {}}, "by their file, channel or detail"),
        ({"match": {"Computer": "x"}}, "by their file, channel or detail"),
        ({"hit": "HIT-0123456789abcdef01234567"}, "by their file, channel or detail"),
    ],
)
def test_a_gap_is_not_accepted_wholesale(
    tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    entry = {
        "id": "a", "rule": "gap:quiet-day", "owner": "li.si", "reason": "x", "expires": TODAY,
        "match": {"detail": "*(Saturday)*"},
    }  # fmt: skip
    file = tmp_path / "a.yml"
    file.write_text(yaml.safe_dump([entry]))
    assert load_suppressions([file])
    file.write_text(yaml.safe_dump([{**entry, **changed}]))
    with pytest.raises(UsageError, match=message):
        load_suppressions([file])


def test_any_rule_is_not_any_gap(tmp_path: Path) -> None:
    for day in week(0, 2):
        web(tmp_path / "W3SVC1", day)
    file = tmp_path.parent / "accepted.yml"
    entry = {"id": "a", "rule": "*", "owner": "li.si", "reason": "x", "expires": TODAY}
    file.write_text(yaml.safe_dump([entry]))
    assert len(gaps(tmp_path, Options(suppressions=load_suppressions([file])))) == 1

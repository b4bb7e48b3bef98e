"""A day of which a web site has no log is told by the daily run, which has the logs of a day or two."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.collection.lab import IIS, START, Collector

from opsproof.collection.audited import host_facts, inputs, site_days
from opsproof.collection.model import SiteLogs, State
from opsproof.collection.role import seen as both_answers
from opsproof.collection.sites import site_logs
from opsproof.evidence.canonical import canonical
from opsproof.logs.audit import Options, audit
from opsproof.logs.days import Days
from opsproof.logs.habits import BUSY_BYTES
from opsproof.logs.rules.load import compile_texts
from winlab.host.iis import CentralLog

YESTERDAY = date(2026, 11, 21)
"""A Saturday; the lab begins on the Sunday after it."""

FOUR_WEEKS = tuple(YESTERDAY - timedelta(days=n) for n in range(28, 0, -1))


def log(lab: Collector, day: date, size: int = BUSY_BYTES, site: int = 1, name: str = "") -> str:
    """Writes the log of a day, last written when that day ended; the path."""
    head = "#Fields: date time cs-uri-stem sc-status\r\n"
    line = f"{day} 10:00:00 /a 200\r\n"
    path = f"{IIS}\\W3SVC{site}\\{name or f'u_ex{day:%y%m%d}.log'}"
    lab.host.files.write(path, (head + line * (size // len(line) + 1)).encode())
    ended = datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC)
    lab.host.files.set_times(path, modified=min(ended, lab.clock.now))
    return path


def logs(lab: Collector, days: Iterable[date], size: int = BUSY_BYTES) -> None:
    for day in days:
        log(lab, day, size)


def without_logs_of_today(lab: Collector) -> None:
    for site in (1, 2):
        lab.host.files.remove(f"{IIS}\\W3SVC{site}\\u_ex261122.log")


def told(lab: Collector) -> list[tuple[str, str, str]]:
    """Kind, day and site of what the daily run says of the days that are new."""
    lab.collect()
    gaps = Days(site_days(lab.root / "staging")).result()
    return [(gap.kind, str(gap.first)[:10], gap.channel) for gap in gaps]


def audited(lab: Collector) -> dict[str, Any]:
    """The facts of the host from an audit as the role does it."""
    staging = lab.root / "staging"
    asked = inputs(staging)
    options = Options(
        since=datetime.fromisoformat(asked["since"]), sites=site_days(staging), processes=1
    )
    report = audit([Path(path) for path in asked["paths"]], compile_texts([]), options=options)
    file = staging / "log-audit.json"
    file.write_bytes(canonical(report))
    facts = host_facts(staging, file, "web01")
    # The channels of the lab that hold nothing are another gap.
    days = [gap for gap in facts["gaps"] if gap["kind"] != "no-records"]
    return facts | {"gaps": days}


def test_a_log_that_was_removed_before_it_came_home_is_missing(lab: Collector) -> None:
    logs(lab, FOUR_WEEKS)
    lab.collect()
    facts = audited(lab)
    assert facts["audit"]["site_days"] == 1
    [gap] = facts["gaps"]
    assert gap == {
        "kind": "missing-day",
        "file": "logs/web01/iis/W3SVC1/",
        "sha256": "",
        "channel": "W3SVC1",
        "detail": gap["detail"],
        "first": "2026-11-21T00:00:00.000000Z",
        "last": None,
    }
    assert gap["detail"].startswith(
        "no log of 2026-11-21 (Saturday): it should be there: 4 of the 4 nearest Saturdays have logs of 40"
    )
    assert gap["detail"].endswith("; no other log here has a record of that day")


def test_a_day_that_has_its_log_is_no_gap(lab: Collector) -> None:
    logs(lab, (*FOUR_WEEKS, YESTERDAY))
    lab.collect()
    facts = audited(lab)
    assert (facts["gaps"], facts["audit"]["site_days"]) == ([], 1)


def test_it_is_told_once(lab: Collector) -> None:
    logs(lab, FOUR_WEEKS)
    assert told(lab) == [("missing-day", "2026-11-21", "W3SVC1")]
    lab.since, lab.sealed = lab.settings().now, lab.settings().now
    lab.clock.forward(hours=23)
    assert told(lab) == []


def test_what_no_sealed_run_has_told_is_told_again(lab: Collector) -> None:
    logs(lab, FOUR_WEEKS)
    first = told(lab)
    lab.clock.forward(minutes=5)
    assert told(lab) == first


def test_no_day_ends_unseen_between_two_runs_though_the_hosts_clock_is_behind(
    lab: Collector,
) -> None:
    """The first run is after midnight here and before it there: for the host that day is not over."""
    logs(lab, (*FOUR_WEEKS, YESTERDAY))
    without_logs_of_today(lab)
    lab.clock.now = START.replace(day=22, hour=23, minute=59)
    assert told(lab) == []
    lab.since = lab.sealed = "2026-11-23T00:00:30Z"
    lab.clock.now = START.replace(day=24, hour=0, minute=30)
    log(lab, date(2026, 11, 23))
    assert [day for _, day, site in told(lab) if site == "W3SVC1"] == ["2026-11-22"]


def test_three_weeks_of_daily_runs_know_that_nobody_comes_on_sundays(lab: Collector) -> None:
    """The host keeps logs for two days: what came home is what is known."""
    without_logs_of_today(lab)
    said = []
    for number in range(30):
        today = START.date() + timedelta(days=number)
        yesterday = today - timedelta(days=1)
        if yesterday.weekday() != 6 and number != 25:
            log(lab, yesterday)
        old = f"{IIS}\\W3SVC1\\u_ex{today - timedelta(days=3):%y%m%d}.log"
        if lab.host.files.exists(old):
            lab.host.files.remove(old)
        said += told(lab)
        lab.since = lab.sealed = lab.settings().now
        lab.clock.forward(days=1)
    assert [one for one in said if one[0] == "missing-day"] == [
        ("missing-day", "2026-12-16", "W3SVC1")
    ]
    quiet = [date.fromisoformat(day) for kind, day, _ in said if kind == "quiet-day"]
    assert [day.isoformat() for day in quiet] == ["2026-11-22", "2026-11-29", "2026-12-06"]
    [site] = site_days(lab.root / "staging")
    assert site.judged() == (date(2026, 12, 20),)
    assert site.rests() == {date(2026, 12, 20)}


@pytest.mark.parametrize("size", [0, BUSY_BYTES - 2000])
def test_a_site_that_is_not_busy_may_rest(lab: Collector, size: int) -> None:
    logs(lab, FOUR_WEEKS, size=size)
    assert told(lab) == [("quiet-day", "2026-11-21", "W3SVC1")]


def test_a_new_site_is_judged_from_its_first_log_on(lab: Collector) -> None:
    log(lab, START.date())
    assert told(lab) == []
    lab.since = lab.settings().now
    lab.clock.forward(days=2)
    assert told(lab) == [("quiet-day", "2026-11-23", f"W3SVC{site}") for site in (1, 2)]


def test_nothing_is_said_where_nothing_would_have_been_logged(lab: Collector) -> None:
    """Logs that are not begun daily, are switched off, or lie in a folder that was not listed."""
    logs(lab, FOUR_WEEKS)
    for changed in ({"period": "Weekly"}, {"period": "MaxSize"}, {"enabled": False}):
        site = lab.host.iis.sites()[0]
        lab.host.iis.put_site(replace(site, log=replace(site.log, **changed)))
        assert told(lab) == [], changed
        lab.host.iis.put_site(site)
    assert told(lab) != []
    lab.look()
    look, listed = both_answers(lab.settings(), *lab.texts)
    assert len(list(site_logs(look, listed, {}))) == 2
    closed = [replace(one, state=State.DENIED, files=()) for one in listed]
    home = {f"{IIS}\\W3SVC1\\u_ex261122.log".lower(): 1}
    assert list(site_logs(look, closed, home)) == []
    assert list(site_logs(replace(look, sites=None), listed, home)) == []


def test_logs_of_all_sites_in_one_file_are_judged_as_one(lab: Collector) -> None:
    lab.host.iis.central_log = CentralLog(mode="CentralW3C")
    folder = f"{IIS}\\W3SVC"
    lab.host.files.mkdir(folder)
    for day in (*FOUR_WEEKS, START.date()):
        lab.host.files.write(f"{folder}\\u_ex{day:%y%m%d}.log", b"x" * BUSY_BYTES)
    assert told(lab) == [("missing-day", "2026-11-21", "IIS")]
    told_look, told_files = lab.texts
    for period, sites in (("Hourly", 1), ("Weekly", 0)):
        stdout = told_look.stdout.replace(
            "<centralW3CLogFile", f'<centralW3CLogFile period="{period}"'
        )
        look, listed = both_answers(
            lab.settings(), msgspec.structs.replace(told_look, stdout=stdout), told_files
        )
        assert look.central_period == period
        assert len(list(site_logs(look, listed, {}))) == sites
    assert list(site_logs(replace(look, central="CentralBinary"), listed, {})) == []


def test_logs_of_each_hour_make_a_day_and_other_files_make_none(lab: Collector) -> None:
    without_logs_of_today(lab)
    for name in ("u_ex26112000.log", "u_ex26112023_x.log", "u_in261119.log", "copy-20261118.log"):
        log(lab, YESTERDAY, size=10, name=name)
    lab.look()
    [site] = lab.plan.sites
    assert site == SiteLogs(folder="iis/W3SVC1", days={"2026-11-19": 70, "2026-11-20": 140})


def test_without_any_log_nobody_has_looked_for_missing_days(lab: Collector) -> None:
    """No channel, and no web log that is new: there is no audit, and so no all-clear."""
    logs(lab, FOUR_WEEKS)
    lab.channels = ()
    lab.collect()
    lab.since = lab.sealed = lab.settings().now
    lab.clock.forward(days=2)
    lab.collect()
    assert inputs(lab.root / "staging")["files"] == 0
    found = host_facts(lab.root / "staging", lab.root / "none.json", "web01")
    assert found["gaps"] is None

"""What leaves a host alone, who may be restarted, and when it is too late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.patching.hosts import NOW, hosts, look

from opsproof.errors import UsageError
from opsproof.evidence.schemas.patching import Partner
from opsproof.patching.preflight import (
    Limits,
    backup_age_hours,
    blocking,
    may_start,
    partner_out,
    turns,
)
from opsproof.patching.waves import verdict

LIMITS = Limits(free_mb=10240, backup_hours=26)


def test_a_whole_host_is_not_blocked() -> None:
    assert blocking(look(hosts()["canary"]), LIMITS, last_backup=None, now=NOW) == ()


def test_every_reason_is_told_at_once() -> None:
    seen = msgspec.structs.replace(look(hosts()["full-disk"]), pending=("windows-update",))
    old = (NOW - timedelta(hours=30)).isoformat()
    assert blocking(seen, LIMITS, last_backup=old, now=NOW) == (
        f"C: has {seen.system_free_mb} MiB free, 10240 are needed",
        "a restart is pending: windows-update",
        "the last good backup is 30 h old, 26 h are allowed",
    )


def test_a_backup_that_is_not_known_does_not_count_and_a_wrong_time_does() -> None:
    assert backup_age_hours(None, NOW) is None
    with pytest.raises(UsageError) as caught:
        backup_age_hours("2026-11-22T09:00:00", NOW)
    assert "names no offset from UTC" in str(caught.value)


@pytest.mark.parametrize(
    ("answers", "silent", "health", "reasons"),
    [
        (True, (), "sound", 0),
        (True, (), "untouched", 0),
        (False, (), "untouched", 1),
        (True, (8443,), "untouched", 1),
        (True, (), "unsound", 1),
    ],
)
def test_a_partner_that_is_out_or_unwell_forbids_the_restart(
    answers: bool, silent: tuple[int, ...], health: str, reasons: int
) -> None:
    partner = Partner(host="b", answers=answers, silent_ports=silent, health=health)  # type: ignore[arg-type]  # parametrized words
    assert len(partner_out([partner])) == reasons


@given(st.integers(-600, 600), st.integers(0, 300))
def test_nothing_begins_later_than_so_many_minutes_before_the_end(left: int, x: int) -> None:
    end = (NOW + timedelta(minutes=left)).isoformat()
    assert may_start(NOW, end, x) is (left >= x)


def test_without_a_window_there_is_always_time() -> None:
    assert may_start(datetime(2099, 1, 1, tzinfo=UTC), None, 60)


@given(st.lists(st.tuples(st.uuids().map(str), st.sampled_from(["", "a", "b", "c"])), max_size=12))
def test_hosts_of_one_service_never_share_a_turn(pairs: list[tuple[str, str]]) -> None:
    services = dict(pairs)
    found = turns(list(services), services)
    named = [(services[host], turn) for host, turn in found.items() if services[host]]
    assert len(named) == len(set(named))
    assert all(turn == 0 for host, turn in found.items() if not services[host])


@pytest.mark.parametrize(
    ("results", "percent", "goes_on"),
    [
        ({"a": "patched", "b": "current", "c": "planned"}, 0, True),
        ({"a": "patched", "b": None}, 0, False),
        ({"a": "patched", "b": "blocked"}, 50, True),
        ({"a": "patched", "b": "blocked"}, 49, False),
        ({**dict.fromkeys("abcdefghi", "patched"), "j": "unsound"}, 100, False),
        ({}, 100, False),
    ],
)
def test_the_stop_rule(results: dict[str, str | None], percent: int, goes_on: bool) -> None:
    assert (verdict(results, percent).reasons == ()) is goes_on


def test_the_stop_rule_names_hosts_and_results() -> None:
    told = verdict({"a": "update-failed", "b": None, "c": "unsound"}, 10)
    assert told.failed == ("a", "b", "c")
    assert told.reasons == (
        "worse than before: c",
        "3 of 3 hosts failed, at most 10 % may: a (update-failed), b (no result), c (unsound)",
    )

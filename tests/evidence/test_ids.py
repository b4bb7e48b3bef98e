from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from tests.evidence.samples import observation, subject

from opsproof.evidence.canonical import CanonicalError
from opsproof.evidence.ids import RUN_ID, content_id, moment, new_run_id, timestamp
from opsproof.evidence.model import SubjectKind

CST = timezone(timedelta(hours=8))


def test_a_run_id_carries_utc_playbook_and_nonce() -> None:
    name = new_run_id("Daily Check", datetime(2026, 11, 22, 17, 15, tzinfo=CST), "7f3a")
    assert name == "20261122T091500Z-daily-check-7f3a"
    assert RUN_ID.fullmatch(name)


def test_two_runs_in_one_second_differ() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert len({new_run_id("daily", now) for _ in range(20)}) > 1


def test_the_id_of_a_record_follows_from_everything_but_itself() -> None:
    about = subject(SubjectKind.HOST, "a", "a")
    first = observation("r", about, {"x": 1})
    named = msgspec.structs.replace(first, id="OBS-000")
    changed = msgspec.structs.replace(first, collected_at="2026-11-22T09:15:01Z")
    assert content_id("OBS", first) == content_id("OBS", named)
    assert content_id("OBS", first) != content_id("OBS", changed)


def test_times_are_utc_with_z_and_read_back() -> None:
    when = datetime(2026, 11, 22, 17, 15, 3, 9, tzinfo=CST)
    assert timestamp(when) == "2026-11-22T09:15:03Z"
    assert moment(timestamp(when)) == when.replace(microsecond=0)


@pytest.mark.parametrize(
    "text",
    ["", "2026-11-2T09:15:00Z", "2026-13-01T00:00:00Z", "2026-11-22T09:15:00+08:00", "20261122"],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(CanonicalError) as caught:
        moment(text)
    assert str(caught.value) == f"{text!r} is not a time in UTC"

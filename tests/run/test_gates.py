from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from opsproof.errors import ExitCode, RefusedError, UsageError
from opsproof.run.gates import (
    Calendar,
    Change,
    Freeze,
    FreezeOverride,
    Scope,
    Ticket,
    TicketWindow,
    Window,
    check,
    load_calendar,
    load_ticket,
    window_end,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)  # Saturday 23:00 in Shanghai
CHANGE = Change(
    activities=("patching",),
    hosts=("web01", "web02"),
    groups={"web01": ("all", "web"), "web02": ("all", "web")},
    content_sha256="ab" * 32,
)
TICKET = Ticket(
    id="CHG-1",
    kind="change",
    approver="Wang",
    approved_at="2026-11-20T09:00:00+08:00",
    scope=Scope(hosts=("web",), activities=("patching",)),
    window=TicketWindow("2026-11-21T22:00:00+08:00", "2026-11-22T06:00:00+08:00"),
    content_sha256="ab" * 32,
)


def refused(calendar: Calendar | None = None, now: datetime = NOW, **changes: Any) -> str:
    ticket = msgspec.structs.replace(TICKET, **changes)
    with pytest.raises(RefusedError) as caught:
        check(ticket, calendar or Calendar(), CHANGE, SHANGHAI, now)
    assert caught.value.exit_code is ExitCode.REFUSED
    return str(caught.value)


def test_an_approved_change_passes() -> None:
    check(TICKET, Calendar(), CHANGE, SHANGHAI, NOW)


def test_without_a_ticket_the_digest_to_approve_is_told() -> None:
    with pytest.raises(RefusedError) as caught:
        check(None, Calendar(), CHANGE, SHANGHAI, NOW)
    assert str(caught.value) == (
        "this playbook changes hosts and needs an approved ticket "
        f"(--ticket FILE with content_sha256 {'ab' * 32})"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "incident"}, "it is of kind 'incident', not 'change'"),
        ({"approver": " "}, "it names no approver"),
        (
            {"approved_at": "2026-11-21T23:00:01+08:00"},
            "it is approved only at 2026-11-21T23:00:01+08:00",
        ),
        ({"content_sha256": "cd" * 32}, f"what would run is not what was approved: {'ab' * 32}"),
        (
            {"scope": Scope(hosts=("web",), activities=("backup",))},
            "its scope leaves out the activities patching",
        ),
        (
            {"scope": Scope(hosts=("web01",), activities=("patching",))},
            "its scope leaves out 1 hosts, first web02",
        ),
        (
            {"window": TicketWindow("2026-11-21T22:00:00+08:00", "2026-11-21T23:00:00+08:00")},
            "it holds from 2026-11-21T22:00:00+08:00 to 2026-11-21T23:00:00+08:00, "
            "not 2026-11-21T15:00:00Z",
        ),
    ],
)
def test_each_reason_to_refuse_is_told_in_one_line(changes: dict[str, Any], message: str) -> None:
    assert refused(**changes) == f"ticket CHG-1: {message} (have the ticket amended)"


@pytest.mark.parametrize("pattern", ["web", "all", "web0?", "web*"])
def test_a_scope_names_groups_or_patterns(pattern: str) -> None:
    scope = Scope(hosts=(pattern,), activities=("patching",))
    check(msgspec.structs.replace(TICKET, scope=scope), Calendar(), CHANGE, SHANGHAI, NOW)


def test_a_change_without_a_declared_activity_is_refused() -> None:
    change = msgspec.structs.replace(CHANGE, activities=())
    with pytest.raises(RefusedError, match=r"\(none declared\)"):
        check(TICKET, Calendar(), change, SHANGHAI, NOW)


@pytest.mark.parametrize(
    ("days", "begins", "ends", "inside"),
    [
        (("saturday",), "22:00", "06:00", True),
        (("friday",), "22:00", "06:00", False),
        (("saturday",), "23:00", "23:30", True),
        (("saturday",), "22:00", "23:00", False),
        (("sunday",), "22:00", "06:00", False),
    ],
)
def test_a_maintenance_window_holds_in_local_time_and_over_midnight(
    days: tuple[str, ...], begins: str, ends: str, inside: bool
) -> None:
    calendar = Calendar(windows=(Window(days, begins, ends),))
    if inside:
        check(TICKET, calendar, CHANGE, SHANGHAI, NOW)
    else:
        assert "outside every maintenance window" in refused(calendar)


def test_after_midnight_the_window_of_the_day_before_still_holds() -> None:
    calendar = Calendar(windows=(Window(("saturday",), "22:00", "06:00"),))
    check(TICKET, calendar, CHANGE, SHANGHAI, datetime(2026, 11, 21, 21, 59, tzinfo=UTC))
    late = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)  # Sunday 06:00
    window = TicketWindow("2026-11-21T22:00:00+08:00", "2026-11-23T06:00:00+08:00")
    assert "outside every" in refused(calendar, late, window=window)


def test_on_a_freeze_day_only_an_override_opens_the_gate() -> None:
    calendar = Calendar(freezes=(Freeze(date(2026, 11, 21), date(2026, 11, 21), "examination"),))
    assert "2026-11-21 is a freeze day: examination" in refused(calendar)
    ticket = msgspec.structs.replace(TICKET, freeze_override=FreezeOverride("Li", "security fix"))
    check(ticket, calendar, CHANGE, SHANGHAI, NOW)


def test_public_holidays_are_freeze_days_where_the_calendar_says_so() -> None:
    national_day = datetime(2026, 10, 1, 2, 0, tzinfo=UTC)
    open_long = TicketWindow("2026-01-01T00:00:00+08:00", "2028-01-01T00:00:00+08:00")
    long_ago = {"approved_at": "2026-01-01T00:00:00+08:00", "window": open_long}
    holidays = Calendar(public_holidays=True)
    assert "2026-10-01 is a freeze day: public holiday" in refused(
        holidays, national_day, **long_ago
    )
    assert "the public holidays of 2050 are not on file" in refused(
        holidays,
        datetime(2050, 1, 5, tzinfo=UTC),
        **{**long_ago, "window": msgspec.structs.replace(open_long, to="2051-01-01T00:00:00Z")},
    )
    ticket = msgspec.structs.replace(TICKET, **long_ago)
    check(ticket, Calendar(), CHANGE, SHANGHAI, national_day)
    check(ticket, holidays, CHANGE, SHANGHAI, NOW)
    allowed = msgspec.structs.replace(ticket, freeze_override=FreezeOverride("Li", "fix"))
    check(allowed, holidays, CHANGE, SHANGHAI, national_day)


def test_a_change_is_over_before_a_freeze_that_its_ticket_does_not_open() -> None:
    calendar = Calendar(freezes=(Freeze(date(2026, 11, 22), date(2026, 11, 23), "examination"),))
    end = window_end(TICKET, calendar, SHANGHAI, NOW)
    assert end == datetime(2026, 11, 21, 16, 0, tzinfo=UTC)
    opened = msgspec.structs.replace(TICKET, freeze_override=FreezeOverride("Li", "fix"))
    assert window_end(opened, calendar, SHANGHAI, NOW) == datetime(2026, 11, 21, 22, tzinfo=UTC)


def test_a_freeze_ends_at_local_midnight() -> None:
    calendar = Calendar(freezes=(Freeze(date(2026, 11, 21), date(2026, 11, 21), "examination"),))
    check(TICKET, calendar, CHANGE, SHANGHAI, datetime(2026, 11, 21, 16, 0, tzinfo=UTC))


def test_ticket_and_calendar_are_read_from_yaml_and_json(tmp_path: Path) -> None:
    ticket = tmp_path / "ticket.json"
    ticket.write_bytes(msgspec.json.encode(TICKET))
    assert load_ticket(ticket) == TICKET
    calendar = tmp_path / "calendar.yml"
    calendar.write_text(
        "windows: [{days: [saturday], from: '22:00', to: '06:00'}]\n"
        "freezes: [{from: 2027-06-05, to: 2027-06-10, reason: examination}]\n",
        encoding="utf-8",
    )
    assert load_calendar(calendar) == Calendar(
        windows=(Window(("saturday",), "22:00", "06:00"),),
        freezes=(Freeze(date(2027, 6, 5), date(2027, 6, 10), "examination"),),
    )


def test_an_unquoted_time_in_yaml_needs_its_offset(tmp_path: Path) -> None:
    fields = {**json.loads(msgspec.json.encode(TICKET)), "approved_at": "2026-11-20T09:00:00"}
    path = tmp_path / "ticket.yml"
    path.write_text(json.dumps(fields), encoding="utf-8")
    with pytest.raises(UsageError, match="names no offset from UTC"):
        load_ticket(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("windows: [{days: [sat], from: '22:00', to: '06:00'}]", "days must be of monday"),
        ("windows: [{days: [monday], from: '25:00', to: '06:00'}]", "'25:00' is not a time"),
        ("holidays: []", "unknown field `holidays`"),
        ("freezes: {", "while parsing"),
    ],
)
def test_a_wrong_calendar_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "calendar.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_calendar(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("approver: 王伟".encode("gbk"), "is not text in UTF-8"),
        (b"scope: &a [*a]", "is nested too deeply"),
        (b"[]", "Expected `object`"),
    ],
)
def test_a_ticket_that_is_none_is_one_line(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "ticket.yml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load_ticket(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_missing_ticket_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such ticket file"):
        load_ticket(tmp_path / "none.json")


def test_a_missing_calendar_closes_nothing(tmp_path: Path) -> None:
    assert load_calendar(tmp_path / "calendar.yml") == Calendar()


NIGHT = Window(("saturday",), "22:00", "06:00")


@pytest.mark.parametrize(
    ("ticket", "windows", "now", "end"),
    [
        (None, (), NOW, None),
        (TICKET, (), NOW, "2026-11-21T22:00:00+00:00"),
        (None, (NIGHT,), NOW, "2026-11-21T22:00:00+00:00"),
        # Sunday 01:00 in Shanghai still belongs to Saturday's window.
        (None, (NIGHT,), NOW.replace(hour=17), "2026-11-21T22:00:00+00:00"),
        (TICKET, (Window(("saturday",), "22:00", "23:30"),), NOW, "2026-11-21T15:30:00+00:00"),
        (
            TICKET,
            (Window(("saturday",), "10:00", "23:30"), NIGHT),
            NOW,
            "2026-11-21T22:00:00+00:00",
        ),
        (TICKET, (Window(("monday",), "10:00", "11:00"),), NOW, "2026-11-21T22:00:00+00:00"),
    ],
)
def test_a_change_is_over_with_its_ticket_and_its_window(
    ticket: Ticket | None, windows: tuple[Window, ...], now: datetime, end: str | None
) -> None:
    found = window_end(ticket, Calendar(windows=windows), SHANGHAI, now)
    assert (found and found.isoformat()) == end

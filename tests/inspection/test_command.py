from __future__ import annotations

from datetime import UTC, datetime

import pytest

from opsproof.errors import UsageError
from opsproof.inspection.command import MAX_LINE, LogExport, event_query, inspection_command

SINCE = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
UNTIL = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
EXPORTS = (
    LogExport(channel="System", levels=(1, 2), event_ids=(104,)),
    LogExport(channel="Security", event_ids=(1102, 4625)),
)


def command(**changes: object) -> str:
    arguments: dict[str, object] = {
        "asked_at": UNTIL,
        "since": SINCE,
        "until": UNTIL,
        "exports": EXPORTS,
        "w3c_root": r"C:\inetpub\logs\LogFiles",
        "scratch": r"%TEMP%\opsproof-inspection",
        "collect_logs": True,
    }
    return inspection_command(**{**arguments, **changes})  # type: ignore[arg-type]


def test_one_line_that_cmd_reads() -> None:
    line = command()
    assert "\n" not in line
    assert len(line) <= MAX_LINE


def test_check_mode_writes_nothing() -> None:
    line = command(collect_logs=False)
    for writer in ("mkdir", "rd /s", "epl", "makecab", "netsh", ">logs", "cd /d"):
        assert writer not in line


def test_names_every_day_that_the_window_touches() -> None:
    days = " ".join(f'"%~i\\u_ex2611{day}.log"' for day in (20, 21, 22))
    assert f"({days})" in command()


def test_a_window_of_months_takes_every_file() -> None:
    line = command(since=datetime(2020, 1, 1, tzinfo=UTC))
    assert '("%~i\\u_ex*.log")' in line
    assert len(line) <= MAX_LINE


def test_conditional_steps_end_before_the_next_step() -> None:
    """`if` and `for` of cmd.exe take in the rest of the line unless parentheses end them."""
    for part in command().split(" & "):
        if part.lstrip("(").startswith(("if ", "for ")):
            assert part.startswith("("), part


def test_query_selects_by_level_or_id_within_the_window() -> None:
    assert event_query(EXPORTS[0], SINCE, UNTIL) == (
        "*[System[(Level=1 or Level=2 or EventID=104) and "
        "TimeCreated[@SystemTime>='2026-11-20T23:30:00.000Z' and "
        "@SystemTime<'2026-11-22T01:00:00.000Z']]]"
    )


def test_query_without_kinds_takes_the_whole_window() -> None:
    assert event_query(LogExport(channel="Setup"), SINCE, UNTIL).startswith("*[System[TimeCreated[")


@pytest.mark.parametrize("path", ['C:\\x" & del C:\\y', "C:\\a|b", "", "C:\\a\nb"])
def test_refuses_a_path_that_would_be_a_command(path: str) -> None:
    with pytest.raises(UsageError, match="cannot stand in a command line"):
        command(scratch=path)


def test_refuses_more_ids_than_one_query_takes() -> None:
    with pytest.raises(UsageError, match="21 event ids; one query takes 20"):
        command(exports=[LogExport(channel="Security", event_ids=tuple(range(21)))])


def test_refuses_a_line_longer_than_cmd_reads() -> None:
    many = [
        LogExport(channel=f"Channel-{number}", event_ids=tuple(range(20))) for number in range(20)
    ]
    with pytest.raises(UsageError, match=f"cmd.exe reads {MAX_LINE}"):
        command(exports=many)

"""File contents that appear when their time comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from winlab.host.host import Host, HostSpec

BEGIN = datetime(2026, 11, 22, tzinfo=UTC)
PATH = "C:\\Windows\\Temp\\result"


def host() -> Host:
    made = Host(HostSpec(name="APP1"), lambda: BEGIN)
    made.files.write(PATH, b"running")
    made.deferred.write_at(BEGIN + timedelta(seconds=5), PATH, b"done")
    return made


def test_nothing_appears_before_its_time() -> None:
    waiting = host()
    waiting.deferred.settle(BEGIN + timedelta(seconds=4))
    assert waiting.files.read(PATH) == b"running"
    waiting.deferred.settle(BEGIN + timedelta(seconds=5))
    assert waiting.files.read(PATH) == b"done"


def test_file_that_was_removed_stays_removed() -> None:
    waiting = host()
    waiting.files.remove(PATH)
    waiting.deferred.settle(BEGIN + timedelta(hours=1))
    assert not waiting.files.exists(PATH)


def test_write_guard_does_not_count_them_and_snapshots_hold_them() -> None:
    waiting = host()
    kept = waiting.snapshot()
    waiting.guard.armed = True
    waiting.deferred.settle(BEGIN + timedelta(seconds=5))
    assert waiting.guard.violations == []
    waiting.restore(kept)
    assert waiting.files.read(PATH) == b"running"
    waiting.deferred.settle(BEGIN + timedelta(seconds=5))
    assert waiting.files.read(PATH) == b"done"

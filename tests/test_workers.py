"""The same answers in the same order, whatever becomes of the workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import cast

import pytest

from opsproof import workers
from opsproof.workers import Workers

HERE = os.getpid()
UNITS = list(range(20))
WANTED = [hex(one) for one in UNITS]


def work_of(do: Callable[[int], object]) -> workers.Work[int, object]:
    """Of the standard library alone: a fresh interpreter does not know this module."""
    return cast("workers.Work[int, object]", partial(nullcontext, do))


@pytest.fixture(params=[True, False], ids=["copies", "fresh interpreters"])
def copies(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    copied: bool = request.param
    monkeypatch.setattr(workers, "_may_fork", lambda: copied)
    return copied


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies even where the test runner has threads: they hold nothing that these workers want."""
    monkeypatch.setattr(workers, "_may_fork", lambda: True)


@pytest.mark.usefixtures("copies")
@pytest.mark.parametrize(("count", "handed"), [(0, 1), (1, 1), (3, 1), (2, 3)])
def test_answers_come_in_the_order_of_the_units(count: int, handed: int) -> None:
    interval = sys.getswitchinterval()
    with Workers(work_of(hex), count, handed=handed) as side:
        assert list(side.done(iter(UNITS), hex)) == WANTED
        assert list(side.done([], hex)) == []
        assert list(side.done([7], hex)) == ["0x7"]
    assert sys.getswitchinterval() == interval


@pytest.mark.usefixtures("forked")
def test_the_work_is_shared_and_none_is_an_answer() -> None:
    def pid_of_odd(unit: int) -> int | None:
        return os.getpid() if unit % 2 else None

    with Workers(work_of(pid_of_odd), 2, handed=2) as side:
        found = list(side.done(range(200), pid_of_odd))
    assert found[::2] == [None] * 100
    assert len(set(found[1::2])) > 1


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("died_at", [0, 5, 19])
@pytest.mark.parametrize("handed", [1, 2])
def test_a_killed_workers_unit_is_done_here(died_at: int, handed: int) -> None:
    def killed_at(unit: int) -> str:
        if unit >= died_at and os.getpid() != HERE:
            os.kill(os.getpid(), signal.SIGKILL)
        return hex(unit)

    with Workers(work_of(killed_at), 2, handed=handed) as side:
        assert list(side.done(UNITS, killed_at)) == WANTED


def test_workers_that_never_began_do_no_harm(copies: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if copies:
        monkeypatch.setattr(workers, "_serve", lambda *_: None)
    else:
        monkeypatch.setattr(workers, "_COMMAND", ("false",))
    with Workers(work_of(hex), 2) as side:
        assert list(side.done(UNITS, hex)) == WANTED


@pytest.mark.usefixtures("forked")
def test_a_workers_error_is_raised_here() -> None:
    def fails(unit: int) -> str:
        if unit == 11:
            raise LookupError(f"unit 11 in {os.getpid()}")
        return hex(unit)

    with (
        pytest.raises(LookupError, match=f"unit 11 in {HERE}"),
        Workers(work_of(fails), 2) as side,
    ):
        list(side.done(UNITS, fails))


@pytest.mark.usefixtures("forked")
def test_a_copy_leaves_no_trace_and_does_not_do_what_the_caller_does_on_a_signal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[int] = []
    made: list[int] = []
    fork = os.fork

    def kept() -> int:
        made.append(fork())
        return made[-1]

    monkeypatch.setattr(os, "fork", kept)
    before = signal.signal(signal.SIGTERM, lambda *_: said.append(os.getpid()))
    try:

        def terminated(unit: int) -> int:
            if os.getpid() != HERE:
                os.kill(os.getpid(), signal.SIGTERM)
                return len(said) + os.getpid()
            return 0

        with Workers(work_of(terminated), 1) as side:
            assert list(side.done(UNITS, lambda _: 0)) == [0] * len(UNITS)
    finally:
        signal.signal(signal.SIGTERM, before)
    [child] = made
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_no_copy_is_made_while_threads_run_and_the_callers_program_is_not_run_again() -> None:
    """As in a script without a guard, or an Ansible module, whose main program is not ours to run."""
    script = """
import sys
import threading
from contextlib import nullcontext
from functools import partial
from opsproof import workers
print("begun")
assert workers._may_fork() == (sys.platform == "linux")
done = threading.Event()
thread = threading.Thread(target=done.wait)
thread.start()
assert not workers._may_fork()
with workers.Workers(partial(nullcontext, hex), 1) as side:
    print(list(side.done(range(3), hex)))
done.set()
"""
    words = [sys.executable, "-c", script]
    found = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout == "begun\n['0x0', '0x1', '0x2']\n"

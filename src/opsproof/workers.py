"""Worker processes: the same work, side by side.

A worker is a copy of this process, which has everything ready and shares its memory. Where that is not
safe, because threads run that may hold a lock at that moment, or not usual (macOS), it is a fresh
interpreter that is sent the work. It is sent one unit after another. Both ends are ours and on one
machine, so values travel as pickles. This process does what no worker has begun, and once more a unit
whose worker died (out of memory, killed, an error): an error is raised here, where somebody hears it.

Connections and open files must not be used on both sides of a fork: workers are begun before this
process opens any, and each opens its own.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import IO, Any, Generic, TypeAlias, TypeVar

Unit = TypeVar("Unit")
Answer = TypeVar("Answer")
Work: TypeAlias = Callable[[], AbstractContextManager[Callable[[Unit], Answer]]]
"""Opens, in the process that works, what turns units into answers. A fresh interpreter is sent its pickle."""

_SWITCH = 0.0005
"""Seconds after which the thread that works here lets those go on that hand workers their next unit."""
_COMMAND = (sys.executable, "-P", "-m", "opsproof.workers")


def cores() -> int:
    """The cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def seldom_collected() -> Iterator[None]:
    """While many units are worked on: look for garbage in cycles less often, and not in what is there.

    What was made ready stays: looking through it again and again would cost a tenth of the time.
    """
    thresholds, frozen = gc.get_threshold(), gc.get_freeze_count()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        if not frozen:
            gc.unfreeze()


@dataclass(frozen=True, slots=True)
class _Got(Generic[Answer]):
    """An answer: any value, even None."""

    answer: Answer


@dataclass(slots=True)
class _Asked(Generic[Unit, Answer]):
    """A unit that waits for a worker, is with one, or was done in this process (``got``)."""

    unit: Unit
    future: Future[_Got[Answer] | None]
    got: _Got[Answer] | None = None


class Workers(Generic[Unit, Answer]):
    """Some worker processes; they get ready while this one goes on."""

    def __init__(self, work: Work[Unit, Answer], count: int, *, handed: int = 1) -> None:
        """Start ``count`` processes that do ``work``; with 0 this process does all of it.

        Each has up to ``handed`` units at a time: with 2 it need not wait for the next one, with 1 this
        process can take what would wait. Small units want 2.
        """
        self._ahead = (1 + handed) * (count + 1)
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._workers: list[_Worker] = []
        forks = _may_fork()
        for _ in range(count):
            self._workers.append(_forked(work, self._workers) if forks else _started())
        self._pool = ThreadPoolExecutor(count * handed) if count else None
        for worker in self._workers * handed:
            if forks or self._pool is None:
                self._idle.put(worker)
            else:
                self._pool.submit(self._begin, worker, work)

    def __enter__(self) -> Workers[Unit, Answer]:
        """Until the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """No more units."""
        self.end()

    def _begin(self, worker: _Worker, work: Work[Unit, Answer]) -> None:
        try:
            worker.begin(work)
        finally:
            self._idle.put(worker)

    def _ask(self, unit: Unit) -> _Got[Answer] | None:
        worker = self._idle.get()
        try:
            return worker.ask(unit)
        finally:
            self._idle.put(worker)

    def done(self, units: Iterable[Unit], here: Callable[[Unit], Answer]) -> Iterator[Answer]:
        """The answers to the units, in their order; ``here`` does what this process has to."""
        if self._pool is None:
            yield from map(here, units)
            return
        interval = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH)
        try:
            yield from self._done(self._pool, units, here)
        finally:
            sys.setswitchinterval(interval)

    def _done(
        self, pool: ThreadPoolExecutor, units: Iterable[Unit], here: Callable[[Unit], Answer]
    ) -> Iterator[Answer]:
        left = iter(units)
        waiting: deque[_Asked[Unit, Answer]] = deque()
        while True:
            # A bounded number of units is under way: answers must not pile up.
            for unit in islice(left, self._ahead - len(waiting)):
                waiting.append(_Asked(unit, pool.submit(self._ask, unit)))
            if not waiting:
                return
            first = waiting[0]
            if first.got is None and not first.future.done():
                free = (one for one in waiting if one.got is None and one.future.cancel())
                mine = next(free, None)
                if mine is not None:
                    mine.got = _Got(here(mine.unit))
                    continue
            waiting.popleft()
            got = first.got or first.future.result() or _Got(here(first.unit))
            yield got.answer

    def end(self) -> None:
        """No more units: the workers end by themselves."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.end()


class _Worker:
    """One worker process, seen from here. Several threads may ask at a time."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes], wait: Callable[[], object]) -> None:
        self._requests, self._answers, self._wait = requests, answers, wait
        self._alive, self._begun = True, False
        self._sending, self._receiving = threading.Lock(), threading.Lock()

    def begin(self, work: Work[Any, Any]) -> None:
        """Tell a fresh interpreter, once, what its work is."""
        with self._sending:
            if not self._begun:
                self._begun = True
                self._send(work)

    def ask(self, unit: Any) -> _Got[Any] | None:
        """The answer to a unit; None where the worker is dead."""
        with self._sending:
            if self._alive:
                self._send(unit)
            # Taken before the next may send: answers are received in the order of what was asked.
            self._receiving.acquire()
        try:
            if not self._alive:
                return None
            got = _receive(self._answers)
            self._alive = got is not None
            return got
        finally:
            self._receiving.release()

    def end(self) -> None:
        """No more units: the worker ends by itself."""
        self._alive = False
        for pipe in (self._requests, self._answers):
            with suppress(OSError):
                pipe.close()
        with suppress(ChildProcessError):  # where the caller lets the system do this
            self._wait()

    def pipes(self) -> tuple[int, int]:
        """This process's ends of the pipes."""
        return self._requests.fileno(), self._answers.fileno()

    def _send(self, value: Any) -> None:
        """Send a value; whether it arrived is told by the next answer."""
        try:
            _transmit(self._requests, value)
        except OSError:
            self._alive = False


def _may_fork() -> bool:
    """Whether a copy of this process can work: no other thread may hold what it would wait for."""
    return sys.platform == "linux" and threading.active_count() == 1


def _started() -> _Worker:
    """A worker that is a fresh interpreter: the first thing it is sent is the work."""
    process = subprocess.Popen(
        _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    return _Worker(process.stdin, process.stdout, process.wait)


def _forked(work: Work[Any, Any], others: Sequence[_Worker]) -> _Worker:
    """A worker that is a copy of this process, made while no other thread of Python runs."""
    requests, answers = os.pipe(), os.pipe()
    with warnings.catch_warnings():
        # From Python 3.12 on the threads of OpenBLAS count, which numpy starts: they are idle here,
        # and OpenBLAS ends and begins them around a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            # What the caller does on this signal is for the caller alone to do.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            # An end that a sibling kept open would never be seen to close.
            ours = (requests[1], answers[0])
            for pipe in (*ours, *(one for other in others for one in other.pipes())):
                os.close(pipe)
            with os.fdopen(requests[0], "rb") as asked, os.fdopen(answers[1], "wb") as told:
                _serve(work, asked, told)
        finally:
            # Nothing of the process that this is a copy of is to be finished here, or told.
            os._exit(0)
    os.close(requests[0])
    os.close(answers[1])
    wait = partial(os.waitpid, child, 0)
    return _Worker(os.fdopen(requests[1], "wb"), os.fdopen(answers[0], "rb"), wait)


def _transmit(pipe: IO[bytes], value: Any) -> None:
    # Straight into the pipe: an answer may be large, and a second one in memory is one too many.
    pickle.dump(value, pipe, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> _Got[Any] | None:
    """The next value; None where the other end is gone."""
    try:
        return _Got(pickle.load(pipe))  # noqa: S301 - our own other end
    except (EOFError, pickle.UnpicklingError):
        return None


def serve() -> None:
    """What a fresh interpreter does until its input ends."""
    first = _receive(sys.stdin.buffer)
    if first is not None:
        _serve(first.answer, sys.stdin.buffer, sys.stdout.buffer)


def _serve(work: Work[Any, Any], asked: IO[bytes], told: IO[bytes]) -> None:
    """Do what is asked until nothing more is."""
    with work() as do, seldom_collected():
        while (unit := _receive(asked)) is not None:
            _transmit(told, do(unit.answer))


if __name__ == "__main__":
    serve()

"""Worker processes: the same examination, side by side.

A worker is a copy of this process, which has the rules ready and shares their memory. Where that is
not safe, because threads run that may hold a lock at that moment, or not usual (macOS), it is a fresh
interpreter that is sent the rules. It is sent one unit after another. Both ends are ours and on one
machine, so values travel as pickles. This process examines what no worker has begun, and once more a
unit whose worker died (out of memory, killed).
"""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import IO, Any

from opsproof.logs.options import Options
from opsproof.logs.parts import Examiner, Part, Unit, seldom_collected
from opsproof.logs.rules.compiled import RuleSet

_LENGTH = struct.Struct("<Q")
_COMMAND = (sys.executable, "-m", "opsproof.logs.workers")


@dataclass(slots=True)
class _Asked:
    """A unit that waits for a worker, is with one, or was examined in this process (``part``)."""

    unit: Unit
    future: Future[Part | None]
    part: Part | None = None


class Workers:
    """Some worker processes; they get ready while others go on."""

    def __init__(self, rules: RuleSet, options: Options, examiner: Examiner) -> None:
        """One worker less than ``options.processes`` is started, to do what ``examiner`` does."""
        count = options.processes - 1
        self._examiner = examiner
        self._ahead = 2 * options.processes
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._workers: list[_Worker] = []
        forks = _may_fork()
        for _ in range(count):
            self._workers.append(_forked(examiner, self._workers) if forks else _started())
        self._pool = ThreadPoolExecutor(count)
        for worker in self._workers:
            if forks:
                self._idle.put(worker)
            else:
                self._pool.submit(self._begin, worker, rules, options)

    def _begin(self, worker: _Worker, rules: RuleSet, options: Options) -> None:
        try:
            worker.send((rules, options))
        finally:
            self._idle.put(worker)

    def _ask(self, unit: Unit) -> Part | None:
        worker = self._idle.get()
        try:
            return worker.ask(unit)
        finally:
            self._idle.put(worker)

    def examined(self, units: Iterable[Unit]) -> Iterator[Part]:
        """The parts of the units, in their order, several at a time."""
        left = iter(units)
        waiting: deque[_Asked] = deque()
        while True:
            # A bounded number of units is under way: parts must not pile up.
            for unit in islice(left, self._ahead - len(waiting)):
                waiting.append(_Asked(unit, self._pool.submit(self._ask, unit)))
            if not waiting:
                return
            first = waiting[0]
            if first.part is None and not first.future.done():
                free = (one for one in waiting if one.part is None and one.future.cancel())
                mine = next(free, None)
                if mine is not None:
                    mine.part = self._examiner.examine(mine.unit)
                    continue
            waiting.popleft()
            yield first.part or first.future.result() or self._examiner.examine(first.unit)

    def end(self) -> None:
        """No more units: the workers end by themselves."""
        self._pool.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.end()


class _Worker:
    """One worker process, seen from here."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes], wait: Callable[[], object]) -> None:
        self._requests, self._answers, self._wait = requests, answers, wait
        self._alive = True

    def ask(self, unit: Unit) -> Part | None:
        """The part of a unit; None where the worker is dead."""
        if self._alive:
            self.send(unit)
        if self._alive:
            answer = _receive(self._answers)
            if isinstance(answer, Part):
                return answer
            self._alive = False
        return None

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

    def send(self, value: Any) -> None:
        """Send a value; whether it arrived is told by the next answer."""
        try:
            _transmit(self._requests, value)
        except OSError:
            self._alive = False


def _may_fork() -> bool:
    """Whether a copy of this process can work: no other thread may hold what it would wait for."""
    return sys.platform == "linux" and threading.active_count() == 1


def _started() -> _Worker:
    """A worker that is a fresh interpreter: the first thing it is sent are the rules."""
    process = subprocess.Popen(
        _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    return _Worker(process.stdin, process.stdout, process.wait)


def _forked(examiner: Examiner, others: Sequence[_Worker]) -> _Worker:
    """A worker that is a copy of this process, made while no other thread of Python runs."""
    requests, answers = os.pipe(), os.pipe()
    with warnings.catch_warnings():
        # From Python 3.12 on the threads of OpenBLAS count, which numpy starts: they are idle here,
        # and OpenBLAS ends and begins them around a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            # An end that a sibling kept open would never be seen to close.
            ours = (requests[1], answers[0])
            for pipe in (*ours, *(one for other in others for one in other.pipes())):
                os.close(pipe)
            with os.fdopen(requests[0], "rb") as asked, os.fdopen(answers[1], "wb") as told:
                _serve(examiner, asked, told)
        finally:
            # Nothing of the process that this is a copy of is to be finished here, or told.
            os._exit(0)
    os.close(requests[0])
    os.close(answers[1])
    wait = partial(os.waitpid, child, 0)
    return _Worker(os.fdopen(requests[1], "wb"), os.fdopen(answers[0], "rb"), wait)


def _transmit(pipe: IO[bytes], value: Any) -> None:
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    """The next value; None where the other end is gone."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    data = pipe.read(length)
    return pickle.loads(data) if len(data) == length else None  # noqa: S301 - our own other end


def serve() -> None:
    """What a fresh interpreter does until its input ends."""
    first = _receive(sys.stdin.buffer)
    if first is not None:
        _serve(Examiner(*first), sys.stdin.buffer, sys.stdout.buffer)


def _serve(examiner: Examiner, asked: IO[bytes], told: IO[bytes]) -> None:
    """Examine what is asked until no more is."""
    with seldom_collected():
        while (unit := _receive(asked)) is not None:
            _transmit(told, examiner.examine(unit))


if __name__ == "__main__":
    serve()

"""Worker processes: the same examination, side by side.

A worker is a fresh interpreter that is sent the rules once and then one unit after another, over
its standard input and output. Both ends are ours and on one machine, so values travel as pickles.
A unit whose worker dies (out of memory, killed) is examined again, in this process.
"""

from __future__ import annotations

import gc
import pickle
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import IO, Any

from opsproof.logs.options import Options
from opsproof.logs.parts import Examiner, Part, Unit
from opsproof.logs.rules.compiled import RuleSet

_LENGTH = struct.Struct("<Q")
_COMMAND = (sys.executable, "-m", "opsproof.logs.workers")


class Workers:
    """Some worker processes; they start, and learn the rules, while others go on."""

    def __init__(self, rules: RuleSet, options: Options) -> None:
        """``options.processes`` workers are started."""
        self._pool = ThreadPoolExecutor(options.processes)
        self._ahead = 2 * options.processes
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._workers = [_Worker() for _ in range(options.processes)]
        for worker in self._workers:
            self._pool.submit(self._begin, worker, rules, options)

    def _begin(self, worker: _Worker, rules: RuleSet, options: Options) -> None:
        try:
            worker.send((rules, options))
        finally:
            self._idle.put(worker)

    def examined(self, units: Iterable[Unit], examiner: Examiner) -> Iterator[Part]:
        """The parts of the units, in their order, several at a time."""

        def examine(unit: Unit) -> Part:
            worker = self._idle.get()
            try:
                part = worker.ask(unit)
            finally:
                self._idle.put(worker)
            return examiner.examine(unit) if part is None else part

        # A bounded number of units is under way: parts must not pile up.
        waiting: list[Future[Part]] = []
        for unit in units:
            waiting.append(self._pool.submit(examine, unit))
            if len(waiting) >= self._ahead:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()

    def end(self) -> None:
        """No more units: the workers end by themselves."""
        self._pool.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.end()


class _Worker:
    """One worker process, seen from here."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._alive = True

    def ask(self, unit: Unit) -> Part | None:
        """The part of a unit; None where the worker is dead."""
        if self._alive:
            self.send(unit)
        if self._alive:
            assert self._process.stdout is not None
            answer = _receive(self._process.stdout)
            if isinstance(answer, Part):
                return answer
            self._alive = False
        return None

    def end(self) -> None:
        """No more units: the worker ends by itself."""
        self._alive = False
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self._process.wait()

    def send(self, value: Any) -> None:
        """Send a value; whether it arrived is told by the next answer."""
        assert self._process.stdin is not None
        try:
            _transmit(self._process.stdin, value)
        except OSError:
            self._alive = False


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
    """What a worker does until its input ends."""
    first = _receive(sys.stdin.buffer)
    if first is None:
        return
    examiner = Examiner(*first)
    # The rules stay: looking for cycles in them again and again would cost a tenth of the time.
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    while (unit := _receive(sys.stdin.buffer)) is not None:
        _transmit(sys.stdout.buffer, examiner.examine(unit))


if __name__ == "__main__":
    serve()

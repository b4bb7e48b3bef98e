"""Output that waits for a Receive, and Receives that wait for output."""

from __future__ import annotations

import asyncio
from collections import deque

from winlab.wire import faults
from winlab.wire.faults import Fault, FaultError

# XML around one rsp:Stream, bytes.
_AROUND_STREAM = 128


class Mailbox:
    """A queue of (stream name, bytes) pieces with an end.

    ``split`` says whether a piece may be cut to fit into an answer: bytes of a console may, PSRP
    fragments may not (every fragment is one rsp:Stream; WinRb's client relies on it).
    """

    def __init__(self, *, split: bool) -> None:
        """An empty, open mailbox."""
        self._pieces: deque[tuple[str, bytes]] = deque()
        self._split = split
        self._changed: asyncio.Event | None = None
        self._failure: Fault | None = None
        self.closed = False

    @property
    def drained(self) -> bool:
        """Whether nothing is left and nothing more will come."""
        return self.closed and not self._pieces

    def put(self, name: str, data: bytes) -> None:
        """Add a piece; empty ones are dropped."""
        if data:
            self._pieces.append((name, data))
            self._wake()

    def close(self) -> None:
        """Nothing more will come."""
        self.closed = True
        self._wake()

    def fail(self, fault: Fault) -> None:
        """Every waiting and later Receive gets this fault."""
        self._failure = fault
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()

    async def wait(self, seconds: float) -> None:
        """Until there is something to take or the end, at most ``seconds``.

        Raises :class:`FaultError`: TimedOut, or what :meth:`fail` was told.
        """
        if not self._pieces and not self.closed and self._failure is None:
            self._changed = self._changed or asyncio.Event()
            self._changed.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            except TimeoutError as error:
                raise FaultError(faults.timed_out()) from error
        if self._failure is not None:
            raise FaultError(self._failure)

    def take(self, limit: int) -> tuple[tuple[str, bytes], ...]:
        """As much as fits into ``limit`` bytes of base64, joined by stream where that is allowed.

        Raises :class:`FaultError` when a piece that may not be split does not fit at all.
        """
        taken: list[tuple[str, bytes]] = []
        room = limit
        while self._pieces:
            name, data = self._pieces[0]
            fits = max(0, (room - _AROUND_STREAM) // 4 * 3)
            if len(data) > fits:
                if not self._split:
                    if not taken:
                        raise FaultError(faults.answer_too_large())
                    break
                if fits:
                    taken.append((name, data[:fits]))
                    self._pieces[0] = (name, data[fits:])
                break
            self._pieces.popleft()
            taken.append((name, data))
            room -= _AROUND_STREAM + (len(data) + 2) // 3 * 4
        return tuple(taken)

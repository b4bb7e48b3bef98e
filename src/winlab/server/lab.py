"""All hosts of a lab in one event loop."""

from __future__ import annotations

import asyncio
import datetime as dt
import resource
import uuid
from collections.abc import Callable, Sequence

from winlab.server.errors import LabError
from winlab.server.listener import HostListener
from winlab.server.ports import HostPort
from winlab.server.tls import LabCa

# Open files beside the listeners: connections, control socket, sites, the interpreter's own.
_FILES_BESIDE = 1_024
# A reboot is soon over; a host that stays down is not worth fifty looks a second.
_WATCH_SECONDS, _WATCH_EAGERLY, _WATCH_SELDOM = 0.02, 10.0, 0.25
# The host's own clock decides when it falls; look a little later than that.
_FALL_SECONDS = 0.01


class LabServer:
    """Serves WinRM for every host on ports 5985 and 5986 of the host's address.

    ``await start()`` returns when all hosts that are up listen; ``await stop()`` when nothing
    listens any more. Everything happens in the event loop that ran ``start``. The CA certificate
    that clients must trust is ``ca.pem``.
    """

    def __init__(
        self,
        hosts: Sequence[HostPort],
        *,
        ca: LabCa | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        guid: Callable[[], str] = lambda: str(uuid.uuid4()).upper(),
    ) -> None:
        """Nothing is opened yet. ``now`` dates the certificates, ``guid`` names shells."""
        self.ca = ca or LabCa(now())
        self._listeners = {
            host.name: HostListener(host, self.ca, guid, self._expect_down, self._follow)
            for host in hosts
        }
        self._down: set[HostListener] = set()
        self._watch: asyncio.TimerHandle | None = None
        self._fell_at = 0.0
        self._timers: set[asyncio.TimerHandle] = set()
        self._running = False

    async def start(self) -> None:
        """Open all listeners.

        Raises :class:`LabError` when the process may not open as many files, or when an address
        is taken; then nothing listens.
        """
        need_files(sum(len(each.ports) for each in self._listeners.values()) + _FILES_BESIDE)
        self._running = True
        try:
            for number, listener in enumerate(self._listeners.values()):
                self._follow(listener)
                if number % 100 == 99:
                    await asyncio.sleep(0)
        except LabError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close all listeners and cut all connections."""
        self._running = False
        for timer in self._timers:
            timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
        for listener in self._listeners.values():
            listener.close()
            listener.forget()
        for listener in self._listeners.values():
            await listener.settled()
            while listener.connections:  # noqa: ASYNC110 - the loop itself empties it, at once
                await asyncio.sleep(0)
        await asyncio.sleep(0)

    def refresh(self, name: str | None = None) -> None:
        """Make sockets follow ``is_up`` now: of one host, or of all.

        Raises ``KeyError`` for a host that is not of this lab.
        """
        chosen = self._listeners.values() if name is None else [self._listeners[name]]
        for listener in chosen:
            self._follow(listener)

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped."""
        return self._running

    def follow(self, name: str) -> None:
        """Make the sockets of a host follow its state, unless everything is closed by now."""
        if self._running:
            self._follow(self._listeners[name])

    def restart(self, name: str) -> None:
        """Lose a host's shells and connections, then follow ``is_up``: a reboot or a reset."""
        listener = self._listeners[name]
        listener.forget()
        self._follow(listener)

    def _follow(self, listener: HostListener) -> None:
        if listener.refresh():
            self._down.discard(listener)
            return
        loop = asyncio.get_running_loop()
        if listener not in self._down:
            self._down.add(listener)
            self._fell_at = loop.time()
        if self._watch is None:
            eager = loop.time() - self._fell_at < _WATCH_EAGERLY
            delay = _WATCH_SECONDS if eager else _WATCH_SELDOM
            self._watch = loop.call_later(delay, self._look)

    def _look(self) -> None:
        self._watch = None
        for listener in list(self._down):
            self._follow(listener)

    def _expect_down(self, listener: HostListener, seconds: float) -> None:
        loop = asyncio.get_running_loop()

        def fall() -> None:
            self._timers.discard(timer)
            if self._running:
                self.restart(listener.host.name)

        timer = loop.call_later(seconds + _FALL_SECONDS, fall)
        self._timers.add(timer)


def need_files(number: int) -> None:
    """Let this process open as many files. Raises :class:`LabError` when the system forbids it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= number:
        return
    if hard != resource.RLIM_INFINITY and hard < number:
        raise LabError(
            f"the lab needs {number} open files and this process may have {hard}",
            remedy=f"raise the hard limit, for example: ulimit -Hn {number}",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))

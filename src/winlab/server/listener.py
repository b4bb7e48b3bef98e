"""The sockets and the service of one host; all but the sockets are made when first used."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from functools import cached_property

from winlab.server.connection import HttpConnection
from winlab.server.errors import LabError
from winlab.server.ports import FaultKind, HostPort
from winlab.server.tls import HostTls, LabCa
from winlab.session.machine import Surroundings
from winlab.session.service import Service

HTTP_PORT = 5985
HTTPS_PORT = 5986
_BACKLOG = 512
_RESET = struct.pack("ii", 1, 0)


class HostListener:
    """One host on its own loopback address."""

    def __init__(
        self,
        host: HostPort,
        ca: LabCa,
        guid: Callable[[], str],
        goes_down: Callable[[HostListener, float], None],
        follow: Callable[[HostListener], None],
    ) -> None:
        """Nothing is opened yet."""
        self.host = host
        self.guid = guid
        self.connections: set[HttpConnection] = set()
        self._ca = ca
        self._goes_down = goes_down
        self._follow = follow
        self._sockets: dict[int, socket.socket] = {}
        self._tasks: dict[asyncio.Task[None], socket.socket] = {}
        self._dropped: set[socket.socket] = set()

    @cached_property
    def service(self) -> Service:
        """The WinRM service; made by the first request."""
        return Service(
            self.host,
            Surroundings(
                clock=asyncio.get_running_loop().time,
                guid=self.guid,
                goes_down=lambda seconds: self._goes_down(self, seconds),
            ),
        )

    @cached_property
    def tls(self) -> HostTls:
        """Key, certificate and context; made by the first connection."""
        return self._ca.host(self.host.name, self.host.address)

    @property
    def ports(self) -> list[int]:
        """The ports that the host's settings open."""
        settings = self.host.settings
        return [HTTP_PORT] * settings.http + [HTTPS_PORT] * settings.https

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return bool(self._sockets)

    def open(self) -> None:
        """Listen where the settings say, and nowhere else.

        Raises :class:`LabError` when an address is taken or not of this machine.
        """
        loop = asyncio.get_running_loop()
        for port in self._sockets.keys() - set(self.ports):
            self._close(port)
        for port in self.ports:
            if port in self._sockets:
                continue
            listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            try:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind((self.host.address, port))
                listening.listen(_BACKLOG)
            except OSError as error:
                listening.close()
                self.close()
                raise LabError(
                    f"cannot listen: {error.strerror}",
                    where=f"{self.host.name} at {self.host.address}:{port}",
                    remedy="stop what listens there, or let the lab pick other addresses",
                ) from error
            self._sockets[port] = listening
            loop.add_reader(listening.fileno(), self._accept, listening, port)

    def close(self) -> None:
        """Stop listening; the kernel refuses connections from now on."""
        for port in list(self._sockets):
            self._close(port)

    def _close(self, port: int) -> None:
        listening = self._sockets.pop(port)
        asyncio.get_running_loop().remove_reader(listening.fileno())
        listening.close()

    def forget(self) -> None:
        """Lose all shells and cut all connections, as a restart does."""
        if "service" in self.__dict__:
            self.service.close()
        for connection in list(self.connections):
            connection.reset()
        for task in self._tasks:
            task.cancel()
        for dropped in list(self._dropped):
            self._end(dropped)

    async def settled(self) -> None:
        """When everything that :meth:`forget` cut is really gone."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def refresh(self) -> bool:
        """Make the sockets follow :meth:`HostPort.is_up`; the answer says whether it is up."""
        up, was_open = self.host.is_up(), self.is_open
        if up:
            self.open()
        else:
            self.close()
        # Without a listener there is no WinRM service either, and its shells are gone.
        if was_open and not self.is_open:
            self.forget()
        return up

    def fell(self) -> None:
        """Somebody noticed that the host is down: close, and wait for it to come back."""
        self._follow(self)

    @staticmethod
    def reset_on_close(connection: socket.socket) -> None:
        """Closing sends RST instead of FIN (SO_LINGER with zero seconds, socket(7))."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def _accept(self, listening: socket.socket, port: int) -> None:
        for _ in range(_BACKLOG):
            try:
                connection, _peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            connection.setblocking(False)
            if not self.host.is_up():
                self.reset_on_close(connection)
                connection.close()
                self.fell()
                return
            if not self.host.lets_in(port):
                # The kernel has shaken hands already, which Windows would not: the client waits for
                # the first answer instead of for that.
                self._dropped.add(connection)
                loop = asyncio.get_running_loop()
                loop.add_reader(connection.fileno(), self._swallow, connection)
                continue
            fault = self.host.fault()
            # assumed: a reset; the documentation of MaxConnections does not say how it refuses.
            full = len(self.connections) >= self.host.settings.max_connections
            if full or (fault and fault.kind is FaultKind.REFUSE):
                self.reset_on_close(connection)
                connection.close()
                continue
            secure = port == HTTPS_PORT
            protocol = HttpConnection(self, secure=secure, fault=fault)
            task = asyncio.get_running_loop().create_task(
                self._attach(connection, protocol, self.tls.context if secure else None)
            )
            self._tasks[task] = connection
            task.add_done_callback(self._attached)

    def _swallow(self, dropped: socket.socket) -> None:
        """Take what a client sends that gets no answer, until it gives up."""
        try:
            gone = not dropped.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            gone = True
        if gone:
            self._end(dropped)

    def _end(self, dropped: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(dropped.fileno())
        self._dropped.discard(dropped)
        dropped.close()

    def _attached(self, task: asyncio.Task[None]) -> None:
        connection = self._tasks.pop(task)
        if task.cancelled():
            connection.close()

    async def _attach(
        self, connection: socket.socket, protocol: HttpConnection, context: ssl.SSLContext | None
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: protocol, connection, ssl=context)
        except (OSError, ssl.SSLError):
            connection.close()  # a client that does not trust the lab's CA hangs up here

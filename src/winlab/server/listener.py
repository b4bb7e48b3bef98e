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
        """Listen. Raises :class:`LabError` when an address is taken or not of this machine."""
        loop = asyncio.get_running_loop()
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
        loop = asyncio.get_running_loop()
        for listening in self._sockets.values():
            loop.remove_reader(listening.fileno())
            listening.close()
        self._sockets.clear()

    def forget(self) -> None:
        """Lose all shells and cut all connections, as a restart does."""
        if "service" in self.__dict__:
            self.service.close()
        for connection in list(self.connections):
            connection.reset()
        for task in self._tasks:
            task.cancel()

    async def settled(self) -> None:
        """When everything that :meth:`forget` cut is really gone."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def refresh(self) -> bool:
        """Make the sockets follow :meth:`HostPort.is_up`; the answer says whether it is up."""
        up = self.host.is_up()
        if up:
            self.open()
        elif self.is_open:
            self.close()
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

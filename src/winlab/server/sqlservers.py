"""The instances of SQL Server of all hosts: real TDS on each host's loopback address. Here is only I/O."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from winlab.server.errors import LabError
from winlab.server.sql_connection import Endpoint, SqlConnection, SqlPort
from winlab.server.sql_tls import fallback_context
from winlab.sqlserver.instance import Instance
from winlab.sqlserver.product import dotted
from winlab.wire import sqlr


@dataclass
class _Listening:
    """One instance of one host; ``running`` and ``browsed`` say whether its service and SQL Browser run."""

    host: SqlPort
    instance: Instance
    port: int
    tls12: bool
    force_encryption: bool
    running: Callable[[], bool]
    browsed: Callable[[], bool]
    server: asyncio.Server | None = None
    browser: asyncio.DatagramTransport | None = None
    connections: set[SqlConnection] = field(default_factory=set)
    context: ssl.SSLContext | None = None

    def wanted(self) -> bool:
        """Whether it should listen now."""
        return self.host.is_up() and self.running()

    def browses(self) -> bool:
        """Whether SQL Server Browser should answer now."""
        return self.host.is_up() and self.browsed()


class _Browser(asyncio.DatagramProtocol):
    """SQL Server Browser of one host."""

    def __init__(self, one: _Listening) -> None:
        self._one = one
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # typeshed says BaseTransport
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        one, instance = self._one, self._one.instance
        listed = []
        if one.wanted():
            version = dotted(instance.product.build)
            listed = [sqlr.Listed(instance.computer, instance.name, version, one.port)]
        answer = sqlr.answer(data, listed)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)


class SqlServers:
    """Follows the services of SQL Server, in the event loop that ran ``start``."""

    def __init__(self, clock: Callable[[], dt.datetime]) -> None:
        """``clock`` gives aware UTC; it dates certificates."""
        self._clock = clock
        self._by_address: dict[str, _Listening] = {}
        self._busy: set[asyncio.Task[None]] = set()
        self._started = False
        self._lock: asyncio.Lock | None = None

    def add(
        self,
        host: SqlPort,
        instance: Instance,
        *,
        port: int,
        tls12: bool,
        force_encryption: bool,
        running: Callable[[], bool],
        browsed: Callable[[], bool] = lambda: False,
    ) -> None:
        """Serve a host's instance."""
        self._by_address[host.address] = _Listening(
            host, instance, port, tls12, force_encryption, running, browsed
        )

    async def start(self) -> None:
        """Open what listens now; LabError when a port cannot be had, then none is open."""
        self._started = True
        self._lock = asyncio.Lock()
        try:
            for one in self._by_address.values():
                await self._follow(one)
        except LabError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close all sockets, connections and sessions."""
        self._started = False
        for one in self._by_address.values():
            self._close(one)
            self._close_browser(one)
        await asyncio.gather(*self._busy, return_exceptions=True)

    def refresh(self, address: str) -> None:
        """Let the sockets of a host follow its model soon."""
        one = self._by_address.get(address)
        if one is None or not self._started:
            return
        if not one.wanted():
            self._close(one)
        if one.server is None or one.browser is None:
            self._spawn(self._follow(one))
        if one.browser is not None and not one.browses():
            self._close_browser(one)

    def cut(self, address: str) -> None:
        """Cut a host's connections: a reset, or another state was loaded."""
        one = self._by_address.get(address)
        if one is not None:
            for connection in list(one.connections):
                connection.reset()
            one.instance.stop()

    def endpoint(self, address: str) -> dict[str, Any] | None:
        """How clients reach a host's instance; None when it has none."""
        one = self._by_address.get(address)
        if one is None:
            return None
        return {"instance": one.instance.name, "port": one.port}

    @staticmethod
    def _close_browser(one: _Listening) -> None:
        if one.browser is not None:
            one.browser.close()
            one.browser = None

    def _close(self, one: _Listening) -> None:
        if one.server is not None:
            one.server.close()
            one.server = None
        for connection in list(one.connections):
            connection.reset()
        one.instance.stop()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _follow(self, one: _Listening) -> None:
        assert self._lock is not None
        async with self._lock:
            if one.server is None and one.wanted():
                one.server = await self._open(one)
            if one.browser is None and one.browses():
                one.browser = await self._open_browser(one)

    async def _open_browser(self, one: _Listening) -> asyncio.DatagramTransport:
        try:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Browser(one), local_addr=(one.host.address, sqlr.PORT)
            )
        except OSError as exc:
            raise LabError(
                f"{one.host.name} cannot listen on {one.host.address}:{sqlr.PORT}/udp ({exc.strerror})",
                remedy="stop what holds the port",
            ) from exc
        return transport

    async def _open(self, one: _Listening) -> asyncio.Server:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._busy.add(task)
            if one.context is None:
                one.context = fallback_context(self._clock(), tls12=one.tls12)
            endpoint = Endpoint(one.instance, one.port, one.context, one.force_encryption)
            connection = SqlConnection(one.host, endpoint, reader, writer)
            one.connections.add(connection)
            try:
                if one.wanted():
                    await connection.serve()
                else:
                    self._close(one)
            finally:
                one.connections.discard(connection)
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
                self._busy.discard(task)

        try:
            return await asyncio.start_server(serve, one.host.address, one.port, limit=1 << 20)
        except OSError as exc:
            raise LabError(
                f"{one.host.name} cannot listen on {one.host.address}:{one.port} ({exc.strerror})",
                remedy="use a port above 1023 that nothing else holds",
            ) from exc

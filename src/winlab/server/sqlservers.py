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


@dataclass
class _Listening:
    """One instance of one host; ``running`` says whether its service does."""

    host: SqlPort
    instance: Instance
    port: int
    tls12: bool
    force_encryption: bool
    running: Callable[[], bool]
    server: asyncio.Server | None = None
    connections: set[SqlConnection] = field(default_factory=set)
    context: ssl.SSLContext | None = None

    def wanted(self) -> bool:
        """Whether it should listen now."""
        return self.host.is_up() and self.running()


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
    ) -> None:
        """Serve a host's instance."""
        self._by_address[host.address] = _Listening(
            host, instance, port, tls12, force_encryption, running
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
        await asyncio.gather(*self._busy, return_exceptions=True)

    def refresh(self, address: str) -> None:
        """Let the sockets of a host follow its model soon."""
        one = self._by_address.get(address)
        if one is None or not self._started:
            return
        if not one.wanted():
            self._close(one)
        elif one.server is None:
            self._spawn(self._follow(one))

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

"""IIS sites of the lab: real HTTP and HTTPS on each host's loopback address.

Which sockets listen follows the host's model after every change of it. What is answered, and what
is written into the site's W3C log, is decided in `winlab.host.webserver`; here is only I/O.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import h11

from winlab.host.host import Host
from winlab.host.webserver import Reply, Request, answer, open_endpoints
from winlab.server.authority import Issued
from winlab.server.errors import LabError

_IDLE_SECONDS = 120.0  # Microsoft: "Default Limits for Web Sites", connectionTimeout 00:02:00
_KEPT_BODY = 1 << 21  # what an application of the lab gets to see
_MAX_BODY = 30_000_000  # Microsoft: requestLimits maxAllowedContentLength


@dataclass
class _Web:
    """The web server of one host."""

    address: str
    host: Host
    issued: Mapping[str, Issued]
    is_up: Callable[[], bool]
    servers: dict[tuple[int, str], asyncio.Server] = field(default_factory=dict)
    contexts: dict[str, ssl.SSLContext] = field(default_factory=dict)
    clients: dict[asyncio.StreamWriter, tuple[int, str]] = field(default_factory=dict)

    def close(self, endpoint: tuple[int, str]) -> None:
        """Stop listening at an endpoint and cut its connections."""
        self.servers.pop(endpoint).close()
        for writer in [w for w, where in self.clients.items() if where == endpoint]:
            writer.close()

    def wanted(self) -> dict[tuple[int, str], None]:
        """Return (port, thumbprint or "") of every socket that should listen now."""
        return dict.fromkeys(open_endpoints(self.host.iis)) if self.is_up() else {}

    def context(self, thumbprint: str) -> ssl.SSLContext | None:
        """Return the TLS context of a certificate; None when the binding has no usable one."""
        if thumbprint not in self.contexts and thumbprint in self.issued:
            self.contexts[thumbprint] = self.issued[thumbprint].context()
        return self.contexts.get(thumbprint)


class Sites:
    """The web servers of all hosts, in the event loop that ran ``start``."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """``clock`` gives the lab's time as aware UTC, for the Date header."""
        self._clock = clock
        self._webs: dict[str, _Web] = {}
        self._busy: set[asyncio.Task[None]] = set()
        self._dirty: set[str] = set()
        self._started = False
        self._lock: asyncio.Lock | None = None

    def add(
        self, address: str, host: Host, issued: Mapping[str, Issued], is_up: Callable[[], bool]
    ) -> None:
        """Serve the sites of a host; ``issued`` holds its certificates by thumbprint."""
        self._webs[address] = _Web(address, host, issued, is_up)

    async def start(self) -> None:
        """Open what listens now; LabError when a port cannot be had."""
        self._started = True
        self._lock = asyncio.Lock()
        try:
            for web in self._webs.values():
                await self._follow(web)
        except LabError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close all sockets and connections."""
        self._started = False
        for web in self._webs.values():
            for endpoint in list(web.servers):
                web.close(endpoint)
        await asyncio.gather(*self._busy, return_exceptions=True)

    def refresh(self, address: str) -> None:
        """Let the sockets of a host follow its model soon."""
        web = self._webs.get(address)
        if web is None or not self._started or set(web.wanted()) == set(web.servers):
            return
        if address not in self._dirty:
            self._dirty.add(address)
            self._spawn(self._follow_soon(web))

    def urls(self, address: str) -> list[dict[str, str]]:
        """Return name and URL of every binding of a host's sites, started or not."""
        web = self._webs[address]
        return [
            {"name": site.name, "url": f"{b.protocol}://{b.host or address}:{b.port}/"}
            for site in web.host.iis.sites()
            for b in site.bindings
        ]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _follow_soon(self, web: _Web) -> None:
        self._dirty.discard(web.address)
        await self._follow(web)

    async def _follow(self, web: _Web) -> None:
        assert self._lock is not None
        async with self._lock:
            wanted = web.wanted()
            for endpoint in [e for e in web.servers if e not in wanted]:
                web.close(endpoint)
            for endpoint in wanted:
                if endpoint not in web.servers:
                    web.servers[endpoint] = await self._open(web, endpoint)

    async def _open(self, web: _Web, endpoint: tuple[int, str]) -> asyncio.Server:
        port, thumbprint = endpoint

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._busy.add(task)
            web.clients[writer] = endpoint
            try:
                await self._connection(web, port, bool(thumbprint), reader, writer)
            finally:
                del web.clients[writer]
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
                self._busy.discard(task)

        try:
            return await asyncio.start_server(
                serve, web.address, port, ssl=web.context(thumbprint) if thumbprint else None
            )
        except OSError as exc:
            raise LabError(
                f"{web.host.name} cannot listen on {web.address}:{port} ({exc.strerror})",
                remedy="use a port above 1023 that nothing else holds",
            ) from exc

    async def _connection(
        self,
        web: _Web,
        port: int,
        secure: bool,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        connection = h11.Connection(h11.SERVER)
        client = writer.get_extra_info("peername")[0]
        try:
            while (request := await _next_request(connection, reader, port, secure)) is not None:
                begin = time.monotonic()
                reply = answer(web.host, request, client)
                writer.write(self._bytes(connection, request, reply))
                await writer.drain()
                reply.log(max(0, round((time.monotonic() - begin) * 1000)))
                if connection.our_state is not h11.DONE:
                    break
                if connection.their_state is not h11.DONE:
                    break
                connection.start_next_cycle()
        except (ConnectionError, TimeoutError, ssl.SSLError):
            pass  # the client left; a web server has nobody to tell
        except h11.RemoteProtocolError:
            writer.write(
                b"HTTP/1.1 400 Bad Request\r\nServer: Microsoft-HTTPAPI/2.0\r\n"
                b"Connection: close\r\nContent-Length: 0\r\n\r\n"
            )

    def _bytes(self, connection: h11.Connection, request: Request, reply: Reply) -> bytes:
        now = f"{self._clock():%a, %d %b %Y %H:%M:%S} GMT"
        headers = [*reply.headers, ("Date", now), ("Content-Length", str(len(reply.body)))]
        out = connection.send(
            h11.Response(status_code=reply.status, headers=headers, reason=reply.reason)
        )
        if request.method != "HEAD" and reply.status not in {204, 304}:
            out += connection.send(h11.Data(data=reply.body)) or b""
        out += connection.send(h11.EndOfMessage()) or b""
        return bytes(out)


async def _next_request(
    connection: h11.Connection, reader: asyncio.StreamReader, port: int, secure: bool
) -> Request | None:
    head: h11.Request | None = None
    size = 0
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = await asyncio.wait_for(reader.read(65536), _IDLE_SECONDS)
            connection.receive_data(data)
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            size += len(event.data)
            if size > _MAX_BODY:
                return None
            if size <= _KEPT_BODY:
                body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {
                name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers
            }
            return Request(
                method=head.method.decode("ascii"),
                target=head.target.decode("latin-1"),
                headers=headers,
                port=port,
                secure=secure,
                size=size,
                body=bytes(body),
            )
        else:
            return None

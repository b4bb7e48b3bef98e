"""One HTTP connection of a client: bytes in, answers out (RFC 9112 by h11)."""

from __future__ import annotations

import asyncio
import logging
from email.utils import formatdate
from typing import TYPE_CHECKING

import h11

from winlab.server.login import Gate, Login, Verdict
from winlab.server.ports import Fault, FaultKind
from winlab.session.machine import Caller
from winlab.wire import answers, faults, render, sealed
from winlab.wire.requests import Identify, ReceiveOutput, Request, RequestError, parse_request
from winlab.wire.sealed import SealedError

if TYPE_CHECKING:
    from winlab.server.listener import HostListener

_SERVER = (b"Server", b"Microsoft-HTTPAPI/2.0")
_SOAP = b"application/soap+xml;charset=UTF-8"
_PATHS = (b"/wsman", b"/wsman-anon/identify")
# A body that is this many times larger than an envelope may be is not even read.
_HOPELESS = 4

_log = logging.getLogger(__name__)


class HttpConnection(asyncio.Protocol):
    """The protocol of one socket, plain or under TLS."""

    def __init__(self, listener: HostListener, *, secure: bool, fault: Fault | None) -> None:
        """``fault`` is what the host said when the connection was accepted."""
        self._listener = listener
        self._host = listener.host
        self._secure = secure
        self._scheme, self._port = ("https", 5986) if secure else ("http", 5985)
        self._asked: Fault | None = fault
        self._first = True
        self._sticky: Fault | None = None
        self._http = h11.Connection(h11.SERVER)
        self._gate = Gate(self._host, listener.tls.digest if secure else None)
        self._request: h11.Request | None = None
        self._body: list[bytes | bytearray] = []
        self._size = 0
        self._transport: asyncio.Transport | None = None
        self._peer = "127.0.0.1"
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        if peer:
            self._peer, self._gate.peer = peer[0], (peer[0], peer[1])
        self._listener.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Whoever waits for output waits no longer."""
        self._transport = None
        self._listener.connections.discard(self)
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        self._http.receive_data(data)
        self._pump()

    def reset(self) -> None:
        """Cut the connection with a TCP reset."""
        if self._transport is None:
            return
        connection = self._transport.get_extra_info("socket")
        if connection is not None:  # TLS gives none once the socket below is closed
            self._listener.reset_on_close(connection)
        self._transport.abort()

    def _pump(self) -> None:
        while self._transport is not None:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                self._refuse_bytes(error.error_status_hint)
                return
            if isinstance(event, h11.Data):
                self._size += len(event.data)
                self._body.append(event.data)
                limit = self._host.settings.max_envelope_size_kb * 1024 * _HOPELESS
                if self._size > limit:
                    self._refuse_bytes(413)
                    return
            elif isinstance(event, h11.Request):
                self._request, self._body, self._size = event, [], 0
                if self._http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    self._transport.write(self._http.send(go_on) or b"")
            elif isinstance(event, h11.EndOfMessage):
                assert self._request is not None
                body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
                self._body = []
                self._task = asyncio.get_running_loop().create_task(
                    self._respond(self._request, bytes(body))
                )
            else:
                return  # h11 wants more bytes, or the answer to be sent first

    def _refuse_bytes(self, status: int) -> None:
        """Answer what is not HTTP, or too much of it, and hang up."""
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._write(status, b"", [(b"Connection", b"close")])
        if self._transport is not None:
            self._transport.close()

    async def _respond(self, request: h11.Request, body: bytes) -> None:
        if not self._host.is_up():
            self._listener.fell()
            self.reset()
            return
        if not self._host.lets_in(self._port):
            return  # a firewall says nothing
        fault = self._next_fault()
        if fault and fault.kind is FaultKind.REFUSE:
            self.reset()
            return
        if fault and fault.kind is FaultKind.HANG:
            return
        status, content, extra = await self._answer(request, body)
        if fault and fault.delay:
            await asyncio.sleep(fault.delay)
        if self._transport is None:
            return
        if status < 0:
            self.reset()
            return
        self._host.count(requests=1, bytes_in=len(body), bytes_out=len(content))
        self._write(status, content, extra)
        if self._http.our_state is h11.MUST_CLOSE:
            self._transport.close()
            return
        self._task = None
        self._http.start_next_cycle()
        self._pump()

    def _next_fault(self) -> Fault | None:
        fault = self._asked if self._first else self._host.fault()
        self._first, self._asked = False, None
        if fault is not None and fault.kind in (FaultKind.DROP, FaultKind.SLOW):
            self._sticky = fault
        return fault

    async def _answer(
        self, request: h11.Request, body: bytes
    ) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
        """Status, body and headers; a negative status cuts the connection instead."""
        if request.target.partition(b"?")[0].lower().rstrip(b"/") not in _PATHS:
            return 404, b"", []
        if request.method != b"POST":
            return 405, b"", [(b"Allow", b"POST")]
        headers = dict(request.headers)
        if headers.get(b"wsmanidentify", b"").lower() == b"unauthenticated":
            return self._identify(body)
        login = self._gate.admit(headers.get(b"authorization", b""))
        if login.verdict is not Verdict.ALLOWED:
            offers = [(b"WWW-Authenticate", login.token)] if login.token else self._gate.offers
            return 401, b"", offers
        extra = [(b"WWW-Authenticate", login.token)] if login.token else []
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        if not body:
            return 200, b"", extra
        if not sealed.is_sealed(content_type):
            # assumed: 401; MS-WSMV only says that the service refuses plain text then.
            if not self._secure and not self._host.settings.allow_unencrypted:
                return 401, b"", self._gate.offers
            status, content = await self._serve(body, login)
            return status, content, [*extra, (b"Content-Type", _SOAP)]
        try:
            plain = self._gate.unseal(body)
        except SealedError:
            return 400, b"", extra
        status, content = await self._serve(plain, login)
        if status < 0:
            return status, b"", []
        return (
            status,
            self._gate.seal(content),
            [*extra, (b"Content-Type", sealed.CONTENT_TYPE.encode())],
        )

    def _identify(self, body: bytes) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
        """DSP0226 11: the one question that needs no login; Windows hides its version then."""
        try:
            known = isinstance(parse_request(body).body, Identify)
        except RequestError:
            known = False
        if not known:
            return 401, b"", self._gate.offers
        return 200, self._render(answers.Identified(), ""), [(b"Content-Type", _SOAP)]

    async def _serve(self, document: bytes, login: Login) -> tuple[int, bytes]:
        limit_kb = self._host.settings.max_envelope_size_kb
        try:
            if len(document) > limit_kb * 1024:
                raise RequestError(faults.envelope_too_large(limit_kb))
            request = parse_request(document)
        except RequestError as error:
            return 500, self._render(error.fault, error.message_id)
        answer = await self._ask(request, login)
        if self._sticky is not None and self._sticky.kind is FaultKind.DROP:
            body = request.body
            if isinstance(body, ReceiveOutput) and body.command_id:
                return -1, b""
        status = 500 if isinstance(answer, faults.Fault) else 200
        return status, self._render(answer, request.header.message_id)

    async def _ask(self, request: Request, login: Login) -> answers.Answer:
        slow = self._sticky is not None and self._sticky.kind is FaultKind.SLOW
        caller = Caller(
            user=login.user,
            client_ip=self._peer,
            address=f"{self._scheme}://{self._host.address}:{self._port}/wsman",
            slow=self._sticky.seconds if slow and self._sticky else 0.0,
        )
        try:
            return await self._listener.service.answer(request, caller)
        except Exception as error:  # noqa: BLE001 - one broken host must not take the lab down
            _log.exception("%s: %s failed", self._host.name, request.header.action)
            return faults.internal_error(f"{type(error).__name__}: {error}")

    def _render(self, answer: answers.Answer, relates_to: str) -> bytes:
        return render(
            answer,
            message_id=self._listener.guid(),
            relates_to=relates_to,
            machine=self._host.name,
        )

    def _write(self, status: int, body: bytes, extra: list[tuple[bytes, bytes]]) -> None:
        assert self._transport is not None
        response = h11.Response(
            status_code=status,
            headers=[
                *extra,
                _SERVER,
                (b"Date", formatdate(usegmt=True).encode()),
                (b"Content-Length", str(len(body)).encode()),
            ],
        )
        pieces = [self._http.send(response) or b""]
        if body:
            pieces.append(self._http.send(h11.Data(data=body)) or b"")
        pieces.append(self._http.send(h11.EndOfMessage()) or b"")
        self._transport.write(b"".join(pieces))

"""One TDS connection: PRELOGIN, TLS, LOGIN7, then batches until somebody hangs up."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from winlab.server.ports import Fault, FaultKind
from winlab.server.sql_answer import Answer
from winlab.server.sql_tls import Tunnel
from winlab.sqlserver.errors import TsqlError
from winlab.sqlserver.events import Blocked, Event, Pause
from winlab.sqlserver.instance import Instance
from winlab.sqlserver.procedures import run_procedure
from winlab.sqlserver.session import ISOLATIONS, Client, Session
from winlab.sqlserver.types import SqlType
from winlab.sqlserver.values import cell_of
from winlab.wire import tds, tds_requests, tds_tokens
from winlab.wire.tds import Encryption, Message, PacketReader, PacketType, PacketWriter, TdsError
from winlab.wire.tds_login import Login, Version, agreed, read_login

_LOGIN_SECONDS = 60.0
_RESET = struct.pack("ii", 1, 0)


class SqlPort(Protocol):
    """What the listener asks of a host; `winlab.estate` implements it."""

    @property
    def name(self) -> str:
        """The computer name."""

    @property
    def address(self) -> str:
        """The loopback address."""

    def is_up(self) -> bool:
        """Whether the host answers."""

    def fault(self) -> Fault | None:
        """The fault for the next request; asked once for each, and when a connection is accepted."""

    def count_sql(self, what: str, *, bytes_in: int, bytes_out: int) -> None:
        """Count a request: "sql login", "sql batch", "sql call" or "sql transaction"."""


@dataclass
class Endpoint:
    """An instance as it listens."""

    instance: Instance
    port: int
    context: ssl.SSLContext
    force_encryption: bool


class SqlConnection:
    """Serves one client."""

    def __init__(
        self,
        host: SqlPort,
        endpoint: Endpoint,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Nothing is read yet."""
        self._host = host
        self._endpoint = endpoint
        self._instance = endpoint.instance
        self._reader = reader
        self._writer = writer
        self._packets = PacketReader()
        self._tunnel: Tunnel | None = None
        self._tds = Version.V7_0
        self._size = tds.DEFAULT_PACKET_SIZE
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._attention = asyncio.Event()
        self._gone = asyncio.Event()
        self._in = self._out = 0
        self.session: Session | None = None

    async def serve(self) -> None:
        """Until the client or the server ends it; the session is rolled back then."""
        pump: asyncio.Task[None] | None = None
        try:
            fault = self._host.fault()
            if fault is not None and fault.kind is FaultKind.REFUSE:
                self.reset()
                return
            if fault is not None and fault.kind is FaultKind.HANG:
                await self._reader.read()
                return
            async with asyncio.timeout(_LOGIN_SECONDS):
                if not await self._log_in(fault):
                    return
            pump = asyncio.create_task(self._pump())
            await self._requests()
        except (ConnectionError, TimeoutError, TdsError, ssl.SSLError, asyncio.IncompleteReadError):
            pass  # the client left, or speaks no TDS: a server closes the connection
        finally:
            if pump is not None:
                pump.cancel()
            if self.session is not None:
                self.session.close()

    def reset(self) -> None:
        """Cut the connection with a RST."""
        sock = self._writer.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(1, 13, _RESET)  # SOL_SOCKET, SO_LINGER
        self._writer.transport.abort()

    # -- bytes -------------------------------------------------------------------------------

    async def _read(self) -> bytes:
        data = await self._reader.read(65536)
        if not data:
            raise ConnectionResetError
        self._in += len(data)
        return self._tunnel.open(data) if self._tunnel is not None else data

    async def _next(self) -> Message:
        """The next message while there is no pump."""
        while True:
            found = self._packets.feed(b"")
            while not found:
                found = self._packets.feed(await self._read())
            return found[0]

    async def _send(self, data: bytes) -> None:
        self._out += len(data)
        self._writer.write(self._tunnel.seal(data) if self._tunnel is not None and data else data)
        await self._writer.drain()

    # -- login -------------------------------------------------------------------------------

    async def _log_in(self, fault: Fault | None) -> bool:
        hello = await self._next()
        if hello.type is not PacketType.PRELOGIN:
            raise TdsError("a connection begins with PRELOGIN")
        asked = tds.read_prelogin(hello.data)
        encryption = tds.negotiated(asked.encryption, forced=self._endpoint.force_encryption)
        own = self._instance.name.lower()
        wrong = asked.instance.lower() not in {"", own}
        build = self._instance.product.build
        packet = PacketWriter()
        answer = tds.write_prelogin(build[:3], encryption, instance_wrong=wrong)
        await self._send(packet.write(answer) + packet.end())
        if asked.encryption is Encryption.NOT_SUP and encryption is Encryption.REQ:
            return False
        if encryption is not Encryption.NOT_SUP:
            await self._shake()
        message = await self._next()
        if message.type is not PacketType.LOGIN7:
            raise TdsError("after PRELOGIN comes LOGIN7")
        login = read_login(message.data)
        if encryption is Encryption.OFF:
            self._tunnel = None
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        return await self._opened(login)

    async def _shake(self) -> None:
        """3.2.5.2: TLS records inside of PRELOGIN packets until both sides are done."""
        tunnel = Tunnel(self._endpoint.context)
        while not tunnel.ready:
            message = await self._next()
            try:
                out = tunnel.shake(message.data)
            except ssl.SSLError:
                await self._wrapped(tunnel.farewell())
                raise
            await self._wrapped(out)
        self._tunnel = tunnel

    async def _wrapped(self, data: bytes) -> None:
        if data:
            packet = PacketWriter(type=PacketType.PRELOGIN)
            await self._send(packet.write(data) + packet.end())

    async def _opened(self, login: Login) -> bool:
        instance = self._instance
        self._tds = agreed(login.tds, Version(instance.product.tds))
        if 512 <= login.packet_size <= 32767:
            self._size = login.packet_size
        peer = self._writer.get_extra_info("peername")
        client = Client(login.host, login.program, peer[0] if peer else "")
        answer = Answer(self._tds, instance.server_name, self._size)
        try:
            if login.integrated:
                raise TsqlError(18452)
            session = instance.log_in(login.user, login.password, login.database, client)
        except TsqlError as error:
            answer.error(error)
            if error.number == 4060:
                answer.error(TsqlError(18456, login.user))
            answer.done(2)
            await self._last("sql login", answer.end())
            return False
        self.session = session
        answer.spid = session.spid
        name = session.database.name
        answer.raw(tds_tokens.database_change(name, "master"))
        answer.message(5701, 2, 0, f"Changed database context to '{name}'.")
        answer.raw(tds_tokens.collation_change(answer.collation(session.database.collation)))
        answer.raw(tds_tokens.language_change("us_english", ""))
        answer.message(5703, 1, 0, "Changed language setting to us_english.")
        build = instance.product.build
        answer.raw(tds_tokens.login_ack(self._tds, "Microsoft SQL Server", build[:3]))
        if self._size != tds.DEFAULT_PACKET_SIZE:
            answer.raw(tds_tokens.packet_size_change(self._size, tds.DEFAULT_PACKET_SIZE))
        answer.done(0)
        # The new packet size holds from the next message on (2.2.7.9, type 4).
        answer.size = tds.DEFAULT_PACKET_SIZE
        await self._last("sql login", answer.end())
        return True

    async def _last(self, what: str, data: bytes) -> None:
        """Send the end of an answer; who has it finds the request counted."""
        self._host.count_sql(what, bytes_in=self._in, bytes_out=self._out + len(data))
        await self._send(data)

    # -- requests ----------------------------------------------------------------------------

    async def _pump(self) -> None:
        """Read all the time: an attention must be heard while a batch runs."""
        try:
            while True:
                for message in self._packets.feed(await self._read()):
                    if message.type is PacketType.ATTENTION:
                        self._attention.set()
                    self._messages.put_nowait(message)
        except (ConnectionError, TdsError, ssl.SSLError, OSError):
            pass
        finally:
            self._gone.set()
            self._attention.set()
            self._messages.put_nowait(None)

    async def _requests(self) -> None:
        assert self.session is not None
        while (message := await self._messages.get()) is not None:
            if not self._host.is_up():
                self.reset()
                return
            self._in, self._out = len(message.data), 0
            if message.type is PacketType.ATTENTION:
                self._attention.clear()
                await self._acknowledge()
                continue
            fault = self._host.fault()
            kind = None if fault is None else fault.kind
            if kind is FaultKind.REFUSE:
                self.reset()
                return
            if kind is FaultKind.HANG:
                await self._gone.wait()
                return
            if fault is not None:
                slow = fault.seconds if kind is FaultKind.SLOW else 0.0
                await asyncio.sleep(fault.delay + slow)
            answer = Answer(self._tds, self._instance.server_name, self._size, self.session.spid)
            await self._answer(message, answer, silent=kind is FaultKind.DROP)
            if kind is FaultKind.DROP:
                self.reset()
                return
            if self.session.closed:
                return

    async def _acknowledge(self) -> None:
        """2.2.7.6: DONE_ATTN, after which the client may ask again."""
        answer = Answer(self._tds, self._instance.server_name, self._size)
        answer.done(tds_tokens.DoneStatus.ATTENTION)
        await self._send(answer.end())

    async def _answer(self, message: Message, answer: Answer, *, silent: bool) -> None:
        session = self.session
        assert session is not None
        if message.reset:
            session.reset()
            answer.raw(tds_tokens.reset_done())
        if message.type is PacketType.SQL_BATCH:
            text = tds_requests.read_batch(message.data, self._tds)
            await self._run(session.batch(text), answer, silent)
            what = "sql batch"
        elif message.type is PacketType.RPC:
            await self._calls(tds_requests.read_calls(message.data, self._tds), answer, silent)
            what = "sql call"
        elif message.type is PacketType.TRANSACTION_MANAGER:
            request = tds_requests.read_transaction(message.data, self._tds)
            await self._run(session.batch(_transaction_text(request)), answer, silent)
            what = "sql transaction"
        else:
            raise TdsError(f"the lab does not take messages of type {message.type.name}")
        if self._attention.is_set():
            # Its acknowledgement follows; the answer itself ends here.
            answer.cancel()
        await self._last(what, b"" if silent else answer.end())

    async def _calls(self, calls: list[tds_requests.Call], answer: Answer, silent: bool) -> None:
        session = self.session
        assert session is not None
        answer.in_procedure = True
        for call in calls:
            arguments = []
            for one in call.parameters:
                kind = SqlType(
                    one.type.name,
                    one.type.length,
                    one.type.precision,
                    one.type.scale,
                    session.collation,
                )
                arguments.append((one.name, kind, cell_of(one.value, kind)))
            await self._run(
                _guarded(session, run_procedure(session, call.procedure, arguments, depth=0)),
                answer,
                silent,
            )
            answer.procedure_done()

    async def _run(
        self, run: Generator[Event, bool | None, None], answer: Answer, silent: bool
    ) -> None:
        reply: bool | None = None
        while not self._attention.is_set():
            try:
                event = run.send(reply)
            except StopIteration:
                answer.statements_done()
                return
            reply = None
            if isinstance(event, Blocked):
                reply = await self._wait(event)
            elif isinstance(event, Pause):
                await self._until_attention(event.seconds)
            else:
                ready = answer.take(event)
                if ready and not silent:
                    await self._send(ready)
        run.close()

    async def _wait(self, event: Blocked) -> bool:
        """Until the lock is free, the client lost patience, or SET LOCK_TIMEOUT is over."""
        free = asyncio.get_running_loop().create_future()

        def tell() -> None:
            if not free.done():
                free.set_result(True)

        end = event.watch(tell)
        attention = asyncio.create_task(self._attention.wait())
        try:
            timeout = None if event.timeout_ms < 0 else event.timeout_ms / 1000
            await asyncio.wait(
                {free, attention}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
            return free.done()
        finally:
            attention.cancel()
            end()

    async def _until_attention(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._attention.wait()
        except TimeoutError:
            return


def _guarded(
    session: Session, run: Generator[Event, bool | None, None]
) -> Generator[Event, bool | None, None]:
    """Errors of the call itself are told as those of a batch are."""
    try:
        yield from run
    except TsqlError as error:
        yield from session.tell(error)


def _transaction_text(request: tds_requests.Transact) -> str:
    """A transaction manager request as the statement that does the same."""
    if request.action == "begin":
        level = ISOLATIONS.get(request.isolation)
        head = f"SET TRANSACTION ISOLATION LEVEL {level} " if level else ""
        return f"{head}BEGIN TRANSACTION"
    if request.action == "save":
        return "SAVE TRANSACTION x"
    again = " BEGIN TRANSACTION" if request.restart else ""
    return f"{request.action.upper()} TRANSACTION{again}"

"""A session's events as the tokens of one answer."""

from __future__ import annotations

from winlab.sqlserver.errors import TsqlError
from winlab.sqlserver.events import (
    DatabaseChanged,
    Done,
    Event,
    Result,
    Said,
    TransactionChanged,
)
from winlab.sqlserver.scope import Output
from winlab.sqlserver.types import SqlType
from winlab.wire import tds_tokens
from winlab.wire.tds import PacketWriter
from winlab.wire.tds_login import Version
from winlab.wire.tds_tokens import Column, DoneStatus, Note
from winlab.wire.tds_types import CHINESE_PRC_CI_AS, LATIN1_CI_AS, ColumnType

_DONE, _DONE_PROC, _DONE_IN_PROC = 0xFD, 0xFE, 0xFF


class Answer:
    """Grows token by token; a DONE is held back until it is known whether more follows."""

    def __init__(self, version: Version, server: str, size: int, spid: int = 0) -> None:
        """Empty."""
        self.in_procedure = False
        self.size = size
        self.spid = spid
        self._tds = version
        self._server = server
        self._writer: PacketWriter | None = None
        self._held: tuple[int, int] | None = None
        self._begun = bytearray()
        self._failed = False
        self._open_transaction = False
        self._ended = False

    # -- tokens ------------------------------------------------------------------------------

    def raw(self, data: bytes) -> None:
        """Add tokens as they are."""
        self._begun += data

    def message(self, number: int, state: int, severity: int, text: str, line: int = 1) -> None:
        """ERROR or INFO."""
        note = Note(number, state, severity, text, self._server, line)
        self._begun += note.token(self._tds)

    def error(self, error: TsqlError) -> None:
        """ERROR."""
        self.message(error.number, error.state, error.severity, error.text, max(error.line, 1))

    def done(self, status: int, count: int = 0) -> None:
        """A DONE that ends the answer."""
        self._begun += tds_tokens.done(status, count, self._tds)
        self._ended = True

    def take(self, event: Event) -> bytes:
        """Add what an event says; return the packets that are full."""
        match event:
            case Result(columns, rows):
                self._release()
                shown = [self._column(one) for one in columns]
                self._begun += tds_tokens.col_metadata(shown, self._tds)
                out = bytearray()
                for row in rows:
                    self._begun += tds_tokens.row(shown, row, self._tds)
                    if len(self._begun) > 1 << 16:
                        out += self._flush()
                return bytes(out)
            case Done(count):
                self._release()
                status = 0 if count is None else int(DoneStatus.COUNT)
                if self._failed:
                    status |= DoneStatus.ERROR
                    self._failed = False
                self._held = (status, count or 0)
            case Said():
                self._release()
                self._failed = self._failed or event.severity > 10
                self.message(event.number, event.state, event.severity, event.text, event.line)
            case DatabaseChanged(new, old):
                self._release()
                self._begun += tds_tokens.database_change(new, old)
            case TransactionChanged(kind, number):
                if self._tds >= Version.V7_2:
                    self._release()
                    self._begun += tds_tokens.transaction_change(kind, number)
            case _:
                raise AssertionError(event)
        return self._flush() if len(self._begun) > 1 << 16 else b""

    def statements_done(self) -> None:
        """The batch is over: what is held becomes the last, or one is made."""
        if self.in_procedure:
            self._release()
            return
        status, count = self._held or (int(DoneStatus.ERROR) if self._failed else 0, 0)
        if self._failed:
            status |= DoneStatus.ERROR
        self._held = None
        self.done(status, count)

    def procedure_done(self) -> None:
        """RETURNSTATUS and DONEPROC."""
        self._release()
        failed = self._failed
        self._failed = False
        self._begun += tds_tokens.return_status(1 if failed else 0)
        status = int(DoneStatus.ERROR) if failed else 0
        self._begun += tds_tokens.done(status, 0, self._tds, token=_DONE_PROC)
        self._ended = True

    def cancel(self) -> None:
        """An attention came: end with a DONE of an error if nothing ended yet."""
        if not self._ended:
            self._held = None
            self.done(int(DoneStatus.ERROR))

    def end(self) -> bytes:
        """The last packets."""
        self._release()
        out = self._flush()
        assert self._writer is not None
        return out + self._writer.end()

    def _release(self) -> None:
        if self._held is not None:
            status, count = self._held
            self._held = None
            token = _DONE_IN_PROC if self.in_procedure else _DONE
            self._begun += tds_tokens.done(status | DoneStatus.MORE, count, self._tds, token=token)

    def _flush(self) -> bytes:
        if self._writer is None:
            self._writer = PacketWriter(self.size, self.spid)
        data = bytes(self._begun)
        self._begun.clear()
        return self._writer.write(data)

    # -- types -------------------------------------------------------------------------------

    def collation(self, name: str) -> bytes:
        """The five bytes of a collation (2.2.5.1.2)."""
        return CHINESE_PRC_CI_AS if name.lower().startswith("chinese_prc") else LATIN1_CI_AS

    def _column(self, output: Output) -> Column:
        return Column(output.name, self._type(output.type), output.nullable, output.identity)

    def _type(self, kind: SqlType) -> ColumnType:
        return ColumnType(
            kind.name,
            kind.length,
            kind.precision,
            kind.scale,
            self.collation(kind.collation),
            kind.codec,
        )

"""W3C extended logs as IIS writes them.

Source: "W3C Extended Log File Format" (W3C working draft WD-logfile-960323) and Microsoft's "W3C
Extended Log File Examples". Directives (lines that begin with ``#``) may stand anywhere: IIS writes
a block of them at every start, and its field list may differ from the one before. Elsewhere ``#``
is a character like any other. ``-`` is "no value". Times are UTC.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from opsproof.logs import times
from opsproof.logs.readers import web
from opsproof.logs.readers.base import BATCH_RECORDS, RAW, Damage, Fields, Log, Notes
from opsproof.logs.readers.lines import Line, lines
from opsproof.logs.table import Table, TableBuilder

_IIS_10: Final = [
    *("date", "time", "s-ip", "cs-method", "cs-uri-stem", "cs-uri-query", "s-port"),
    *("cs-username", "c-ip", "cs(User-Agent)", "cs(Referer)"),
    *("sc-status", "sc-substatus", "sc-win32-status", "time-taken"),
]
_IIS_7: Final = [name for name in _IIS_10 if name != "cs(Referer)"]

_DATED: Final = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+ \S+ ")


def is_w3c(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a W3C log: directives, or dated lines."""
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\0")
    return b"#Fields:" in head[: 1 << 16] or _DATED.match(head) is not None


def read(log: Log, wanted: Fields, notes: Notes) -> Iterator[Table]:
    """Batches of the requests of one W3C log, in file order; record ids are line numbers."""
    parser = _Parser(log.source, wanted, notes, web.site(f"{log.path.absolute()}/{log.name}"))
    parser.names = _first_fields(log.path)
    with log.path.open("rb") as file:
        for line in lines(file, notes):
            parser.line(line)
            if len(parser.builder) >= BATCH_RECORDS:
                yield parser.table()
    if len(parser.builder):
        yield parser.table()


def _first_fields(path: Path) -> list[str]:
    """The field list for lines before the first directive: the first one in sight, if any.

    A file whose beginning was cut off, or that was rolled over, starts in the middle.
    """
    with path.open("rb") as file:
        head = file.read(1 << 22)
    at = head.find(b"#Fields:")
    if at == -1 or (at > 0 and head[at - 1 : at] != b"\n"):
        return []
    return head[at + 8 :].split(b"\n", 1)[0].decode("latin-1").split()


class _Parser:
    """The state of reading one file: field list, date, the batch that is being filled."""

    def __init__(self, source: int, wanted: Fields, notes: Notes, channel: str) -> None:
        self._source, self._wanted, self._notes, self._channel = source, wanted, notes, channel
        self._columns: list[tuple[int, str, str]] = []
        self._written: list[str] = []
        self._date = ""
        self._new_batch()

    def _new_batch(self) -> None:
        self.builder = TableBuilder(self._source, self._wanted, web.FORMS)
        self._kept: list[tuple[str, list[str]]] = []

    @property
    def names(self) -> list[str]:
        """The fields of a line, as the directive writes them."""
        return self._written

    @names.setter
    def names(self, written: list[str]) -> None:
        self._written = written

    def table(self) -> Table:
        """The batch so far; a new one is begun."""
        kept, channel = self._kept, self._channel
        table = self.builder.build(lambda row: _fields(*kept[row]), channel)
        self._new_batch()
        return table

    def line(self, line: Line) -> None:
        """One line: a directive, a request, or damage."""
        if line.text.startswith("#"):
            self._directive(line.text)
            return
        values = self._values(line)
        if values is None:
            return
        fields = {
            web.field_name(name): value
            for name, value in reversed(list(zip(self._written, values, strict=True)))
            if value != "-"
        }
        moment = times.parse(f"{fields.get('date', self._date)} {fields.get('time', '')}")
        web.derive(fields, "web")
        fields[RAW] = line.text
        self.builder.add(times.UNKNOWN if moment is None else moment, line.number, fields)
        self._kept.append((line.text, self._written))

    def _directive(self, text: str) -> None:
        name, _, rest = text.partition(":")
        if name == "#Fields":
            self._written = rest.split()
        elif name == "#Date":
            self._date = rest.split()[0] if rest.split() else ""

    def _values(self, line: Line) -> list[str] | None:
        values = line.text.split()
        if not self._written:
            self._written = {15: _IIS_10, 14: _IIS_7}.get(len(values), [])
        if len(values) == len(self._written):
            return values
        if '"' in line.text:
            quoted = _unquoted(line.text)
            if len(quoted) == len(self._written):
                return quoted
        if not self._written:
            what = "no #Fields directive says what its values are"
        elif not line.finished:
            what = f"the last line is unfinished: {len(values)} of {len(self._written)} values"
        else:
            what = f"a line has {len(values)} values, not {len(self._written)}"
        self._notes.damage.append(Damage(what, offset=line.offset, record=line.number, records=1))
        return None


def _unquoted(text: str) -> list[str]:
    """Values of a line in which values with spaces are quoted (IIS Advanced Logging)."""
    splitter = shlex.shlex(text, posix=True)
    splitter.whitespace_split = True
    splitter.quotes, splitter.escape, splitter.commenters = '"', "", ""
    try:
        return list(splitter)
    except ValueError:
        return []


def _fields(text: str, written: list[str]) -> dict[str, str]:
    """The fields of one line in their own spelling, for a report."""
    values = text.split()
    if len(values) != len(written):
        values = _unquoted(text)
    return {name: value for name, value in zip(written, values, strict=True) if value != "-"}

"""W3C extended logs as IIS writes them.

Source: "W3C Extended Log File Format" (W3C working draft WD-logfile-960323) and Microsoft's "W3C
Extended Log File Examples". Directives (lines that begin with ``#``) may stand anywhere: IIS writes
a block of them at every start, and its field list may differ from the one before. Elsewhere ``#``
is a character like any other. ``-`` is "no value". Times are UTC.

A block of lines is read as a whole: line ends and spaces are found by numpy, lines with the right
number of values go into columns at once (:mod:`opsproof.logs.readers.w3c_columns`), all others one
by one.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from opsproof.logs import times
from opsproof.logs.readers import web
from opsproof.logs.readers.base import Cut, Damage, Fields, Kept, Log, Notes
from opsproof.logs.readers.lines import LONGEST, Block, blocks, cleaned, feeds, note_long, opened
from opsproof.logs.readers.w3c_columns import Chosen, Columns, Lines
from opsproof.logs.table import Longs, Table, TableBuilder

_IIS_10: Final = (
    *("date", "time", "s-ip", "cs-method", "cs-uri-stem", "cs-uri-query", "s-port"),
    *("cs-username", "c-ip", "cs(User-Agent)", "cs(Referer)"),
    *("sc-status", "sc-substatus", "sc-win32-status", "time-taken"),
)
_IIS_7: Final = tuple(name for name in _IIS_10 if name != "cs(Referer)")
_DEFAULTS: Final = {len(_IIS_10): _IIS_10, len(_IIS_7): _IIS_7}

_DATED: Final = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+ \S+ ")
_HASH, _FEED = b"#\n"
_FEW: Final = 64
"""A directive for fewer lines than this does not pay for columns of its own."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the directives before a line say: the field list, and a date for lines without one."""

    names: tuple[str, ...]
    date: str


def is_w3c(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a W3C log: directives, or dated lines."""
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\0")
    return b"#Fields:" in head[: 1 << 16] or _DATED.match(head) is not None


def read(log: Log, wanted: Fields, notes: Notes, kept: Kept | None = None) -> Iterator[Table]:
    """Batches of the requests of one W3C log; record ids are line numbers."""
    columns = Columns(wanted)
    if kept is not None:
        columns = kept.setdefault(Columns, columns)
    parser = _Parser(log, columns, notes)
    with opened(log.path, notes) as file:
        for block in blocks(file, notes, log.begin, log.end):
            yield from parser.block(block)


class Cutter:
    """Finds the places at which a W3C log may be cut, while its bytes go by."""

    def __init__(self, part: int) -> None:
        """Parts of about ``part`` bytes."""
        self._part = part
        self._cuts = [Cut()]
        self._offset, self._line = 0, 1
        self._last = _FEED
        self._open = b""
        self._names: tuple[str, ...] = ()
        self._date = ""

    def feed(self, block: bytes) -> None:
        """The next bytes of the file."""
        array = np.frombuffer(block, dtype=np.uint8)
        begin = block.find(b"\n") + 1 or len(block) if self._open else 0
        if self._open:
            # A directive that the last block broke off. None is as long as a line may be.
            self._open = (self._open + block[:begin])[:LONGEST]
            if self._open.endswith(b"\n"):
                self._directive(self._open)
                self._open = b""
        marks = _marks(block, array)
        before = array[marks - 1]
        before[marks == 0] = self._last
        marks = marks[(before == _FEED) & (marks >= begin)]
        begin = 0
        while self._offset + len(block) - self._cuts[-1].offset >= self._part:
            wanted = max(begin, self._cuts[-1].offset + self._part - self._offset)
            stop = block.find(b"\n", wanted) + 1
            if not stop:
                break
            self._pass(block, array, marks, begin, stop)
            cut = Cut(self._offset + stop, self._line, self._names, self._date)
            self._cuts.append(cut)
            begin = stop
        self._pass(block, array, marks, begin, len(block))
        self._offset += len(block)
        self._last = block[-1]

    def _pass(self, block: bytes, array: np.ndarray, marks: Longs, begin: int, end: int) -> None:
        """Lines go by: they are counted, and the last directives (at ``marks``) remembered."""
        self._line += feeds(array[begin:end])
        for at in marks[(marks >= begin) & (marks < end)].tolist():
            stop = block.find(b"\n", at, end)
            if stop < 0:
                self._open = block[at:end][:LONGEST]
            else:
                self._directive(block[at:stop])

    def _directive(self, line: bytes) -> None:
        name, _, rest = line.partition(b":")
        words = _words(rest)
        if name == b"#Fields":
            self._names = words
            self._date = "" if "date" in words else self._date
        elif name == b"#Date" and "date" not in self._names:
            self._date = words[0] if words else ""

    def cuts(self, size: int) -> tuple[Cut, ...]:
        """The cuts of the whole file, of ``size`` bytes."""
        return tuple(cut for cut in self._cuts if not cut.offset or cut.offset < size)


def _marks(block: bytes, array: np.ndarray) -> Longs:
    """Where number signs stand. Mostly they are few, and each is found sooner than all of them."""
    found: list[int] = []
    at = block.find(b"#")
    while at != -1:
        found.append(at)
        if len(found) > _FEW:
            return np.flatnonzero(array == _HASH)
        at = block.find(b"#", at + 1)
    return np.array(found, dtype=np.int64)


def _first_fields(log: Log) -> tuple[str, ...]:
    """The field list for lines before the first directive: the first one in sight, if any.

    A file whose beginning was cut off, or that was rolled over, starts in the middle.
    """
    with opened(log.path, Notes()) as file:
        head = b"\n" + file.read(1 << 22)
    at = head.find(b"\n#Fields:")
    return _words(head[at + 9 :].split(b"\n", 1)[0]) if at != -1 else ()


def _words(text: bytes) -> tuple[str, ...]:
    return tuple(text.decode("latin-1").split())


class _Parser:
    """The state of reading one file: what the directives so far said."""

    def __init__(self, log: Log, columns: Columns, notes: Notes) -> None:
        self._log, self._columns, self._notes = log, columns, notes
        self._channel = web.site(f"{log.path.absolute()}/{log.name}")
        names = log.begin.names if log.begin.offset else _first_fields(log)
        self._layout = Layout(names, log.begin.date)

    def block(self, block: Block) -> Iterator[Table]:
        """The batches of one block of lines."""
        lines = Lines(block)
        ends, starts = lines.ends, lines.starts
        odd = ends - starts > LONGEST
        for row in np.flatnonzero(odd).tolist():
            note_long(block.offset + int(starts[row]), block.number + row, self._notes)
        plain = lines.plain & ~odd
        if block.number == 1 and not self._layout.names:
            plain[0] = False
        slow: dict[Layout, list[int]] = defaultdict(list)
        for layout, rows in self._runs(block, lines.bytes.array, starts, ends):
            names = layout.names or _DEFAULTS.get(int(np.median(lines.width[rows])), ())
            layout = Layout(names, layout.date)
            right = plain[rows] & (lines.width[rows] == len(names))
            good = rows[right]
            if len(good) >= _FEW:
                chosen = Chosen(lines, good)
                table = self._columns.table(self._log.source, self._channel, chosen, layout)
                table.block = block.offset
                yield table
                rows = rows[~right]
            slow[layout].extend(rows[~odd[rows]].tolist())
        if any(slow.values()):
            yield from self._one_by_one(block, starts, ends, slow)

    def _runs(
        self, block: Block, data: np.ndarray, starts: Longs, ends: Longs
    ) -> list[tuple[Layout, Longs]]:
        """The lines that are no directives, by what the directives before them said."""
        first = np.flatnonzero(data[starts] == _HASH)
        if not len(first):
            return [(self._layout, np.arange(len(starts)))]
        rows: dict[Layout, list[Longs]] = defaultdict(list)
        before = 0
        for row in [*first.tolist(), len(starts)]:
            if row > before:
                rows[self._layout].append(np.arange(before, row))
            if row < len(starts):
                self._directive(block.padded[starts[row] : ends[row]])
            before = row + 1
        return [(layout, np.concatenate(parts)) for layout, parts in rows.items()]

    def _directive(self, line: bytes) -> None:
        name, _, rest = line.partition(b":")
        words = _words(rest)
        if name == b"#Fields":
            date = "" if "date" in words else self._layout.date
            self._layout = Layout(words, date)
        elif name == b"#Date" and "date" not in self._layout.names:
            self._layout = Layout(self._layout.names, words[0] if words else "")

    def _one_by_one(
        self, block: Block, starts: Longs, ends: Longs, rows: dict[Layout, list[int]]
    ) -> Iterator[Table]:
        """Lines that are not as they should be, and those of short runs."""
        builder = TableBuilder(self._log.source, None, web.FORMS)
        kept: list[tuple[str, tuple[str, ...]]] = []
        ordered = sorted((row, layout) for layout, some in rows.items() for row in some)
        for row, layout in ordered:
            number, offset = block.number + row, block.offset + int(starts[row])
            line = cleaned(block.padded[starts[row] : ends[row]], number, offset, self._notes)
            if not line.strip() or line.startswith("#"):
                self._directive(line.encode())
                continue
            unfinished = not block.finished and row == len(starts) - 1
            values = self._values(line, layout.names, number, offset, unfinished=unfinished)
            if values is not None:
                names = layout.names or _DEFAULTS[len(values)]
                moment, fields = _fields(names, values, layout.date)
                builder.add(moment, number, fields)
                kept.append((line, names))
        if kept:
            table = builder.build(lambda row: shown(*kept[row]), self._channel, numbers=web.NUMBERS)
            table.block = block.offset
            table.declared = frozenset().union(*{web.declared(names) for _, names in kept})
            yield table

    def _values(
        self, line: str, names: tuple[str, ...], number: int, offset: int, *, unfinished: bool
    ) -> list[str] | None:
        values = split(line)
        if len(values) == len(names) or (not names and len(values) in _DEFAULTS):
            return values
        if names and '"' in line:
            quoted = _unquoted(line)
            if len(quoted) == len(names):
                return quoted
        if not names:
            what = "no #Fields directive says what its values are"
        elif unfinished:
            what = f"the last line is unfinished: {len(values)} of {len(names)} values"
        else:
            what = f"a line has {len(values)} values, not {len(names)}"
        self._notes.damaged(Damage(what, offset=offset, record=number, records=1))
        return None


def split(line: str) -> list[str]:
    """The values of a line: only spaces part them, several (Exchange writes two) as one."""
    return [value for value in line.split(" ") if value]


def _fields(names: tuple[str, ...], values: list[str], date: str) -> tuple[int, dict[str, str]]:
    """Time and lower-cased fields of one line; of two fields of one name the first counts."""
    fields = {
        web.field_name(name): value
        for name, value in reversed(list(zip(names, values, strict=True)))
        if value != "-"
    }
    moment = times.parse(f"{fields.get('date', date)} {fields.get('time', '')}")
    web.derive(fields, web.kind(names))
    return times.UNKNOWN if moment is None else moment, fields


def _unquoted(text: str) -> list[str]:
    """Values of a line in which values with spaces are quoted (IIS Advanced Logging)."""
    splitter = shlex.shlex(text, posix=True)
    splitter.whitespace_split = True
    splitter.quotes, splitter.escape, splitter.commenters = '"', "", ""
    try:
        return list(splitter)
    except ValueError:
        return []


def shown(line: str, names: tuple[str, ...]) -> dict[str, str]:
    """The fields of one line in their own spelling, for a report."""
    values = split(line)
    if len(values) != len(names):
        values = _unquoted(line)
    return {name: value for name, value in zip(names, values, strict=True) if value != "-"}

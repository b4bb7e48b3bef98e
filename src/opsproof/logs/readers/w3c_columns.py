"""Many well-formed lines of a W3C log as columns: split once, each distinct value looked at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from opsproof.logs import times
from opsproof.logs.readers import web
from opsproof.logs.readers.base import KIND, Fields
from opsproof.logs.readers.lines import decode
from opsproof.logs.table import RAW, Column, Ints, Longs, Table

_DAY: Final = 86_400_000_000


class _Layout(Protocol):
    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def date(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a block, each from ``starts`` to ``ends``, with their ``numbers`` in the file."""

    data: bytes
    starts: Longs
    ends: Longs
    numbers: Longs

    def joined(self) -> bytes:
        """The lines with a space for every line end."""
        breaks = np.flatnonzero(self.starts[1:] != self.ends[:-1] + 1) + 1
        begins = self.starts[np.concatenate(([0], breaks))].tolist()
        stops = self.ends[np.concatenate((breaks - 1, [len(self.ends) - 1]))].tolist()
        pieces = [self.data[begin:stop] for begin, stop in zip(begins, stops, strict=True)]
        text = b"\n".join(pieces)
        return text.replace(b"\r\n", b" ").replace(b"\n", b" ").removesuffix(b"\r")

    def line(self, row: int) -> bytes:
        """One line, without its end."""
        return self.data[self.starts[row] : self.ends[row]]

    def text(self, row: int) -> str:
        """One line as text."""
        return decode(self.line(row)).rstrip("\r")


def columns_table(
    source: int, channel: str, lines: Lines, layout: _Layout, wanted: Fields
) -> Table | None:
    """The lines, all with as many values as the layout has names; None where a value is empty."""
    names = [web.field_name(name) for name in layout.names]
    tokens = lines.joined().split(b" ")
    width, size = len(names), len(lines.starts)
    if len(tokens) != width * size or b"" in tokens:
        return None
    maker = _Maker(tokens, width, size)
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    searched = wanted is None or RAW in wanted
    columns = {
        name: maker.column(place)
        for name, place in places.items()
        if wanted is None
        or name in wanted
        or name in _ALWAYS
        or (searched and name not in web.NUMBERS)
    }
    parts = [column for name, column in columns.items() if name not in web.NUMBERS]
    moments = _times(columns, layout.date, size)
    _derive(columns, wanted, maker, places)
    found = {
        name: column
        for name, column in columns.items()
        if len(column.rows) and (wanted is None or name in wanted)
    }
    for name in web.FORMS.keys() & columns.keys():
        columns[name].forms = web.FORMS[name]
    for name, site in (("channel", "s-sitename"), ("computer", "s-computername")):
        if site in places:
            base = columns[site] if site in columns else maker.column(places[site])
            found[name] = Column(base.values, base.rows, base.codes)
    found[KIND] = Column.constant(web.kind(layout.names), size)

    def fields(row: int) -> dict[str, str]:
        pairs = zip(layout.names, lines.text(row).split(" "), strict=True)
        return {name: value for name, value in pairs if value != "-"}

    return Table(
        source=source,
        size=size,
        columns=found,
        times=moments,
        record_ids=lines.numbers.astype(np.int64),
        fields=fields,
        channel=channel,
        parts=parts if searched else None,
    )


_ALWAYS: Final = frozenset({"date", "time"})


class _Maker:
    """Columns from the flat list of all values."""

    def __init__(self, tokens: list[bytes], width: int, size: int) -> None:
        self._tokens, self._width, self._size = tokens, width, size

    def column(self, place: int) -> Column:
        """One field: distinct values decoded once, ``-`` left out."""
        values = self._tokens[place :: self._width]
        index = {value: code for code, value in enumerate(dict.fromkeys(values))}
        codes = np.fromiter(map(index.__getitem__, values), dtype=np.int32, count=self._size)
        texts: dict[str, int] = {}
        translation = np.fromiter(
            (texts.setdefault(decode(value), len(texts)) for value in index),
            dtype=np.int32,
            count=len(index),
        )
        if len(texts) != len(index):
            codes = translation[codes]
        return without(
            Column(values=texts, rows=np.arange(self._size, dtype=np.int32), codes=codes)
        )


def without(column: Column, value: str = "-") -> Column:
    """The column without the records that have this value."""
    code = column.values.get(value)
    if code is None:
        return column
    kept = column.code_array() != code
    # The value stays in the dictionary, else all codes would move; it has no record any more, so a
    # rule that names it finds none.
    return Column(
        values=column.values, rows=column.row_array()[kept], codes=column.code_array()[kept]
    )


def _dense(column: Column | None, size: int) -> Ints:
    """The code of every record, -1 for none."""
    codes = np.full(size, -1, dtype=np.int32)
    if column is not None:
        codes[column.row_array()] = column.code_array()
    return codes


def _times(columns: dict[str, Column], date: str, size: int) -> Longs:
    """The time of every record from its date and time, each distinct one read once."""
    day = times.parse(date)
    days = _parsed(columns.get("date"), size, times.parse, times.UNKNOWN if day is None else day)
    clock = _parsed(
        columns.get("time"), size, _clock, 0 if "time" not in columns else times.UNKNOWN
    )
    moments = np.where(
        (days == times.UNKNOWN) | (clock == times.UNKNOWN), times.UNKNOWN, days + clock
    )
    return moments.astype(np.int64)


def _clock(text: str) -> int | None:
    moment = times.parse(f"1970-01-01 {text}")
    return moment if moment is not None and 0 <= moment <= _DAY else None


def _parsed(
    column: Column | None, size: int, parse: Callable[[str], int | None], default: int
) -> Longs:
    if column is None:
        return np.full(size, default, dtype=np.int64)
    read = [parse(name) for name in column.names()]
    known = [times.UNKNOWN if moment is None else moment for moment in read]
    table = np.array([*known, default], dtype=np.int64)
    return table[_dense(column, size)]


def _derive(
    columns: dict[str, Column], wanted: Fields, maker: _Maker, places: dict[str, int]
) -> None:
    """The fields that :func:`opsproof.logs.readers.web.derive` makes, for columns."""

    def base(name: str) -> Column | None:
        if name in columns:
            return columns[name]
        return maker.column(places[name]) if name in places else None

    def asked(name: str) -> bool:
        return (wanted is None or name in wanted) and name not in columns

    whole = [name for name in ("c-uri", "cs-uri") if asked(name)]
    if whole and "cs-uri-stem" in places:
        joined = _pairs(base("cs-uri-stem"), base("cs-uri-query"), "?", "")
        for name in whole:
            columns[name] = Column(joined.values, joined.rows, joined.codes)
    if asked("c-useragent") and "cs-user-agent" in places:
        agent = base("cs-user-agent")
        assert agent is not None
        columns["c-useragent"] = Column(agent.values, agent.rows, agent.codes)
    if asked("sc-status-full") and "sc-status" in places:
        columns["sc-status-full"] = _pairs(base("sc-status"), base("sc-substatus"), ".", ".0")


def _pairs(left: Column | None, right: Column | None, joint: str, alone: str) -> Column:
    """``left`` joined with ``right`` where there is one, else ``left`` and ``alone``."""
    assert left is not None
    rows = left.row_array()
    size = int(rows[-1]) + 1 if len(rows) else 0
    other = right or Column()
    if len(other.rows):
        size = max(size, int(other.row_array()[-1]) + 1)
    width = len(other.values) + 1
    combined = left.code_array().astype(np.int64) * width + _dense(other, size)[rows] + 1
    distinct, codes = np.unique(combined, return_inverse=True)
    ours, theirs = left.names(), other.names()
    texts: dict[str, int] = {}
    translation = [
        texts.setdefault(
            ours[pair // width]
            + (alone if pair % width == 0 else joint + theirs[pair % width - 1]),
            len(texts),
        )
        for pair in distinct.tolist()
    ]
    table = np.array(translation, dtype=np.int32)
    return Column(values=texts, rows=rows, codes=table[codes] if len(table) else codes)

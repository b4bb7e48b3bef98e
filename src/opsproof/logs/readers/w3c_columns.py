"""Many well-formed lines of a W3C log as columns: each distinct value of a file is looked at once."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np

from opsproof.logs import times
from opsproof.logs.parsed import Parsed
from opsproof.logs.readers import web
from opsproof.logs.readers.base import KIND, Fields
from opsproof.logs.readers.dictionary import MOST_VALUES, Bytes, Dictionary
from opsproof.logs.readers.lines import Block, decode
from opsproof.logs.table import RAW, Column, Ints, Longs, Table

_DAY: Final = 86_400_000_000
_SPACE, _FEED, _RETURN = b" \n\r"
_WORD: Final = len("HH:MM:SS")
_MOST_FIELDS: Final = 100
"""Fields whose values are remembered: IIS has some thirty, a log may claim any number."""


class _Layout(Protocol):
    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def date(self) -> str: ...


class Lines:
    """The lines of a block, and where their values are.

    ``width`` is the number of values of each line, if it is ``plain``: values parted by one space
    each, no control characters but the line end.
    """

    def __init__(self, block: Block) -> None:
        """The lines of the block."""
        self.bytes = Bytes(block.padded, block.size)
        self.number = block.number
        self.marks = np.flatnonzero(self.bytes.array <= _SPACE)
        kinds = self.bytes.array.take(self.marks)
        self.regular = _regular(self.marks, kinds.tobytes())
        """How many marks each line has, where all lines are plain and of one width; else 0."""
        if self.regular:
            self._same()
        else:
            self._several(kinds)
        block.lines = len(self.ends)

    def _same(self) -> None:
        step = self.regular
        self.ends = self.marks[step - 1 :: step]
        self.starts = np.concatenate(([0], self.ends[:-1] + 1))
        returned = int(step > 1 and self.bytes.data[self.ends[0] - 1] == _RETURN)
        self.stops = self.ends - returned
        self.first = np.arange(0, len(self.marks), step)
        self.width = np.full(len(self.ends), step - returned)
        self.plain = np.ones(len(self.ends), dtype=np.bool_)

    def _several(self, kinds: np.ndarray) -> None:
        feeds = np.flatnonzero(kinds == _FEED)
        self.first = np.concatenate(([0], feeds[:-1] + 1))
        self.ends = self.marks[feeds]
        self.starts = np.concatenate(([0], self.ends[:-1] + 1))
        inside = feeds - self.first
        before = np.maximum(feeds - 1, 0)
        returned = (inside > 0) & (kinds[before] == _RETURN) & (self.marks[before] == self.ends - 1)
        self.stops = self.ends - returned
        self.width = inside - returned + 1
        self.plain = self.starts < self.stops
        strange = (kinds != _SPACE) & (kinds != _FEED)
        strange[before[returned]] = False
        # Beside another space or a line end stands an empty value.
        strange[:-1] |= (np.diff(self.marks) == 1) & (kinds[:-1] == _SPACE)
        rows = np.searchsorted(feeds, np.flatnonzero(strange))
        self.plain[rows] = False
        self.plain &= (self.marks[self.first] != self.starts) | (inside == 0)

    def line(self, row: int) -> bytes:
        """One line, without its end."""
        return self.bytes.data[self.starts[row] : self.stops[row]]


def _regular(marks: Longs, kinds: bytes) -> int:
    """The marks of each line, where all lines have as many and no value is empty; else 0.

    That is so for most blocks, and quick to see: the kinds of marks are those of the first line
    again and again, and no two marks stand side by side but at the ends of lines.
    """
    step = kinds.find(b"\n") + 1
    ending = b"\r\n" if kinds[step - 2 : step - 1] == b"\r" and step > 1 else b"\n"
    line = b" " * (step - len(ending)) + ending
    count = len(kinds) // step
    if kinds != line * count or marks[0] == 0:
        return 0
    beside = np.count_nonzero(marks[1:] - marks[:-1] == 1)
    if len(ending) == 1:
        return 0 if beside else step
    returned = np.count_nonzero(marks[step - 1 :: step] - marks[step - 2 :: step] == 1)
    return step if beside == returned == count else 0


class Chosen:
    """Some plain lines of a block, all of the same width."""

    def __init__(self, lines: Lines, rows: Longs) -> None:
        """``rows`` are the lines' places in the block."""
        self.lines, self.rows = lines, rows
        self._step = lines.regular if len(rows) == len(lines.starts) else 0
        self._first = lines.first if self._step else lines.first[rows]
        self._width = int(lines.width[rows[0]])

    def __len__(self) -> int:
        """The number of lines."""
        return len(self.rows)

    def places(self, field: int) -> tuple[Longs, Longs]:
        """Where the values of one field begin and end."""
        lines = self.lines
        marks, first = lines.marks, self._first
        if self._step:
            starts = marks[field - 1 :: self._step] + 1 if field else lines.starts
            return starts, lines.stops if field == self._width - 1 else marks[field :: self._step]
        starts = marks[first + field - 1] + 1 if field else lines.starts[self.rows]
        last = field == self._width - 1
        return starts, lines.stops[self.rows] if last else marks[first + field]


class Columns:
    """Makes tables of lines; distinct values are remembered from block to block, file to file."""

    def __init__(self, wanted: Fields) -> None:
        """Only the ``wanted`` fields become columns."""
        self._wanted = wanted
        self._searched = wanted is None or RAW in wanted
        self._dictionaries: dict[str, Dictionary] = {}
        self._pairs: dict[str, _Pairs] = {}
        self._clock = Parsed(_clock)
        self._days = Parsed(times.parse)

    def table(self, source: int, channel: str, chosen: Chosen, layout: _Layout) -> Table:
        """The lines, all with as many values as the layout has names."""
        names = [web.field_name(name) for name in layout.names]
        places = {name: place for place, name in reversed(list(enumerate(names)))}
        maker = _Maker(self, chosen, places)
        columns = {name: maker.column(name) for name in places if self._shown(name)}
        parts = [column for name, column in columns.items() if name not in web.NUMBERS]
        moments = self._times(maker, layout.date)
        self._derive(columns, maker)
        found = {name: column for name, column in columns.items() if self._asked(name)}
        for name in web.FORMS.keys() & columns.keys():
            columns[name].forms = web.FORMS[name]
        for name, site in (("channel", "s-sitename"), ("computer", "s-computername")):
            if site in places:
                base = maker.column(site)
                found[name] = Column(base.values, base.rows, base.codes)
        found = {name: column for name, column in found.items() if len(column.rows)}
        found[KIND] = Column.constant(web.kind(layout.names), len(chosen))

        def fields(row: int) -> dict[str, str]:
            values = decode(chosen.lines.line(chosen.rows[row])).split(" ")
            pairs = zip(layout.names, values, strict=True)
            return {name: value for name, value in pairs if value != "-"}

        return Table(
            source=source,
            size=len(chosen),
            columns=found,
            times=moments,
            record_ids=chosen.rows + chosen.lines.number,
            fields=fields,
            channel=channel,
            parts=parts if self._searched else None,
            declared=web.declared(layout.names),
        )

    def dictionary(self, name: str) -> Dictionary:
        """The dictionary of a field; a new one where the old is full."""
        found = self._dictionaries.get(name)
        if found is None or found.full:
            if len(self._dictionaries) == _MOST_FIELDS:
                self._dictionaries.clear()
            found = self._dictionaries[name] = Dictionary()
        return found

    def _asked(self, name: str) -> bool:
        return self._wanted is None or name in self._wanted

    def _shown(self, name: str) -> bool:
        return self._asked(name) or (self._searched and name not in web.NUMBERS)

    def _times(self, maker: _Maker, date: str) -> Longs:
        """The time of every record from its date and time, each distinct one read once."""
        size = len(maker.chosen)
        day = times.parse(date)
        days: Longs = np.full(size, times.UNKNOWN if day is None else day, dtype=np.int64)
        if "date" in maker.places:
            days = self._days.of(maker.column("date"), size)
        clock: Longs = np.zeros(size, dtype=np.int64)
        if "time" in maker.places:
            quick = _clocks(maker.chosen, maker.places["time"])
            clock = self._clock.of(maker.column("time"), size) if quick is None else quick
        unknown = (days == times.UNKNOWN) | (clock == times.UNKNOWN)
        moments: Longs = np.where(unknown, times.UNKNOWN, days + clock)
        return moments

    def _derive(self, columns: dict[str, Column], maker: _Maker) -> None:
        """The fields that :func:`opsproof.logs.readers.web.derive` makes, for columns."""

        def missing(name: str) -> bool:
            return self._asked(name) and name not in columns

        whole = [name for name in ("c-uri", "cs-uri") if missing(name)]
        if whole and "cs-uri-stem" in maker.places:
            joined = self._joined(maker, "cs-uri-stem", "cs-uri-query", "?", "")
            for name in whole:
                columns[name] = joined.again()
        if missing("c-useragent") and "cs-user-agent" in maker.places:
            columns["c-useragent"] = maker.column("cs-user-agent").again()
        if missing("sc-status-full") and {"sc-status", "sc-substatus"} <= maker.places.keys():
            full = self._joined(maker, "sc-status", "sc-substatus", ".", None)
            columns["sc-status-full"] = full

    def _joined(
        self, maker: _Maker, left: str, right: str, joint: str, alone: str | None
    ) -> Column:
        first = maker.column(left)
        second = maker.column(right) if right in maker.places else Column()
        pairs = self._pairs.get(left)
        if pairs is None or pairs.full or not pairs.join(first, second):
            pairs = self._pairs[left] = _Pairs(first.values, second.values, joint, alone)
        return pairs.column(first, second, len(maker.chosen))


class _Maker:
    """Columns of the chosen lines, each made once."""

    def __init__(self, owner: Columns, chosen: Chosen, places: dict[str, int]) -> None:
        self._owner, self.chosen, self.places = owner, chosen, places
        self._made: dict[str, Column] = {}

    def column(self, name: str) -> Column:
        """One field: distinct values decoded once, ``-`` left out."""
        made = self._made.get(name)
        if made is None:
            dictionary = self._owner.dictionary(name)
            block = self.chosen.lines.bytes
            codes = dictionary.encode(block, *self.chosen.places(self.places[name]))
            rows = np.arange(len(codes), dtype=np.int32)
            made = without(Column(dictionary.values, rows, codes, known=dictionary.texts))
            self._made[name] = made
        return made


class _Pairs:
    """Two fields joined: each pair of values made text once.

    ``left`` joined with ``right`` where there is one, else ``left`` and ``alone``; nothing where that
    is None.
    """

    def __init__(
        self, left: dict[str, int], right: dict[str, int], joint: str, alone: str | None
    ) -> None:
        self.left, self.right = left, right
        self._joint, self._without = joint, alone
        self._single: Ints = np.zeros(0, dtype=np.int32)
        self._known: Longs = np.array([-1], dtype=np.int64)
        self._codes: Ints = np.array([-1], dtype=np.int32)
        self._values: dict[str, int] = {}
        self._texts: list[str] = []

    @property
    def full(self) -> bool:
        """Whether it is so large that a new one should be begun."""
        return len(self._texts) > MOST_VALUES

    def join(self, left: Column, right: Column) -> bool:
        """Whether it joins the values of these columns."""
        return self.left is left.values and self.right is right.values

    def column(self, left: Column, right: Column, size: int) -> Column:
        """The joined column; ``size`` is that of the batch."""
        rows, ours = left.row_array(), left.code_array()
        theirs = right.dense(size)[rows]
        both = np.flatnonzero(theirs >= 0)
        if self._without is None and len(both) < len(rows):
            rows, ours, theirs = rows[both], ours[both], theirs[both]
            both = np.arange(len(rows))
        if not len(both):
            return Column(self._values, rows, self._alone(left, ours), known=self._texts)
        pairs = ours[both].astype(np.int64) << 32
        pairs |= theirs[both]
        if len(both) == len(rows):
            codes = self._joined(left, right, pairs)
        else:
            single = np.flatnonzero(theirs < 0)
            codes = np.empty(len(rows), dtype=np.int32)
            codes[single] = self._alone(left, ours[single])
            codes[both] = self._joined(left, right, pairs)
        return Column(self._values, rows, codes, known=self._texts)

    def _alone(self, left: Column, ours: Ints) -> Ints:
        """The codes of values of ``left`` that nothing is joined to."""
        names = left.names()
        more = np.full(len(names) - len(self._single), -1, dtype=np.int32)
        self._single = np.concatenate((self._single, more))
        codes: Ints = self._single[ours]
        new = codes < 0
        if new.any():
            for code in np.unique(ours[new]).tolist():
                self._single[code] = self._code(names[code] + (self._without or ""))
            codes = self._single[ours]
        return codes

    def _joined(self, left: Column, right: Column, pairs: Longs) -> Ints:
        """The codes of pairs of values: that of ``left`` in the upper half of each number."""
        places = np.searchsorted(self._known, pairs)
        places[places == len(self._known)] = 0
        new = np.unique(pairs[self._known[places] != pairs])
        if len(new):
            ours, theirs = left.names(), right.names()
            codes = [
                self._code(ours[pair >> 32] + self._joint + theirs[pair & 0xFFFFFFFF])
                for pair in new.tolist()
            ]
            at = np.searchsorted(self._known, new)
            self._known = np.insert(self._known, at, new)
            self._codes = np.insert(self._codes, at, codes)
            places = np.searchsorted(self._known, pairs)
        return self._codes[places]

    def _code(self, text: str) -> int:
        code = self._values.setdefault(text, len(self._texts))
        if code == len(self._texts):
            self._texts.append(text)
        return code


def _clocks(chosen: Chosen, field: int) -> Longs | None:
    """The times of day of all lines, if each is written ``HH:MM:SS``: one word of eight bytes.

    Lines of the same second mostly stand together, and are read as one.
    """
    starts, ends = chosen.places(field)
    if not (ends - starts == _WORD).all():
        return None
    words = chosen.lines.bytes.words[starts]
    first = np.flatnonzero(words[1:] != words[:-1]) + 1
    first = np.concatenate(([0], first))
    text = np.ascontiguousarray(words[first]).view(np.uint8).reshape(-1, _WORD).astype(np.int64)
    digits = text[:, [0, 1, 3, 4, 6, 7]] - ord("0")
    hours = digits[:, 0] * 10 + digits[:, 1]
    minutes = digits[:, 2] * 10 + digits[:, 3]
    seconds = digits[:, 4] * 10 + digits[:, 5]
    good = (digits >= 0).all() and (digits <= 9).all() and (text[:, [2, 5]] == ord(":")).all()
    if not good or (hours > 23).any() or (minutes > 59).any() or (seconds > 59).any():
        return None
    clock = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000
    every: Longs = np.repeat(clock, np.diff(first, append=len(words)))
    return every


def _clock(text: str) -> int | None:
    moment = times.parse(f"1970-01-01 {text}")
    return moment if moment is not None and 0 <= moment <= _DAY else None


def without(column: Column, value: str = "-") -> Column:
    """The column without the records that have this value."""
    code = column.values.get(value)
    if code is None:
        return column
    kept = column.code_array() != code
    # The value stays in the dictionary, else all codes would move; it has no record any more, so a
    # rule that names it finds none.
    rows, codes = column.row_array()[kept], column.code_array()[kept]
    return Column(column.values, rows, codes, known=column.known)

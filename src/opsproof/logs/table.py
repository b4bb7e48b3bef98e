"""A batch of log records as columns of distinct values: what rules are evaluated on.

A column keeps each distinct value once, and for each record that has the field the code of its
value. A record without the field is simply not in the column, so that nothing ever needs a third
truth value.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

RAW = "_raw"
"""The pseudo field that keyword searches look at."""

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Column:
    """One field. ``rows[i]`` is the number of a record, ``codes[i]`` the index of its value.

    ``values`` may be that of earlier batches too, and only grows: what is known of a value stays
    true. ``known``, where given, are the same values by their code. ``forms`` gives the ways to read
    a value (a URL as it stands, and decoded): a test holds for the value when it holds for one of
    them. None: only as it stands.
    """

    values: dict[str, int] = field(default_factory=dict)
    rows: array[int] | Ints = field(default_factory=lambda: array("i"))
    codes: array[int] | Ints = field(default_factory=lambda: array("i"))
    forms: Callable[[str], tuple[str, ...]] | None = None
    known: list[str] = field(default_factory=list)

    def add(self, row: int, value: str) -> None:
        """Give one record its value. A record gets one value: the caller sees to it."""
        values = self.values
        assert isinstance(self.rows, array)
        assert isinstance(self.codes, array)
        self.rows.append(row)
        self.codes.append(values.setdefault(value, len(values)))

    @classmethod
    def constant(cls, value: str, size: int) -> Column:
        """A field that all ``size`` records have, with the same value."""
        rows, zeros = np.arange(size, dtype=np.int32), np.zeros(size, dtype=np.int32)
        return cls(values={value: 0}, rows=rows, codes=zeros)

    def again(self) -> Column:
        """The same column, for another name."""
        return Column(self.values, self.rows, self.codes, known=self.known)

    def names(self) -> list[str]:
        """The distinct values by code."""
        if len(self.known) != len(self.values):
            self.known = list(self.values)
        return self.known

    def occurring(self) -> set[str]:
        """The values that records of this batch have: ``values`` may hold those of others."""
        names = self.names()
        return {names[code] for code in np.unique(self.code_array()).tolist()}

    def dense(self, size: int) -> Ints:
        """The code of every one of ``size`` records, -1 for those without the field."""
        codes = np.full(size, -1, dtype=np.int32)
        codes[self.row_array()] = self.code_array()
        return codes

    def row_array(self) -> Ints:
        """``rows`` as numpy sees them, without a copy."""
        return np.asarray(self.rows, dtype=np.int32)

    def code_array(self) -> Ints:
        """``codes`` as numpy sees them, without a copy."""
        return np.asarray(self.codes, dtype=np.int32)


T = TypeVar("T")


class Recent(Generic[T]):
    """What is known of the values of a field: those of the last columns, and of those before them.

    In one log the lines of usual form, whose values go on from batch to batch, take turns with others.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._known: list[tuple[dict[str, int], T]] = []

    def of(self, column: Column, make: Callable[[], T]) -> T:
        """What is known of the values of a column; made where that is nothing."""
        known = [one for one in self._known if one[0] is column.values]
        others = [one for one in self._known if one[0] is not column.values]
        newest = known[0] if known else (column.values, make())
        self._known = [newest, *others[:1]]
        return newest[1]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands: index of its source, its id, its channel and computer."""

    source: int
    record_id: int | None
    channel: str
    computer: str


@dataclass(frozen=True, slots=True)
class RawText:
    """The text of whole records, for keyword searches.

    ``encoded()`` gives it in pieces: texts without line feeds, and for each record which of them is
    its own. ``encode(needle)`` stands in one of its pieces wherever the needle stands in the record:
    quick to search, and never too few records. ``read(row)`` is the text itself, which decides.
    """

    encoded: Callable[[], list[tuple[list[str], Ints]]]
    encode: Callable[[str], str]
    read: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Forms:
    """Records of a batch that are alike in all that rules look at, each once."""

    columns: Mapping[str, Column]
    size: int
    raw: RawText
    parts: None = None


class Spread(Mapping[str, Column]):
    """Columns of forms as columns of the records that have them; made when they are asked for."""

    def __init__(self, columns: Mapping[str, Column], of: Ints, used: Mask) -> None:
        """``of`` gives the form of each record, ``used`` tells which forms any of them has."""
        self._columns, self._of, self._used = columns, of, used
        self._made: dict[str, Column] = {}

    def __getitem__(self, name: str) -> Column:
        """One field of all records."""
        made = self._made.get(name)
        if made is None:
            base = self._columns[name]
            if not self._used[base.row_array()].any():
                raise KeyError(name)
            codes = base.dense(len(self._used))[self._of]
            rows = np.flatnonzero(codes >= 0).astype(np.int32)
            made = Column(values=base.values, rows=rows, codes=codes[rows], forms=base.forms)
            self._made[name] = made
        return made

    def __iter__(self) -> Iterator[str]:
        """The names of the fields that any record has."""
        used = self._used
        return (name for name, base in self._columns.items() if used[base.row_array()].any())

    def __len__(self) -> int:
        """The number of these fields."""
        return sum(1 for _ in self)


@dataclass(slots=True)
class Table:
    """A batch of records, all of them from one file.

    ``columns`` are keyed by the lower-cased field name. ``times`` are microseconds
    (:mod:`opsproof.logs.times`). ``fields(row)`` gives a record's fields in their own spelling, for
    the few records that hit. ``channel`` and ``computer`` stand for records that do not say.
    Tables of one ``block`` hold lines of one stretch of a text log between each other: only their
    record ids, the line numbers, say which came first. None: records are in order.
    What keyword searches look at is the column ``_raw``, or ``raw``, or ``parts``: all that is there.
    ``forms``, where there are fewer than records: these, and for each record which it is of.
    ``declared`` are fields that the log has though no record of the batch need have a value of them.
    """

    source: int
    size: int
    columns: Mapping[str, Column]
    times: Longs
    record_ids: Longs
    fields: Callable[[int], dict[str, str]]
    channel: str = ""
    computer: str = ""
    raw: RawText | None = None
    parts: Sequence[Column] | None = None
    block: int | None = None
    forms: tuple[Forms, Ints] | None = None
    declared: frozenset[str] = frozenset()

    def value(self, name: str, row: int) -> str | None:
        """The value of a field of one record, None where the record has no such field."""
        column = self.columns.get(name)
        if column is None:
            return None
        rows = column.row_array()
        at = int(np.searchsorted(rows, row))
        if at == len(rows) or rows[at] != row:
            return None
        return column.names()[column.codes[at]]

    def place(self, row: int) -> Place:
        """Where the record stands. A record id of -1 is none."""
        record = int(self.record_ids[row])
        return Place(
            source=self.source,
            record_id=None if record < 0 else record,
            channel=self.value("channel", row) or self.channel,
            computer=self.value("computer", row) or self.computer,
        )


class TableBuilder:
    """Collects the records of one batch, field by field.

    Only the fields in ``wanted`` (lower-cased) become columns; None means all of them. ``forms``
    gives the other ways to read the values of some fields (:class:`Column`).
    """

    def __init__(
        self,
        source: int,
        wanted: frozenset[str] | None,
        forms: Mapping[str, Callable[[str], tuple[str, ...]]] | None = None,
    ) -> None:
        """An empty batch of the file numbered ``source``."""
        self._forms = forms or {}
        self.source = source
        self.wanted = wanted
        self.columns: dict[str, Column] = {}
        self.times = array("q")
        self.record_ids = array("q")

    def __len__(self) -> int:
        """The number of records so far."""
        return len(self.times)

    def add(self, time: int, record_id: int, fields: Mapping[str, str]) -> None:
        """One record. ``fields`` are keyed by the lower-cased name."""
        row = len(self.times)
        self.times.append(time)
        self.record_ids.append(record_id)
        columns = self.columns
        for name in fields if self.wanted is None else fields.keys() & self.wanted:
            column = columns.get(name)
            if column is None:
                column = columns[name] = Column(forms=self._forms.get(name))
            column.add(row, fields[name])

    def build(
        self,
        fields: Callable[[int], dict[str, str]],
        channel: str = "",
        computer: str = "",
        numbers: frozenset[str] = frozenset(),
    ) -> Table:
        """The finished batch. Where the text of records was not given, all fields stand for it but
        those in ``numbers``.
        """
        return Table(
            source=self.source,
            size=len(self.times),
            columns=self.columns,
            times=np.frombuffer(self.times, dtype=np.int64),
            record_ids=np.frombuffer(self.record_ids, dtype=np.int64),
            fields=fields,
            channel=channel,
            computer=computer,
            parts=None
            if RAW in self.columns
            else [column for name, column in self.columns.items() if name not in numbers],
        )

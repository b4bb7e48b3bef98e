"""What rules that feed correlations found, in arrays: a few dozen bytes a record.

Texts that a burst may show are kept once each. Of values that are only counted no text is kept, but a
digest with each record: a scan may ask for millions of paths.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from struct import Struct

import numpy as np

from opsproof.logs import times
from opsproof.logs.table import Column, Ints, Longs, Mask, Place, Table

ABSENT = -1
"""The code of a value that is not there."""

_HALVES = Struct("<qq")
_PER_TEXT = 250
"""Bytes that a text takes besides its characters: as an object, in a dictionary, and its digest."""


def digest(text: str) -> tuple[int, ...]:
    """128 bits for a text, without regard to case: the same in every process, on every machine.

    Long enough that nobody can write two paths that count as one.
    """
    found = blake2b(text.lower().encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return _HALVES.unpack(found)


def combined(parts: Sequence[Longs]) -> Longs:
    """Digests of several values together, a row each, from the digests of each."""
    if len(parts) == 1:
        return parts[0]
    rows = np.ascontiguousarray(np.column_stack(parts))
    whole = rows.view(np.dtype((np.void, rows.shape[1] * 8))).ravel()
    distinct, back = np.unique(whole, return_inverse=True)
    table = [_HALVES.unpack(blake2b(one.tobytes(), digest_size=16).digest()) for one in distinct]
    found: Longs = np.array(table, dtype=np.int64).reshape(-1, 2)[back.ravel()]
    return found


class Pool:
    """Numbers texts."""

    def __init__(self) -> None:
        """Holds nothing yet."""
        self._texts: list[str] = []
        self._begin()

    def _begin(self) -> None:
        self._codes = {text: code for code, text in enumerate(self._texts)}
        self.bytes = sum(len(text) + _PER_TEXT for text in self._texts)
        self._taken: tuple[Pool, Ints] | None = None
        self._columns: dict[str, tuple[dict[str, int], Ints]] = {}
        self._digested: dict[str, tuple[dict[str, int], Longs]] = {}
        self._table: Longs = np.zeros((0, 2), dtype=np.int64)

    def __len__(self) -> int:
        """The number of texts."""
        return len(self._texts)

    def __getstate__(self) -> list[str]:
        """The texts; all else is made of them, or of columns that are gone then."""
        # Never false: pickle passes such a state by.
        return [*self._texts, ""]

    def __setstate__(self, state: list[str]) -> None:
        """See :meth:`__getstate__`."""
        self._texts = state[:-1]
        self._begin()

    def codes(self, name: str, column: Column, chosen: Ints) -> Ints:
        """Our numbers for values of a column, of which each is looked up once."""
        values, known = self._columns.get(name, (None, np.zeros(0, dtype=np.int32)))
        if values is not column.values:
            known = np.zeros(0, dtype=np.int32)
        if len(known) < len(column.values):
            known = np.append(known, np.full(len(column.values) - len(known), ABSENT, np.int32))
        found = known[chosen]
        names = column.names()
        # In the order of the records: codes may be older than this batch.
        new, first = np.unique(chosen[found == ABSENT], return_index=True)
        for code in new[np.argsort(first)].tolist():
            known[code] = self.code(names[code])
        self._columns[name] = (column.values, known)
        return known[chosen]

    def digests(self, name: str, column: Column, chosen: Ints) -> Longs:
        """Digests of values of a column, a row each; of no value more than once."""
        values, known = self._digested.get(name, (None, np.zeros((0, 2), dtype=np.int64)))
        if values is not column.values:
            known = np.zeros((0, 2), dtype=np.int64)
        if len(known) < len(column.values):
            more = np.zeros((len(column.values) - len(known), 2), dtype=np.int64)
            known = np.concatenate((known, more))
        new = np.unique(chosen[~known[chosen].any(axis=1)])
        if len(new):
            names = column.names()
            known[new] = [digest(names[code]) for code in new.tolist()]
        self._digested[name] = (column.values, known)
        return known[chosen]

    def table(self) -> Longs:
        """The digests of all texts, a row each, and a row of zeros for :data:`ABSENT`."""
        new = [digest(text) for text in self._texts[max(0, len(self._table) - 1) :]]
        known = [self._table[:-1], np.array([*new, (0, 0)], dtype=np.int64)]
        self._table = np.concatenate(known)
        return self._table

    def code(self, text: str) -> int:
        """The number of a text."""
        found = self._codes.setdefault(text, len(self._texts))
        if found == len(self._texts):
            self._texts.append(text)
            self.bytes += len(text) + _PER_TEXT
        return found

    def take(self, other: Pool) -> Ints:
        """Our numbers for all texts of another pool; its last place stands for :data:`ABSENT`."""
        if self._taken is None or self._taken[0] is not other:
            numbers = [self.code(text) for text in other._texts]
            self._taken = other, np.array([*numbers, ABSENT], dtype=np.int32)
        return self._taken[1]

    def text(self, code: int) -> str:
        """The text of a number; empty for :data:`ABSENT`."""
        return "" if code < 0 else self._texts[code]


@dataclass(slots=True)
class Series:
    """The findings of one rule, by lower-cased field name: codes of ``names`` in ``fields``, and of
    those only ``counted`` two halves of a digest for each finding in ``digests``.
    """

    names: tuple[str, ...]
    counted: tuple[str, ...] = ()
    time: array[int] = field(default_factory=lambda: array("q"))
    order: array[int] = field(default_factory=lambda: array("q"))
    record: array[int] = field(default_factory=lambda: array("q"))
    source: array[int] = field(default_factory=lambda: array("i"))
    channel: array[int] = field(default_factory=lambda: array("i"))
    computer: array[int] = field(default_factory=lambda: array("i"))
    fields: dict[str, array[int]] = field(default_factory=dict)
    digests: dict[str, array[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A column for each name."""
        self.fields = {name: array("i") for name in self.names}
        self.digests = {name: array("q") for name in self.counted}

    def __len__(self) -> int:
        """The number of findings."""
        return len(self.time)

    @property
    def bytes(self) -> int:
        """What they take."""
        return len(self) * (36 + 4 * len(self.names) + 16 * len(self.counted))

    def add(self, table: Table, rows: Ints, first: int, pool: Pool) -> None:
        """Take rows of one batch. No time, no window.

        What orders records of the same time is their line number in text logs, else their number
        among the part's records, of which ``first`` came before.
        """
        rows = rows[table.times[rows] != times.UNKNOWN]
        if not len(rows):
            return
        self.time.frombytes(table.times[rows].tobytes())
        order = rows.astype(np.int64) + first if table.block is None else table.record_ids[rows]
        self.order.frombytes(order.tobytes())
        self.record.frombytes(table.record_ids[rows].tobytes())
        self.source.frombytes(np.full(len(rows), table.source, dtype=np.int32).tobytes())
        channel = codes(table, "channel", rows, pool, pool.code(table.channel))
        self.channel.frombytes(channel.tobytes())
        computer = codes(table, "computer", rows, pool, pool.code(table.computer))
        self.computer.frombytes(computer.tobytes())
        for name, column in self.fields.items():
            column.frombytes(codes(table, name, rows, pool, ABSENT).tobytes())
        for name, column in self.digests.items():
            column.frombytes(_digests(table, name, rows, pool).tobytes())

    def extend(self, other: Series, sources: int, base: int, pool: Pool, theirs: Pool) -> None:
        """Take the findings of a later part: its files come behind ``sources``, ``base`` is added
        to what orders its records, and its texts have numbers of ``theirs``.
        """
        self.time.frombytes(other.time.tobytes())
        self.record.frombytes(other.record.tobytes())
        self.order.frombytes((other.longs("order") + base).tobytes())
        self.source.frombytes((other.ints("source") + np.int32(sources)).tobytes())
        for name, digests in self.digests.items():
            digests.frombytes(other.digests[name].tobytes())
        table = pool.take(theirs)
        for ours, column in (
            (self.channel, other.channel),
            (self.computer, other.computer),
            *((self.fields[name], other.fields[name]) for name in self.names),
        ):
            ours.frombytes(table[np.frombuffer(column, dtype=np.int32)].tobytes())

    def take(
        self, other: Series, rows: Longs, renamed: dict[str, str], pool: Pool, theirs: Pool
    ) -> None:
        """Take some findings of another series, fields under other names where ``renamed`` says so.

        Texts have numbers of ``theirs`` there, which may be our own pool.
        """
        table = pool.take(theirs) if pool is not theirs else None
        for name in ("time", "order", "record"):
            getattr(self, name).frombytes(other.longs(name)[rows].tobytes())
        self.source.frombytes(other.ints("source")[rows].tobytes())
        columns = {name: other.fields.get(renamed.get(name, name)) for name in self.names}
        for ours, column in (
            (self.channel, other.channel),
            (self.computer, other.computer),
            *((self.fields[name], column) for name, column in columns.items()),
        ):
            if column is None:
                found = np.full(len(rows), ABSENT, dtype=np.int32)
            else:
                found = np.frombuffer(column, dtype=np.int32)[rows]
            ours.frombytes((found if table is None else table[found]).tobytes())

    def shifted(self, sources: int, base: int) -> Series:
        """The same findings, of files behind ``sources``, ordered behind ``base``."""
        self.source = array("i", (self.ints("source") + np.int32(sources)).tobytes())
        self.order = array("q", (self.longs("order") + base).tobytes())
        return self

    def place(self, index: int, pool: Pool) -> Place:
        """Where the record of a finding stands."""
        record = self.record[index]
        return Place(
            source=self.source[index],
            record_id=None if record < 0 else record,
            channel=pool.text(self.channel[index]),
            computer=pool.text(self.computer[index]),
        )

    def longs(self, name: str) -> Longs:
        """A copy of one of the 64-bit arrays: an array that numpy looks at cannot grow."""
        return np.array(getattr(self, name), dtype=np.int64)

    def ints(self, name: str) -> Ints:
        """A copy of one of the 32-bit arrays."""
        return np.array(getattr(self, name), dtype=np.int32)

    def field_codes(self, name: str) -> Ints:
        """A copy of the codes of a field."""
        return np.array(self.fields[name], dtype=np.int32)

    def has(self, name: str) -> Mask:
        """Which findings have a field."""
        if name in self.fields:
            there: Mask = self.field_codes(name) != ABSENT
        else:
            there = (self.field_digests(name, Pool()) != 0).any(axis=1)
        return there

    def field_digests(self, name: str, pool: Pool) -> Longs:
        """The digests of a field, a row each; zeros for a finding without it."""
        if name in self.digests:
            return np.array(self.digests[name], dtype=np.int64).reshape(-1, 2)
        found: Longs = pool.table()[self.field_codes(name)]
        return found


def _digests(table: Table, name: str, rows: Ints, pool: Pool) -> Longs:
    """Digests of a field of some rows; zeros where a row has no such field."""
    result = np.zeros((len(rows), 2), dtype=np.int64)
    column = table.columns.get(name)
    if column is not None:
        chosen = column.dense(table.size)[rows]
        there = chosen >= 0
        result[there] = pool.digests(name, column, chosen[there])
    return result


def codes(table: Table, name: str, rows: Ints, pool: Pool, absent: int) -> Ints:
    """The pool's codes of a field of some rows; ``absent`` where a row has no such field."""
    column = table.columns.get(name)
    if column is None:
        return np.full(len(rows), absent, dtype=np.int32)
    chosen = column.dense(table.size)[rows]
    there = chosen >= 0
    result = np.full(len(rows), absent, dtype=np.int32)
    result[there] = pool.codes(name, column, chosen[there])
    return result

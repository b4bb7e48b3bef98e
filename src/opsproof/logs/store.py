"""All that rules which feed correlations found: segments, of which the full ones are put aside."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from opsproof.logs.aside import Blobs, folder
from opsproof.logs.series import Pool, Series
from opsproof.logs.table import Ints, Longs, Table

_FULL: Final = 1 << 22
"""Bytes from which on a segment is put aside."""

_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Names:
    """The fields (lower-cased) of a rule that correlations need: as texts, or only to count them."""

    texts: tuple[str, ...]
    counted: tuple[str, ...] = ()


@dataclass(slots=True)
class _Segment:
    """Findings by rule; their texts by number."""

    series: dict[str, Series]
    pool: Pool = field(default_factory=Pool)

    @property
    def bytes(self) -> int:
        return self.pool.bytes + sum(one.bytes for one in self.series.values())


@dataclass(frozen=True, slots=True)
class _Aside:
    """Where a segment stands among the bytes put aside (begin and size), and what it is to be shifted by."""

    pool: tuple[int, int]
    series: dict[str, tuple[int, int]]
    sources: int = 0
    base: int = 0


@dataclass(slots=True)
class _Known:
    """How many findings of a rule there are, and which fields any of them has."""

    count: int = 0
    fields: set[str] = field(default_factory=set)


class Store:
    """Findings of a part, or of all parts so far."""

    def __init__(self, names: Mapping[str, Names]) -> None:
        """``names`` are the fields to keep by rule."""
        self._names, self._folder = dict(names), folder()
        self._blobs = Blobs(self._folder)
        self._aside: list[_Aside] = []
        self._known: dict[str, _Known] = {}
        self._loaded: dict[Any, Any] = {}
        self._open = self._new()

    @property
    def folder(self) -> Path:
        """Where what is large goes."""
        return self._folder

    @property
    def wanted(self) -> frozenset[str]:
        """All fields (lower-cased) that any rule has to keep."""
        every = self._names.values()
        return frozenset(name for one in every for name in (*one.texts, *one.counted))

    def __contains__(self, rule: object) -> bool:
        """Whether a rule feeds a correlation."""
        return rule in self._names

    def __len__(self) -> int:
        """The number of segments."""
        return len(self._aside) + 1

    def __getstate__(self) -> dict[str, Any]:
        """What who merges it needs, wherever that is: with the bytes put aside."""
        state = {**self.__dict__, "_loaded": {}, "_blobs": list(self._pieces())}
        del state["_folder"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """See :meth:`__getstate__`."""
        pieces = state.pop("_blobs")
        self.__dict__.update(state)
        self._folder = folder()
        self._blobs = Blobs(self._folder)
        while pieces:
            self._blobs.append(pieces.pop())

    def _pieces(self) -> Iterator[bytes]:
        """The bytes put aside, the last first."""
        for at in reversed(range(0, self._blobs.size, _PIECE)):
            yield self._blobs.read(at, min(_PIECE, self._blobs.size - at))

    def _new(self) -> _Segment:
        return _Segment({key: Series(one.texts, one.counted) for key, one in self._names.items()})

    def add(self, rule: str, table: Table, rows: Ints, first: int) -> None:
        """Take rows of one batch that a rule describes (:meth:`Series.add`)."""
        self._open.series[rule].add(table, rows, first, self._open.pool)

    def take(
        self, rule: str, number: int, other: str, rows: Longs, renamed: dict[str, str]
    ) -> None:
        """Take findings of another rule in a segment as those of this rule (:meth:`Series.take`)."""
        found, pool = self.series(number, other), self.pool(number)
        self._open.series[rule].take(found, rows, renamed, self._open.pool, pool)
        self.settle()

    def settle(self) -> None:
        """Put what there is aside if it is much. Its number stays, and that of its findings."""
        if self._open.bytes < _FULL:
            return
        segment, places = self._open, {}
        for rule, series in segment.series.items():
            if len(series):
                places[rule] = self._put(series)
                self._learn(rule, series)
        self._aside.append(_Aside(self._put(segment.pool), places))
        self._open = self._new()

    def _put(self, value: Any) -> tuple[int, int]:
        data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        return self._blobs.append(data), len(data)

    def _get(self, place: tuple[int, int]) -> Any:
        return pickle.loads(self._blobs.read(*place))  # noqa: S301 - from our own nameless file

    def _learn(self, rule: str, series: Series) -> None:
        known = self._known.setdefault(rule, _Known())
        known.count += len(series)
        known.fields |= {
            name for name in (*series.names, *series.counted) if series.has(name).any()
        }

    def merge(self, other: Store, sources: int, base: int) -> None:
        """Take what a later part found: its files come behind ``sources``, its records' order behind
        ``base``. ``other`` is used up.
        """
        begin = self._blobs.size
        for at in range(0, other._blobs.size, _PIECE):
            self._blobs.append(other._blobs.read(at, min(_PIECE, other._blobs.size - at)))
        for one in other._aside:
            places = {rule: (at + begin, size) for rule, (at, size) in one.series.items()}
            at, size = one.pool
            moved = _Aside((at + begin, size), places, one.sources + sources, one.base + base)
            self._aside.append(moved)
        for rule, known in other._known.items():
            mine = self._known.setdefault(rule, _Known())
            mine.count += known.count
            mine.fields |= known.fields
        for rule, series in other._open.series.items():
            if len(series):
                mine_open = self._open
                mine_open.series[rule].extend(
                    series, sources, base, mine_open.pool, other._open.pool
                )
        self.settle()

    def series(self, number: int, rule: str) -> Series:
        """The findings of a rule in a segment."""
        if number == len(self._aside):
            return self._open.series[rule]

        def load() -> Series:
            one = self._aside[number]
            if rule not in one.series:
                return Series(self._names[rule].texts, self._names[rule].counted)
            found: Series = self._get(one.series[rule])
            return found.shifted(one.sources, one.base)

        found: Series = self._last("series", (number, rule), load)
        return found

    def pool(self, number: int) -> Pool:
        """The texts of a segment."""
        if number == len(self._aside):
            return self._open.pool
        found: Pool = self._last("pool", number, lambda: self._get(self._aside[number].pool))
        return found

    def _last(self, what: str, key: Any, load: Any) -> Any:
        """What was loaded last is often asked for again."""
        if self._loaded.get(what, (None, None))[0] != key:
            self._loaded[what] = (key, load())
        return self._loaded[what][1]

    def count(self, rule: str) -> int:
        """The findings of a rule in all segments."""
        aside = self._known.get(rule, _Known())
        return aside.count + len(self._open.series[rule])

    def fields(self, rule: str, names: Iterable[str]) -> set[str]:
        """Those of the (lower-cased) fields that any finding of a rule has."""
        aside, series = self._known.get(rule, _Known()), self._open.series[rule]
        return {name for name in names if name in aside.fields or series.has(name).any()}

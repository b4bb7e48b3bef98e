"""Numbers that the values of a column stand for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from opsproof.logs import times
from opsproof.logs.table import Column, Longs


class Parsed:
    """What the distinct values of a field mean as numbers, each read once."""

    def __init__(self, parse: Callable[[str], int | None]) -> None:
        """``parse`` gives None for what it cannot read: :data:`times.UNKNOWN` then."""
        self._parse = parse
        self._values: dict[str, int] | None = None
        self._table: Longs = np.zeros(0, dtype=np.int64)

    def table(self, column: Column) -> Longs:
        """The numbers by code, and one more place, for the code -1 of a record without the field."""
        if self._values is not column.values:
            self._values, self._table = column.values, np.zeros(0, dtype=np.int64)
        read = [self._parse(name) for name in column.names()[len(self._table) :]]
        known = [times.UNKNOWN if one is None else one for one in read]
        self._table = np.concatenate((self._table, np.array(known, dtype=np.int64)))
        return np.append(self._table, times.UNKNOWN)

    def of(self, column: Column, size: int) -> Longs:
        """The number of each of ``size`` records; unknown where a record has no such field."""
        return self.table(column)[column.dense(size)]

"""Numbers that the values of a column stand for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from opsproof.logs import times
from opsproof.logs.table import Column, Longs, Recent


class Parsed:
    """What the distinct values of a field mean as numbers, each read once."""

    def __init__(self, parse: Callable[[str], int | None]) -> None:
        """``parse`` gives None for what it cannot read: :data:`times.UNKNOWN` then."""
        self._parse = parse
        self._tables: Recent[list[Longs]] = Recent()

    def table(self, column: Column) -> Longs:
        """The numbers by code, and one more place, for the code -1 of a record without the field."""
        kept = self._tables.of(column, lambda: [np.array([times.UNKNOWN], dtype=np.int64)])
        known = len(kept[0]) - 1
        if known < len(column.values):
            read = [self._parse(name) for name in column.names()[known:]]
            new = [times.UNKNOWN if one is None else one for one in (*read, None)]
            kept[0] = np.concatenate((kept[0][:known], np.array(new, dtype=np.int64)))
        return kept[0]

    def of(self, column: Column, size: int) -> Longs:
        """The number of each of ``size`` records; unknown where a record has no such field."""
        return self.table(column)[column.dense(size)]

"""Which atoms hold for which distinct values of a column, remembered from batch to batch.

A column's values may go on from one batch to the next (:class:`opsproof.logs.table.Column`). What
holds for a value holds for ever, so only the new ones are looked at; what is left for each batch is
to see which values occur in it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import compress

import numpy as np

from opsproof.logs.atoms import FieldAtoms, Values
from opsproof.logs.rules.compiled import Atom
from opsproof.logs.table import Column, Longs, Mask


class Findings:
    """The atoms of one field on the values of one column."""

    def __init__(self, atoms: FieldAtoms, column: Column) -> None:
        """Nothing is known yet; :meth:`see` takes the column's values in."""
        self.values = column.values
        self._atoms = atoms
        self._forms: Callable[[str], tuple[str, ...]] | None = column.forms
        self._size = 0
        self._hits: dict[int, list[Longs]] = {}
        self._pairs: tuple[Longs, Longs] | None = None
        self._lazy: dict[int, list[Longs]] = {}
        self._new: list[Values] = []
        self.alive: frozenset[int] = frozenset()
        """The atoms that hold for a value of the batch last seen (lazy ones not among them)."""

    def see(self, column: Column) -> None:
        """The next batch: learn what is new, and note what occurs."""
        names = column.names()
        if len(names) > self._size:
            values = Values(names[self._size :], self._forms, self._size)
            for number, codes in (*self._atoms.equals(values), *self._atoms.searches(values)):
                self._hits.setdefault(number, []).append(codes)
            if self._atoms.lazy:
                self._new.append(values)
            fresh = not self._size
            self._size, self._pairs = len(names), None
            if fresh:
                # All values were made for this batch, so each occurs in it.
                self.alive = frozenset(self._hits)
                return
        self.alive = self._occurring(column)

    def _occurring(self, column: Column) -> frozenset[int]:
        if self._pairs is None:
            codes = [np.concatenate(parts) for parts in self._hits.values()]
            sizes = [len(one) for one in codes]
            which = np.repeat(np.arange(len(codes)), sizes)
            self._pairs = which, np.concatenate(codes) if codes else which
        which, every = self._pairs
        if not len(every):
            return frozenset()
        present = np.zeros(self._size, dtype=np.bool_)
        present[column.code_array()] = True
        occurring = np.zeros(len(self._hits), dtype=np.bool_)
        occurring[which[present[every]]] = True
        return frozenset(compress(self._hits, occurring.tolist()))

    def lazy(self, number: int) -> bool:
        """Whether only trying tells for which values the atom holds."""
        return number in self._atoms.lazy

    def mask(self, number: int, atom: Atom) -> Mask:
        """Which values the atom holds for."""
        mask = np.zeros(self._size, dtype=np.bool_)
        if number in self._atoms.lazy:
            parts = self._lazy.setdefault(number, [])
            parts.extend(values.test(atom) for values in self._new[len(parts) :])
        else:
            parts = self._hits.get(number, [])
        for codes in parts:
            mask[codes] = True
        return mask

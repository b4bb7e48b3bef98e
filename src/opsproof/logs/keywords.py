"""Keyword searches over whole records, where their text is not a column.

Making the text of every record costs more than everything else together. Windows events are
therefore searched as they are stored, all needles at once, and the text is made, and decides, only
where a needle stands and the rest of the rule holds. A line of a web log is searched field by field,
over distinct values: a keyword that spans two fields is not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Protocol

import ahocorasick_rs
import numpy as np

from opsproof.logs import globs
from opsproof.logs.atoms import FieldAtoms, needle, predicate
from opsproof.logs.findings import Findings
from opsproof.logs.rules.compiled import Atom
from opsproof.logs.table import Column, Mask, RawText

_LINE = "\n"
_DIGITS = frozenset("0123456789\n")


class Keywords(Protocol):
    """The keyword atoms on one batch."""

    def possible(self, number: int) -> bool:
        """Whether the atom may hold for any record."""

    def mask(self, number: int, alive: Mask | None) -> Mask:
        """The records that the atom holds for, among those ``alive`` (None: all)."""


class FieldKeywords:
    """Keywords in records that are all there as columns."""

    def __init__(
        self, atoms: FieldAtoms, columns: Sequence[tuple[Column, Findings]], size: int
    ) -> None:
        """``columns`` with what is known of their distinct values."""
        self._size = size
        self._atoms = atoms.every()
        self._lazy = frozenset(atoms.lazy)
        self._columns = columns
        self._found = frozenset().union(*(found.alive for _, found in columns))

    def possible(self, number: int) -> bool:
        """Whether the atom may hold for any record."""
        return number in self._found or number in self._lazy

    def mask(self, number: int, alive: Mask | None) -> Mask:  # noqa: ARG002 - all rows cost the same
        """The records that the atom holds for."""
        result = np.zeros(self._size, dtype=np.bool_)
        for column, found in self._columns:
            if number in found.alive or number in self._lazy:
                codes = found.mask(number, self._atoms[number])
                result[column.row_array()[codes[column.code_array()]]] = True
        return result


class TextKeywords:
    """Keywords in records whose text has to be made."""

    def __init__(self, atoms: FieldAtoms, raw: RawText, size: int) -> None:
        """Finds the records that each atom may hold for."""
        self._raw, self._size = raw, size
        self._atoms = atoms.every()
        needles = {number: needle(atom) for number, atom in self._atoms.items()}
        self._rows = _candidates(needles, raw)
        everywhere = list(range(size))
        self._rows.update((number, everywhere) for number, one in needles.items() if not one)
        self._texts: dict[int, tuple[str, str]] = {}

    def possible(self, number: int) -> bool:
        """Whether the atom may hold for any record."""
        return number in self._rows

    def mask(self, number: int, alive: Mask | None) -> Mask:
        """The records that the atom holds for, among those ``alive`` (None: all)."""
        result = np.zeros(self._size, dtype=np.bool_)
        atom = self._atoms[number]
        holds = predicate(atom)
        lower = atom.op != "re" and atom.flags != "c"
        for row in self._rows.get(number, ()):
            if (alive is None or alive[row]) and holds(self._text(row)[lower]):
                result[row] = True
        return result

    def _text(self, row: int) -> tuple[str, str]:
        found = self._texts.get(row)
        if found is None:
            text = self._raw.read(row)
            found = self._texts[row] = (text, text.lower())
        return found


def own(atom: Atom) -> bool:
    """Whether a keyword may stand in a number that is a record's own (an id, a process)."""
    texts = (
        globs.compiled(atom.value).literals()
        if atom.op == "glob"
        else [atom.value]
        if atom.op in {"eq", "sw", "ew", "in"}
        else [""]
    )
    return any(_DIGITS.issuperset(text) for text in texts)


def _candidates(needles: dict[int, str], raw: RawText) -> dict[int, list[int]]:
    """For each number the records, each once and in order, that its needle may stand in."""
    patterns = {needle: raw.encode(needle).lower() for needle in needles.values() if needle}
    if not patterns:
        return {}
    unique = tuple(dict.fromkeys(patterns.values()))
    found: dict[str, set[int]] = {}
    for texts, of in raw.encoded():
        for pattern, which in _standing(unique, texts).items():
            mask = np.zeros(len(texts), dtype=np.bool_)
            mask[which] = True
            found.setdefault(pattern, set()).update(np.flatnonzero(mask[of]).tolist())
    rows = {pattern: sorted(some) for pattern, some in found.items()}
    return {
        number: rows[patterns[needle]]
        for number, needle in needles.items()
        if needle and patterns[needle] in rows
    }


def _standing(patterns: tuple[str, ...], texts: list[str]) -> dict[str, list[int]]:
    """For each pattern that stands in any of the texts, in which."""
    text = _LINE.join(texts).lower()
    if len(text) != sum(map(len, texts)) + len(texts) - 1:
        # A few characters grow when they are lower-cased; then places have to be counted anew.
        texts = [line.lower() for line in texts]
        text = _LINE.join(texts)
    starts = list(accumulate((len(line) + 1 for line in texts), initial=0))[:-1]
    matches = _automaton(patterns).find_matches_as_indexes(text, overlapping=True)
    found: dict[str, list[int]] = {}
    if matches:
        array = np.array(matches, dtype=np.int64)[:, :2]
        array[:, 1] = np.searchsorted(np.array(starts), array[:, 1], side="right") - 1
        for which, row in np.unique(array, axis=0).tolist():
            found.setdefault(patterns[which], []).append(row)
    return found


@lru_cache(maxsize=8)
def _automaton(patterns: tuple[str, ...]) -> ahocorasick_rs.AhoCorasick:
    return ahocorasick_rs.AhoCorasick(patterns, store_patterns=False)

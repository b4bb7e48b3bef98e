"""Keyword searches over whole records, where their text is not a column.

Making the text of every record costs more than everything else together. So all needles are
searched at once in the records as they are stored, and the text is made, and decides, only where a
needle stands and the rest of the rule holds.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate

import ahocorasick_rs
import numpy as np

from opsproof.logs.atoms import FieldAtoms, predicate
from opsproof.logs.globs import compiled
from opsproof.logs.rules.compiled import Atom
from opsproof.logs.table import Mask, RawText

_LINE = "\n"


class Keywords:
    """The keyword atoms on one batch."""

    def __init__(self, atoms: FieldAtoms, raw: RawText, size: int) -> None:
        """Finds the records that each atom may hold for."""
        self._raw, self._size = raw, size
        self._atoms = dict([*atoms.searched, *atoms.equal, *atoms.lazy.items()])
        needles = {number: _needle(atom) for number, atom in self._atoms.items()}
        self._rows = _candidates(needles, raw)
        everywhere = list(range(size))
        self._rows.update((number, everywhere) for number, needle in needles.items() if not needle)
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


def _needle(atom: Atom) -> str:
    """A text, lower-cased, that stands in every record the atom holds for; empty for none known."""
    if atom.op in {"in", "sw", "ew", "eq"}:
        return atom.value.lower()
    return compiled(atom.value).literal().lower() if atom.op == "glob" else ""


def _candidates(needles: dict[int, str], raw: RawText) -> dict[int, list[int]]:
    """For each number the records, each once and in order, that its needle may stand in."""
    patterns = {needle: raw.encode(needle).lower() for needle in needles.values() if needle}
    if not patterns:
        return {}
    lines = [text.lower() for text in raw.encoded]
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))[:-1]
    unique = tuple(dict.fromkeys(patterns.values()))
    matches = _automaton(unique).find_matches_as_indexes(_LINE.join(lines), overlapping=True)
    rows: dict[str, list[int]] = {}
    if matches:
        array = np.array(matches, dtype=np.int64)[:, :2]
        array[:, 1] = np.searchsorted(np.array(starts), array[:, 1], side="right") - 1
        for which, row in np.unique(array, axis=0).tolist():
            rows.setdefault(unique[which], []).append(row)
    return {
        number: rows[patterns[needle]]
        for number, needle in needles.items()
        if needle and patterns[needle] in rows
    }


@lru_cache(maxsize=8)
def _automaton(patterns: tuple[str, ...]) -> ahocorasick_rs.AhoCorasick:
    return ahocorasick_rs.AhoCorasick(patterns, store_patterns=False)

"""The accepted kinds of hit that are for one rule, and which of them a hit is.

There may be as many as hits: a list of everything that is there today has one for each. So they are
found by what their patterns say literally, and only those that may fit are compared.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from fnmatch import translate
from typing import TYPE_CHECKING, Final, TypeAlias

from opsproof.logs.redact import printable

if TYPE_CHECKING:
    from opsproof.logs.suppress import Suppression

_WILD: Final = re.compile(r"\[([^\[\]!^])\]|\[(\[)\]|([*?\[])")
"""A class of one character, which is that character, or what is not literal."""

_Shape: TypeAlias = tuple[tuple[str, int | None], ...]
"""Names of fields, each with how many characters of its value are compared (None: all)."""


class _Pattern:
    """One field as ``match`` has it, in lower case: ``*``, ``?`` and ``[...]`` as in fnmatch."""

    __slots__ = ("_compiled", "_wanted", "literal", "name", "whole")

    def __init__(self, name: str, wanted: str) -> None:
        self.name, self._wanted = name.lower(), wanted.lower()
        self._compiled: re.Pattern[str] | None = None
        self.literal, self.whole = _beginning(self._wanted)

    @property
    def compared(self) -> int | None:
        """How many characters to look it up by: few different numbers, so that there are few shapes."""
        return None if self.whole else (1 << len(self.literal).bit_length()) >> 1

    def fits(self, value: str, shown: str) -> bool:
        """Whether a value fits as it is, or as a report shows it: a line feed is a space there."""
        if self.whole:
            return self.literal in (value, shown)
        if self._compiled is None:
            self._compiled = re.compile(translate(self._wanted))
        match = self._compiled.match
        return match(value) is not None or match(shown) is not None


class _Entry:
    """A suppression ready to be compared; ``rank`` is its place among those of its rule."""

    __slots__ = ("_patterns", "one", "rank")

    def __init__(self, rank: int, one: Suppression) -> None:
        self.rank, self.one = rank, one
        self._patterns = [_Pattern(name, wanted) for name, wanted in sorted(one.match.items())]

    def key(self) -> tuple[_Shape, tuple[str, ...]]:
        """What it is looked up by: the literal beginnings of its patterns, as a report shows them."""
        known = [(one, one.compared) for one in self._patterns if one.compared != 0]
        return (
            tuple((one.name, size) for one, size in known),
            tuple(printable(one.literal)[:size] for one, size in known),
        )

    def fits(self, fields: dict[str, str], shown: dict[str, str]) -> bool:
        """Whether a record's fields are all as ``match`` says."""
        return all(
            one.name in fields and one.fits(fields[one.name], shown[one.name])
            for one in self._patterns
        )


class Accepted:
    """Suppressions for one rule. Of several that fit a hit, the first one counts."""

    def __init__(self, chosen: Sequence[Suppression]) -> None:
        """Works out how to find them, once for all hits."""
        self._size = len(chosen)
        self._shapes: dict[_Shape, dict[tuple[str, ...], list[_Entry]]] = defaultdict(dict)
        self._by_hit: dict[str, list[_Entry]] = {}
        for rank, one in enumerate(chosen):
            entry = _Entry(rank, one)
            if one.hit:
                self._by_hit.setdefault(one.hit, []).append(entry)
            else:
                shape, key = entry.key()
                self._shapes[shape].setdefault(key, []).append(entry)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self._size > 0

    def first(
        self, fields: dict[str, str], own_id: Callable[[], str] | None = None
    ) -> Suppression | None:
        """The first one that is for a hit with these fields, whose id ``own_id`` tells."""
        lowered = {name.lower(): value.lower() for name, value in fields.items()}
        shown = {name: printable(value) for name, value in lowered.items()}
        found: list[_Entry] = []
        for shape, entries in self._shapes.items():
            key = tuple(shown[name][:size] for name, size in shape if name in shown)
            found += _first(entries.get(key, ()), lowered, shown)
        if self._by_hit and own_id is not None:
            found += _first(self._by_hit.get(own_id(), ()), lowered, shown)
        return min(found, key=lambda entry: entry.rank).one if found else None


def _first(
    entries: Sequence[_Entry], fields: dict[str, str], shown: dict[str, str]
) -> list[_Entry]:
    return next(([entry] for entry in entries if entry.fits(fields, shown)), [])


def _beginning(wanted: str) -> tuple[str, bool]:
    """The literal beginning of a pattern, and whether that is all of it."""
    begin, literal = 0, ""
    for found in _WILD.finditer(wanted):
        literal += wanted[begin : found.start()]
        if found[3]:
            return literal, False
        literal, begin = literal + (found[1] or found[2]), found.end()
    return literal + wanted[begin:], True

"""Evaluate atoms over the distinct values of a column, not over records.

The result of an atom is the set of codes (indices of distinct values) that it holds for, as a mask
over codes. Text tests of all rules on one field run as one Aho-Corasick automaton over all values at
once; dear tests (expressions, networks, patterns) run only when a rule still needs them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Final

import ahocorasick_rs
import numpy as np
import re2

from opsproof.logs import globs, times
from opsproof.logs.rules.compiled import Atom
from opsproof.logs.table import Longs

Predicate = Callable[[str], bool]

SEPARATOR: Final = "\ue003"
"""Between values in the haystack; a character of the private use area, in no pattern."""

DIGITS: Final = 40
"""Digits that a number may have before its point, and behind it: a counter of 64 bits has up to 20."""

_NUMBER: Final = re.compile(
    rf"\s*[-+]?(?:0[xX][0-9a-fA-F]{{1,16}}|\d{{1,{DIGITS}}}(?:\.\d{{1,{DIGITS}}})?)\s*"
)
_SEARCHED: Final = frozenset({"sw", "ew", "in"})


class FieldAtoms:
    """All atoms of one field, made ready once for many batches."""

    def __init__(self, atoms: Iterable[tuple[int, Atom]]) -> None:
        """``atoms`` with their numbers."""
        self.equal: list[tuple[int, Atom]] = []
        self.searched: list[tuple[int, Atom]] = []
        self.patterns: list[tuple[int, Atom]] = []
        self.lazy: dict[int, Atom] = {}
        for number, atom in atoms:
            if atom.op == "eq":
                self.equal.append((number, atom))
            elif atom.op in _SEARCHED and not atom.flags and SEPARATOR not in atom.value:
                self.searched.append((number, atom))
            elif needle(atom):
                self.patterns.append((number, atom))
            else:
                self.lazy[number] = atom
        self._equal: dict[str, list[int]] = {}
        self._equal_cased: dict[str, list[int]] = {}
        for number, atom in self.equal:
            wanted = self._equal_cased if atom.flags else self._equal
            wanted.setdefault(atom.value, []).append(number)
        needles = [atom.value for _, atom in self.searched]
        needles += [needle(atom) for _, atom in self.patterns]
        self._automaton = _automaton(needles)
        self._numbers = np.array([number for number, _ in self.searched], dtype=np.int64)
        ops = [atom.op for _, atom in self.searched] + ["in"] * len(self.patterns)
        self._at_start = np.array([op == "sw" for op in ops], dtype=np.bool_)
        self._at_end = np.array([op == "ew" for op in ops], dtype=np.bool_)

    def every(self) -> dict[int, Atom]:
        """All atoms by number."""
        return dict([*self.equal, *self.searched, *self.patterns, *self.lazy.items()])

    def equals(self, values: Values) -> Iterator[tuple[int, Longs]]:
        """For each equality atom that holds for any value: the codes of these."""
        for wanted, cased in ((self._equal, False), (self._equal_cased, True)):
            if wanted:
                texts = values.texts if cased else values.lower
                pairs = [
                    (number, index)
                    for index, text in enumerate(texts)
                    if text in wanted
                    for number in wanted[text]
                ]
                array: Longs = np.array(pairs, dtype=np.int64).reshape(-1, 2)
                yield from values.grouped(array[:, 0], array[:, 1])

    def searches(self, values: Values) -> Iterator[tuple[int, Longs]]:
        """For each text atom (all but equality and the lazy ones) that holds for any value: which."""
        if self._automaton is None or not values.texts:
            return
        haystack, starts, ends = values.haystack()
        found = self._automaton.find_matches_as_indexes(haystack, overlapping=True)
        if not found:
            return
        matches: Longs = np.array(found, dtype=np.int64)
        which, begin, stop = matches[:, 0], matches[:, 1], matches[:, 2]
        text = np.searchsorted(starts, begin, side="right") - 1
        plain = which < len(self.searched)
        yield from self._patterns(which[~plain] - len(self.searched), text[~plain], values)
        which, begin, stop, text = which[plain], begin[plain], stop[plain], text[plain]
        good = ~self._at_start[which] | (begin == starts[text])
        good &= ~self._at_end[which] | (stop == ends[text])
        yield from values.grouped(self._numbers[which[good]], text[good])

    def _patterns(self, which: Longs, texts: Longs, values: Values) -> Iterator[tuple[int, Longs]]:
        """Patterns are only tried on values that hold their longest plain part."""
        for place in np.unique(which).tolist():
            number, atom = self.patterns[place]
            candidates = np.unique(texts[which == place])
            found = values.matching(atom, candidates.tolist())
            if len(found):
                yield number, values.codes(found)


def needle(atom: Atom) -> str:
    """A text, lower-cased, that stands in every value a text atom holds for; empty for none known."""
    if atom.op not in _TEXT or SEPARATOR in atom.value:
        return ""
    text = globs.compiled(atom.value).literal() if atom.op == "glob" else atom.value
    return text.lower()


def _automaton(patterns: list[str]) -> ahocorasick_rs.AhoCorasick | None:
    return ahocorasick_rs.AhoCorasick(patterns, store_patterns=False) if patterns else None


class Values:
    """Distinct values of a column in the forms that atoms compare with.

    ``first`` is the code of the first of them. A value with several forms stands several times.
    """

    def __init__(
        self,
        names: list[str],
        forms: Callable[[str], tuple[str, ...]] | None = None,
        first: int = 0,
    ) -> None:
        """``forms`` are those of the column."""
        self.first = first
        if forms is None:
            self.texts, self._codes = names, None
        else:
            every = list(map(forms, names))
            self.texts = list(chain.from_iterable(every))
            sizes = np.fromiter(map(len, every), dtype=np.int64, count=len(every))
            same = len(self.texts) == len(names)
            self._codes = None if same else np.repeat(np.arange(len(names)), sizes)
        self._lower: list[str] | None = None
        self._addresses: list[_Address | None] | None = None

    def codes(self, indices: Longs) -> Longs:
        """The codes of the values that forms (by index) are of; a code may stand several times."""
        return (indices if self._codes is None else self._codes[indices]) + self.first

    @property
    def lower(self) -> list[str]:
        """The forms, lower-cased."""
        if self._lower is None:
            joined = SEPARATOR.join(self.texts).lower().split(SEPARATOR)
            same = len(joined) == len(self.texts)
            self._lower = joined if same else [text.lower() for text in self.texts]
        return self._lower

    def haystack(self) -> tuple[str, Longs, Longs]:
        """All forms lower-cased in one text, and where each begins and ends."""
        lengths = np.fromiter(map(len, self.lower), dtype=np.int64, count=len(self.lower))
        ends = np.cumsum(lengths + 1) - 1
        return SEPARATOR.join(self.lower), ends - lengths, ends

    def grouped(self, numbers: Longs, indices: Longs) -> Iterator[tuple[int, Longs]]:
        """Pairs of an atom's number and a form's index, as codes for each number."""
        if not len(numbers):
            return
        order = np.argsort(numbers, kind="stable")
        numbers, codes = numbers[order], self.codes(indices)[order]
        distinct, first = np.unique(numbers, return_index=True)
        yield from zip(distinct.tolist(), np.split(codes, first[1:]), strict=True)

    def matching(self, atom: Atom, indices: list[int]) -> Longs:
        """Which of some forms a text atom holds for."""
        holds = predicate(atom)
        texts = self.texts if atom.flags == "c" else self.lower
        return np.array([index for index in indices if holds(texts[index])], dtype=np.int64)

    def test(self, atom: Atom) -> Longs:
        """The codes of the values that one atom holds for, tried one by one."""
        if atom.op == "cidr":
            found = self._inside(atom.value)
        else:
            holds = predicate(atom)
            cased = atom.flags == "c" or atom.op not in _TEXT
            texts = self.texts if cased else self.lower
            found = [index for index, text in enumerate(texts) if holds(text)]
        return self.codes(np.array(found, dtype=np.int64))

    def _inside(self, network: str) -> list[int]:
        if self._addresses is None:
            self._addresses = [address(text) for text in self.texts]
        wanted = _network(network)
        version, low, high = (
            wanted.version,
            int(wanted.network_address),
            int(wanted.broadcast_address),
        )
        return [
            index
            for index, found in enumerate(self._addresses)
            if found is not None and found.version == version and low <= int(found) <= high
        ]


_TEXT: Final = frozenset({"eq", "sw", "ew", "in", "glob"})
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@lru_cache(maxsize=65_536)
def predicate(atom: Atom) -> Predicate:
    """The test of one atom on one value (already lower-cased where the atom is not cased)."""
    value = atom.value
    match atom.op:
        case "eq":
            return lambda text: text == value
        case "sw":
            return lambda text: text.startswith(value)
        case "ew":
            return lambda text: text.endswith(value)
        case "in":
            return lambda text: value in text
        case "glob":
            return globs.compiled(value).matches
        case "re":
            return _expression(value, atom.flags)
        case "cidr":
            return _within(value)
        case "part":
            return _part(value)
        case _:
            return _comparison(atom.op, value)


def expression(pattern: str, flags: str) -> re2._Regexp[str]:
    """The compiled expression: RE2, whose time is linear in the text whatever the pattern is.

    Raises ``re2.error`` for what no linear-time matcher can do (look-around, back references).
    """
    options = re2.Options()
    options.log_errors = False
    return re2.compile(f"(?{flags}){pattern}" if flags else pattern, options=options)


def _expression(pattern: str, flags: str) -> Predicate:
    search = expression(pattern, flags).search
    if "$" not in pattern:
        return lambda text: search(text) is not None
    # RE2's "$" is the very end; that of PCRE, which the specification means, also stands before a
    # last line feed. Script blocks end with one.
    return lambda text: (
        search(text) is not None or (text.endswith("\n") and search(text[:-1]) is not None)
    )


def address(text: str) -> _Address | None:
    """The IP address in a log value: zone dropped, an IPv4 address in IPv6 form taken out."""
    try:
        found = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


@lru_cache(maxsize=4096)
def _network(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(value)


def _within(value: str) -> Predicate:
    network = _network(value)

    def inside(text: str) -> bool:
        found = address(text)
        return found is not None and found.version == network.version and found in network

    return inside


def number(text: str) -> int | float | None:
    """The number in a log value, decimal or hexadecimal; None where it is none."""
    if _NUMBER.fullmatch(text) is None:
        return None
    plain = text.strip()
    if "x" in plain.lower():
        return int(plain, 16)
    return float(plain) if "." in plain else int(plain)


def _comparison(op: str, value: str) -> Predicate:
    limit = number(value)
    assert limit is not None

    def holds(text: str) -> bool:
        found = number(text)
        if found is None:
            return False
        if op == "lt":
            return found < limit
        if op == "le":
            return found <= limit
        return found > limit if op == "gt" else found >= limit

    return holds


def _part(value: str) -> Predicate:
    name, _, wanted = value.partition(":")
    expected = int(wanted)

    def holds(text: str) -> bool:
        when = times.read(text)
        if when is None:
            return False
        found = when.isocalendar().week if name == "week" else getattr(when, name)
        return bool(found == expected)

    return holds

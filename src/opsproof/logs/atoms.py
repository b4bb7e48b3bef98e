"""Evaluate atoms over the distinct values of a column, not over records.

The result of an atom is the set of codes (indices of distinct values) that it holds for.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from opsproof.logs import globs, times
from opsproof.logs.rules.compiled import Atom
from opsproof.logs.table import Column, Mask

Predicate = Callable[[str], bool]

_NUMBER: Final = re.compile(r"\s*[-+]?(?:0[xX][0-9a-fA-F]{1,16}|\d{1,18}(?:\.\d{1,18})?)\s*")
_RE_FLAGS: Final = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}


def codes_of(atoms: Sequence[tuple[int, Atom]], column: Column) -> dict[int, Mask]:
    """For each atom number that holds for any value: which codes. Others are left out.

    All atoms are of the column's field; ``ex`` and ``ref`` are not for this function.
    """
    values = _Values(column)
    found: dict[int, Mask] = {}
    for number, atom in atoms:
        codes = values.codes(atom)
        if len(codes):
            table = np.zeros(len(column.values), dtype=np.bool_)
            table[codes] = True
            found[number] = table
    return found


class _Values:
    """The distinct values of a column in the forms that atoms compare with."""

    def __init__(self, column: Column) -> None:
        self._exact: list[tuple[str, int]] = []
        for code, name in enumerate(column.names()):
            forms = column.forms(name) if column.forms is not None else (name,)
            self._exact.extend((form, code) for form in forms)
        self._lower = [(text.lower(), code) for text, code in self._exact]
        self._equal = _index(self._lower)
        self._equal_cased: dict[str, list[int]] | None = None

    def codes(self, atom: Atom) -> npt.NDArray[np.int64]:
        """The codes that an atom holds for."""
        cased = atom.flags == "c"
        if atom.op == "eq":
            if not cased:
                found = self._equal.get(atom.value, [])
            else:
                if self._equal_cased is None:
                    self._equal_cased = _index(self._exact)
                found = self._equal_cased.get(atom.value, [])
        else:
            test = predicate(atom)
            texts = self._lower if atom.op in _TEXT and not cased else self._exact
            found = [code for text, code in texts if test(text)]
        return np.array(found, dtype=np.int64)


def _index(texts: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    index: dict[str, list[int]] = {}
    for text, code in texts:
        index.setdefault(text, []).append(code)
    return index


_TEXT: Final = frozenset({"eq", "sw", "ew", "in", "glob"})


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
            return _network(value)
        case "part":
            return _part(value)
        case _:
            return _comparison(atom.op, value)


def _expression(pattern: str, flags: str) -> Predicate:
    compiled = re.compile(pattern, sum(_RE_FLAGS[flag] for flag in flags))
    return lambda text: compiled.search(text) is not None


def address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address in a log value: zone dropped, an IPv4 address in IPv6 form taken out."""
    try:
        found = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _network(value: str) -> Predicate:
    network = ipaddress.ip_network(value)

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
        moment = times.parse(text)
        if moment is None:
            return False
        when = times.EPOCH + timedelta(microseconds=moment)
        found = when.isocalendar().week if name == "week" else getattr(when, name)
        return bool(found == expected)

    return holds

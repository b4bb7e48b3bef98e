"""Correlations that ask for one thing and another: beside each other, or one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from opsproof.logs.aside import Rows
from opsproof.logs.rules.compiled import Correlation, Tree
from opsproof.logs.table import Longs, Mask


@dataclass(slots=True)
class Block:
    """Some entries, from the place ``begin`` on: the first entry of the window that each ends, and
    which rule found each.
    """

    begin: int
    starts: Longs
    inputs: Longs
    places: Longs = field(init=False)

    def __post_init__(self) -> None:
        """The place of each entry among all."""
        self.places = np.arange(self.begin, self.begin + len(self.starts))


@dataclass(frozen=True, slots=True)
class Seen:
    """Of the window that each entry ends: where it starts, its value, whether it is as asked."""

    start: Longs
    value: Rows
    holds: Mask


class _Carried:
    """What goes on from one block to the next, by name."""

    def __init__(self) -> None:
        self._last: dict[Any, int] = {}

    def latest(self, name: Any, places: Longs) -> Longs:
        """The greatest up to each entry; -1 stands for none."""
        found: Longs = np.maximum(np.maximum.accumulate(places), self._last.get(name, -1))
        self._last[name] = int(found[-1])
        return found

    def shifted(self, name: Any, places: Longs) -> Longs:
        """What holds up to the entry before each."""
        found = np.concatenate(([self._last.get(name, -1)], places[:-1]))
        self._last[name] = int(places[-1])
        return found


class Beside:
    """All rules (or as many as asked, or as the expression says) within the window."""

    def __init__(self, correlation: Correlation, holds: Callable[[Any, Any], Any]) -> None:
        """``holds`` compares how many rules are there with the count that is asked for."""
        self._correlation, self._holds = correlation, holds
        self._carried = _Carried()

    def __call__(self, block: Block) -> Seen:
        """Look at the next entries."""
        latest = [
            self._carried.latest(number, np.where(block.inputs == number, block.places, -1))
            for number in range(len(self._correlation.inputs))
        ]
        present = [places >= block.starts for places in latest]
        count = np.sum(present, axis=0)
        if self._correlation.expression is not None:
            holds = _expression(self._correlation.expression, present)
        else:
            holds = self._holds(count, self._correlation.count)
        # The window is only as wide as its records need: the earliest of the latest of each rule.
        tight: Longs = np.min(
            [
                np.where(there, places, block.places)
                for there, places in zip(present, latest, strict=True)
            ],
            axis=0,
        )
        return Seen(tight, count, holds)


def _expression(tree: Tree, present: list[Mask]) -> Mask:
    if isinstance(tree, int):
        return present[tree]
    parts = [_expression(part, present) for part in tree[1:]]
    if tree[0] == "!":
        return ~parts[0]
    combine = np.logical_and if tree[0] == "&" else np.logical_or
    result: Mask = combine.reduce(parts)
    return result


class InOrder:
    """The rules one after another: for each entry the latest beginning of a chain that ends there."""

    def __init__(self, correlation: Correlation) -> None:
        """As the correlation's expression says, else all its inputs in their order."""
        self._size = len(correlation.inputs)
        tree = correlation.expression
        self._tree = ["&", *range(self._size)] if tree is None else tree
        self._carried = _Carried()

    def __call__(self, block: Block) -> Seen:
        """Look at the next entries."""
        latest = [
            self._carried.latest(number, np.where(block.inputs == number, block.places, -1))
            for number in range(self._size)
        ]
        ending = _Step(block, latest, self._carried).ending(self._tree, (), None, [])
        return Seen(ending, np.full(len(ending), self._size), ending >= block.starts)


@dataclass(frozen=True, slots=True)
class _Step:
    """One block on the way through an expression. ``path`` is the place of a part in it."""

    block: Block
    latest: Sequence[Longs]
    carried: _Carried

    def ending(
        self, tree: Tree, path: tuple[int, ...], before: Longs | None, absent: list[Longs]
    ) -> Longs:
        """For each entry the latest beginning of a chain that ends there, -1 for none.

        ``before`` is, for each entry, the latest beginning of what has to be over; None: nothing has
        to. ``&`` is one after another, ``!`` before a part of it means: none since the chain began,
        or, where it begins with that, none within the time span before it (``absent``).
        """
        if isinstance(tree, int):
            return self._found(tree, path, before, absent)
        if tree[0] == "|":
            parts = [
                self.ending(part, (*path, number), before, absent)
                for number, part in enumerate(tree[1:])
            ]
            latest: Longs = np.max(parts, axis=0)
            return latest
        ending: Longs = np.full(len(self.block.starts), -1, dtype=np.int64)
        absent = list(absent)
        for number, part in enumerate(tree[1:]):
            if isinstance(part, list) and part[0] == "!":
                absent.extend(self.latest[one] for one in _leaves(part))
                continue
            if before is not None:
                for last in absent:
                    before = np.where(last <= before, before, -1)
                absent = []
            ending = self.ending(part, (*path, number), before, absent)
            absent, before = [], self.carried.latest((*path, number), ending)
        return ending

    def _found(
        self, rule: int, path: tuple[int, ...], before: Longs | None, absent: list[Longs]
    ) -> Longs:
        """Where a rule found something, and nothing stands against it."""
        block = self.block
        if before is not None:
            begins = self.carried.shifted(("before", *path), before)
        else:
            begins = block.places
            for number, last in enumerate(absent):
                free = self.carried.shifted(("absent", number, *path), last) < block.starts
                begins = np.where(free, begins, -1)
        return np.where(block.inputs == rule, begins, -1)


def _leaves(tree: Tree) -> list[int]:
    return [tree] if isinstance(tree, int) else [one for part in tree[1:] for one in _leaves(part)]

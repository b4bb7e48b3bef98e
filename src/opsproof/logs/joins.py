"""What one correlation looks at: the findings of all its inputs, grouped, sorted, each once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from opsproof.logs.aside import Rows, Sorter, Vector
from opsproof.logs.atoms import number
from opsproof.logs.correlate import Entries
from opsproof.logs.model import Reason, RuleNotRun
from opsproof.logs.rules.compiled import Correlation, Input, RuleSet
from opsproof.logs.series import ABSENT, Pool, Series, combined, digest
from opsproof.logs.store import Names, Store
from opsproof.logs.table import Ints, Longs, Mask

_SUMS = frozenset({"value_sum", "value_avg", "value_percentile"})

CHAINS = frozenset({"temporal", "temporal_ordered"})
"""Types that ask for one thing and then, or beside, another; the others count."""

_ROW: Final = 8
_GROUP, _TIME, _WHICH, _PLACE, _FIRST, _SECOND = slice(0, 2), 2, 4, 5, 6, 7
"""Columns of a row: digest of the group; time; order; the input, negative; where the finding stands;
two numbers for the value. In this order rows are sorted.
"""
_KEYS: Final = 6
_IDENTITY: Final = 6
"""Columns before these that tell records apart: input, two of computer and channel, id, time, order."""

_SEGMENT: Final = 32
"""Bits of a place that number the finding in its segment."""


class Joined(NamedTuple):
    """The findings of all inputs of one correlation, sorted as :class:`Entries` are.

    ``place`` tells where each stands in the store: its segment, and its number there among those of
    the rule, of ``rules``, that the entry's input is.
    """

    entries: Entries
    place: Vector
    rules: Sequence[str]


def apart(places: Longs) -> tuple[Longs, Longs]:
    """The segments and the numbers of findings."""
    return places >> _SEGMENT, places & ((1 << _SEGMENT) - 1)


def join(
    correlation: Correlation,
    store: Store,
    rules: Sequence[str],
    folder: Path,
) -> Joined | None:
    """Put the findings of the inputs together; None where no one has all it needs.

    ``rules`` are what the inputs are called in the store, in their order.
    """
    sorter = Sorter(folder, _ROW, _KEYS)
    once = Sorter(folder, _IDENTITY + _ROW, _IDENTITY)
    maker = _Maker(correlation)
    for segment in range(len(store)):
        for which, (rule, source) in enumerate(zip(rules, correlation.inputs, strict=True)):
            series = store.series(segment, rule)
            if not len(series):
                continue
            pool = store.pool(segment)
            rows, known = maker.rows(source, which, series, pool)
            rows[:, _PLACE] = (segment << _SEGMENT) + np.arange(len(rows))
            # Text logs have line numbers, which say nothing across files; events have an identity.
            events = _events(series, pool) & known
            once.add(_identified(rows[events], series, pool, events))
            sorter.add(rows[known & ~events])
    for rows in _first_ones(once):
        sorter.add(rows)
    joined = maker.joined(sorter, rules, folder)
    return joined if len(joined.entries) else None


class _Maker:
    """Rows of findings for one correlation."""

    def __init__(self, correlation: Correlation) -> None:
        self._correlation = correlation
        self._names = [name.lower() for name in correlation.fields]
        self._sums = bool(self._names) and correlation.type in _SUMS
        self._whole = True

    def rows(self, source: Input, which: int, series: Series, pool: Pool) -> tuple[Rows, Mask]:
        """A row for each finding, and whether it has all that the correlation needs."""
        rows = np.zeros((len(series), _ROW), dtype=np.int64)
        known = np.ones(len(series), dtype=np.bool_)
        keys = [series.field_codes(key.lower()) for key in source.keys]
        for key in keys:
            known &= key != ABSENT
        if keys:
            table = pool.table()
            rows[:, _GROUP] = combined([table[key] for key in keys])
        rows[:, _TIME] = series.longs("time")
        rows[:, _TIME + 1] = series.longs("order")
        # A record that two rules found comes last as what it is first, so it cannot follow itself.
        rows[:, _WHICH] = -which
        for name in self._names:
            known &= series.has(name)
        if self._sums:
            known &= self._numbers(rows, series.field_codes(self._names[0]), pool)
        elif self._names:
            digests = combined([series.field_digests(name, pool) for name in self._names])
            rows[:, _FIRST : _SECOND + 1] = digests
        return rows, known

    def _numbers(self, rows: Rows, column: Ints, pool: Pool) -> Mask:
        """Write what is summed into the rows: in floating point, and whole where all are whole."""
        codes, dense = np.unique(column, return_inverse=True)
        numbers = [number(pool.text(code)) for code in codes.tolist()]
        there: Mask = np.array([one is not None for one in numbers], dtype=np.bool_)[dense.ravel()]
        plain = [one or 0 for one in numbers]
        self._whole &= all(isinstance(one, int) and abs(one) < 1 << 40 for one in plain)
        floats = np.array(plain, dtype=np.float64)
        rows[:, _FIRST] = floats.view(np.int64)[dense.ravel()]
        if self._whole:
            rows[:, _SECOND] = np.array(plain, dtype=np.int64)[dense.ravel()]
        return there

    def joined(self, sorter: Sorter, rules: Sequence[str], folder: Path) -> Joined:
        """The entries of all rows."""
        floats = self._sums and not self._whole
        value = Vector(folder, np.float64 if floats else np.int64)
        counted = bool(self._names) and not self._sums
        half = Vector(folder) if counted else None
        entries = Entries(folder, Vector(folder), Vector(folder), Vector(folder), value, half)
        place = Vector(folder)
        last, group = None, 0
        for rows in sorter.sorted():
            if not len(rows):
                continue
            keys = rows[:, _GROUP]
            other = np.empty(len(rows), dtype=np.bool_)
            other[0] = last is not None and bool((keys[0] != last).any())
            other[1:] = (keys[1:] != keys[:-1]).any(axis=1)
            groups = group + np.cumsum(other)
            last, group = keys[-1].copy(), int(groups[-1])
            entries.group.append(groups)
            entries.time.append(rows[:, _TIME])
            entries.input.append(-rows[:, _WHICH])
            place.append(rows[:, _PLACE])
            if half is not None:
                value.append(rows[:, _FIRST])
                half.append(rows[:, _SECOND])
            elif self._sums:
                chosen = np.ascontiguousarray(rows[:, _FIRST if floats else _SECOND])
                value.append(chosen.view(value.kind))
        return Joined(entries, place, rules)


def _events(series: Series, pool: Pool) -> Mask:
    """Which findings are of events: a computer wrote them, under an id of their own."""
    named = (pool.table()[series.ints("computer")] != digest("")).any(axis=1)
    numbered: Mask = named & (series.longs("record") >= 0)
    return numbered


def _identified(rows: Rows, series: Series, pool: Pool, chosen: Mask) -> Rows:
    """The rows with what tells their records apart before them."""
    table = pool.table()
    found = np.empty((len(rows), _IDENTITY + _ROW), dtype=np.int64)
    found[:, 0] = rows[:, _WHICH]
    found[:, 1:3] = combined([table[series.ints(name)[chosen]] for name in ("computer", "channel")])
    found[:, 3] = series.longs("record")[chosen]
    found[:, 4:6] = rows[:, _TIME : _TIME + 2]
    found[:, _IDENTITY:] = rows
    return found


def _first_ones(once: Sorter) -> Iterator[Rows]:
    """Records that several exports hold count once: same log, computer, id and time."""
    last: Rows | None = None
    for rows in once.sorted():
        same = slice(0, _IDENTITY - 1)
        first = np.ones(len(rows), dtype=np.bool_)
        first[1:] = (rows[1:, same] != rows[:-1, same]).any(axis=1)
        if last is not None and len(rows):
            first[0] = bool((rows[0, same] != last[same]).any())
        last = rows[-1].copy() if len(rows) else last
        yield rows[first, _IDENTITY:]


def inputs_missing(correlation: Correlation, not_run: dict[str, RuleNotRun]) -> RuleNotRun | None:
    """Why a correlation cannot run: chains need every input, counts need one."""
    absent = [one.rule for one in correlation.inputs if one.rule in not_run]
    needs_all = correlation.type in CHAINS and correlation.expression is None
    if not absent or (len(absent) < len(correlation.inputs) and not needs_all):
        return None
    why = not_run[absent[0]]
    return RuleNotRun(
        rule=correlation.meta.id,
        title=correlation.meta.title["en"],
        reason=why.reason,
        detail=why.detail,
    )


def groupless(correlation: Correlation, store: Store) -> RuleNotRun | None:
    """Why a correlation can find nothing in records that fit: none has what it groups by or counts."""
    lacking: set[str] = set()
    for source in correlation.inputs:
        if not store.count(source.rule):
            continue
        names = {name.lower(): name for name in (*source.keys, *correlation.fields)}
        absent = set(names) - store.fields(source.rule, names)
        if not absent:
            return None
        lacking |= {names[name] for name in absent}
    if not lacking:
        return None
    return RuleNotRun(
        rule=correlation.meta.id,
        title=correlation.meta.title["en"],
        reason=Reason.NO_FIELD,
        detail=f"no record that it counts has the field {' or '.join(sorted(lacking))}",
    )


def bursts_of(rule: str) -> str:
    """What the bursts of a correlation are called in the store; its own id names every moment."""
    return f"bursts of {rule}"


def needed(rules: RuleSet) -> Mapping[str, Names]:
    """For each rule that feeds a correlation: the fields that it has to keep.

    What a correlation of correlations groups by has to come up from below, where an alias of the
    lower one may give it another name.
    """
    texts: dict[str, set[str]] = {}
    counted: dict[str, set[str]] = {}
    by_id = {correlation.meta.id: correlation for correlation in rules.correlations}

    def keep(rule: str, shown: set[str], only: set[str]) -> None:
        below = by_id.get(rule)
        if below is not None:
            shown, only = shown | only, set()
        texts.setdefault(rule, set()).update(shown)
        counted.setdefault(rule, set()).update(only)
        if below is None:
            return
        for source in below.inputs:
            renamed = {
                name.lower(): own.lower()
                for name, own in zip(below.group, source.keys, strict=True)
            }
            keep(source.rule, {renamed.get(name, name) for name in shown}, set())

    for correlation in rules.correlations:
        fields = {name.lower() for name in correlation.fields}
        summed = fields if correlation.type in _SUMS else set()
        for source in correlation.inputs:
            keep(source.rule, {name.lower() for name in source.keys} | summed, fields - summed)
    found = {
        rule: Names(tuple(sorted(shown)), tuple(sorted(counted[rule] - shown)))
        for rule, shown in texts.items()
    }
    return found | {bursts_of(rule): found[rule] for rule in found.keys() & by_id.keys()}

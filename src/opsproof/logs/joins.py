"""What one correlation looks at: the findings of all its inputs, grouped, sorted, each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opsproof.logs.atoms import number
from opsproof.logs.correlate import Entries
from opsproof.logs.model import Reason, RuleNotRun
from opsproof.logs.rules.compiled import Correlation, RuleSet
from opsproof.logs.series import ABSENT, Pool, Series
from opsproof.logs.table import Longs, Mask

_SUMS = frozenset({"value_sum", "value_avg", "value_percentile"})

CHAINS = frozenset({"temporal", "temporal_ordered"})
"""Types that ask for one thing and then, or beside, another; the others count."""


class Joined(NamedTuple):
    """The findings of all inputs of one correlation, sorted as :class:`Entries` are.

    Each entry is the finding ``row`` of the input ``which``; ``keys`` are its group's codes.
    """

    entries: Entries
    series: Sequence[Series]
    which: Longs
    row: Longs
    keys: Longs


def join(
    correlation: Correlation, series: Sequence[Series], pool: Pool, files: Sequence[str]
) -> Joined | None:
    """Put the findings of the inputs together; None where no one has all it needs.

    ``series`` are those of the inputs, in their order; ``files`` the names of files by number.
    """
    sizes = [len(one) for one in series]
    if not sum(sizes):
        return None
    which = np.repeat(np.arange(len(series)), sizes)
    row = np.concatenate([np.arange(size) for size in sizes])
    keys = [
        np.concatenate(
            [
                one.field_codes(source.keys[place].lower())
                for one, source in zip(series, correlation.inputs, strict=True)
            ]
        )
        for place in range(len(correlation.group))
    ]
    value, known = _values(correlation, series, pool)
    for key in keys:
        known &= key != ABSENT
    known &= ~_twice(series, which, pool, files)
    which, row, value = which[known], row[known], value[known]
    if not len(which):
        return None
    keys = [key[known] for key in keys]
    group = numbered(keys) if keys else np.zeros(len(which), dtype=np.int64)
    time = np.concatenate([one.longs("time") for one in series])[known]
    order = np.concatenate([one.longs("order") for one in series])[known]
    # A record that two rules found comes last as what it is first, so it cannot follow itself.
    place = np.lexsort((-which, order, time, group))
    entries = Entries(group[place], time[place], which[place], value[place])
    columns = np.column_stack(keys or [group])[place].astype(np.int64)
    return Joined(entries, series, which[place], row[place], columns)


def numbered(columns: Sequence[npt.NDArray[Any]]) -> Longs:
    """A number for each row, the same exactly where all columns are; in the columns' order.

    Column by column, because numpy sorts whole numbers many times faster than rows.
    """
    total = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        distinct, dense = np.unique(column, return_inverse=True)
        pairs = total * len(distinct) + dense.ravel()
        total = np.unique(pairs, return_inverse=True)[1].ravel().astype(np.int64)
    return total


def _values(
    correlation: Correlation, series: Sequence[Series], pool: Pool
) -> tuple[npt.NDArray[Any], Mask]:
    """What is counted or summed, and whether each finding has it."""
    size = sum(map(len, series))
    known = np.ones(size, dtype=np.bool_)
    if not correlation.fields:
        return np.zeros(size, dtype=np.int64), known
    for name in correlation.fields:
        known &= np.concatenate([one.has(name.lower()) for one in series])
    if correlation.type not in _SUMS:
        return numbered(
            [
                _dense(np.concatenate([one.field_digests(name.lower(), pool) for one in series]))
                for name in correlation.fields
            ]
        ), known
    column = np.concatenate([one.field_codes(correlation.fields[0].lower()) for one in series])
    codes, dense = np.unique(column, return_inverse=True)
    numbers = [number(pool.text(code)) for code in codes.tolist()]
    known &= np.array([one is not None for one in numbers], dtype=np.bool_)[dense.ravel()]
    plain = [one or 0 for one in numbers]
    whole = all(isinstance(one, int) and abs(one) < 1 << 40 for one in plain)
    table = np.array(plain, dtype=np.int64 if whole else np.float64)
    return table[dense.ravel()], known


def _dense(digests: Longs) -> Longs:
    """A number for each digest. One half nearly always tells; whether it does is looked at."""
    _, first, dense = np.unique(digests[:, 0], return_index=True, return_inverse=True)
    dense = dense.ravel()
    if (digests[first[dense], 1] == digests[:, 1]).all():
        return dense.astype(np.int64, copy=False)
    return numbered([digests[:, 0], digests[:, 1]])


def _twice(series: Sequence[Series], which: Longs, pool: Pool, files: Sequence[str]) -> Mask:
    """Records that several exports hold count once: same log, computer, id and time."""
    if len({files[one] for part in series for one in np.unique(part.source).tolist()}) < 2:
        return np.zeros(len(which), dtype=np.bool_)
    computer, channel, record, time = (
        np.concatenate([np.asarray(getattr(one, name)) for one in series])
        for name in ("computer", "channel", "record", "time")
    )
    first = np.unique(numbered([which, computer, channel, record, time]), return_index=True)[1]
    again = np.ones(len(which), dtype=np.bool_)
    again[first] = False
    # Text logs have line numbers, which say nothing across files; only events have an identity.
    twice: Mask = again & (computer != pool.code("")) & (record >= 0)
    return twice


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


def groupless(correlation: Correlation, series: Mapping[str, Series]) -> RuleNotRun | None:
    """Why a correlation can find nothing in records that fit: none has what it groups by or counts."""
    lacking: set[str] = set()
    for source in correlation.inputs:
        found = series[source.rule]
        if not len(found):
            continue
        names = (*source.keys, *correlation.fields)
        absent = {name for name in names if not found.has(name.lower()).any()}
        if not absent:
            return None
        lacking |= absent
    if not lacking:
        return None
    return RuleNotRun(
        rule=correlation.meta.id,
        title=correlation.meta.title["en"],
        reason=Reason.NO_FIELD,
        detail=f"no record that it counts has the field {' or '.join(sorted(lacking))}",
    )


class Kept(NamedTuple):
    """The fields (lower-cased) of a rule that correlations need: as texts, or only to count them."""

    texts: set[str]
    counted: set[str]

    def series(self) -> Series:
        """An empty series with these fields."""
        return Series(tuple(sorted(self.texts)), tuple(sorted(self.counted - self.texts)))


def needed(rules: RuleSet) -> dict[str, Kept]:
    """For each rule that feeds a correlation: the fields that it has to keep.

    What a correlation of correlations groups by has to come up from below, where an alias of the
    lower one may give it another name.
    """
    names: dict[str, Kept] = {}
    by_id = {correlation.meta.id: correlation for correlation in rules.correlations}

    def keep(rule: str, texts: set[str], counted: set[str]) -> None:
        below = by_id.get(rule)
        if below is not None:
            texts, counted = texts | counted, set()
        kept = names.setdefault(rule, Kept(set(), set()))
        kept.texts.update(texts)
        kept.counted.update(counted)
        if below is None:
            return
        for source in below.inputs:
            renamed = {
                name.lower(): own.lower()
                for name, own in zip(below.group, source.keys, strict=True)
            }
            keep(source.rule, {renamed.get(name, name) for name in texts}, set())

    for correlation in rules.correlations:
        fields = {name.lower() for name in correlation.fields}
        summed = fields if correlation.type in _SUMS else set()
        for source in correlation.inputs:
            keep(source.rule, {name.lower() for name in source.keys} | summed, fields - summed)
    return names

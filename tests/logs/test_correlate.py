"""Correlations against a slow and obvious reading: every window looked at on its own."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsproof.evidence.model import Severity
from opsproof.logs import aside, distinct
from opsproof.logs.correlate import Bursts, Entries, Found, found, windows
from opsproof.logs.joins import Joined, join
from opsproof.logs.rules.compiled import Correlation, Input, Meta
from opsproof.logs.rules.load import compile_texts
from opsproof.logs.series import combined, digest
from opsproof.logs.store import Names, Store
from opsproof.logs.table import TableBuilder

META = Meta("id", "", {"en": "t"}, Severity.LOW, "", "", "", {}, (), (), (), (), True)


class Row(NamedTuple):
    group: int
    time: int
    input: int
    value: int


_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
}


def correlation(kind: str, *, inputs: int = 1, **fields: Any) -> Correlation:
    names = tuple(Input(str(number), ()) for number in range(inputs))
    return Correlation(META, cast("Any", kind), names, (), **fields)


def slow(asked: Correlation, rows: Sequence[Row]) -> list[set[int]]:
    """The bursts as sets of row numbers: for every row its window, then windows that share a row."""
    found: list[set[int]] = []
    for number, row in enumerate(rows):
        window = [
            other
            for other in range(number + 1)
            if rows[other].group == row.group and rows[other].time >= row.time - asked.span
        ]
        chosen = _holds(asked, rows, window)
        if chosen is not None:
            found.append(chosen)
    merged: list[set[int]] = []
    for part in found:
        touching = [one for one in merged if one & part]
        merged = [one for one in merged if not one & part]
        merged.append(set.union(part, *touching))
    return sorted(merged, key=min)


def _holds(asked: Correlation, rows: Sequence[Row], window: list[int]) -> set[int] | None:
    """The part of the window that counts, if it fulfils the condition."""
    ends = [(asked.op, asked.count), *([asked.upper] if asked.upper else [])]

    def holds(measured: float) -> bool:
        return all(_OPERATORS[op](measured, count) for op, count in ends)

    values = [rows[number].value for number in window]
    if asked.type == "temporal_ordered":
        return _chain(asked, rows, window)
    if asked.type == "temporal":
        latest = {rows[number].input: number for number in window}
        tree = asked.expression
        good = holds(len(latest)) if tree is None else _true(tree, set(latest))
        return set(range(min(latest.values()), window[-1] + 1)) if good else None
    measured = {
        "event_count": len(window),
        "value_count": len(set(values)),
        "value_sum": sum(values),
        "value_avg": sum(values) / len(values),
        "value_percentile": sorted(values)[
            max(1, math.ceil(asked.percentile * len(values) / 100)) - 1
        ],
    }[asked.type]
    return set(window) if holds(measured) else None


def _true(tree: Any, present: set[int]) -> bool:
    if isinstance(tree, int):
        return tree in present
    parts = [_true(part, present) for part in tree[1:]]
    return {"!": not parts[0], "&": all(parts), "|": any(parts)}[tree[0]]


def _chain(asked: Correlation, rows: Sequence[Row], window: list[int]) -> set[int] | None:
    """The latest chain in the asked order that ends with the window's last row."""
    tree = asked.expression or ["&", *range(len(asked.inputs))]
    last = len(window) - 1
    begins = [begin for begin, end in _chains_of(tree, rows, window, asked.span) if end == last]
    return set(range(window[max(begins)], window[-1] + 1)) if begins else None


def _chains_of(
    tree: Any, rows: Sequence[Row], window: list[int], span: int
) -> set[tuple[int, int]]:
    """All chains of a tree within a window: places of the first and the last row."""
    places = range(len(window))
    if isinstance(tree, int):
        return {(at, at) for at in places if rows[window[at]].input == tree}
    if tree[0] == "|":
        return set.union(*(_chains_of(part, rows, window, span) for part in tree[1:]))
    found: set[tuple[int, int]] | None = None
    unwanted: set[int] = set()

    def free(begin: int) -> bool:
        first = rows[window[begin]]
        return not any(
            row.input in unwanted_inputs
            for row in rows[: window[begin]]
            if row.group == first.group and row.time >= first.time - span
        )

    unwanted_inputs: list[int] = []
    for part in tree[1:]:
        if isinstance(part, list) and part[0] == "!":
            inner = part[1] if isinstance(part[1], list) else ["|", part[1]]
            unwanted |= {at for at in places if rows[window[at]].input in inner[1:]}
            unwanted_inputs += inner[1:]
            continue
        new = _chains_of(part, rows, window, span)
        if found is None:
            found = {one for one in new if free(one[0])}
        else:
            found = {
                (begin, last)
                for begin, end in found
                for start, last in new
                if start > end and not any(begin < at < start for at in unwanted)
            }
        unwanted, unwanted_inputs = set(), []
    return found or set()


def fast(asked: Correlation, rows: Sequence[Row]) -> list[set[int]]:
    return [set(range(one.start, one.stop)) for one in told(asked, rows)]


def told(asked: Correlation, rows: Sequence[Row]) -> list[Found]:
    columns = [np.array([row[place] for row in rows], dtype=np.int64) for place in range(4)]
    entries = Entries.of(aside.folder(), *columns)
    merged = Bursts(entries, windows(asked, entries))
    every = [
        one for block in merged.blocks() for one in zip(*map(np.ndarray.tolist, block), strict=True)
    ]
    assert len(every) == len(merged)
    return [found(asked, entries, *one) for one in every]


_rows = st.lists(
    st.builds(Row, st.integers(0, 2), st.integers(0, 30), st.integers(0, 2), st.integers(0, 5)),
    max_size=25,
).map(sorted)
_counted = st.builds(
    lambda kind, op, count, span, percentile, upper: correlation(
        kind, inputs=3, op=op, count=count, span=span, percentile=percentile, upper=upper
    ),
    st.sampled_from(
        ["event_count", "value_count", "value_sum", "value_avg", "value_percentile", "temporal"]
    ),
    st.sampled_from(sorted(_OPERATORS)),
    st.integers(0, 8),
    st.integers(0, 12),
    st.sampled_from([0, 1, 50, 90, 99, 100]),
    st.none() | st.tuples(st.sampled_from(["lt", "le"]), st.integers(0, 8)),
)
_expressions = st.sampled_from(
    [None, ["&", 0, 1], ["|", ["&", 0, 1], 2], ["&", 0, ["!", 2]], ["&", ["|", 0, 1], ["!", 2]]]
)
_ORDERS = [
    ["|", ["&", 0, 1], ["&", 1, 2]],
    ["&", 0, ["|", 1, 2]],
    ["&", ["|", ["&", 0, 1], 2], 1],
    ["&", 0, ["!", 1], 2],
    ["&", ["!", 0], 1],
    ["&", ["!", ["|", 0, 2]], 1, ["!", 0], 2, 1],
    ["&", 0, 1, ["!", 0], 2],
    ["|", 0, ["&", ["!", 1], 2]],
    ["&", 0, 1, 0],
    ["&", 0, 0],
    ["&", ["&", ["!", 0], 1], 2],
    ["&", ["!", 0], ["|", 1, ["&", 2, 1]]],
]
_orders = st.sampled_from(_ORDERS)
_ordered = st.builds(
    lambda span, expression: correlation(
        "temporal_ordered", inputs=3, span=span, expression=expression
    ),
    st.integers(0, 12),
    _orders,
)
_chains = st.builds(
    lambda kind, inputs, span, expression: correlation(
        kind,
        inputs=3 if expression and kind == "temporal" else inputs,
        count=inputs,
        span=span,
        expression=expression if kind == "temporal" else None,
    ),
    st.sampled_from(["temporal", "temporal_ordered"]),
    st.integers(1, 3),
    st.integers(0, 12),
    _expressions,
)


@pytest.fixture(
    params=[False, True], ids=["at once", "a few at a time"], autouse=True, scope="module"
)
def few(request: pytest.FixtureRequest) -> Iterator[None]:
    """The same with many entries, of which only a few are in memory at a time."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param:
            patch.setattr(aside, "STEP", 3)
            patch.setattr(aside, "_KEPT", 1)
            patch.setattr(aside, "_RUN", 100)
            patch.setattr(distinct, "_MOST", 2)
        yield


@settings(max_examples=80, deadline=None)
@given(_counted, _rows)
def test_counts_agree_with_the_slow_reading(asked: Correlation, rows: list[Row]) -> None:
    assert fast(asked, rows) == slow(asked, rows)


@settings(max_examples=120, deadline=None)
@given(_chains | _ordered, _rows)
def test_chains_agree_with_the_slow_reading(asked: Correlation, rows: list[Row]) -> None:
    rows = [row for row in rows if row.input < len(asked.inputs)]
    assert fast(asked, rows) == slow(asked, rows)


@pytest.mark.parametrize("expression", _ORDERS, ids=str)
def test_orders_agree_on_many_crowded_windows(expression: Any) -> None:
    source = random.Random(str(expression))  # noqa: S311 - test data, no secret
    bursts = 0
    for _ in range(150):
        rows = sorted(
            Row(source.randrange(2), source.randrange(25), source.randrange(3), 0)
            for _ in range(source.randrange(3, 16))
        )
        asked = correlation("temporal_ordered", inputs=3, span=6, expression=expression)
        expected = slow(asked, rows)
        bursts += len(expected)
        assert fast(asked, rows) == expected
    assert bursts


def _events(*times: int) -> list[Row]:
    return [Row(0, time, 0, 0) for time in times]


def test_window_includes_both_ends() -> None:
    asked = correlation("event_count", count=3, span=300)
    assert fast(asked, _events(0, 150, 300)) == [{0, 1, 2}]
    assert fast(asked, _events(0, 150, 301)) == []


def test_overlapping_windows_are_one_burst_with_its_peak() -> None:
    asked = correlation("event_count", count=3, span=10)
    rows = _events(0, 5, 10, 11, 12, 40, 41, 42)
    assert told(asked, rows) == [Found(0, 5, 4), Found(5, 8, 3)]


def test_spans_too_long_for_64_bits_are_right_too() -> None:
    year = 31_556_952 * 1_000_000
    asked = correlation("event_count", count=2, span=year * 300_000)
    rows = [Row(0, 0, 0, 0), Row(0, year, 0, 0), Row(1, 0, 0, 0)]
    assert fast(asked, rows) == [{0, 1}]


@pytest.mark.parametrize(("percentile", "expected"), [(50, 3), (90, 9), (100, 9)])
def test_peak_of_a_percentile_is_that_of_the_burst(percentile: int, expected: int) -> None:
    asked = correlation("value_percentile", count=1, span=100, percentile=percentile)
    rows = [Row(0, time, 0, value) for time, value in enumerate([1, 2, 3, 4, 9])]
    (burst,) = told(asked, rows)
    assert burst.peak == expected


def _compiled(kind: str, condition: str, rules: str = "[a, b, c]") -> Correlation | str:
    """The correlation of three rules, or why it does not run."""
    texts = [
        f"title: {name}\nname: {name}\nlogsource: {{category: webserver}}\n"
        f"detection: {{s: {{x: {name}}}, condition: s}}\n"
        for name in "abc"
    ]
    texts.append(
        f"title: t\ncorrelation:\n  type: {kind}\n  rules: {rules}\n  timespan: 5m\n"
        f"  condition: {condition}\n"
    )
    content = "---\n".join(texts).encode()
    rule_set = compile_texts([("rules.yml", content)])
    if rule_set.rejected:
        return rule_set.rejected[0].detail
    (found,) = rule_set.correlations
    return found


def test_order_is_that_of_the_expression() -> None:
    found = _compiled("temporal_ordered", "c and not b and a")
    assert isinstance(found, Correlation)
    assert found.expression == ["&", 0, ["!", 1], 2]
    names = [one.rule for one in found.inputs]
    nested = _compiled("temporal_ordered", "c and (not b and a)")
    assert isinstance(nested, Correlation)
    assert nested.expression == found.expression
    plain = _compiled("temporal_ordered", "c and b and a")
    assert isinstance(plain, Correlation)
    assert [one.rule for one in plain.inputs] == names


def test_a_range_is_two_criteria_side_by_side() -> None:
    """The specification's own example, "101 to 200"."""
    found = _compiled("event_count", "{gt: 100, lte: 200}", "[a]")
    assert isinstance(found, Correlation)
    assert (found.op, found.count, found.upper) == ("gt", 100, ("le", 200))
    rows = [Row(0, 0, 0, 0)] * 250
    [burst] = told(correlation("event_count", span=0, op="gt", count=100, upper=("le", 200)), rows)
    assert (burst.start, burst.stop, burst.peak) == (0, 200, 200)


@pytest.mark.parametrize(
    ("kind", "condition", "why"),
    [
        ("temporal_ordered", "{gte: 1, lte: 2}", "a range of how many rules come in order"),
        ("event_count", "{gte: 1, gt: 2}", "exactly one condition item"),
        ("event_count", "{gte: 1, lte: many}", "is no whole number"),
        ("event_count", "{gte: 1, eq: 2}", "exactly one condition item"),
    ],
)
def test_two_criteria_that_are_no_range_are_refused(kind: str, condition: str, why: str) -> None:
    refused = _compiled(kind, condition)
    assert isinstance(refused, str)
    assert why in refused


def test_some_of_the_rules_in_their_order() -> None:
    found = _compiled("temporal_ordered", "{gte: 2}")
    assert isinstance(found, Correlation)
    assert found.expression == ["|", ["&", 0, 1], ["&", 0, 2], ["&", 1, 2]]
    every = _compiled("temporal_ordered", "{gt: 2}")
    assert isinstance(every, Correlation)
    assert every.expression is None


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("a and b and not c", "'not' at the end would have to wait"),
        ("a and not (b and c) and b", "'not' stands before a rule"),
        ("not a or b or c", "'not' stands before a rule"),
        ("a and (b or not a and c)", "'not' stands before a rule"),
        ("{lte: 2}", "of 3 rules in order it asks for le 2"),
        ("{gte: 4}", "of 3 rules in order it asks for ge 4"),
    ],
)
def test_orders_that_cannot_be_told_are_named(condition: str, why: str) -> None:
    found = _compiled("temporal_ordered", condition)
    assert isinstance(found, str)
    assert why in found


def store(**names: Names) -> Store:
    return Store(names)


def find(one: Store, rule: str, values: Sequence[str | None]) -> None:
    """One finding a minute, with these values of the field "path", of one address."""
    builder = TableBuilder(0, None)
    for number, value in enumerate(values):
        fields = {"ip": "192.0.2.1"} if value is None else {"ip": "192.0.2.1", "path": value}
        builder.add(number * 60_000_000, number, fields)
    table = builder.build(lambda _: {})
    one.add(rule, table, np.arange(table.size, dtype=np.int32), 0)
    one.settle()


def values_of(joined: Joined) -> list[tuple[int, int]]:
    half = joined.entries.half
    assert half is not None
    size = len(joined.entries)
    pairs = zip(joined.entries.value.read(0, size), half.read(0, size), strict=True)
    return [(int(one), int(other)) for one, other in pairs]


def test_values_count_alike_as_digests_and_as_texts() -> None:
    """Another correlation may need the same field of one input as text, and count that of another."""
    found = store(digests=Names(("ip",), ("path",)), texts=Names(("ip", "path")))
    find(found, "digests", ["/A", "/b", None, "/a", "\ud800"])
    find(found, "texts", ["/B", "/c", None, "\ud800"])
    inputs = (Input("digests", ("ip",)), Input("texts", ("ip",)))
    asked = Correlation(META, "value_count", inputs, ("ip",), 10**9, fields=("path",))
    joined = join(asked, found, ["digests", "texts"], found.folder)
    assert joined is not None
    assert len(values_of(joined)) == 7
    assert len(set(values_of(joined))) == 4


def test_values_that_are_only_counted_are_not_kept_as_texts() -> None:
    found = store(rule=Names(("ip",), ("path",)))
    find(found, "rule", [f"/{number}" for number in range(100)])
    assert sum(len(found.pool(number)) for number in range(len(found))) < 10


def test_digests_of_which_one_half_is_the_same_are_not_the_same() -> None:
    found = store(rule=Names((), ("path",)))
    find(found, "rule", ["/a"] * 4)
    halves = iter([1, 1, 1, 2, 2, 1, 1, 1])
    for number in range(len(found)):
        series = found.series(number, "rule")
        series.digests["path"] = array("q", [next(halves) for _ in series.digests["path"]])
    asked = Correlation(META, "value_count", (Input("rule", ()),), (), 10**9, fields=("path",))
    joined = join(asked, found, ["rule"], found.folder)
    assert joined is not None
    first, second, third, again = values_of(joined)
    assert len({first, second, third}) == 3
    assert again == first


def test_several_values_together_are_as_distinct_as_their_pairs() -> None:
    one = np.array([digest("a"), digest("a"), digest("b"), digest("A")], dtype=np.int64)
    other = np.array([digest("x"), digest("y"), digest("x"), digest("X")], dtype=np.int64)
    both = list(map(tuple, combined([one, other]).tolist()))
    assert both[0] == both[3]
    assert len(set(both)) == 3

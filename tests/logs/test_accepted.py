"""Accepted hits are found by index; a slow and obvious reading compares every entry with every hit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fnmatch import fnmatchcase
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsproof.logs import accepted
from opsproof.logs.accepted import Accepted
from opsproof.logs.baseline import literal
from opsproof.logs.suppress import Suppression

NAMES = ["Computer", "CommandLine", "c-ip", "C-IP"]
HITS = ["", "HIT-1", "HIT-2"]


def slow(chosen: Sequence[Suppression], fields: dict[str, str], own: str) -> Suppression | None:
    """The first that fits: all fields as they are, or with spaces for what cannot be printed."""
    lowered = {name.lower(): value.lower() for name, value in fields.items()}

    def fits(name: str, wanted: str) -> bool:
        value = lowered.get(name.lower())
        if value is None:
            return False
        shown = "".join(one if one.isprintable() else " " for one in value)
        return any(fnmatchcase(one, wanted.lower()) for one in (value, shown))

    return next(
        (
            one
            for one in chosen
            if one.hit in {"", own} and all(fits(*pair) for pair in one.match.items())
        ),
        None,
    )


def entry(number: int, match: dict[str, str], hit: str = "") -> Suppression:
    return Suppression(str(number), "*", "li.si", "known", date(2026, 6, 30), match, hit)


_values = st.text("aAbİ*?[]!^-\\\n é", max_size=6)
_patterns = _values | _values.map(literal)
_entries = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(NAMES), _patterns, max_size=2), st.sampled_from(HITS)
    ),
    max_size=12,
).map(lambda pairs: [entry(number, *pair) for number, pair in enumerate(pairs)])


@settings(max_examples=100, deadline=None)
@given(_entries, st.data())
def test_the_index_agrees_with_the_slow_reading(
    chosen: list[Suppression], data: st.DataObject
) -> None:
    index = Accepted(chosen)
    # Values that entries name, so that some fit.
    named = [value for one in chosen for value in one.match.values()]
    values = st.sampled_from(named) | _values if named else _values
    for _ in range(4):
        fields = data.draw(st.dictionaries(st.sampled_from(NAMES), values, max_size=4))
        own = data.draw(st.sampled_from(HITS[1:]))
        assert index.first(fields, partial(str, own)) == slow(chosen, fields, own)


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ("run {}", "run {}"),
        ("run {} password=[[]redacted]*", "run {} password=[redacted] more"),
        ("{}[*]*", "{}* more"),
    ],
)
def test_of_many_entries_few_are_compared(
    monkeypatch: pytest.MonkeyPatch, wanted: str, line: str
) -> None:
    """A list of all that is there has an entry for each hit: each with each would take hours."""
    chosen = [
        entry(number, {"Computer": "srv1", "CommandLine": wanted.format(f"{number:05}")})
        for number in range(2000)
    ]
    compared = 0
    fits = accepted._Entry.fits

    def counted(self: accepted._Entry, *told: dict[str, str]) -> bool:
        nonlocal compared
        compared += 1
        return fits(self, *told)

    monkeypatch.setattr(accepted._Entry, "fits", counted)
    index = Accepted(chosen)
    for number in range(0, 2000, 100):
        told = {"Computer": "SRV1", "CommandLine": line.format(f"{number:05}")}
        assert index.first(told) == chosen[number]
    assert compared < 20 * 20

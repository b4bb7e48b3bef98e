from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.controls.conditions import (
    SHOWN,
    Combined,
    Compare,
    Condition,
    MissingFactError,
    Quantified,
    holds,
    observed,
)

FACTS: dict[str, Any] = {
    "n": 10,
    "big": str(2**60),
    "flag": True,
    "text": "Started",
    "empty": [],
    "ports": [80, 443],
    "nothing": None,
    "os": {"build": "10.0.20348"},
    "disks": [{"letter": "C:", "free": 9}, {"letter": "D:", "free": 50}],
}


def compare(path: str, operator: str, value: Any) -> Compare:
    return Compare(path, operator, value)


@pytest.mark.parametrize(
    ("path", "operator", "value", "result"),
    [
        ("n", "equals", 10, True),
        ("n", "equals", "10", False),
        ("flag", "equals", True, True),
        ("flag", "equals", 1, False),
        ("n", "not_equals", 9, True),
        ("n", "at_least", 10, True),
        ("n", "at_least", 11, False),
        ("n", "at_most", 10, True),
        ("n", "at_most", 9, False),
        ("big", "at_least", 2**59, True),
        ("big", "equals", 2**60, True),
        ("text", "one_of", ["Started", "Starting"], True),
        ("text", "one_of", ["Stopped"], False),
        ("text", "contains", "START", True),
        ("ports", "contains", 443, True),
        ("ports", "contains", "443", False),
        ("ports", "equals", [80, 443], True),
        ("os", "equals", {"build": "10.0.20348"}, True),
        ("os.build", "equals", "10.0.20348", True),
        ("empty", "empty", True, True),
        ("ports", "empty", True, False),
        ("ports", "empty", False, True),
        ("text", "present", True, True),
        ("nothing", "present", True, False),
        ("nothing", "absent", True, True),
        ("a.b.c", "absent", True, True),
        ("text", "absent", False, True),
    ],
)
def test_operators(path: str, operator: str, value: Any, result: bool) -> None:
    assert holds(compare(path, operator, value), FACTS) is result


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (compare("gone", "equals", 1), "the fact 'gone' is missing"),
        (compare("nothing", "equals", 1), "the fact 'nothing' was not collected"),
        (compare("os.build.x", "equals", 1), "the fact 'os.build.x' is missing"),
        (compare("text", "at_least", 1), "the fact 'text' is not a number"),
        (compare("flag", "at_least", 1), "the fact 'flag' is not a number"),
        (compare("n", "contains", 1), "the fact 'n' is neither a list nor text"),
        (compare("n", "empty", True), "the fact 'n' has no length"),
        (
            Quantified("every", "empty", None, compare(".", "equals", 1), 1),
            "the list 'empty' has 0 elements, 1 needed",
        ),
        (
            Quantified("none", "text", None, compare(".", "equals", 1), 0),
            "the fact 'text' is not a list",
        ),
        (
            Quantified("every", "disks", None, compare("size", "at_least", 1), 1),
            "the fact 'size' is missing",
        ),
    ],
)
def test_silence_is_an_error_and_never_a_pass(condition: Condition, text: str) -> None:
    with pytest.raises(MissingFactError) as caught:
        holds(condition, FACTS)
    assert str(caught.value) == text


def quantified(word: str, least: int = 0, where: Condition | None = None) -> Quantified:
    return Quantified(word, "disks", where, compare("free", "at_least", 10), least)


def test_quantifiers() -> None:
    system = compare("letter", "equals", "C:")
    data = compare("letter", "equals", "D:")
    assert [holds(quantified(word), FACTS) for word in ("every", "some", "none")] == [
        False,
        True,
        False,
    ]
    assert holds(quantified("every", where=data), FACTS)
    assert holds(quantified("none", where=system), FACTS)
    assert not holds(quantified("some", where=system), FACTS)


def test_an_unknown_part_matters_only_where_the_others_do_not_decide() -> None:
    yes, no, unknown = (
        compare("n", "equals", 10),
        compare("n", "equals", 11),
        compare("gone", "equals", 1),
    )
    assert holds(Combined("any", (unknown, yes)), FACTS)
    assert not holds(Combined("all", (unknown, no)), FACTS)
    for undecided in (Combined("any", (unknown, no)), Combined("all", (unknown, yes))):
        with pytest.raises(MissingFactError):
            holds(undecided, FACTS)
    with pytest.raises(MissingFactError):
        holds(Combined("not", (unknown,)), FACTS)
    assert holds(Combined("not", (no,)), FACTS)


def test_observed_shows_what_decided() -> None:
    both = Combined("all", (quantified("every"), compare("n", "equals", 11)))
    assert observed(both, FACTS) == {
        "disks": {"elements": 2, "offending": 1, "shown": [{"letter": "C:", "free": 9}]},
        "n": 10,
    }


def test_observed_is_bounded_and_the_count_complete() -> None:
    facts = {"disks": [{"free": n % 5} for n in range(1000)]}
    seen = observed(quantified("every"), facts)["disks"]
    assert (seen["elements"], seen["offending"], len(seen["shown"])) == (1000, 1000, SHOWN)


NUMBERS = st.lists(st.integers(0, 20), max_size=6)


@given(NUMBERS)
def test_quantifiers_agree_with_each_other(numbers: list[int]) -> None:
    facts = {"disks": [{"free": number} for number in numbers]}
    low = Combined("not", (compare("free", "at_least", 10),))
    every, some, none = (holds(quantified(word), facts) for word in ("every", "some", "none"))
    assert some is not none
    assert every is (not holds(Quantified("some", "disks", None, low, 0), facts))
    assert observed(quantified("every"), facts)["disks"]["offending"] == sum(
        n < 10 for n in numbers
    )

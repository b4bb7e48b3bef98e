"""The closed set of tests on facts, and how they are evaluated.

A condition is one of::

    {path: a.b, OPERATOR: value}             equals not_equals at_least at_most one_of contains
    {path: a.b, present|absent|empty: true}  (or false)
    {all: [...]}  {any: [...]}  {not: {...}}
    {every|some|none: path, where: {...}, holds: {...}, least: N}   over a list

A path is keys joined by dots; ``.`` is the value itself (for lists of plain values). Inside
``where`` and ``holds`` paths start at the element. A fact that is null was not collected, one that
is missing is an error: every operator but ``present`` and ``absent`` then raises
:class:`NotCollectedError` or :class:`MissingFactError`, so that silence never passes. ``every``
over fewer than ``least`` elements (1 when not given) is an error for the same reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from opsproof.errors import OpsproofError
from opsproof.evidence.canonical import whole_number
from opsproof.evidence.model import Json

SHOWN = 20
"""How many offending elements a finding shows; the count is always complete."""


class MissingFactError(OpsproofError):
    """A fact that the test needs is not there."""


class NotCollectedError(MissingFactError):
    """The collector says by a null that it did not look (check mode, for one)."""


@dataclass(frozen=True, slots=True)
class Compare:
    """One operator on one fact."""

    path: str
    operator: str
    value: Json


@dataclass(frozen=True, slots=True)
class Combined:
    """``all``, ``any`` or ``not`` of conditions."""

    word: str
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Quantified:
    """``every``, ``some`` or ``none`` of a list's elements that fit ``where``."""

    word: str
    path: str
    where: Condition | None
    holds: Condition
    least: int


Condition: TypeAlias = Compare | Combined | Quantified


def same(left: Json, right: Json) -> bool:
    """Equality of JSON values: true is not 1, lists and mappings by their parts."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    left_number, right_number = whole_number(left), whole_number(right)
    if left_number is not None and right_number is not None:
        return left_number == right_number
    return bool(left == right)


def _number(value: Json, path: str) -> int:
    number = whole_number(value)
    if number is None:
        raise MissingFactError(f"the fact {path!r} is not a number")
    return number


def _contains(fact: Json, value: Json, path: str) -> bool:
    if isinstance(fact, list):
        return any(same(item, value) for item in fact)
    if isinstance(fact, str) and isinstance(value, str):
        return value.casefold() in fact.casefold()
    raise MissingFactError(f"the fact {path!r} is neither a list nor text")


def _empty(fact: Json, value: Json, path: str) -> bool:
    if not isinstance(fact, (list, dict, str)):
        raise MissingFactError(f"the fact {path!r} has no length")
    return (len(fact) == 0) is value


OPERATORS: Mapping[str, Callable[[Json, Json, str], bool]] = {
    "equals": lambda fact, value, _path: same(fact, value),
    "not_equals": lambda fact, value, _path: not same(fact, value),
    "at_least": lambda fact, value, path: _number(fact, path) >= value,
    "at_most": lambda fact, value, path: _number(fact, path) <= value,
    "one_of": lambda fact, value, _path: any(same(fact, item) for item in value),
    "contains": _contains,
    "empty": _empty,
}
PRESENCE = ("present", "absent")


def holds(condition: Condition, facts: Json) -> bool:
    """Whether the facts fulfil the condition.

    Unknown parts follow Kleene's logic: a missing fact does not matter where the other parts
    decide alone, as in ``any: [{path: a, absent: true}, {path: a, at_least: 3}]``.

    Raises:
        MissingFactError: the facts do not say.
    """
    match condition:
        case Compare():
            return _compare(condition, facts)
        case Combined("not", parts):
            return not holds(parts[0], facts)
        case Combined(word, parts):
            return _decide([(part, facts) for part in parts], decisive=word == "any")
        case Quantified():
            elements = [(condition.holds, element) for element in _chosen(condition, facts)]
            found = _decide(elements, decisive=condition.word != "every")
            return found is (condition.word != "none")


def observed(condition: Condition, facts: Json) -> Json:
    """The facts that decided, by path; for lists the offending elements and how many there are."""
    seen: dict[str, Json] = {}
    _collect(condition, facts, seen)
    return seen


def lookup(facts: Json, path: str) -> Json:
    """The fact at a path; None when it is missing."""
    value = facts
    if path == ".":
        return value
    for key in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _fact(facts: Json, path: str) -> Json:
    value = facts
    for key in [] if path == "." else path.split("."):
        if not isinstance(value, dict) or key not in value:
            raise MissingFactError(f"the fact {path!r} is missing")
        value = value[key]
        if value is None:
            raise NotCollectedError(f"the fact {path!r} was not collected")
    return value


def _compare(condition: Compare, facts: Json) -> bool:
    if condition.operator in PRESENCE:
        there = lookup(facts, condition.path) is not None
        return (there if condition.operator == "present" else not there) is condition.value
    fact = _fact(facts, condition.path)
    return OPERATORS[condition.operator](fact, condition.value, condition.path)


def _decide(pairs: list[tuple[Condition, Json]], *, decisive: bool) -> bool:
    """``decisive`` as soon as one pair gives it, else its opposite; unknown when a pair is."""
    unknown: MissingFactError | None = None
    for condition, facts in pairs:
        try:
            if holds(condition, facts) is decisive:
                return decisive
        except MissingFactError as error:
            unknown = unknown or error
    if unknown:
        raise unknown
    return not decisive


def _chosen(condition: Quantified, facts: Json) -> list[Json]:
    elements = _fact(facts, condition.path)
    if not isinstance(elements, list):
        raise MissingFactError(f"the fact {condition.path!r} is not a list")
    if len(elements) < condition.least:
        raise MissingFactError(
            f"the list {condition.path!r} has {len(elements)} elements, {condition.least} needed"
        )
    where = condition.where
    return [element for element in elements if where is None or holds(where, element)]


def _collect(condition: Condition, facts: Json, seen: dict[str, Json]) -> None:
    match condition:
        case Compare(path):
            seen[path] = lookup(facts, path)
        case Combined(_, parts):
            for part in parts:
                _collect(part, facts, seen)
        case Quantified(_, path):
            seen[path] = _offending(condition, facts)


def _offending(condition: Quantified, facts: Json) -> Json:
    """What a reader needs to see of a list: how many elements, which ones are wrong."""
    try:
        chosen = _chosen(condition, facts)
        wrong = [
            element
            for element in chosen
            if condition.word != "some"
            and holds(condition.holds, element) is (condition.word == "none")
        ]
    except MissingFactError as error:
        return {"error": str(error)}
    return {"elements": len(chosen), "offending": len(wrong), "shown": wrong[:SHOWN]}


def as_json(condition: Condition) -> dict[str, Any]:
    """The condition as it is written in a control."""
    match condition:
        case Compare(path, operator, value):
            return {"path": path, operator: value}
        case Combined(word, parts):
            inner = [as_json(part) for part in parts]
            return {word: inner[0] if word == "not" else inner}
        case Quantified(word, path, where, inside, least):
            written: dict[str, Any] = {word: path, "holds": as_json(inside), "least": least}
            return written | ({} if where is None else {"where": as_json(where)})

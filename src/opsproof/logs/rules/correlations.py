"""From one Sigma correlation rule that pySigma has parsed to its compiled form.

Sigma Correlation Rules Specification, version 2.1: types, timespan, group-by, aliases, conditions
(basic and extended).
"""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Any, Literal, cast

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionNOT,
    CorrelationConditionOR,
    SigmaCorrelationCondition,
    SigmaCorrelationRule,
    SigmaCorrelationType,
    SigmaExtendedCorrelationCondition,
)

from opsproof.logs.rules.compile import UnsupportedError
from opsproof.logs.rules.compiled import Correlation, Input, Meta, Tree

_Type = Literal[
    "event_count",
    "value_count",
    "value_sum",
    "value_avg",
    "value_percentile",
    "temporal",
    "temporal_ordered",
]

_OPERATORS = {"LT": "lt", "LTE": "le", "GT": "gt", "GTE": "ge", "EQ": "eq", "NEQ": "ne"}

_MEDIAN = 50
_MOST_CHOICES = 200
_MOST = 1 << 63


def references(rule: SigmaCorrelationRule) -> list[str]:
    """The names or ids of the rules it refers to, in order."""
    if rule.rules is not None:
        return [reference.reference for reference in rule.rules]
    if isinstance(rule.condition, SigmaExtendedCorrelationCondition):
        return rule.condition.get_referenced_rules()
    return []


def compile_correlation(
    meta: Meta,
    rule: SigmaCorrelationRule,
    known: dict[str, str],
    upper: tuple[str, int] | None = None,
) -> Correlation:
    """``known`` gives the id of every rule by name and id, ``upper`` is that of :func:`split_range`.

    Raises :class:`UnsupportedError` where the rule asks for what the specification does not define.
    """
    names = references(rule)
    if not names:
        raise UnsupportedError("it refers to no rule")
    if isinstance(rule.condition, SigmaExtendedCorrelationCondition):
        # As they stand in the expression: for what is ordered this is the order.
        names = list(dict.fromkeys(_named(rule.condition.parsed)))
    inputs = tuple(Input(known[name], _keys(rule, name)) for name in names)
    condition = rule.condition
    span = rule.timespan.seconds * 1_000_000
    _bound("timespan", span)
    if upper is not None:
        _bound("condition", upper[1])
    if upper is not None and rule.type is SigmaCorrelationType.TEMPORAL_ORDERED:
        raise UnsupportedError("a range of how many rules come in order is not evaluated")
    percentile = _MEDIAN
    op, count = "ge", 1
    fields: tuple[str, ...] = ()
    expression: Tree = None
    kind = rule.type.name.lower()
    if kind == "value_median":
        kind = "value_percentile"
    if isinstance(condition, SigmaExtendedCorrelationCondition):
        expression = _expression(condition.parsed, names)
        if kind == "temporal_ordered":
            expression = _flat(expression)
            _check_order(expression)
    elif isinstance(condition, SigmaCorrelationCondition):
        op, count = _OPERATORS[condition.op.name], condition.count
        _bound("condition", count)
        fields = _fields(condition)
        if rule.type is SigmaCorrelationType.VALUE_PERCENTILE:
            if condition.percentile is None or not 0 <= condition.percentile <= 100:
                raise UnsupportedError("value_percentile needs a percentile from 0 to 100")
            percentile = condition.percentile
        if kind == "temporal_ordered":
            expression = _some_in_order(len(names), op, count)
    return Correlation(
        meta=meta,
        type=cast("_Type", kind),
        inputs=inputs,
        group=tuple(rule.group_by or ()),
        span=span,
        op=op,
        count=count,
        fields=fields,
        percentile=percentile,
        expression=expression,
        upper=upper,
    )


def _bound(name: str, value: int) -> None:
    """Raises :class:`UnsupportedError` for a number that 64 bits do not hold."""
    if abs(value) >= _MOST:
        raise UnsupportedError(f"its {name} is out of all measure")


def split_range(condition: Any) -> tuple[Any, tuple[str, int] | None]:
    """A condition without the upper end of its range, and that.

    "To define a range", says the specification ("Sigma Correlation Rules", Condition), two criteria
    stand side by side; pySigma 1 takes one. It also takes 0.5 for 0 and says nothing: raises
    :class:`UnsupportedError` for what is no whole number.
    """
    if not isinstance(condition, dict):
        return condition, None
    for name, value in condition.items():
        if name != "field" and type(value) is not int:
            raise UnsupportedError(f"{value!r} in its condition ({name}) is no whole number")
    lower, upper = (
        [key for key in keys if key in condition] for keys in (("gt", "gte"), ("lt", "lte"))
    )
    if len(lower) != 1 or len(upper) != 1:
        return condition, None
    rest = {key: value for key, value in condition.items() if key != upper[0]}
    return rest, (_OPERATORS[upper[0].upper()], condition[upper[0]])


def _fields(condition: SigmaCorrelationCondition) -> tuple[str, ...]:
    named = condition.fieldref
    if named is None:
        return ()
    return tuple(named) if isinstance(named, list) else (named,)


def _keys(rule: SigmaCorrelationRule, name: str) -> tuple[str, ...]:
    """What one input calls the group-by fields: an alias may give each rule its own name."""
    keys = []
    for field in rule.group_by or ():
        alias = rule.aliases.aliases.get(field)
        mapping = (
            {reference.reference: own for reference, own in alias.mapping.items()} if alias else {}
        )
        if alias is not None and name not in mapping:
            raise UnsupportedError(f"the alias {field} has no field for the rule {name}")
        keys.append(mapping.get(name, field))
    return tuple(keys)


def _named(node: Any) -> list[str]:
    """The rules that an expression names, from left to right."""
    if isinstance(node, CorrelationConditionAND | CorrelationConditionOR | CorrelationConditionNOT):
        return [name for part in node.args for name in _named(part)]
    return [node.reference]


def _some_in_order(size: int, op: str, count: int) -> Tree:
    """``count`` or more of the rules, in their order; None for all of them.

    Raises :class:`UnsupportedError` where the condition asks for fewer than so many.
    """
    least = count + 1 if op == "gt" else count
    if op not in {"ge", "gt"} or not 0 < least <= size:
        raise UnsupportedError(f"of {size} rules in order it asks for {op} {count}")
    if least == size:
        return None
    if comb(size, least) > _MOST_CHOICES:
        raise UnsupportedError(f"{least} of {size} rules in order are too many choices")
    return ["|", *(["&", *some] for some in combinations(range(size), least))]


def _flat(tree: Tree) -> Tree:
    """Without parentheses that change nothing: ``a and (b and c)`` is ``a and b and c``."""
    if isinstance(tree, int):
        return tree
    parts: list[Tree] = []
    for part in map(_flat, tree[1:]):
        same = isinstance(part, list) and part[0] == tree[0] and tree[0] != "!"
        parts += part[1:] if same else [part]
    return [tree[0], *parts]


def _check_order(tree: Tree, *, part: bool = False, inner: bool = False) -> None:
    """Raises :class:`UnsupportedError` where ``not`` has no place in the order of the others.

    It has one before something that has to happen: only windows that end with a record are looked
    at, so that nothing happens afterwards cannot be said.
    """
    if isinstance(tree, int):
        return
    if tree[0] == "!":
        what = tree[1]
        plain = isinstance(what, int) or (
            what[0] == "|" and all(isinstance(one, int) for one in what[1:])
        )
        if inner or not part or not plain:
            raise UnsupportedError("in an order, 'not' stands before a rule and what follows it")
        return
    last = tree[-1]
    if tree[0] == "&" and isinstance(last, list) and last[0] == "!":
        raise UnsupportedError(
            "in an order, 'not' at the end would have to wait for what never comes"
        )
    for one in tree[1:]:
        _check_order(one, part=tree[0] == "&", inner=inner or (part and tree[0] == "|"))


def _expression(node: Any, names: list[str]) -> Tree:
    if isinstance(node, CorrelationConditionAND):
        return ["&", *[_expression(part, names) for part in node.args]]
    if isinstance(node, CorrelationConditionOR):
        return ["|", *[_expression(part, names) for part in node.args]]
    if isinstance(node, CorrelationConditionNOT):
        return ["!", _expression(node.args[0], names)]
    return names.index(node.reference)

"""From one rule that pySigma has parsed to a tree of atoms.

The meaning of every value type is that of the Sigma specification ("Sigma Rules Specification" and
its appendix on modifiers): texts are compared without case unless ``cased``, ``null`` matches a
field that is absent or empty (for Windows also ``-``, the way the event log writes "nothing"),
regular expressions find anywhere and heed case, keywords are found anywhere in the record's text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import re2
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.rule import SigmaRule
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
)

from opsproof.errors import OpsproofError
from opsproof.logs import globs
from opsproof.logs.atoms import DIGITS, expression, number
from opsproof.logs.readers.base import ANY_DATA, KIND
from opsproof.logs.rules.compiled import Atom, Tree
from opsproof.logs.rules.logsource import Selection
from opsproof.logs.table import RAW

_COMPARE = {
    CompareOperators.LT: "lt",
    CompareOperators.LTE: "le",
    CompareOperators.GT: "gt",
    CompareOperators.GTE: "ge",
}

_FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}


class UnsupportedError(OpsproofError):
    """A rule says something that cannot be evaluated here; the text says what."""


def _limit(value: float) -> str:
    """A number as records are compared with."""
    if number(str(value)) is None:
        raise UnsupportedError(
            f"it compares with {value}: over {DIGITS} digits, or with an exponent"
        )
    return str(value)


class Atoms:
    """Numbers atoms; the same atom of two rules gets one number and is evaluated once."""

    def __init__(self) -> None:
        """No atom yet."""
        self._numbers: dict[Atom, int] = {}

    def number(self, atom: Atom) -> int:
        """The atom's number."""
        return self._numbers.setdefault(atom, len(self._numbers))

    def listed(self) -> tuple[Atom, ...]:
        """All atoms by number."""
        return tuple(self._numbers)


def compile_rule(rule: SigmaRule, selection: Selection, atoms: Atoms) -> tuple[Tree, list[str]]:
    """The condition of a rule, its log source included, and the names of the fields it tests.

    Raises :class:`UnsupportedError`, or pySigma's ``SigmaError`` where the condition is wrong.
    """
    compiler = _Compiler(atoms, windows=selection.kind == "windows")
    alternatives = [
        compiler.node(condition.parsed) for condition in rule.detection.parsed_condition
    ]
    trees = [_source(selection, atoms), _join("|", alternatives)]
    return _join("&", trees), list(compiler.names)


def _source(selection: Selection, atoms: Atoms) -> Tree:
    own = ("sw", f"{ANY_DATA}:") if selection.kind == ANY_DATA else ("eq", selection.kind)
    kinds = [atoms.number(Atom(KIND, *own))]
    if not selection.alternatives:
        return kinds[0]
    either = []
    for channel, events in selection.alternatives:
        parts: list[Tree] = [atoms.number(Atom("channel", "eq", channel.lower()))]
        if events:
            ids = [atoms.number(Atom("eventid", "eq", str(event))) for event in events]
            parts.append(_join("|", ids))
        either.append(_join("&", parts))
    return _join("&", [*kinds, _join("|", either)])


def _join(operator: str, trees: Iterable[Tree]) -> Tree:
    parts: list[Tree] = []
    for tree in trees:
        if isinstance(tree, list) and tree[0] == operator:
            parts.extend(tree[1:])
        else:
            parts.append(tree)
    return parts[0] if len(parts) == 1 else [operator, *parts]


class _Compiler:
    """Walks one condition. ``names`` collects the fields in the rule's spelling."""

    def __init__(self, atoms: Atoms, *, windows: bool) -> None:
        self._atoms = atoms
        self._windows = windows
        self.names: dict[str, None] = {}

    def node(self, node: Any) -> Tree:
        """The tree of one node of pySigma's condition tree."""
        if node is None:
            raise UnsupportedError("its condition selects nothing")
        if isinstance(node, ConditionAND):
            return _join("&", [self.node(part) for part in node.args])
        if isinstance(node, ConditionOR):
            return _join("|", [self.node(part) for part in node.args])
        if isinstance(node, ConditionNOT):
            return ["!", self.node(node.args[0])]
        if isinstance(node, ConditionFieldEqualsValueExpression):
            self.names.setdefault(node.field)
            return self._value(node.field.lower(), node.value)
        if isinstance(node, ConditionValueExpression):
            return self._keyword(node.value)
        raise UnsupportedError(f"its condition has a {type(node).__name__}")

    def _atom(self, field: str, op: str, value: str = "", flags: str = "") -> Tree:
        return self._atoms.number(Atom(field, op, value, flags))

    def _value(self, field: str, value: Any) -> Tree:
        if isinstance(value, SigmaExpansion):
            return _join("|", [self._value(field, one) for one in value.values])
        if isinstance(value, SigmaString):
            return self._string(field, value, anywhere=False)
        if isinstance(value, SigmaTimestampPart):
            part = f"{value.timestamp_part.name.lower()}:{value.number}"
            return self._atom(field, "part", part)
        if isinstance(value, SigmaNumber):
            return self._atom(field, "eq", str(value.number))
        if isinstance(value, SigmaBool):
            return self._atom(field, "eq", str(value.boolean).lower())
        return self._special(field, value)

    def _special(self, field: str, value: Any) -> Tree:
        if isinstance(value, SigmaNull):
            empty: list[Tree] = [["!", self._atom(field, "ex")], self._atom(field, "eq", "")]
            if self._windows:
                empty.append(self._atom(field, "eq", "-"))
            return _join("|", empty)
        if isinstance(value, SigmaRegularExpression):
            flags = "".join(sorted(_FLAGS[flag] for flag in value.flags))
            if value.contains_placeholder():
                raise UnsupportedError("a placeholder in a regular expression has no value")
            pattern = str(value.regexp)
            try:
                expression(pattern, flags)
            except re2.error as error:
                text = f"no linear-time matcher can evaluate {pattern!r}: {error}"
                raise UnsupportedError(text) from error
            return self._atom(field, "re", pattern, flags)
        if isinstance(value, SigmaCIDRExpression):
            return self._atom(field, "cidr", str(value.network))
        if isinstance(value, SigmaCompareExpression):
            if value.op in _COMPARE:
                return self._atom(field, _COMPARE[value.op], _limit(value.number.number))
            return ["!", self._atom(field, "eq", str(value.number.number))]
        if isinstance(value, SigmaFieldReference):
            self.names.setdefault(value.field)
            flags = "s" * value.starts_with + "e" * value.ends_with
            return self._atom(field, "ref", value.field.lower(), flags)
        if isinstance(value, SigmaExists):
            tree = self._atom(field, "ex")
            return tree if value.exists else ["!", tree]
        raise UnsupportedError(f"it compares with a {type(value).__name__}")

    def _keyword(self, value: Any) -> Tree:
        if isinstance(value, SigmaExpansion):
            return _join("|", [self._keyword(one) for one in value.values])
        if isinstance(value, SigmaString):
            return self._string(RAW, value, anywhere=True)
        if isinstance(value, SigmaNumber):
            return self._atom(RAW, "in", str(value.number))
        if isinstance(value, SigmaRegularExpression):
            return self._special(RAW, value)
        raise UnsupportedError(f"it searches for a {type(value).__name__}")

    def _string(self, field: str, value: SigmaString, *, anywhere: bool) -> Tree:
        """Text with wildcards becomes the cheapest operation that means the same."""
        cased = "c" if isinstance(value, SigmaCasedString) else ""
        parts: list[str | None] = [None] if anywhere else []
        for part in value.s:
            if isinstance(part, Placeholder):
                raise UnsupportedError(f"the placeholder %{part.name}% has no value")
            if part is SpecialChars.WILDCARD_MULTI:
                parts.append(None)
            elif part is SpecialChars.WILDCARD_SINGLE:
                parts.append(globs.ANY)
            else:
                text = str(part)
                escaped = text.replace(globs.ESCAPE, globs.ESCAPE * 2).replace(
                    globs.ANY, globs.ESCAPE + globs.ANY
                )
                parts.append(escaped if cased else escaped.lower())
        if anywhere:
            parts.append(None)
        return self._pattern(field, globs.Glob.of(parts), cased)

    def _pattern(self, field: str, glob: globs.Glob, cased: str) -> Tree:
        plain = glob.plain()
        if plain is None:
            return self._atom(field, "glob", glob.text(), cased)
        op, text = plain
        if op == "in" and not text:
            return self._atom(field, "ex")
        return self._atom(field, op, text, cased)

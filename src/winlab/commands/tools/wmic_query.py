"""The part of WQL that a wmic ``where`` clause needs: comparisons joined by AND, OR, NOT.

Source: "WQL (SQL for WMI)", "WHERE Clause" and "LIKE Operator" (Microsoft Learn). Names and texts
compare without regard to case; numbers by value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

Predicate: TypeAlias = Callable[[Mapping[str, str]], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<op><=|>=|<>|!=|=|<|>)"
    r"|(?P<paren>[()])|(?P<word>[^\s()=<>!'\"]+))"
)


class InvalidQueryError(ValueError):
    """WBEM_E_INVALID_QUERY (0x80041017)."""


def parse_where(clause: str, properties: frozenset[str]) -> Predicate:
    """A test on instances; ``properties`` are the lower-case names the class has.

    Raises :class:`InvalidQueryError` for anything WQL does not accept, unknown names included.
    """
    return _Parser(_tokens(clause), properties).whole()


def _tokens(clause: str) -> list[str]:
    found, at = [], 0
    text = clause.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise InvalidQueryError(clause)
        found.append(match.group().strip())
        at = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[str], properties: frozenset[str]) -> None:
        self._tokens, self._properties, self._at = tokens, properties, 0

    def whole(self) -> Predicate:
        test = self._either()
        if self._at != len(self._tokens):
            raise InvalidQueryError(self._tokens[self._at])
        return test

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise InvalidQueryError("the clause ends early")
        self._at += 1
        return token

    def _word(self, word: str) -> bool:
        if self._peek().upper() == word:
            self._at += 1
            return True
        return False

    def _either(self) -> Predicate:
        tests = [self._both()]
        while self._word("OR"):
            tests.append(self._both())
        return lambda item: any(test(item) for test in tests)

    def _both(self) -> Predicate:
        tests = [self._single()]
        while self._word("AND"):
            tests.append(self._single())
        return lambda item: all(test(item) for test in tests)

    def _single(self) -> Predicate:
        if self._word("NOT"):
            inner = self._single()
            return lambda item: not inner(item)
        if self._word("("):
            inside = self._either()
            if not self._word(")"):
                raise InvalidQueryError(self._peek())
            return inside
        return self._comparison()

    def _comparison(self) -> Predicate:
        name = self._take().lower()
        if name not in self._properties:
            raise InvalidQueryError(name)
        operator = self._take().upper()
        value = self._take()
        plain = value[1:-1].replace("\\\\", "\\") if value[0] in "'\"" else value
        if operator == "LIKE":
            pattern = re.compile(_like(plain), re.IGNORECASE | re.DOTALL)
            return lambda item: pattern.fullmatch(_of(item, name)) is not None
        compare = _COMPARISONS.get(operator)
        if compare is None:
            raise InvalidQueryError(operator)
        return lambda item: compare(*_pair(_of(item, name), plain))


def _of(item: Mapping[str, str], name: str) -> str:
    return next(value for key, value in item.items() if key.lower() == name)


def _pair(left: str, right: str) -> tuple[int | str, int | str]:
    try:
        return int(left), int(right)
    except ValueError:
        return left.lower(), right.lower()


def _like(pattern: str) -> str:
    parts = re.split(r"(%|_|\[[^\]]*\])", pattern)
    known = {"%": ".*", "_": "."}
    return "".join(
        known.get(part) or (part if part.startswith("[") else re.escape(part)) for part in parts
    )


_COMPARISONS: Mapping[str, Callable[..., bool]] = {
    "=": lambda left, right: left == right,
    "<>": lambda left, right: left != right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}

"""A place in the words of a batch, and what every parser asks of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from winlab.sqlserver.errors import TsqlError, syntax
from winlab.sqlserver.lexer import Token, tokens

_DEEPEST = 100
"""Nesting of expressions; assumed: error 191 comes where the lab's own stack would end."""


class Cursor:
    """Reads words one by one. ``major`` is the product's version: 10 is SQL Server 2008."""

    def __init__(self, text: str, major: int, *, quoted_identifiers: bool = True) -> None:
        """Raises :class:`TsqlError` for what are no words."""
        self.text = text
        self.major = major
        self._tokens = tokens(text, quoted_identifiers=quoted_identifiers)
        self._at = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        """The word at hand."""
        return self._tokens[self._at]

    def peek(self, ahead: int = 1) -> Token:
        """A word further on."""
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    @contextmanager
    def ahead(self, count: int) -> Iterator[None]:
        """Look at what follows as if so many words were taken."""
        before = self._at
        self._at += count
        try:
            yield
        finally:
            self._at = before

    def next(self) -> Token:
        """Take the word at hand."""
        token = self.token
        if token.kind != "end":
            self._at += 1
        return token

    def fail(self, token: Token | None = None) -> TsqlError:
        """The syntax error at a word, by default the one at hand."""
        token = token or self.token
        if token.kind == "end":
            # The server names the last word when a batch ends too early.
            token = self._tokens[max(self._at - 1, 0)]
        return syntax(token.text, keyword=token.reserved, line=token.line)

    def at(self, *words: str) -> bool:
        """Whether the word at hand, undelimited, is one of these."""
        return self.token.kind == "word" and self.token.upper in words

    def at_op(self, *ops: str) -> bool:
        """Whether the sign at hand is one of these."""
        return self.token.kind == "op" and self.token.text in ops

    def take(self, *words: str) -> bool:
        """Take these words if they all follow."""
        for ahead, word in enumerate(words):
            token = self.peek(ahead)
            if token.kind != "word" or token.upper != word:
                return False
        self._at += len(words)
        return True

    def take_op(self, op: str) -> bool:
        """Take a sign if it follows."""
        if self.at_op(op):
            self._at += 1
            return True
        return False

    def need(self, *words: str) -> None:
        """Take these words. Raises :class:`TsqlError` 102 or 156."""
        for word in words:
            if not self.take(word):
                raise self.fail()

    def need_op(self, op: str) -> None:
        """Take this sign. Raises :class:`TsqlError` 102 or 156."""
        if not self.take_op(op):
            raise self.fail()

    def name(self) -> str:
        """Take one identifier."""
        token = self.token
        if token.kind == "name" or (token.kind == "word" and not token.reserved):
            self._at += 1
            return token.text
        raise self.fail()

    def names(self) -> tuple[str, ...]:
        """Take an identifier of several parts; a part left out (``db..t``) is ""."""
        parts = [self.name()]
        while self.at_op("."):
            self._at += 1
            parts.append("" if self.at_op(".") else self.name())
        return tuple(parts)

    def name_list(self) -> tuple[str, ...]:
        """Take ``(a, b)``; sort orders are read over."""
        self.need_op("(")
        found = [self.name()]
        self.take("ASC") or self.take("DESC")
        while self.take_op(","):
            found.append(self.name())
            self.take("ASC") or self.take("DESC")
        self.need_op(")")
        return tuple(found)

    def deeper(self) -> None:
        """Count one level of nesting. Raises :class:`TsqlError` when there are too many."""
        self._depth += 1
        if self._depth > _DEEPEST:
            error = syntax(self.token.text, line=self.token.line)
            error.number, error.text = (
                191,
                (
                    "Some part of your SQL statement is nested too deeply. Rewrite the query or "
                    "break it up into "
                    "smaller queries."
                ),
            )
            raise error

    def shallower(self) -> None:
        """Leave one level of nesting."""
        self._depth -= 1

    def since(self, token: Token) -> str:
        """The text from a word to what was taken last."""
        return self.text[token.at : self._tokens[self._at - 1].stop]

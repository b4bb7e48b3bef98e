"""Patterns with ``*`` (any text) and ``?`` (any one character), matched without backtracking.

A pattern is a list of segments between stars. Matching takes each segment at the first place where
it fits, which is right because a later segment never wants an earlier place: time is bounded by the
lengths of pattern and text multiplied, whoever wrote either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

ANY = "\ue000"
"""One character of any kind, inside a segment."""

ESCAPE = "\ue001"
"""Makes the next character a plain one."""

STAR = "\ue002"
"""Between segments in a pattern's text form."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """Characters, None where any will do."""

    characters: tuple[str | None, ...]
    literal: str | None = field(init=False)
    """The text, where no character is free."""

    def __post_init__(self) -> None:
        """Works the text out once: a pattern is matched far more often than made."""
        free = None in self.characters
        text = None if free else "".join(character or "" for character in self.characters)
        object.__setattr__(self, "literal", text)

    def find(self, text: str, start: int) -> int:
        """Where it first fits from ``start`` on; -1 where it does not."""
        if self.literal is not None:
            return text.find(self.literal, start)
        last = len(text) - len(self.characters)
        return next((at for at in range(start, last + 1) if self.fits(text, at)), -1)

    def fits(self, text: str, at: int) -> bool:
        """Whether it stands at this place."""
        if self.literal is not None:
            return at >= 0 and text.startswith(self.literal, at)
        if at < 0 or at + len(self.characters) > len(text):
            return False
        return all(
            character is None or text[at + index] == character
            for index, character in enumerate(self.characters)
        )


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern: ``segments`` with a star between each two of them."""

    segments: tuple[_Segment, ...]

    @classmethod
    def of(cls, parts: Iterable[str | None]) -> Glob:
        """From texts (with :data:`ANY` and :data:`ESCAPE`) and None for a star."""
        texts = [""]
        for part in parts:
            if part is None:
                texts.append("")
            else:
                texts[-1] += part
        inner = [text for text in texts[1:-1] if text]
        ends = [texts[0], *inner, texts[-1]] if len(texts) > 1 else texts
        return cls(tuple(_Segment(_characters(text)) for text in ends))

    @classmethod
    def parse(cls, text: str) -> Glob:
        """From the text form."""
        return cls(tuple(_Segment(_characters(part)) for part in _split(text)))

    def text(self) -> str:
        """The text form, for an atom."""
        return STAR.join(
            "".join(
                ANY if one is None else ESCAPE + one if one in (ANY, ESCAPE, STAR) else one
                for one in segment.characters
            )
            for segment in self.segments
        )

    def plain(self) -> tuple[str, str] | None:
        """The operation and text that mean the same, where one of eq, sw, ew, in does."""
        literals = [segment.literal for segment in self.segments]
        if len(literals) == 1:
            return None if literals[0] is None else ("eq", literals[0])
        if any(literal is None for literal in literals) or len(literals) > 3:
            return None
        first, *middle, last = [literal or "" for literal in literals]
        if not first and not last:
            return ("in", middle[0] if middle else "")
        if middle or (first and last):
            return None
        return ("sw", first) if first else ("ew", last)

    def literals(self) -> list[str]:
        """The plain texts between stars and free characters; empty ones left out."""
        return [
            run
            for segment in self.segments
            for run in "".join(one or STAR for one in segment.characters).split(STAR)
            if run
        ]

    def literal(self) -> str:
        """The longest text that stands in everything the pattern matches; empty if none does."""
        return max(self.literals(), key=len, default="")

    def matches(self, text: str) -> bool:
        """Whether the whole text is as the pattern says."""
        first, last = self.segments[0], self.segments[-1]
        if len(self.segments) == 1:
            return len(text) == len(first.characters) and first.fits(text, 0)
        end = len(text) - len(last.characters)
        if not first.fits(text, 0) or not last.fits(text, end):
            return False
        at = len(first.characters)
        for segment in self.segments[1:-1]:
            found = segment.find(text, at)
            if found == -1:
                return False
            at = found + len(segment.characters)
        return at <= end


@lru_cache(maxsize=65_536)
def compiled(text: str) -> Glob:
    """The pattern of a text form, parsed once."""
    return Glob.parse(text)


def _characters(text: str) -> tuple[str | None, ...]:
    found: list[str | None] = []
    escaped = False
    for character in text:
        if escaped or character not in (ANY, ESCAPE):
            found.append(character)
            escaped = False
        elif character == ESCAPE:
            escaped = True
        else:
            found.append(None)
    return tuple(found)


def _split(text: str) -> list[str]:
    parts = [""]
    escaped = False
    for character in text:
        if character == STAR and not escaped:
            parts.append("")
        else:
            parts[-1] += character
        escaped = character == ESCAPE and not escaped
    return parts

"""Make a record's fields fit for a report: no secrets, no personal data (contract F-4), bounded.

Raw logs stay what they are; a hit names the file's hash and the record's id instead.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from opsproof.evidence.redaction import Redactor

LONGEST: Final = 512
"""Characters of a field that a hit shows."""

MOST: Final = 24
"""Fields that a hit shows."""

_NAMED: Final = re.compile(r"cookie|authorization", re.IGNORECASE)
"""Fields that are secrets as a whole: whoever has a session's cookie has the session."""

_REDACTOR: Final = Redactor()


def redact(fields: dict[str, str]) -> tuple[dict[str, str], int]:
    """The fields to show, in their order, and how many pieces were removed."""
    shown: dict[str, str] = {}
    removed = 0
    for name, value in list(fields.items())[:MOST]:
        if _NAMED.search(name):
            shown[name], count = "[redacted:cookie]", 1
        else:
            shown[name], count = text(value, name)
        removed += count
    return shown, removed


def text(value: str, name: str = "") -> tuple[str, int]:
    """One value without secrets, cut to size, and how many were removed.

    ``name`` is its field's: a field called ``password`` is a secret whatever it holds.
    """
    # Cut before searching as well: time, and what is remembered, must not depend on how long an
    # attacker's URL is.
    return _text(value[: LONGEST * 4], name)


@lru_cache(maxsize=1 << 12)
def _text(value: str, name: str) -> tuple[str, int]:
    clean, counts = _REDACTOR.value({name: value})
    cut = str(next(iter(clean.values())))
    if len(cut) > LONGEST:
        cut = cut[:LONGEST] + "…"
    return printable(cut), counts.total()


def printable(value: str) -> str:
    """The value in one line that commands no terminal: a space for each character that cannot be seen."""
    if value.isprintable():
        return value
    return "".join(character if character.isprintable() else " " for character in value)

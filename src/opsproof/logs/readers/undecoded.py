"""Bytes that are no text in the encoding they should be in: told of, and shown as U+FFFD.

Python's own ``replace`` shows them so too, but tells nobody, and U+FFFD may stand in a log itself. A
log in another encoding than its schema map says would pass as one in which no rule finds anything.
"""

from __future__ import annotations

import codecs
from typing import Final

from opsproof.logs.readers.base import Damage, Notes

ERRORS: Final = "opsproof-marked"
"""What to decode with (``errors=``): each place that cannot be decoded becomes a :data:`MARK`."""

MARK: Final = "\udfff"
"""Stands in no text: one half of a pair, without the other."""


def _marked(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return MARK, error.end


codecs.register_error(ERRORS, _marked)


def told(line: str, number: int, encoding: str, notes: Notes) -> str:
    """A line with marks as a reader goes on with it. No record is lost: what is left is looked at."""
    notes.damaged(Damage(f"a line has bytes that are no {encoding}", record=number))
    return line.replace(MARK, "\ufffd")

"""Makes text that hosts supply safe to print: visible, bounded, in one direction.

Event data and names come from machines that may be under attack. What would act instead of being
read (escape sequences, text-direction overrides, zero-width characters) is shown as a visible
token, never dropped: a reader must see that it was there. Markup is the template's business.
"""

from __future__ import annotations

import unicodedata

CELL_LIMIT = 160
"""Characters of one value in a table cell."""

RECORD_LIMIT = 600
"""Characters of one value in the evidence part."""


def printable(value: str, limit: int = CELL_LIMIT) -> str:
    """``value`` in one line of at most about ``limit`` characters.

    C0 controls become their control pictures (U+2400 block), other invisible or
    direction-changing characters become ``‹U+202E›``; what is cut is counted: ``…(+3940)``.
    """
    value = value.replace("\r\n", "\n")
    kept = "".join(map(_visible, value[:limit]))
    dropped = len(value) - limit
    return f"{kept}…(+{dropped})" if dropped > 0 else kept


def _visible(character: str) -> str:
    point = ord(character)
    if character in "\n\t":
        return " ⏎ " if character == "\n" else " "
    if point < 0x20:
        return chr(0x2400 + point)
    if point == 0x7F:
        return "␡"
    # Cc, Cf, Co, Cs, Zl and Zp: controls, formats (bidi, zero width), private use, lone surrogates.
    if unicodedata.category(character) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}:
        return f"‹U+{point:04X}›"
    return character

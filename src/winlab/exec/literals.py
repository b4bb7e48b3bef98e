"""PowerShell's literals, as far as recognisers need them."""

from __future__ import annotations

import re

_DOUBLED = re.compile("(['\u2018\u2019\u201a\u201b])\\1")


def unquote(text: str) -> str:
    """A literal in single quotes as its value (about_Quoting_Rules); other text as it is.

    Windows PowerShell takes four typographic quotes for the straight one; a doubled one stands for
    itself.
    """
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        return _DOUBLED.sub(r"\1", text[1:-1])
    return text

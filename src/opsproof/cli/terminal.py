"""What may go to a terminal."""

from __future__ import annotations


def harmless(text: str) -> str:
    """Without what a terminal obeys: names in logs, of files and of tables are given by others."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text)

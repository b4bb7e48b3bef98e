"""What may go to a terminal or into a spreadsheet."""

from __future__ import annotations


def harmless(text: str) -> str:
    """Without what a terminal obeys: names in logs, of files and of tables are given by others."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text)


def inert(value: str) -> str:
    """A cell that a spreadsheet does not run (OWASP, "CSV Injection"): others wrote what is in it."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value

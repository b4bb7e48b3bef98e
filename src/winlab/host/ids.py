"""Where identifiers come from: one deterministic source per host, never the machine's randomness."""

from __future__ import annotations

import hashlib


class SeededIds:
    """An endless series of GUIDs and numbers derived from a seed by SHA-256 of seed and counter."""

    __slots__ = ("_next", "_seed")

    def __init__(self, seed: str) -> None:
        """Two sources with equal seeds give equal series."""
        self._seed = seed
        self._next = 0

    def _block(self) -> bytes:
        self._next += 1
        return hashlib.sha256(f"{self._seed}/{self._next}".encode()).digest()

    def guid(self) -> str:
        """Return a version-4 GUID in lower case, without braces."""
        raw = bytearray(self._block()[:16])
        raw[6] = (raw[6] & 0x0F) | 0x40
        raw[8] = (raw[8] & 0x3F) | 0x80
        text = raw.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def integer(self, below: int) -> int:
        """Return a number from 0 up to, not including, ``below``."""
        return int.from_bytes(self._block()[:8], "big") % below

    def save(self) -> int:
        """Return the position in the series."""
        return self._next

    def load(self, position: int) -> None:
        """Go back to a saved position."""
        self._next = position


def stable_number(seed: str, below: int) -> int:
    """Return a number from 0 up to ``below`` that depends on ``seed`` alone."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") % below

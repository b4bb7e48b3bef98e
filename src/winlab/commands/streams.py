"""The handles of a running command."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Sink:
    """Where a handle writes: a buffer that may become a file (``path``) or nothing (``null``)."""

    data: bytearray
    path: str | None = None
    null: bool = False


@dataclass(frozen=True, slots=True)
class Streams:
    """The three handles of a running command."""

    stdin: bytes
    out: Sink
    err: Sink

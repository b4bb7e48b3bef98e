"""The base of every mapping of an estate file."""

from __future__ import annotations

import msgspec


class Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every mapping of the file: immutable, no unknown keys."""

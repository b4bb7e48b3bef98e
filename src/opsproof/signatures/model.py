"""What diagnosis and planning say about a record."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

import msgspec

from opsproof.evidence.canonical import canonical
from opsproof.signatures.encodings import Stored
from opsproof.signatures.values import Value, plain

SHOWN: Final = 200
"""Records, or rows of base data, that evidence and a plan's header list; all are counted."""

Progress: TypeAlias = Callable[[int, int], None]
"""Told what is done and what there is to do, in records."""


def silent(_done: int, _all: int) -> None:
    """Progress that nobody looks at."""


class RecordClass(StrEnum):
    """Every record is in exactly one of these."""

    VALID = "valid"
    ENCODING_DAMAGE = "encoding-damage"
    WRONG_CONTAINER = "wrong-container"
    OTHER_SERIALISATION = "other-serialisation"
    WRONG_REFERENCE = "wrong-certificate-reference"
    SWAPPED = "swapped"
    DUPLICATE = "duplicate-signature"
    MISSING = "missing-signature"
    EXPIRED = "certificate-expired"
    NOT_YET_VALID = "certificate-not-yet-valid"
    REVOKED = "certificate-revoked"
    UNTRUSTED = "certificate-not-trusted"
    BASE_DIFFERS = "base-differs"
    NOT_RECOVERABLE = "not-recoverable"
    NOT_VERIFIABLE = "not-verifiable-here"


@dataclass(frozen=True, slots=True)
class Change:
    """New contents of columns; only of the signature, its reference and its time."""

    signature: str | bytes
    reference: Any = None
    signed_at: str | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The class of one record and why. ``repair`` is a verified change made from stored values."""

    key: tuple[Any, ...]
    record_class: RecordClass
    detail: str = ""
    evidence: dict[str, str] = field(default_factory=dict)
    repair: Change | None = None


@dataclass(frozen=True, slots=True)
class BaseRecord:
    """One record as the business system delivered it."""

    values: tuple[Value, ...]
    signature: Stored = None
    reference: str | None = None
    signed_at: str | None = None


Source: TypeAlias = Literal["stored", "base", "fresh"]
Action: TypeAlias = Literal["write", "ask-business-system", "ask-signer", "ask-administrator"]


class Entry(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One record of a plan.

    ``before`` and ``after`` are digests of everything stored (fields, signature, reference, time),
    ``data`` that of the bytes that are signed. Bytes in columns are written as ``{"base64": ...}``.
    """

    key: tuple[Any, ...]
    record_class: RecordClass
    action: Action
    detail: str = ""
    evidence: dict[str, str] = {}
    source: Source | None = None
    why: str = ""
    before: str = ""
    after: str = ""
    data: str = ""
    changes: dict[str, Any] = {}


def packed(value: Any) -> Any:
    """A column's content as JSON; :func:`unpacked` is its inverse for text, bytes, numbers, NULL."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"base64": base64.b64encode(bytes(value)).decode("ascii")}
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC)
    return plain(value) if hasattr(value, "isoformat") else str(value)


def unpacked(value: Any) -> Any:
    """What :func:`packed` was given."""
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value


def key_text(parts: Iterable[Any]) -> str:
    """A key as every side can write it: a file has only text where a database has numbers."""
    return msgspec.json.encode([_part_text(part) for part in parts]).decode()


def image_digest(columns: dict[str, Any]) -> str:
    """SHA-256 of what a row holds in the columns of a profile."""
    return hashlib.sha256(
        canonical({name: packed(cell) for name, cell in columns.items()})
    ).hexdigest()


def _part_text(part: Any) -> str:
    """Text of a key's part: that of what a plan holds for it, so that both find each other."""
    if isinstance(part, (str, int)):
        return str(part)
    packed_part = packed(part)
    return packed_part["base64"] if isinstance(packed_part, dict) else str(packed_part)


def key_digest(key: tuple[Any, ...]) -> str:
    """How evidence names a record without its key, which may be a candidate's number."""
    return hashlib.sha256(canonical([packed(part) for part in key])).hexdigest()[:24]

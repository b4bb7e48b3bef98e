"""Ids: those of runs carry their time, all others are derived from the record's content."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import UTC, datetime
from typing import Any

import msgspec

from opsproof.evidence.canonical import CanonicalError, canonical

RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[a-z0-9][a-z0-9_-]{0,63}-[0-9a-f]{4}")
"""A run's id, which is also its bundle's folder name: UTC start, playbook, four random digits."""

OBSERVATION = "OBS"
FINDING = "FND"

_DIGITS = 24


def content_id(prefix: str, record: Any) -> str:
    """``PREFIX-`` and the first 24 hex digits of the SHA-256 of the record without its ``id``."""
    whole = msgspec.to_builtins(record) if isinstance(record, msgspec.Struct) else record
    content = {key: value for key, value in whole.items() if key != "id"}
    return f"{prefix}-{hashlib.sha256(canonical(content)).hexdigest()[:_DIGITS]}"


def new_run_id(kind: str, started: datetime, nonce: str | None = None) -> str:
    """The id of a run of the playbook ``kind`` that started at ``started`` (any time zone).

    ``nonce`` is four hex digits, random when not given: two runs may start in one second.
    """
    when = started.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    slug = re.sub(r"[^a-z0-9_-]+", "-", kind.lower()).strip("-") or "run"
    return f"{when}-{slug[:64]}-{nonce or secrets.token_hex(2)}"


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with the suffix ``Z`` and whole seconds, as all records carry times."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """The time that :func:`timestamp` wrote, aware and in UTC.

    Raises:
        CanonicalError: the text is not such a time.
    """
    try:
        when = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise CanonicalError(f"{text!r} is not a time in UTC") from error
    if timestamp(when) != text:
        raise CanonicalError(f"{text!r} is not a time in UTC")
    return when

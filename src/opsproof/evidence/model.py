"""The values that flow through a maintenance run, as frozen records.

Every record can be written as canonical JSON (RFC 8785) and read back unchanged: no floats,
integers from 2^53 up as decimal strings, times as RFC 3339 in UTC with the suffix ``Z``.
An id that begins with a prefix and a dash is derived from the record's content.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal, TypeAlias

import msgspec

Json: TypeAlias = Any
"""None, bool, int, str, or lists and string-keyed dicts of these; never a float."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all records: immutable, by name only, unknown fields refused when read."""


class SubjectKind(StrEnum):
    """What a control can speak of."""

    HOST = "host"
    SITE = "site"
    CERTIFICATE = "certificate"
    SQL_INSTANCE = "sql-instance"
    RECORD_SET = "record-set"


class State(StrEnum):
    """The closed set of a finding's states."""

    PASS = "pass"  # noqa: S105 - a state, no secret
    FAIL = "fail"
    ERROR = "error"
    NOT_COLLECTED = "not-collected"
    NOT_APPLICABLE = "not-applicable"
    WAIVED = "waived"


class Outcome(StrEnum):
    """The closed set of a host's outcomes in one run, from the worst to the best."""

    UNREACHABLE = "unreachable"
    FAILED = "failed"
    CHANGED = "changed"
    OK = "ok"
    SKIPPED = "skipped"


class Severity(StrEnum):
    """How bad a failed control is."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class Subject(Record):
    """One thing that controls speak of. ``host`` is the inventory name of the host it lives on."""

    kind: SubjectKind
    id: str
    host: str


class Artifact(Record):
    """A file that facts were read from.

    ``sha256`` and ``size`` (bytes) are those of the raw file as collected. ``stored`` says how a
    bundle keeps it: ``plain``, ``encrypted`` (CMS EnvelopedData for the bureau's certificate) or
    ``absent``; ``stored_as`` is then its path below the bundle, named by the SHA-256 of what is
    stored.
    """

    name: str
    media_type: str
    size: int
    sha256: str
    stored: Literal["plain", "encrypted", "absent"] = "absent"
    stored_as: str | None = None


class Redaction(Record):
    """How often a redaction rule removed something from this record."""

    rule: str
    count: int


class Observation(Record):
    """Raw facts about one subject at one time, as collected, without a verdict.

    ``clock_offset_ms`` is host clock minus controller clock in milliseconds, None when unknown.
    """

    schema: Literal["observation/1"] = "observation/1"
    id: str
    run: str
    activity: str
    subject: Subject
    collected_at: str
    clock_offset_ms: int | None
    collector: str
    facts: dict[str, Json]
    artifacts: tuple[Artifact, ...] = ()
    redactions: tuple[Redaction, ...] = ()


class Finding(Record):
    """One control held against one subject."""

    schema: Literal["finding/1"] = "finding/1"
    id: str
    run: str
    control: str
    control_sha256: str
    severity: Severity
    subject: Subject
    state: State
    expected: Json
    observed: Json
    evidence: tuple[str, ...] = ()
    waiver: str | None = None
    demands: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()

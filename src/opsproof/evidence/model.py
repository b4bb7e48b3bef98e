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
    DUE_ITEM = "due-item"


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


class Subject(Record, frozen=True, kw_only=True):
    """One thing that controls speak of.

    ``host`` is the inventory name of the host it lives on, empty for what belongs to the whole
    estate, such as an item of the schedule.
    """

    kind: SubjectKind
    id: str
    host: str

    @property
    def key(self) -> str:
        """``host/kind/id``: how waivers and reports name a subject."""
        return f"{self.host}/{self.kind}/{self.id}"


class Artifact(Record, frozen=True, kw_only=True):
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


class Redaction(Record, frozen=True, kw_only=True):
    """How often a redaction rule removed something from this record."""

    rule: str
    count: int


class Observation(Record, frozen=True, kw_only=True):
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


class Finding(Record, frozen=True, kw_only=True):
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


class RunHost(Record, frozen=True, kw_only=True):
    """What one run meant to do to a host and what came of it.

    ``activities`` are those planned on the host; a host that is not ``planned`` (outside the
    limit) has none and gets no findings. ``seen`` says that any task of the run reached it.
    """

    outcome: Outcome
    planned: bool
    seen: bool
    activities: tuple[str, ...] = ()
    reason: str = ""
    asset: dict[str, Json] = {}


class MissedItem(Record, frozen=True, kw_only=True):
    """An item of the schedule that was due and that no sealed run has satisfied."""

    item: str
    due_at: str
    reason: str = ""


class Run(Record, frozen=True, kw_only=True):
    """One execution of a playbook: ``run.json`` of a bundle.

    ``seq``, ``previous`` and ``sealed_at`` are None until sealing fixes them. ``evaluated_at`` is
    the ``now`` that findings were evaluated with, ``evaluator`` the version of the rules by which
    they were, so that they can be recomputed. ``interrupted`` names partial folders of killed runs
    that were found, ``adopted`` sealed bundles that were missing from the ledger. ``counters``
    are plain totals (tasks, requests, bytes). ``ticket_signer`` is whose signature under the ticket was
    verified, None when none was.
    """

    schema: Literal["run/1"] = "run/1"
    id: str
    kind: str
    inventory: str
    playbook: str
    started_at: str
    finished_at: str
    evaluated_at: str
    status: str
    rc: int
    check: bool = False
    limit: str | None = None
    retry_of: str | None = None
    ticket: str | None = None
    ticket_signer: str | None = None
    operator: str
    host: str
    commit: str | None = None
    dirty: bool = False
    versions: dict[str, str] = {}
    inventory_sha256: str = ""
    hosts: dict[str, RunHost] = {}
    interrupted: tuple[str, ...] = ()
    adopted: tuple[str, ...] = ()
    missed: tuple[MissedItem, ...] = ()
    counters: dict[str, int] = {}
    redactions: tuple[Redaction, ...] = ()
    evaluator: int = 1
    seq: int | None = None
    previous: str | None = None
    sealed_at: str | None = None

    @property
    def file_name(self) -> str:
        """The file of the sealed folder that holds this record."""
        return "run.json"

    @property
    def activities(self) -> frozenset[str]:
        """All activities that were planned on any host."""
        return frozenset(a for host in self.hosts.values() for a in host.activities)

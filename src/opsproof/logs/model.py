"""What a log audit answers: the typed, canonical report.

Every record can be written as canonical JSON: no floats, sorted, bounded. Times are RFC 3339 in
UTC with the suffix ``Z`` and microseconds; record ids are ``EventRecordID`` for Windows event logs
and the 1-based line number for text logs. Integers from 2^53 up are decimal strings.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal, TypeAlias

from opsproof.evidence.model import Record, Severity


class Kind(StrEnum):
    """What kind of log a file is; rules name their log source by it."""

    EVTX = "evtx"
    W3C = "w3c"
    IIS = "iis"
    NCSA = "ncsa"
    DATA = "data"
    UNKNOWN = "unknown"


class Source(Record, frozen=True, kw_only=True):
    """One log file that was audited.

    ``bytes`` is its size; ``records`` counts what was read, ``unreadable`` what was lost (0 for
    damage whose number of records is not known; :class:`Unreadable` tells where). ``filtered``
    counts records outside ``since``/``until``.
    """

    file: str
    kind: Kind
    sha256: str
    bytes: int
    records: int
    filtered: int
    unreadable: int
    first: str | None
    last: str | None
    channels: tuple[str, ...]


class Unreadable(Record, frozen=True, kw_only=True):
    """One place that could not be read: byte ``offset`` into the file, ``record`` id or line."""

    file: str
    sha256: str
    offset: int | None
    record: int | None
    records: int
    what: str

    def __str__(self) -> str:
        """One line: file, place, what."""
        places = [
            f"{name} {value}"
            for name, value in (("offset", self.offset), ("record", self.record))
            if value is not None
        ]
        return f"{self.file}: {', '.join([*places, self.what]) if places else self.what}"


class Member(Record, frozen=True, kw_only=True):
    """One record that took part in a correlation."""

    rule: str
    file: str
    sha256: str
    record_id: int | str | None
    time: str | None


class Burst(Record, frozen=True, kw_only=True):
    """What a correlation saw: overlapping windows merged into one.

    ``peak`` is the greatest value of the counted quantity (events, distinct values, a sum) in any
    one window; ``events`` counts the records of the whole burst; ``members`` are the first of them.
    """

    first: str
    last: str
    peak: int
    events: int
    group: dict[str, str]
    members: tuple[Member, ...]


class Hit(Record, frozen=True, kw_only=True):
    """One record, or one burst of records, that a rule describes.

    ``id`` stays the same in every audit (:mod:`opsproof.logs.hit_id`). ``fields`` are the record's own
    fields, redacted and cut to size. ``redactions`` counts what was removed from them. For a
    correlation the record is the burst's first.
    """

    id: str
    rule: str
    title: str
    severity: Severity
    file: str
    sha256: str
    record_id: int | str | None
    channel: str
    time: str | None
    computer: str
    fields: dict[str, str]
    redactions: int = 0
    demands: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()
    attack: tuple[str, ...] = ()
    burst: Burst | None = None


class RuleRun(Record, frozen=True, kw_only=True):
    """A rule that was evaluated, and how often it hit; ``shown`` of these are in the report.

    ``title_zh`` is its title in Chinese, empty where it has none. In ``blind`` files it could see nothing
    (:class:`BlindSpot`): no hit is no all-clear there.
    """

    rule: str
    title: str
    title_zh: str = ""
    severity: Severity
    hits: int
    shown: int
    blind: int = 0


class BlindSpot(Record, frozen=True, kw_only=True):
    """A file whose records, or its ``event`` of ``channel``, lack ``fields`` that a rule asks of them.

    In other files the rule could see.
    """

    rule: str
    title: str
    severity: Severity
    file: str
    sha256: str
    channel: str
    event: str
    fields: tuple[str, ...]


class Reason(StrEnum):
    """Why a rule could not be evaluated."""

    INVALID = "invalid"
    UNSUPPORTED = "unsupported"
    NO_SOURCE = "no-source"
    NO_FIELD = "no-field"
    REFERENCE = "reference"


FAULTS: Final = frozenset({Reason.INVALID, Reason.UNSUPPORTED, Reason.REFERENCE})
"""Reasons that are faults of a rule; the others only say what logs were not there."""


class RuleNotRun(Record, frozen=True, kw_only=True):
    """A rule that could not be evaluated, and why."""

    rule: str
    title: str
    reason: Reason
    detail: str


GapKind: TypeAlias = Literal[
    "computer-renamed",
    "log-cleared",
    "missing-day",
    "no-records",
    "quiet-day",
    "record-id-hole",
    "short-retention",
    "time-backwards",
    "unmapped-column",
]


INCIDENTS: Final[frozenset[GapKind]] = frozenset(
    {"log-cleared", "missing-day", "record-id-hole", "time-backwards"}
)
"""Gaps that do not come about by themselves; the others have harmless causes as well."""


class Gap(Record, frozen=True, kw_only=True):
    """Something that is missing from, or wrong with the order of, the records that were read.

    Ids are only expected without holes where the file is a log itself, not an export of a query.
    ``missing-day`` and ``quiet-day`` are told apart in :mod:`opsproof.logs.days`.
    """

    kind: GapKind
    file: str
    sha256: str
    channel: str
    detail: str
    first: str | None = None
    last: str | None = None


class Count(Record, frozen=True, kw_only=True):
    """How often a name occurred."""

    name: str
    count: int


class EventCount(Record, frozen=True, kw_only=True):
    """How often an event of a provider occurred."""

    provider: str
    event_id: int
    count: int


class Logons(Record, frozen=True, kw_only=True):
    """Failed Windows logons (Security 4625): in total, by account and by source, most first."""

    total: int
    by_account: tuple[Count, ...]
    by_source: tuple[Count, ...]


class Traffic(Record, frozen=True, kw_only=True):
    """What the web logs say apart from rules. Times in milliseconds, lists with the most first.

    ``clients`` and ``paths`` are how many there are; ``failed_paths`` those answered with 5xx,
    ``missed_paths`` with 404; ``slow`` requests took five seconds or more.
    """

    requests: int
    statuses: tuple[Count, ...]
    classes: tuple[Count, ...]
    methods: tuple[Count, ...]
    days: tuple[Count, ...]
    clients: int
    paths: int
    top_clients: tuple[Count, ...]
    top_paths: tuple[Count, ...]
    failed_paths: tuple[Count, ...]
    missed_paths: tuple[Count, ...]
    slow: int
    slow_paths: tuple[Count, ...]
    slowest_ms: int | str
    sent_bytes: int | str
    received_bytes: int | str


class Cleared(Record, frozen=True, kw_only=True):
    """A log that somebody cleared (Security 1102, System 104)."""

    channel: str
    time: str | None
    record_id: int | str | None
    file: str
    sha256: str
    account: str


class Summary(Record, frozen=True, kw_only=True):
    """What the Windows events say apart from rules.

    ``critical`` and ``errors`` count events of level 1 and 2; ``top`` are these by provider and id.
    """

    critical: int
    errors: int
    top: tuple[EventCount, ...]
    failed_logons: Logons
    log_cleared: tuple[Cleared, ...]


class Suppressed(Record, frozen=True, kw_only=True):
    """An accepted kind of hit: by whom, why, until when, and how many hits it covered.

    ``expired`` ones cover nothing any more.
    """

    id: str
    rule: str
    owner: str
    reason: str
    expires: str
    expired: bool
    hits: int


class Counts(Record, frozen=True, kw_only=True):
    """The size of the audit. ``bytes`` are those of the files read, each file once."""

    files: int
    bytes: int
    records: int
    unreadable: int
    filtered: int
    hits: int
    rules_run: int
    rules_not_run: int
    duplicates: int
    suppressed: int = 0


class AuditReport(Record, frozen=True, kw_only=True):
    """Everything one audit found, and what it could not look at. Sorted throughout.

    ``nothing`` is why no record was looked at, or by no rule though there are rules; empty where that
    is not so. Such a report has no hit and says nothing.
    """

    schema: Literal["audit/1"] = "audit/1"
    rules_sha256: str
    since: str | None
    until: str | None
    counts: Counts
    nothing: str = ""
    sources: tuple[Source, ...]
    hits: tuple[Hit, ...]
    rules_run: tuple[RuleRun, ...]
    rules_not_run: tuple[RuleNotRun, ...]
    unreadable: tuple[Unreadable, ...]
    gaps: tuple[Gap, ...]
    summary: Summary
    suppressions: tuple[Suppressed, ...] = ()
    traffic: Traffic | None = None
    """None where no web log was read."""
    blind: tuple[BlindSpot, ...] = ()
    """Where rules that ran could see nothing: the first of these places, of the worst rules first."""


def exact(number: int | None) -> int | str | None:
    """The number as evidence keeps it: a decimal string from 2^53 up (RFC 8785 has doubles)."""
    return str(number) if number is not None and abs(number) >= 1 << 53 else number

"""The daily monitoring sheet (系统日常监控单, demand E-1) as one value.

Everything that is printed stands here, once, in both languages or as a code that the label
catalogue turns into words; the renderer adds nothing. The JSON form of :class:`DailySheet` is what
``opsproof report daily --format json`` prints and what lies beside the HTML files.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from opsproof.evidence.model import Artifact, Json, Record, State
from opsproof.reports.asset import Asset as Asset
from opsproof.reports.asset import Bilingual as Bilingual
from opsproof.reports.calendar import CalendarDay
from opsproof.reports.corrected_model import CorrectedSet
from opsproof.reports.settings_model import Settings

LANGUAGES = ("zh-CN", "en")


class Group(StrEnum):
    """The blocks of form D, in the order in which they are printed."""

    HOST = "host"
    IIS = "iis"
    SQL = "sql"
    AV = "av"
    SECURITY = "security"
    HARDENING = "hardening"
    PATCHES = "patches"
    BACKUP = "backup"
    SERVICES = "services"


class Verdict(StrEnum):
    """The one sentence of section 1. Without a check there is nothing good to say: ``NO_RUN``."""

    NO_RUN = "no-run"
    NO_CHECK = "no-check"
    ABNORMAL = "abnormal"
    INCOMPLETE = "incomplete"
    REVIEW = "review"
    NORMAL = "normal"


class Counts(Record, frozen=True, kw_only=True):
    """Findings by what they mean to a reader. ``error`` and ``waived`` say what is inside.

    normal = pass; abnormal = fail; review = waived; not_collected = not-collected and error.
    due = normal + abnormal + review + not_collected; collected = due - not_collected;
    not-applicable findings are counted apart and are not due.
    """

    normal: int = 0
    abnormal: int = 0
    review: int = 0
    not_collected: int = 0
    error: int = 0
    not_applicable: int = 0

    @property
    def due(self) -> int:
        """Checks that had to give an answer."""
        return self.normal + self.abnormal + self.review + self.not_collected

    @property
    def collected(self) -> int:
        """Checks that gave one."""
        return self.due - self.not_collected


class Row(Record, frozen=True, kw_only=True):
    """One check of one subject that is not normal; ``number`` counts rows through the sheet.

    ``findings`` is its id; several when a host gave nothing at all and is one row with
    ``control`` empty, or when a setting deviates on several ``hosts`` (then ``host`` is empty).
    Texts that stem from hosts are raw: the renderer makes them printable.
    """

    number: int
    group: Group
    host: str
    asset: Asset
    subject: str
    control: str
    findings: tuple[str, ...]
    state: State
    severity: str
    title: Bilingual
    remedy: Bilingual
    threshold: Bilingual
    measured: Bilingual
    hosts: tuple[str, ...] = ()
    follow_up: tuple[FollowUp, ...] = ()


class FollowUp(Record, frozen=True, kw_only=True):
    """What a later, partial run of the same day found for the same checks, how often."""

    run: str
    state: State
    count: int


class HostLine(Record, frozen=True, kw_only=True):
    """The checks of one host in one group that are not printed in full: how many, and which."""

    host: str
    asset: Asset
    normal: tuple[str, ...] = ()
    not_applicable: tuple[str, ...] = ()


class GroupBlock(Record, frozen=True, kw_only=True):
    """One block of section 2. No row, no line, none silent: nothing of this kind is set up yet.

    ``silent`` counts checks of this kind on hosts that gave nothing and have one row for all.
    """

    group: Group
    silent: int
    rows: tuple[Row, ...]
    lines: tuple[HostLine, ...]


class Event(Record, frozen=True, kw_only=True):
    """A redacted event record: which file it stands in, and where in that file."""

    anchor: str
    rule: str
    severity: str
    title: str
    channel: str
    time: str
    record_id: str
    sha256: str
    fields: dict[str, str]


class Clause(Record, frozen=True, kw_only=True):
    """A clause of a standard, and whether a person has checked that it belongs here."""

    id: str
    reviewed: bool


class ControlRecord(Record, frozen=True, kw_only=True):
    """What the sheet needs of a control, as the run used it; ``file`` is its path in the bundle.

    ``owner`` is the path of a fact that names somebody else who decides, ``owner_remedy`` what to do
    then.
    """

    id: str
    sha256: str
    file: str = ""
    owner: str = ""
    owner_remedy: Bilingual = msgspec.field(default_factory=dict)
    activity: str
    subject: str
    severity: str
    title: Bilingual
    remedy: Bilingual
    demands: tuple[str, ...]
    clauses: tuple[Clause, ...]


class WaiverRecord(Record, frozen=True, kw_only=True):
    """Why something that does not hold was let pass, who decided it, and until which day (UTC)."""

    id: str
    control: str
    subject: str
    reason: str
    approver: str
    expires: str


class FindingRecord(Record, frozen=True, kw_only=True):
    """The evidence part's entry of one finding. ``line`` counts from 1 in ``findings.jsonl``.

    ``inferred`` marks a finding of an earlier run that stands for what was not collected now;
    ``expected`` and ``observed`` are left out (None) of findings that are normal.
    """

    id: str
    run: str
    line: int
    control: str
    host: str
    subject: str
    state: State
    expected: Json = None
    observed: Json = None
    evidence: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    waiver: str | None = None
    inferred: bool = False


class ObservationRecord(Record, frozen=True, kw_only=True):
    """The evidence part's entry of one observation. ``line`` counts from 1 in its file."""

    id: str
    run: str
    line: int
    activity: str
    host: str
    subject: str
    collected_at: str
    clock_offset_ms: int | None
    collector: str
    redactions: tuple[tuple[str, int], ...]
    artifacts: tuple[Artifact, ...]
    events: tuple[Event, ...]
    events_total: int


class PatchLine(Record, frozen=True, kw_only=True):
    """One approved update on one host: where it stood before and after, and what became of it.

    Words are codes of ``evidence/schemas/patching.py``, ``mark`` is the sign beside them. ``code`` is a
    name and an HRESULT, ``text`` what it means; ``minutes`` is of the whole round, None when nothing was
    tried.
    """

    key: str
    title: str
    severity: str
    ticket: str
    before: str
    after: str
    result: str
    mark: str
    code: str
    text: Bilingual
    minutes: int | None
    restarted: bool


class PatchHost(Record, frozen=True, kw_only=True):
    """One host's patching. ``reasons`` are in the tool's own words.

    ``frozen_by`` are the earlier runs whose canaries allowed what it got; ``source_code`` is what the
    update server answered when it could not be asked.
    """

    host: str
    asset: Asset
    run: str
    result: str
    mark: str
    wave: str = ""
    reasons: tuple[str, ...] = ()
    source_code: str = ""
    source_text: Bilingual = msgspec.field(default_factory=dict)
    restart_seconds: int | None = None
    frozen_by: tuple[str, ...] = ()
    updates: tuple[PatchLine, ...] = ()


class PatchTotal(Record, frozen=True, kw_only=True):
    """On how many hosts an update was put in or taken out, was there before, is open, or failed."""

    key: str
    severity: str
    ticket: str
    installed: int = 0
    removed: int = 0
    had: int = 0
    open: int = 0
    failed: int = 0
    not_applicable: int = 0


class PatchBlock(Record, frozen=True, kw_only=True):
    """All patching of the day: hosts (the bad first), how many by result, and each update's total."""

    hosts: tuple[PatchHost, ...] = ()
    results: dict[str, int] = msgspec.field(default_factory=dict)
    totals: tuple[PatchTotal, ...] = ()


class RunLine(Record, frozen=True, kw_only=True):
    """One sealed run. ``counted`` when its findings are those of this sheet.

    ``marks`` are codes: check, limit, retry, dirty, failed, superseded. ``sequence`` is the run's line in
    the ledger, ``sums_sha256`` what that line seals. ``hosts`` counts outcomes.
    """

    id: str
    playbook: str
    started_at: str
    finished_at: str
    status: str
    operator: str
    marks: tuple[str, ...]
    limit: str
    retry_of: str
    ticket: str
    ticket_signer: str = ""
    commit: str
    dirty: bool
    counted: bool
    sequence: int
    sums_sha256: str
    hosts: dict[str, int]
    partials: tuple[str, ...] = ()


class HostOutcome(Record, frozen=True, kw_only=True):
    """A host that the counted run planned and did not finish; ``reason`` in the tool's own words."""

    host: str
    asset: Asset
    outcome: str
    reason: str


class Missed(Record, frozen=True, kw_only=True):
    """Something that was due and did not run."""

    item: str
    due_at: str
    reported_by: str = ""


class CorrectionLine(Record, frozen=True, kw_only=True):
    """A later record that supersedes something sealed; both are shown."""

    id: str
    sequence: int
    at: str
    supersedes: str
    statement: str
    reason: str
    by: str


class Integrity(Record, frozen=True, kw_only=True):
    """What ties the paper to the ledger: its length and the hashes of its last line.

    ``template_sha256`` is over the catalogue, the template and the style sheet; ``controls_sha256``
    over the controls as the counted run used them, which carry the clause mapping.
    """

    length: int
    head: str
    head_sm3: str
    previous_report: str
    template_sha256: str
    controls_sha256: str
    mapping_reviewed: int
    mapping_total: int


class DailySheet(Record, frozen=True, kw_only=True):
    """The whole sheet. Times are RFC 3339 in the inventory's time zone."""

    schema: Literal["report-daily/1"] = "report-daily/1"
    id: str
    date: str
    time_zone: str
    period: tuple[str, str]
    calendar: CalendarDay
    inventory: str
    system: Bilingual
    mlps_level: str
    prepared_by: tuple[str, ...]
    cutoff: str
    verdict: Verdict
    counts: Counts
    hosts_planned: int
    hosts_seen: int
    groups: tuple[GroupBlock, ...]
    patches: PatchBlock = PatchBlock()
    incomplete_hosts: tuple[HostOutcome, ...]
    runs: tuple[RunLine, ...]
    basis_runs: tuple[RunLine, ...]
    missed: tuple[Missed, ...]
    schedule_known: bool
    corrections: tuple[CorrectionLine, ...]
    controls: tuple[ControlRecord, ...]
    waivers: tuple[WaiverRecord, ...]
    findings: tuple[FindingRecord, ...]
    observations: tuple[ObservationRecord, ...]
    settings: Settings | None = None
    corrected: tuple[CorrectedSet, ...] = ()
    integrity: Integrity

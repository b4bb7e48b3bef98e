"""Facts of the activity ``inspection``: what a daily look at a Windows host brings home.

A section that is None was not collected (check mode, a tool the host lacks, a host asked through
another one); a section that is there is complete. Sizes are in MiB, times RFC 3339 in UTC.
"""

from __future__ import annotations

from opsproof.evidence.model import Record
from opsproof.logs.model import (
    Cleared,
    EventCount,
    Gap,
    Hit,
    Logons,
    RuleNotRun,
    Source,
    Unreadable,
)


class Os(Record, frozen=True, kw_only=True):
    """The operating system; ``build`` as in 10.0.20348, ``language`` None when not asked for."""

    caption: str
    version: str
    time_zone: str | None = None


class Clock(Record, frozen=True, kw_only=True):
    """Host clock minus controller clock, right to ``uncertainty_ms`` either way.

    ``source`` is what the Windows time service says it follows.
    """

    offset_ms: int
    uncertainty_ms: int
    source: str | None


class PendingReboot(Record, frozen=True, kw_only=True):
    """Whether Windows waits for a restart, and where it says so."""

    pending: bool
    reasons: tuple[str, ...]


class Memory(Record, frozen=True, kw_only=True):
    """Physical memory; ``free_percent`` is rounded down."""

    total_mb: int
    free_mb: int
    free_percent: int


class Disk(Record, frozen=True, kw_only=True):
    """One local fixed disk; ``free_percent`` is rounded down."""

    letter: str
    size_mb: int
    free_mb: int
    free_percent: int


class StoppedService(Record, frozen=True, kw_only=True):
    """An automatic service that does not run.

    ``trigger``: Windows starts it on an event, so that it may be stopped; ``delayed``: it starts
    some minutes after boot; ``starting``: delayed, and the host is up for less than that;
    ``expected``: the inventory names it among those that stop by themselves.
    """

    name: str
    display_name: str
    trigger: bool
    delayed: bool
    starting: bool
    expected: bool
    exit_code: int


class ExpectedServices(Record, frozen=True, kw_only=True):
    """Services that the inventory wants to run here, and those that are not there or stopped."""

    wanted: tuple[str, ...]
    missing: tuple[str, ...]
    stopped: tuple[str, ...]


class Services(Record, frozen=True, kw_only=True):
    """All services counted, and the automatic ones that are stopped."""

    total: int
    running: int
    auto_stopped: tuple[StoppedService, ...]
    wanted: ExpectedServices


class Pool(Record, frozen=True, kw_only=True):
    """An IIS application pool; ``state`` as appcmd says it (Started, Stopped ...)."""

    name: str
    state: str


class Iis(Record, frozen=True, kw_only=True):
    """Whether IIS is installed; sites are subjects of their own."""

    installed: bool
    sites: int
    pools: tuple[Pool, ...]


class Ports(Record, frozen=True, kw_only=True):
    """TCP ports that something listens on, those the inventory wants, and the difference."""

    listening: tuple[int, ...]
    wanted: tuple[int, ...]
    missing: tuple[int, ...]


class LogState(Record, frozen=True, kw_only=True):
    """One event log on the host: how many records it keeps, from which id on."""

    channel: str
    records: int | None
    oldest_record: int | None
    exported: bool


class Events(Record, frozen=True, kw_only=True):
    """Critical and error events of the window, counted by provider and id, most first.

    A count is None where not every log came home whole: what is missing may hold more.
    """

    since: str
    until: str
    critical: int | None
    errors: int | None
    top: tuple[EventCount, ...]
    logs: tuple[LogState, ...]


class Security(Record, frozen=True, kw_only=True):
    """Security-relevant events of the window.

    ``hits`` are the first of ``hit_count``; ``serious_hits`` counts those of severity high or
    critical among all of them. Where not every log came home whole, that nothing was found is None.
    """

    log_cleared: tuple[Cleared, ...] | None
    failed_logons: Logons | None
    hit_count: int
    serious_hits: int | None
    hits: tuple[Hit, ...]
    gaps: tuple[Gap, ...]


class Audit(Record, frozen=True, kw_only=True):
    """How complete the log audit was. Of the ``records`` read, ``examined`` are of the window."""

    files: int
    bytes: int
    records: int
    examined: int
    unreadable_records: int
    sources: tuple[Source, ...]
    unreadable: tuple[Unreadable, ...]
    rules_run: int
    rules_not_run: tuple[RuleNotRun, ...]
    rules_sha256: str


class HostFacts(Record, frozen=True, kw_only=True):
    """One Windows host."""

    via: str | None
    os: Os
    boot_time: str
    uptime_seconds: int
    clock: Clock | None
    pending_reboot: PendingReboot | None
    memory: Memory
    disks: tuple[Disk, ...]
    services: Services
    iis: Iis | None
    ports: Ports | None
    events: Events | None
    security: Security | None
    audit: Audit | None


class SiteFacts(Record, frozen=True, kw_only=True):
    """One IIS site. ``bindings`` as appcmd prints them, ``protocol/address:port:host``."""

    name: str
    site_id: int
    state: str
    bindings: tuple[str, ...]


class CertificateFacts(Record, frozen=True, kw_only=True):
    """One certificate in a store of the host. ``days_left`` whole days, negative once expired."""

    thumbprint: str
    store: str
    subject: str
    issuer: str
    serial: str
    names: tuple[str, ...]
    key: str
    has_private_key: bool
    not_before: str
    not_after: str
    days_left: int

"""Facts of the activity ``patching``: what was approved, offered, installed, and how the host fared.

Times are RFC 3339 in UTC by the controller's clock unless said otherwise, sizes MiB. A section that
is None was not collected: the run ended before it.
"""

from __future__ import annotations

from typing import Literal

from opsproof.evidence.model import Record

Standing = Literal["installed", "missing", "not-applicable", "unknown"]
"""``missing`` is offered here, or meant for this build and withheld by the server."""

UpdateResult = Literal[
    "installed",
    "already-installed",
    "not-applicable",
    "not-offered",
    "not-started",
    "planned",
    "failed",
    "rolled-back",
    "update-loop",
    "restart-due",
    "removed",
    "not-removable",
    "unknown",
]

HostResult = Literal[
    "patched",
    "current",
    "planned",
    "nothing-approved",
    "removed",
    "blocked",
    "window-over",
    "refused",
    "source-unreachable",
    "source-not-configured",
    "source-approves-nothing",
    "connection-lost",
    "update-failed",
    "rolled-back",
    "update-loop",
    "selection-differs",
    "did-not-return",
    "unsound",
    "not-collected",
]


class Code(Record, frozen=True, kw_only=True):
    """A Windows result: the HRESULT in hexadecimal, its name, and what it means."""

    hresult: str
    name: str
    zh: str
    en: str


class UpdateRow(Record, frozen=True, kw_only=True):
    """One approved update on this host.

    ``id`` and ``title`` are None when the update was never offered. ``minutes`` is how long its
    installation and the restart took, together with the other updates of the same round.
    """

    key: str
    id: str | None
    title: str | None
    severity: Literal["critical", "important", "moderate", "low"]
    approver: str
    ticket: str
    released: str
    age_days: int
    before: Standing
    after: Standing
    result: UpdateResult
    code: Code | None
    minutes: int | None
    restarted: bool


class Source(Record, frozen=True, kw_only=True):
    """Where updates come from. ``searched`` None: no search was made; else what it gave."""

    selection: str
    server: str | None
    used: bool
    searched: Literal["answered", "failed"] | None
    code: Code | None
    offered: int | None
    unapproved: int | None


class Before(Record, frozen=True, kw_only=True):
    """The host before anything was done; ``backup_age_hours`` None: not known."""

    boot_time: str
    system_free_mb: int
    pending_restart: tuple[str, ...]
    running_services: int
    backup_age_hours: int | None


class Partner(Record, frozen=True, kw_only=True):
    """Another host of the same service, as the controller saw it right before."""

    host: str
    answers: bool
    silent_ports: tuple[int, ...]
    health: Literal["sound", "unsound", "untouched"]


class Restart(Record, frozen=True, kw_only=True):
    """Whether a restart was due and made; ``boot_time`` is the one after it."""

    due: bool
    done: bool
    seconds: int | None
    boot_time: str | None


class Health(Record, frozen=True, kw_only=True):
    """What was well before and is not afterwards; a restart that is still due."""

    sound: bool
    services: tuple[str, ...]
    sites: tuple[str, ...]
    pools: tuple[str, ...]
    ports: tuple[int, ...]
    pending_restart: tuple[str, ...]


class HostFacts(Record, frozen=True, kw_only=True):
    """One host's patching, from the list to the comparison.

    ``frozen`` are the update ids that the canaries have proven, by key, and ``frozen_by`` the run in
    which each of them did; None for a canary, which proves itself.
    """

    wave: str
    service: str
    result: HostResult
    reasons: tuple[str, ...]
    build: int | None
    approved_sha256: str
    approved: int
    frozen: dict[str, tuple[str, ...]] | None
    frozen_by: dict[str, str] | None = None
    window_end: str | None
    started_at: str
    finished_at: str
    rounds: int
    source: Source
    before: Before | None
    partners: tuple[Partner, ...]
    updates: tuple[UpdateRow, ...]
    unplanned: tuple[str, ...]
    restart: Restart | None
    health: Health | None

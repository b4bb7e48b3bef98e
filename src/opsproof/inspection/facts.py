"""Puts the observation of a host together from what Ansible's modules and Windows' tools said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from opsproof.errors import IncompleteError
from opsproof.evidence.model import Severity
from opsproof.evidence.schemas.inspection import (
    Audit,
    CertificateFacts,
    Clock,
    Disk,
    Events,
    ExpectedServices,
    HostFacts,
    Iis,
    LogState,
    Memory,
    Os,
    PendingReboot,
    Pool,
    Ports,
    Security,
    Services,
    SiteFacts,
    StoppedService,
)
from opsproof.inspection.batch import Batch
from opsproof.inspection.certificates import read_blob
from opsproof.inspection.parsers import appcmd, listeners, log_info, registry_blobs, volumes
from opsproof.logs.model import AuditReport

MIB = 1024 * 1024

# Microsoft, "Automatic (Delayed Start)": the service control manager starts these two minutes after
# boot, one after the other; ten minutes leave them time.
_DELAYED_START = timedelta(minutes=10)

_SERIOUS = (Severity.CRITICAL, Severity.HIGH)
_MAX_HITS = 50
_MAX_SOURCES = 40


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What the inventory says of a host: services and ports it must offer, services that may rest."""

    services: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    resting_services: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """When the host ran the command (its own clock) and when the controller had the answer."""

    answered_at: datetime
    started: datetime
    ended: datetime


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """All facts of one host: its own and those of the subjects on it."""

    host: HostFacts
    sites: tuple[SiteFacts, ...] = ()
    certificates: tuple[CertificateFacts, ...] = ()
    clock_offset_ms: int | None = field(default=None)


def inspect(
    *,
    setup: Mapping[str, Any],
    services: Sequence[Mapping[str, Any]],
    batch: Batch,
    exchange: Exchange,
    expectation: Expectation,
    since: datetime,
    until: datetime,
    audit: AuditReport | None,
) -> Inspected:
    """Facts of one host.

    ``setup`` is the ansible_facts of ansible.windows.setup, ``services`` the list of
    win_service_info, ``audit`` the report on the files brought home, None when none were.

    Raises :class:`opsproof.errors.IncompleteError` when the host's answer lacks a part.
    """
    now = _utc(setup["ansible_date_time"]["iso8601_micro"])
    uptime = int(setup["ansible_uptime_seconds"])
    source = batch.section("time-source")
    clock = clock_of(batch, exchange, source.text.strip() if source.ok else None)
    return Inspected(
        host=HostFacts(
            via=None,
            os=Os(
                caption=setup["ansible_distribution"] or setup["ansible_os_family"],
                version=setup["ansible_distribution_version"],
                time_zone=setup["ansible_date_time"]["tz"],
            ),
            boot_time=stamp(now - timedelta(seconds=uptime)),
            uptime_seconds=uptime,
            clock=clock,
            pending_reboot=_pending_reboot(batch, bool(setup["ansible_reboot_pending"])),
            memory=_memory(int(setup["ansible_memtotal_mb"]), int(setup["ansible_memfree_mb"])),
            disks=_disks(batch),
            services=services_of(services, expectation, timedelta(seconds=uptime)),
            iis=_iis(batch),
            ports=_ports(batch, expectation),
            events=_events(batch, since, until, audit),
            security=_security(batch, audit),
            audit=_audit(audit),
        ),
        sites=_sites(batch),
        certificates=_certificates(batch, now),
        clock_offset_ms=clock.offset_ms,
    )


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC to the second, with the suffix Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def clock_of(batch: Batch, exchange: Exchange, source: str | None) -> Clock:
    """Host clock minus controller clock.

    The command began on the host after it was sent and ended before its answer was here: the
    offset lies between these two bounds, and half their distance is the uncertainty.
    """
    if batch.asked_at is None:
        raise IncompleteError("the host's answer does not say when it was asked")
    latest = exchange.started - batch.asked_at
    earliest = exchange.ended - exchange.answered_at
    return Clock(
        offset_ms=round((latest + earliest) / 2 / timedelta(milliseconds=1)),
        uncertainty_ms=round(abs(latest - earliest) / 2 / timedelta(milliseconds=1)),
        source=source,
    )


def _pending_reboot(batch: Batch, module_says: bool) -> PendingReboot:
    places = {
        "component-servicing": batch.section("pending-cbs").ok,
        "windows-update": batch.section("pending-wu").ok,
        "file-rename": batch.section("pending-rename").ok,
    }
    reasons = [name for name, found in places.items() if found]
    if module_says and not reasons:
        # Joining a domain, renaming and server features are further places that setup looks at.
        reasons = ["other"]
    return PendingReboot(pending=bool(reasons), reasons=tuple(reasons))


def _memory(total_mb: int, free_mb: int) -> Memory:
    return Memory(total_mb=total_mb, free_mb=free_mb, free_percent=free_mb * 100 // total_mb)


def _disks(batch: Batch) -> tuple[Disk, ...]:
    return tuple(
        disk_of(item.letter, item.size, item.free) for item in volumes(batch.section("disks").text)
    )


def disk_of(letter: str, size: int, free: int) -> Disk:
    """A disk from its size and free space in bytes."""
    return Disk(
        letter=letter,
        size_mb=size // MIB,
        free_mb=free // MIB,
        free_percent=free * 100 // size,
    )


def services_of(
    services: Sequence[Mapping[str, Any]], expectation: Expectation, uptime: timedelta
) -> Services:
    """Counts, automatic services that are stopped, and what the inventory misses.

    ``services`` are dictionaries with name, display_name, start_mode, state, triggers and
    win32_exit_code, as ansible.windows.win_service_info returns them.
    """
    resting = {name.lower() for name in expectation.resting_services}
    stopped = [
        StoppedService(
            name=item["name"],
            display_name=item["display_name"],
            trigger=any(t["action"] == "start_service" for t in item.get("triggers") or ()),
            delayed=item["start_mode"] == "delayed",
            starting=item["start_mode"] == "delayed" and uptime < _DELAYED_START,
            expected=item["name"].lower() in resting,
            exit_code=int(item["win32_exit_code"] or 0),
        )
        for item in services
        if item["start_mode"] in ("auto", "delayed") and item["state"] == "stopped"
    ]
    state = {item["name"].lower(): item["state"] for item in services}
    wanted = expectation.services
    return Services(
        total=len(services),
        running=sum(item["state"] == "started" for item in services),
        auto_stopped=tuple(sorted(stopped, key=lambda item: item.name.lower())),
        wanted=ExpectedServices(
            wanted=tuple(sorted(wanted)),
            missing=tuple(sorted(name for name in wanted if name.lower() not in state)),
            stopped=tuple(
                sorted(n for n in wanted if state.get(n.lower(), "started") != "started")
            ),
        ),
    )


def _iis(batch: Batch) -> Iis:
    if "iis" in batch.absent:
        return Iis(installed=False, sites=0, pools=())
    pools = [
        Pool(name=item["APPPOOL.NAME"], state=item["state"])
        for item in appcmd(batch.section("pools").text)
    ]
    return Iis(
        installed=True,
        sites=len(_sites(batch)),
        pools=tuple(sorted(pools, key=lambda pool: pool.name)),
    )


def _sites(batch: Batch) -> tuple[SiteFacts, ...]:
    if "iis" in batch.absent:
        return ()
    return tuple(
        SiteFacts(
            name=item["SITE.NAME"],
            site_id=int(item["SITE.ID"]),
            state=item["state"],
            bindings=tuple(item["bindings"].split(",")) if item["bindings"] else (),
        )
        for item in appcmd(batch.section("sites").text)
    )


def _ports(batch: Batch, expectation: Expectation) -> Ports:
    listening = {item.port for item in listeners(batch.section("connections").text)}
    return Ports(
        listening=tuple(sorted(listening)),
        wanted=tuple(sorted(expectation.ports)),
        missing=tuple(sorted(set(expectation.ports) - listening)),
    )


def _certificates(batch: Batch, now: datetime) -> tuple[CertificateFacts, ...]:
    found = [
        read_blob(store, blob)
        for store, section in batch.named("certificates").items()
        for blob in registry_blobs(section.text)
    ]
    return tuple(
        CertificateFacts(
            thumbprint=item.thumbprint,
            store=item.store,
            subject=item.subject,
            issuer=item.issuer,
            serial=item.serial,
            names=item.names,
            key=item.key,
            has_private_key=item.has_private_key,
            not_before=stamp(item.not_before),
            not_after=stamp(item.not_after),
            days_left=(item.not_after - now).days,
        )
        for item in sorted(found, key=lambda item: (item.store, item.thumbprint))
    )


def _events(
    batch: Batch, since: datetime, until: datetime, audit: AuditReport | None
) -> Events | None:
    if audit is None:
        return None
    exports = batch.named("export")
    logs = []
    for channel, section in sorted(batch.named("log").items()):
        info = log_info(section.text) if section.ok else {}
        logs.append(
            LogState(
                channel=channel,
                records=_number(info.get("numberOfLogRecords")),
                oldest_record=_number(info.get("oldestRecordNumber")),
                exported=channel in exports and exports[channel].ok,
            )
        )
    whole = _whole(batch, audit)
    return Events(
        since=stamp(since),
        until=stamp(until),
        critical=audit.summary.critical or (0 if whole else None),
        errors=audit.summary.errors if whole else None,
        top=audit.summary.top,
        logs=tuple(logs),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _whole(batch: Batch, audit: AuditReport) -> bool:
    """Whether every log came home and could be read: only then has what was not found not been."""
    exports = batch.named("export")
    return all(name in exports and exports[name].ok for name in batch.named("log")) and not any(
        one.file.lower().endswith(".evtx") for one in audit.unreadable
    )


def _security(batch: Batch, audit: AuditReport | None) -> Security | None:
    if audit is None:
        return None
    whole = _whole(batch, audit)
    serious = sum(rule.hits for rule in audit.rules_run if rule.severity in _SERIOUS)
    return Security(
        log_cleared=audit.summary.log_cleared or (() if whole else None),
        failed_logons=audit.summary.failed_logons if whole else None,
        hit_count=audit.counts.hits,
        serious_hits=serious or (0 if whole else None),
        hits=audit.hits[:_MAX_HITS],
        # The export is a selection, so its record ids have holes by design.
        gaps=tuple(gap for gap in audit.gaps if gap.kind != "record-id-hole")[:_MAX_HITS],
    )


def _audit(audit: AuditReport | None) -> Audit | None:
    if audit is None:
        return None
    return Audit(
        files=audit.counts.files,
        bytes=audit.counts.bytes,
        records=audit.counts.records,
        examined=audit.counts.records - audit.counts.filtered,
        unreadable_records=audit.counts.unreadable,
        sources=audit.sources[:_MAX_SOURCES],
        unreadable=audit.unreadable[:_MAX_HITS],
        rules_run=audit.counts.rules_run,
        rules_not_run=audit.rules_not_run,
        rules_sha256=audit.rules_sha256,
    )

"""What must hold before anything is installed, and whether there is still time for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from opsproof.errors import UsageError
from opsproof.evidence.schemas.patching import Partner
from opsproof.patching.snapshot import Snapshot


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a host needs: free space of C: in MiB, and how old its last good backup may be."""

    free_mb: int
    backup_hours: int


def blocking(
    snapshot: Snapshot, limits: Limits, *, last_backup: str | None, now: datetime
) -> tuple[str, ...]:
    """Reasons why this host is left alone, none when it may be patched.

    ``last_backup`` (RFC 3339) counts only when it is known.
    """
    reasons = []
    if snapshot.system_free_mb < limits.free_mb:
        reasons.append(f"C: has {snapshot.system_free_mb} MiB free, {limits.free_mb} are needed")
    if snapshot.pending:
        reasons.append(f"a restart is pending: {', '.join(snapshot.pending)}")
    age = backup_age_hours(last_backup, now)
    if age is not None and age > limits.backup_hours:
        reasons.append(f"the last good backup is {age} h old, {limits.backup_hours} h are allowed")
    return tuple(reasons)


def backup_age_hours(last_backup: str | None, now: datetime) -> int | None:
    """Whole hours since the last good backup, None when it is not known."""
    if not last_backup:
        return None
    return max(0, (now - moment(last_backup, "patching_last_backup")) // timedelta(hours=1))


def partner_out(partners: Iterable[Partner]) -> tuple[str, ...]:
    """Reasons why no restart may be made now: another host of the service is out or unwell."""
    reasons = []
    for partner in partners:
        if not partner.answers:
            reasons.append(f"{partner.host} of the same service does not answer")
        elif partner.silent_ports:
            ports = ", ".join(str(port) for port in partner.silent_ports)
            reasons.append(f"{partner.host} of the same service is silent on port {ports}")
        elif partner.health == "unsound":
            reasons.append(f"{partner.host} of the same service is unwell after its own patching")
    return tuple(reasons)


def may_start(now: datetime, window_end: str | None, minutes: int) -> bool:
    """Whether an installation may still begin: not later than ``minutes`` before the end."""
    if not window_end:
        return True
    return now <= moment(window_end, "patching_window_end") - timedelta(minutes=minutes)


def turns(batch: Sequence[str], services: dict[str, str]) -> dict[str, int]:
    """When each host of a batch has its turn: no two of one service have the same.

    ``services`` maps a host to its service; a host without one stands for itself.
    """
    seen: dict[str, int] = {}
    found: dict[str, int] = {}
    for host in batch:
        service = services.get(host) or f"host {host}"
        found[host] = seen.get(service, 0)
        seen[service] = found[host] + 1
    return found


def moment(text: str, where: str) -> datetime:
    """RFC 3339 with an offset, in UTC; :class:`UsageError` names the variable it came from."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no time", where=where) from error
    if value.tzinfo is None:
        raise UsageError(f"{text!r} names no offset from UTC", where=where)
    return value.astimezone(UTC)

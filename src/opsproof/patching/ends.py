"""How a host stood before work on its updates, and how it stands after: told alike by all that do it."""

from __future__ import annotations

from datetime import UTC, datetime

from opsproof.evidence.schemas.patching import Before, Health
from opsproof.patching.snapshot import Differences, Snapshot


def standing_before(before: Snapshot | None, backup_age_hours: int | None) -> Before | None:
    """The host before the work; None where it was not read."""
    if before is None:
        return None
    return Before(
        boot_time=before.boot_time,
        system_free_mb=before.system_free_mb,
        pending_restart=before.pending,
        running_services=len(before.running),
        backup_age_hours=backup_age_hours,
    )


def health_after(after: Snapshot | None, found: Differences | None) -> Health | None:
    """The host after the work, against before; None where the two were not compared."""
    if found is None or after is None:
        return None
    return Health(
        sound=found.sound,
        services=found.services,
        sites=found.sites,
        pools=found.pools,
        ports=found.ports,
        pending_restart=after.pending,
    )


def stamp(moment: datetime) -> str:
    """An aware moment in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

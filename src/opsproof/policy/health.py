"""Whether a host still does its work after its settings were changed: services, sites, ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opsproof.inspection.batch import Batch
from opsproof.inspection.command import MARKER, step
from opsproof.inspection.parsers import appcmd, listeners, wmic_csv

_FIRST_DYNAMIC_PORT = 49152
"""Ports from here on are handed out anew at every start (RFC 6335; Windows Server since 2008)."""

# Services that stop by themselves when they have nothing to do; they start when they are needed.
_RESTING = {
    "dosvc",
    "edgeupdate",
    "gpsvc",
    "gupdate",
    "gupdatem",
    "mapsbroker",
    "remoteregistry",
    "sppsvc",
    "trustedinstaller",
    "usosvc",
}


@dataclass(frozen=True, slots=True)
class Health:
    """What works: services that run and start by themselves, sites and pools, listening TCP ports."""

    services: frozenset[str]
    sites: frozenset[str]
    pools: frozenset[str]
    ports: frozenset[int]

    def lost_in(self, after: Health) -> tuple[str, ...]:
        """What worked here and does not ``after``, in words of its kind and name."""
        services = {
            name: f"service {name}"
            for name in self.services
            if name.lower() not in {one.lower() for one in after.services} | _RESTING
        }
        return (
            *(services[name] for name in sorted(services)),
            *(f"site {name}" for name in sorted(self.sites - after.sites)),
            *(f"pool {name}" for name in sorted(self.pools - after.pools)),
            *(f"port {port}" for port in sorted(self.ports - after.ports)),
        )


def health_steps() -> list[str]:
    """The steps of a command line that :func:`read_health` reads the answer of."""
    tool = r"%windir%\System32\inetsrv\appcmd.exe"
    return [
        # wmic reads its standard input and waits for ever where nothing closes it.
        step("services", "wmic service get Name,StartMode,State /format:csv <nul"),
        step("connections", "netstat -ano"),
        f"(if exist {tool} ({step('sites', f'{tool} list site /xml')} & "
        f"{step('pools', f'{tool} list apppool /xml')}) else echo {MARKER}absent iis)",
    ]


def read_health(batch: Batch) -> Health:
    """Read the answer.

    Raises:
        IncompleteError: a part is missing or cannot be read.
    """
    services = wmic_csv(batch.section("services").text)
    return Health(
        services=frozenset(
            row["Name"]
            for row in services
            if row["StartMode"] == "Auto" and row["State"] == "Running"
        ),
        sites=_started(batch, "sites", "SITE.NAME"),
        pools=_started(batch, "pools", "APPPOOL.NAME"),
        ports=frozenset(
            item.port
            for item in listeners(batch.section("connections").text)
            if item.port < _FIRST_DYNAMIC_PORT
        ),
    )


def _started(batch: Batch, section: str, name: str) -> frozenset[str]:
    if "iis" in batch.absent:
        return frozenset()
    rows: list[Mapping[str, str]] = list(appcmd(batch.section(section).text))
    return frozenset(row[name] for row in rows if row["state"] == "Started")

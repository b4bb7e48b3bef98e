"""What a host says of itself before and after patching, and what differs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from xml.etree.ElementTree import Element, ParseError

import msgspec
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from opsproof.errors import IncompleteError
from opsproof.inspection.batch import Batch
from opsproof.inspection.parsers import appcmd, cim_datetime, listeners, volumes, wmic_csv

MIB = 1024 * 1024
_FIRST_DYNAMIC_PORT = 49152
"""Ports from here on are handed out anew at every start (RFC 6335; Windows Server since 2008)."""

_VALUE = re.compile(r"^\s+(\S+)\s+(REG_\w+)\s+(.*?)\s*$", re.MULTILINE)
_CLIENT = "ccmexec"
"""The service of the Configuration Manager client."""

_CLIENT_SAYS = re.compile(r"^\s*(RebootPending|IsHardRebootPending) = (TRUE|FALSE);", re.MULTILINE)
_EVENT = re.compile(r"<Event .*?</Event>", re.DOTALL)
_NAMESPACE = "{http://schemas.microsoft.com/win/2004/08/events/event}"


class UpdateEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A result that the Windows Update client has logged; ``hresult`` 0 is a success."""

    update: str
    hresult: int
    at: str


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a host. Times are RFC 3339 in UTC by the host's clock, sizes MiB.

    ``running`` are services that run and start automatically; ``automatic`` all that should.
    ``packages`` maps a package of component servicing to DISM's (English) word for its state.
    ``ports`` are listening TCP ports below the dynamic range. ``clock_offset_ms`` is host clock
    minus controller clock.
    """

    build: int
    boot_time: str
    taken_at: str
    clock_offset_ms: int
    disks: dict[str, int]
    running: tuple[str, ...]
    automatic: tuple[str, ...]
    fixes: tuple[str, ...]
    packages: dict[str, str]
    sites: dict[str, str]
    pools: dict[str, str]
    ports: tuple[int, ...]
    pending: tuple[str, ...]
    wsus_server: str | None
    wsus_used: bool
    events: tuple[UpdateEvent, ...]

    @property
    def system_free_mb(self) -> int:
        """Free space of C:, where updates are unpacked."""
        return self.disks["C"]


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """What was well before and is not now."""

    services: tuple[str, ...]
    sites: tuple[str, ...]
    pools: tuple[str, ...]
    ports: tuple[int, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing got worse."""
        return not (self.services or self.sites or self.pools or self.ports)


def read_snapshot(batch: Batch, answered_at: datetime) -> Snapshot:
    """A snapshot from the answer of :func:`opsproof.patching.command.snapshot_command`.

    Raises :class:`IncompleteError` when a section is missing or cannot be read.
    """
    [os] = wmic_csv(batch.section("os").text)
    now = cim_datetime(os["LocalDateTime"])
    services = wmic_csv(batch.section("services").text)
    policy = {name: value for name, _, value in _VALUE.findall(batch.section("policy").text)}
    packages = batch.section("packages")
    if not packages.ok:
        raise IncompleteError("dism could not list the packages", remedy="run dism on the host")
    automatic = [row for row in services if row["StartMode"] == "Auto"]
    return Snapshot(
        build=int(os["BuildNumber"]),
        boot_time=_stamp(cim_datetime(os["LastBootUpTime"])),
        taken_at=_stamp(now),
        clock_offset_ms=round((now - answered_at) / timedelta(milliseconds=1)),
        disks={item.letter: item.free // MIB for item in volumes(batch.section("disks").text)},
        running=tuple(sorted(row["Name"] for row in automatic if row["State"] == "Running")),
        automatic=tuple(sorted(row["Name"] for row in automatic)),
        fixes=_fixes(batch),
        packages=_packages(packages.text),
        sites=_states(batch, "sites", "SITE.NAME"),
        pools=_states(batch, "pools", "APPPOOL.NAME"),
        ports=tuple(
            sorted(
                {
                    item.port
                    for item in listeners(batch.section("connections").text)
                    if item.port < _FIRST_DYNAMIC_PORT
                }
            )
        ),
        pending=_pending(batch, client=any(r["Name"].lower() == _CLIENT for r in services)),
        wsus_server=policy.get("WUServer"),
        wsus_used=policy.get("UseWUServer") == "0x1",
        events=_events(batch.section("events").text),
    )


def compare(before: Snapshot, after: Snapshot, resting: Iterable[str]) -> Differences:
    """What ``after`` lacks; services named in ``resting`` may stop by themselves."""
    rests = {name.lower() for name in resting}
    running = {name.lower() for name in after.running}
    return Differences(
        services=tuple(
            name
            for name in before.running
            if name.lower() not in running and name.lower() not in rests
        ),
        sites=_worse(before.sites, after.sites),
        pools=_worse(before.pools, after.pools),
        ports=tuple(port for port in before.ports if port not in after.ports),
    )


def _worse(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        sorted(
            name
            for name, state in before.items()
            if state == "Started" and after.get(name) != "Started"
        )
    )


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fixes(batch: Batch) -> tuple[str, ...]:
    section = batch.section("fixes")
    # Without any fix wmic prints "No Instance(s) Available." on its error stream, and no table.
    if "Node," not in section.text:
        return ()
    names = {row["HotFixID"] for row in wmic_csv(section.text)}
    return tuple(sorted(name.removeprefix("KB") for name in names if name.startswith("KB")))


def _packages(text: str) -> dict[str, str]:
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]
    return {row[0]: row[1] for row in rows if len(row) == 4 and "~" in row[0]}


def _states(batch: Batch, section: str, name: str) -> dict[str, str]:
    if "iis" in batch.absent:
        return {}
    return {item[name]: item["state"] for item in appcmd(batch.section(section).text)}


def _pending(batch: Batch, *, client: bool) -> tuple[str, ...]:
    found = [name for name, section in batch.named("pending").items() if section.ok]
    names = [_VALUE.findall(batch.section(part).text) for part in ("name", "active-name")]
    wanted, active = ([value.lower() for _, _, value in part] for part in names)
    if wanted != active:
        found.append("computer-name")
    volatile = [value for _, _, value in _VALUE.findall(batch.section("update-exe").text)]
    if any(value != "0x0" for value in volatile):
        found.append("update-exe")
    if re.search(r"\\Pending\\.", batch.section("update-services").text, re.IGNORECASE):
        found.append("update-services")
    said = dict(_CLIENT_SAYS.findall(batch.section("client").text))
    if client and not said:
        raise IncompleteError(
            "the Configuration Manager client does not say whether a restart is pending",
            remedy="repair the client or stop and remove it",
        )
    if "TRUE" in said.values():
        found.append("configuration-manager")
    return tuple(sorted(found))


def _events(text: str) -> tuple[UpdateEvent, ...]:
    return tuple(_event(part) for part in _EVENT.findall(text))


def _event(text: str) -> UpdateEvent:
    try:
        root: Element = fromstring(text)
        system, data = root.find(f"{_NAMESPACE}System"), root.find(f"{_NAMESPACE}EventData")
        assert system is not None
        assert data is not None
        created = system.find(f"{_NAMESPACE}TimeCreated")
        assert created is not None
    except (ParseError, DefusedXmlException, AssertionError) as error:
        raise IncompleteError("wevtutil printed an event that is none") from error
    values = {item.get("Name"): item.text or "" for item in data}
    return UpdateEvent(
        update=values["updateGuid"].strip("{}").lower(),
        hresult=int(values.get("errorCode", "0"), 0),
        at=_stamp(datetime.fromisoformat(created.attrib["SystemTime"])),
    )

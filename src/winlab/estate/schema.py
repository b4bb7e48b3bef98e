"""The estate file: what hosts a lab has and what is wrong with them.

A YAML mapping of `EstateSpec`. Unknown keys and values of the wrong kind are refused by name, so
that a typing error never gives a host that silently lacks its fault. Sizes say their unit in the
key; ages and life times are in days or hours before or after the start of the lab.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml

from winlab.estate.errors import EstateError
from winlab.estate.schema_policy import GpoSpec as GpoSpec
from winlab.estate.schema_policy import unknown_gpo
from winlab.estate.schema_sql import SqlDatabaseSpec as SqlDatabaseSpec
from winlab.estate.schema_sql import SqlLoginSpec as SqlLoginSpec
from winlab.estate.schema_sql import SqlSpec as SqlSpec
from winlab.estate.schema_updates import HostUpdatesSpec as HostUpdatesSpec
from winlab.estate.schema_updates import Kb as Kb
from winlab.estate.schema_updates import TroubleSpec as TroubleSpec
from winlab.estate.schema_updates import UpdateSpec as UpdateSpec
from winlab.estate.schema_updates import unknown_kbs
from winlab.estate.spec import Spec as Spec

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Letter = Annotated[str, msgspec.Meta(pattern="^[A-Z]$")]


class WinrmSpec(Spec, frozen=True, kw_only=True):
    """Which WinRM listeners and logins a host has; Windows' own defaults but for HTTPS and Basic."""

    http: bool = True
    https: bool = True
    basic: bool = True
    negotiate: bool = True
    allow_unencrypted: bool = True


class DiskSpec(Spec, frozen=True, kw_only=True):
    """A fixed drive."""

    letter: Letter
    size_gb: Annotated[int, msgspec.Meta(ge=1, le=65536)] = 100
    used_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] = 40
    label: str = ""


class ServiceSpec(Spec, frozen=True, kw_only=True):
    """A service to add, or to change when Windows has it already."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    display: str = ""
    description: str = ""
    start: Literal["auto", "delayed", "manual", "disabled"] = "auto"
    state: Literal["running", "stopped"] = "running"
    exit_code: int = 0
    account: str = "NT AUTHORITY\\SYSTEM"
    path: str = ""
    trigger: bool = False


class CertificateSpec(Spec, frozen=True, kw_only=True):
    """A certificate issued by the lab's CA into LocalMachine\\``store``; the subject is one CN."""

    id: Name
    cn: str = ""
    dns: tuple[str, ...] = ()
    store: Literal["My", "Root", "WebHosting", "CA"] = "My"
    days_left: int = 200
    days_old: Annotated[int, msgspec.Meta(ge=0)] = 165
    friendly_name: str = ""


class BindingSpec(Spec, frozen=True, kw_only=True):
    """Where a site answers. ``certificate`` is the id of one of the host's certificates."""

    port: Port
    protocol: Literal["http", "https"] = "http"
    host: str = ""
    certificate: Name | None = None


class PoolSpec(Spec, frozen=True, kw_only=True):
    """An application pool."""

    name: str
    state: Literal["started", "stopped"] = "started"
    auto_start: bool = True


class SigningKeySpec(Spec, frozen=True, kw_only=True):
    """A key of the signing server: ``disabled`` refuses, ``unavailable`` says that its hardware
    module does not answer, ``faulty`` signs with another key than its certificate says."""

    name: Name
    kind: Literal["rsa-2048", "ec-p256", "sm2"] = "rsa-2048"
    state: Literal["enabled", "disabled", "unavailable", "faulty"] = "enabled"
    days_left: int = 365
    days_old: Annotated[int, msgspec.Meta(ge=0)] = 365


class SiteSpec(Spec, frozen=True, kw_only=True):
    """A web site. ``content`` is file name -> text below the root; ``w3c`` are ready log files on
    the controller, relative to the estate file. With ``signing`` keys it is a signing server too."""

    name: str
    pool: str = "DefaultAppPool"
    state: Literal["started", "stopped"] = "started"
    auto_start: bool = True
    bindings: tuple[BindingSpec, ...]
    root: str = ""
    content: dict[str, str] = msgspec.field(default_factory=dict)
    w3c: tuple[str, ...] = ()
    signing: tuple[SigningKeySpec, ...] = ()


class IisSpec(Spec, frozen=True, kw_only=True):
    """IIS and what it serves; ``traffic_per_hour`` is the background of every started site."""

    sites: tuple[SiteSpec, ...]
    pools: tuple[PoolSpec, ...] = ()
    traffic_per_hour: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0


class EventLogSpec(Spec, frozen=True, kw_only=True):
    """A channel whose file is this one, a real EVTX file on the controller.

    A damaged or cut one stays as it is: Windows' tools then say that the log is corrupted.
    """

    channel: str
    evtx: str


class FileSpec(Spec, frozen=True, kw_only=True):
    """A file of the host: ``text``, ``source``, a file on the controller, or ``update``, a KB number.

    In a text ``{ago 3.5h}`` is the host's local time so many hours before the lab's start, as
    ``2026-11-22 09:15:00``; ``encoding`` is what the text is written in. An update's file is its .msu
    as the estate's catalogue has it.
    """

    path: str
    text: str | None = None
    encoding: Literal["utf-8", "gb18030", "utf-16"] = "utf-8"
    source: str | None = None
    update: Kb | None = None


class RegistrySpec(Spec, frozen=True, kw_only=True):
    """A value of the registry; the type follows from the YAML value (text, integer)."""

    key: str
    name: str = ""
    value: str | int


class UserSpec(Spec, frozen=True, kw_only=True):
    """A local account without a known password."""

    name: str
    full_name: str = ""
    groups: tuple[str, ...] = ()
    disabled: bool = False


class IncidentSpec(Spec, frozen=True, kw_only=True):
    """Something that happened ``hours_ago`` before the lab's start and is in the logs."""

    kind: Literal["failed-logons", "log-cleared", "sql-injection", "service-crash"]
    hours_ago: Annotated[float, msgspec.Meta(ge=0, le=24 * 365)] = 3.0
    count: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1
    account: str = "Administrator"
    source: str = "10.20.30.40"
    service: str = ""
    site: str = ""


class FaultSpec(Spec, frozen=True, kw_only=True):
    """A fault that is on when the lab starts; ``count`` requests long, until cleared without it."""

    kind: Literal["refuse", "hang", "drop", "slow"]
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None


class RebootSpec(Spec, frozen=True, kw_only=True):
    """How reboots go: closed ports for so many seconds, then so many refused requests."""

    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.5
    reads: Annotated[int, msgspec.Meta(ge=0)] = 0


class HostSpec(Spec, frozen=True, kw_only=True):
    """One host, or one of the equal hosts of a group. What is left out is taken from defaults.

    A ``member`` is in the estate's domain; ``gpos`` are those that apply to it, the last one wins.
    """

    name: Name
    os: Literal["2008R2", "2012R2", "2016", "2019", "2022"] | None = None
    edition: Literal["Standard", "Datacenter", "Enterprise"] | None = None
    locale: Literal["en-US", "zh-CN"] | None = None
    time_zone: str | None = None
    role: Literal["web", "management", "sql-server-2008", "plain"] = "plain"
    sql_edition: Literal["Standard", "Enterprise"] = "Standard"
    sql: SqlSpec | None = None
    winrm: WinrmSpec | None = None
    memory_gb: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 16
    processors: Annotated[int, msgspec.Meta(ge=1, le=128)] = 4
    disks: tuple[DiskSpec, ...] = ()
    down: bool = False
    fault: FaultSpec | None = None
    latency_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 0
    reboot: RebootSpec = RebootSpec()
    uptime_hours: Annotated[float, msgspec.Meta(ge=0.1)] = 400.0
    clock_offset_ms: int = 0
    pending_reboot: tuple[Literal["cbs", "wu", "rename", "exe"], ...] = ()
    configuration_manager: Literal["none", "idle", "restart-due", "broken"] = "none"
    services: tuple[ServiceSpec, ...] = ()
    certificates: tuple[CertificateSpec, ...] = ()
    iis: IisSpec | None = None
    event_logs: tuple[EventLogSpec, ...] = ()
    events_per_hour: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0
    incidents: tuple[IncidentSpec, ...] = ()
    files: tuple[FileSpec, ...] = ()
    registry: tuple[RegistrySpec, ...] = ()
    users: tuple[UserSpec, ...] = ()
    updates: HostUpdatesSpec | None = None
    member: bool = False
    gpos: tuple[str, ...] = ()
    peers: tuple[Name, ...] = ()


class GroupSpec(Spec, frozen=True, kw_only=True):
    """``count`` equal hosts for tests of scale: ``prefix`` and a number from 1."""

    prefix: Annotated[str, msgspec.Meta(pattern="^[a-z0-9-]+$")]
    count: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    host: HostSpec


class DefaultsSpec(Spec, frozen=True, kw_only=True):
    """What a host has that does not say otherwise."""

    os: Literal["2008R2", "2012R2", "2016", "2019", "2022"] = "2022"
    edition: Literal["Standard", "Datacenter", "Enterprise"] = "Standard"
    locale: Literal["en-US", "zh-CN"] = "en-US"
    time_zone: str = "China Standard Time"
    winrm: WinrmSpec = WinrmSpec()


class EstateSpec(Spec, frozen=True, kw_only=True):
    """The whole file. ``estate`` is the version of this schema, 1."""

    estate: Literal[1]
    name: str = "lab"
    user: str = "Administrator"
    domain: str = "lab.example"
    history_hours: Annotated[int, msgspec.Meta(ge=1, le=24 * 62)] = 48
    defaults: DefaultsSpec = DefaultsSpec()
    updates: tuple[UpdateSpec, ...] = ()
    gpos: tuple[GpoSpec, ...] = ()
    hosts: tuple[HostSpec, ...] = ()
    groups: tuple[GroupSpec, ...] = ()


def load_estate(path: Path) -> EstateSpec:
    """Return the checked estate of a YAML file; `EstateError` names file, key and remedy."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise EstateError(
            str(path), "", f"cannot be read ({exc.strerror})", "give the path of an estate file"
        ) from exc
    except UnicodeDecodeError as exc:
        raise EstateError(str(path), "", "is not UTF-8", "save it as UTF-8") from exc
    return parse_estate(text, str(path))


def parse_estate(text: str, file: str = "estate.yml") -> EstateSpec:
    """Return the checked estate of YAML text; ``file`` is the name for errors."""
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else ""
        what = getattr(exc, "problem", None) or "is not YAML"
        raise EstateError(file, where, str(what), "correct the YAML there") from exc
    try:
        spec = msgspec.convert(loaded, EstateSpec)
    except msgspec.ValidationError as exc:
        what, _, key = str(exc).partition(" - at `")
        raise EstateError(
            file, _key(key), what, "see docs/winlab-coverage.md for the keys"
        ) from exc
    _cross_check(spec, file)
    return spec


def _key(path: str) -> str:
    return path.rstrip("`").removeprefix("$").lstrip(".").replace("[...]", "[]")


def all_hosts(spec: EstateSpec) -> list[HostSpec]:
    """Return the hosts one by one, groups unrolled (``bulk-0001`` and so on)."""
    hosts = list(spec.hosts)
    for group in spec.groups:
        width = len(str(group.count))
        hosts += [
            msgspec.structs.replace(group.host, name=f"{group.prefix}{number:0{width}}")
            for number in range(1, group.count + 1)
        ]
    return hosts


def _cross_check(spec: EstateSpec, file: str) -> None:
    hosts = all_hosts(spec)
    if not hosts:
        raise EstateError(file, "hosts", "there is no host", "add one host or one group")
    seen: set[str] = set()
    computers: dict[str, str] = {}
    names = {host.name for host in hosts}
    for host in hosts:
        where = f"hosts[{host.name}]"
        if host.name in seen:
            raise EstateError(file, where, "is there twice", "give every host its own name")
        seen.add(host.name)
        computer = host.name[:15].upper()
        other = computers.setdefault(computer, host.name)
        if other != host.name:
            raise EstateError(
                file,
                where,
                f"has the computer name {computer}, as {other} has",
                "let names differ in their first 15 letters (NetBIOS)",
            )
        for peer in host.peers:
            if peer not in names:
                raise EstateError(
                    file, f"{where}.peers", f"{peer} is no host of this estate", "add that host"
                )
        unknown = unknown_kbs(
            spec.updates, host.updates or HostUpdatesSpec(), (f.update for f in host.files)
        )
        if unknown:
            raise EstateError(
                file, f"{where}.updates", f"no update has KB{unknown[0]}", "add it under updates"
            )
        _check_policy(spec, host, where, file)
        _check_host(host, where, file)


def _check_policy(spec: EstateSpec, host: HostSpec, where: str, file: str) -> None:
    unknown = unknown_gpo(spec.gpos, host.gpos)
    if unknown is not None:
        raise EstateError(file, f"{where}.gpos", f"there is no GPO {unknown!r}", "add it to gpos")
    if host.gpos and not host.member:
        raise EstateError(file, f"{where}.gpos", "is no member of the domain", "say member: true")


def _check_host(host: HostSpec, where: str, file: str) -> None:
    known = {certificate.id for certificate in host.certificates}
    ports: set[tuple[int, str]] = set()
    for site in host.iis.sites if host.iis else ():
        for binding in site.bindings:
            place = f"{where}.iis.sites[{site.name}].bindings"
            if (binding.port, binding.host) in ports or binding.port in {5985, 5986}:
                raise EstateError(
                    file, place, f"port {binding.port} is taken on this host", "choose another port"
                )
            ports.add((binding.port, binding.host))
            if binding.protocol == "https" and binding.certificate not in known:
                raise EstateError(
                    file,
                    place,
                    f"https needs a certificate; {binding.certificate!r} is none of this host's",
                    "name the id of one under certificates",
                )
    sites = {site.name for site in host.iis.sites} if host.iis else set()
    for incident in host.incidents:
        if incident.kind == "sql-injection" and incident.site not in sites:
            raise EstateError(
                file, f"{where}.incidents", f"there is no site {incident.site!r}", "name a site"
            )
    for item in host.files:
        if (item.text is None) == (item.source is None):
            raise EstateError(
                file,
                f"{where}.files[{item.path}]",
                "needs text or source, and not both",
                "give one of them",
            )
        if not re.match(r"^[A-Za-z]:\\", item.path):
            raise EstateError(
                file, f"{where}.files[{item.path}]", "is no absolute path", "begin with C:\\"
            )

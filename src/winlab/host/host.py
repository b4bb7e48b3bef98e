"""One simulated Windows host: the sum of its state, and nothing that does I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from winlab.host import iis_ports
from winlab.host.accounts import Accounts, User
from winlab.host.certificates import CertificateStores, SystemCertificatesView
from winlab.host.clock import ZONES, HostClock
from winlab.host.deferred import DeferredWrites
from winlab.host.eventlogs import EventLogs
from winlab.host.files import Drive, FileSystem
from winlab.host.grouppolicy import GroupPolicy
from winlab.host.guard import WriteGuard
from winlab.host.hardware import Hardware
from winlab.host.hives import PROFILES, Hives
from winlab.host.ids import SeededIds, stable_number
from winlab.host.iis import Iis
from winlab.host.image import base
from winlab.host.network import Listener, Network
from winlab.host.policy import SecurityPolicy
from winlab.host.power import Power
from winlab.host.processes import Processes
from winlab.host.registry import Registry
from winlab.host.release import LOCALES, RELEASES, Locale, OsRelease
from winlab.host.services import ServiceManager
from winlab.host.servicesview import ServicesView
from winlab.host.tasks import Tasks
from winlab.host.updatelog import record
from winlab.host.updates import Logged, UpdateAgent
from winlab.sqlserver.instance import Instance

GIB = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpec:
    """What a host is made from. ``name`` is the computer name (at most 15 letters are kept).

    ``system_drive_gib`` and ``system_used_gib`` size C:; ``drives`` are further volumes;
    ``uptime`` is how long ago it booted; ``seed`` makes its identifiers.
    """

    name: str
    release: str = "2022"
    locale: str = "zh-CN"
    edition: str = "Standard"
    zone: str = "China Standard Time"
    admin: str = "Administrator"
    admin_password: str | None = None
    hardware: Hardware = field(default_factory=Hardware)
    system_drive_gib: int = 100
    system_used_gib: int = 36
    drives: tuple[Drive, ...] = ()
    uptime: timedelta = timedelta(days=21, hours=3)
    seed: str = ""


class Host:
    """One Windows host. Every part of its state is an attribute; each announces its writes.

    ``unmodelled`` counts what was asked of the host and is not modelled. ``environment`` holds the
    machine's variables. Nothing here reads a clock or makes randomness: both are given.
    """

    __slots__ = (
        "_saved_parts",
        "accounts",
        "certificates",
        "clock",
        "deferred",
        "environment",
        "eventlogs",
        "files",
        "group_policy",
        "guard",
        "hardware",
        "hives",
        "ids",
        "iis",
        "locale",
        "name",
        "network",
        "os",
        "policy",
        "power",
        "processes",
        "registry",
        "services",
        "sql",
        "tasks",
        "unmodelled",
        "updates",
    )

    def __init__(self, spec: HostSpec, lab_clock: Callable[[], datetime]) -> None:
        """Build from ``spec``; ``lab_clock`` gives the lab's time as aware UTC.

        Raises:
            KeyError: the release, locale or time zone is not known.
        """
        self.name = spec.name[:15].upper()
        self.os: OsRelease = replace(RELEASES[spec.release], edition=spec.edition)
        self.locale: Locale = LOCALES[spec.locale]
        self.ids = SeededIds(spec.seed or spec.name)
        self.guard = WriteGuard()
        self.unmodelled: Counter[str] = Counter()
        self.clock = HostClock(lab_clock, ZONES[spec.zone])
        write = self.guard.write
        image = base(spec.release, spec.locale)
        system = Drive(
            letter="C:",
            size=spec.system_drive_gib * GIB,
            used=spec.system_used_gib * GIB,
            serial=stable_number(f"{spec.name}/serial", 2**32),
        )
        drives = {d.letter: d for d in (system, *spec.drives)}
        with self.guard.exempt():
            self.files = FileSystem(image.files, drives, self.clock.now, write)
            self.guard.exists = self.files.exists
            self.deferred = DeferredWrites(self.files, self.guard)
            self.registry = Registry(image.registry, write)
            self.hives = Hives(self.registry, self.files, self.guard)
            self.services = ServiceManager(image.services, write)
            self.accounts = Accounts(
                self.name,
                machine_sid(self.name),
                image.users(machine_sid(self.name)),
                image.groups(machine_sid(self.name)),
                write,
            )
            self.policy = SecurityPolicy(self.accounts, write)
            self.tasks = Tasks(write)
            self.certificates = CertificateStores(write)
            self.network = Network(self.pid_of, write)
            self.network.listeners = image.listeners
            self.network.extra_listeners = self._iis_listeners
            booted = self.clock.now() - spec.uptime
            self.power = Power(booted, self.clock.now, self.registry, write)
            self.eventlogs = EventLogs(
                image.channels, self.name, image.installed, self.clock.now, write
            )
            self.updates = UpdateAgent(
                self.power, self.registry, self.clock.now, write, self._update_logged
            )
            self.iis = Iis(self._running, write)
            self.processes = Processes(self.services.all, write)
            self.sql: Instance | None = None
            self.hardware = spec.hardware
            self.group_policy = GroupPolicy(self)
            self.environment: dict[str, str] = dict(image.environment)
            self._identify(spec)
        self._saved_parts: tuple[str, ...] = (
            "ids",
            "clock",
            "files",
            "deferred",
            "registry",
            "hives",
            "services",
            "accounts",
            "policy",
            "tasks",
            "certificates",
            "network",
            "power",
            "eventlogs",
            "iis",
            "processes",
            "updates",
            "group_policy",
        )

    def _identify(self, spec: HostSpec) -> None:
        """Give the host its own name, administrator and the keys that mirror state."""
        self.environment["COMPUTERNAME"] = self.name
        processors = spec.hardware.sockets * spec.hardware.cores
        self.environment["NUMBER_OF_PROCESSORS"] = str(processors)
        if spec.admin_password is not None:
            if self.accounts.find_user(spec.admin) is None:
                self.accounts.create_user(spec.admin, spec.admin_password)
                self.accounts.add_member("Administrators", spec.admin)
            else:
                self.accounts.change_user(spec.admin, password=spec.admin_password)
        for drive in spec.drives:
            self.files.add_root(drive.letter)
        self.registry.set_value(PROFILES, "Default", "%SystemDrive%\\Users\\Default")
        builtin = admin_user(self)
        self.hives.add_profile(builtin.sid, "C:\\Users\\Administrator", logged_on=True)
        services = "HKLM\\SYSTEM\\CurrentControlSet\\Services"
        self.registry.mount(services, ServicesView(self.services))
        certificates = "HKLM\\SOFTWARE\\Microsoft\\SystemCertificates"
        self.registry.mount(certificates, SystemCertificatesView(self.certificates))
        self.registry.mount("HKLM\\SYSTEM\\CurrentControlSet\\Control", base_control(self))

    # -- conveniences ----------------------------------------------------------------------------

    def now(self) -> datetime:
        """Return the host's time as aware UTC."""
        return self.clock.now()

    def writing(self, what: str) -> None:
        """Announce a write of state that no part of the host announces itself."""
        self.guard.write(what)

    def pid_of(self, service: str) -> int:
        """Return the process id of a running service, else 0."""
        found = self.services.find(service)
        return found.process_id if found is not None and found.running else 0

    def _update_logged(self, logged: Logged) -> None:
        with self.guard.exempt():
            self.eventlogs.extend([record(logged, self.name, self.now())])

    def _running(self, service: str) -> bool:
        found = self.services.find(service)
        return found is not None and found.running

    def _iis_listeners(self) -> list[Listener]:
        return iis_ports.listeners(self.iis)

    def text(self, english: str, chinese: str) -> str:
        """Return the text in the host's display language."""
        return chinese if self.locale.chinese else english

    def user_folder(self, user: str) -> str:
        """Return the profile folder of a user, C:\\Users\\NAME."""
        found = self.accounts.find_user(user)
        if user.rpartition("\\")[2].lower() == "system":
            return "C:\\Windows\\system32\\config\\systemprofile"
        return f"C:\\Users\\{found.name if found else user.rpartition(chr(92))[2]}"

    def ensure_profile(self, user: str) -> str:
        """Make a user's profile folders on first logon, unguarded; return the profile folder."""
        home = self.user_folder(user)
        temp = f"{home}\\AppData\\Local\\Temp"
        if not self.files.is_folder(temp):
            with self.guard.exempt():
                self.files.mkdir(temp)
        return home

    def environment_of(self, user: str) -> dict[str, str]:
        """Return the variables a logged-on user's process starts with."""
        home = self.ensure_profile(user)
        found = self.accounts.find_user(user)
        name = found.name if found else user.rpartition("\\")[2]
        own = {
            "USERNAME": name,
            "USERDOMAIN": self.name,
            "USERPROFILE": home,
            "APPDATA": f"{home}\\AppData\\Roaming",
            "LOCALAPPDATA": f"{home}\\AppData\\Local",
            "TEMP": f"{home}\\AppData\\Local\\Temp",
            "TMP": f"{home}\\AppData\\Local\\Temp",
            "PROMPT": "$P$G",
        }
        if name.lower() == "system":
            temp = "C:\\Windows\\TEMP"
            own |= {"USERNAME": f"{self.name}$", "USERDOMAIN": self.network.domain}
            own |= {"TEMP": temp, "TMP": temp}
        return {**self.environment, **own}

    def attach_sql(self, instance: Instance) -> None:
        """Install an instance of SQL Server; from now on snapshots hold its databases."""
        self.sql = instance
        self._saved_parts = (*self._saved_parts, "sql")

    def not_modelled(self, what: str) -> None:
        """Count something that was asked of the host and is not modelled."""
        self.unmodelled[what] += 1

    def reboot(self) -> None:
        """Do what a reboot does to state: services by start mode, sites, pending marks."""
        with self.guard.exempt():
            self.power.booted()
            broken, mended = self.updates.booted()
            self.services.break_starts(broken, mended)
            self.services.boot()
            self.iis.boot()
        self.group_policy.refresh()

    # -- state -----------------------------------------------------------------------------------

    def snapshot(self) -> HostSnapshot:
        """Return the whole state; cheap, because values are immutable and shared."""
        parts = {name: getattr(self, name).save() for name in self._saved_parts}
        return HostSnapshot(parts, self.hardware, dict(self.environment), Counter(self.unmodelled))

    def restore(self, snapshot: HostSnapshot) -> None:
        """Go back to a snapshot of this host."""
        for name, state in snapshot.parts.items():
            getattr(self, name).load(state)
        self.hardware = snapshot.hardware
        self.environment = dict(snapshot.environment)
        self.unmodelled = Counter(snapshot.unmodelled)

    def dump(self) -> dict[str, Any]:
        """Return the state as JSON-able data, in a fixed order."""
        return {
            "name": self.name,
            "os": {
                "caption": self.os.caption,
                "version": self.os.version,
                "build": self.os.build,
                "locale": self.locale.name,
                "zone": self.clock.zone.name,
            },
            "clock_offset_ms": round(self.clock.offset.total_seconds() * 1000),
            "hardware": self.hardware.dump(),
            "power": self.power.dump(),
            "services": self.services.dump(),
            "registry": self.registry.dump(),
            "files": self.files.dump(),
            "accounts": self.accounts.dump(),
            "policy": self.policy.dump(),
            "tasks": self.tasks.dump(),
            "certificates": self.certificates.dump(),
            "network": self.network.dump(),
            "iis": self.iis.dump(),
            "eventlogs": self.eventlogs.dump(),
            "processes": self.processes.dump(),
            "updates": self.updates.dump(),
            "group_policy": self.group_policy.dump(),
            "sql": None if self.sql is None else self.sql.dump(),
            "environment": dict(sorted(self.environment.items())),
            "guard": {
                "armed": self.guard.armed,
                "writes": self.guard.writes,
                "violations": [[w.what, w.origin] for w in self.guard.violations],
            },
            "unmodelled": dict(sorted(self.unmodelled.items())),
        }


@dataclass(frozen=True, slots=True)
class HostSnapshot:
    """A host's whole state at one moment; only `Host.restore` looks inside."""

    parts: dict[str, Any]
    hardware: Hardware
    environment: dict[str, str]
    unmodelled: Counter[str]


def machine_sid(name: str) -> str:
    """Return a machine SID made from the computer's name."""
    parts = [stable_number(f"{name}/sid{n}", 2**31) + 2**30 for n in range(3)]
    return "S-1-5-21-" + "-".join(str(p) for p in parts)


def admin_user(host: Host) -> User:
    """Return the built-in administrator (RID 500)."""
    return host.accounts.user(f"{host.accounts.machine_sid}-500")


class _ControlView:
    """Keys below Control that name this one computer and its time zone."""

    __slots__ = ("_host",)

    def __init__(self, host: Host) -> None:
        self._host = host

    def keys(self) -> dict[str, dict[str, str | int | bytes | tuple[str, ...]]]:
        """Return the ComputerName and TimeZoneInformation keys."""
        host, zone = self._host, self._host.clock.zone
        return {
            "ComputerName\\ComputerName": {"ComputerName": host.name},
            "ComputerName\\ActiveComputerName": {"ComputerName": host.name},
            "TimeZoneInformation": {
                "Bias": -zone.minutes & 0xFFFFFFFF,
                "StandardName": zone.standard(host.locale.name),
                "TimeZoneKeyName": zone.name,
                "ActiveTimeBias": -zone.minutes & 0xFFFFFFFF,
            },
        }

    def changed(self, path: str, name: str, data: object) -> None:
        """Values written here lie over the view."""

    def removed(self, path: str) -> bool:
        """Nothing here can be deleted."""
        del path
        return False


def base_control(host: Host) -> _ControlView:
    """Return the view of HKLM's Control key for ``host``."""
    return _ControlView(host)

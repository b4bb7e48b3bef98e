"""Windows Update on one host: a scripted catalogue, the agent's rules, and what a boot makes of it.

Sources: "Windows Update Agent API" (IUpdateSearcher, IUpdateInstaller, OperationResultCode,
ServerSelection) and MS-UAMG; "Windows Update error codes by component"; "Manage additional Windows
Update settings" for WUServer and UseWUServer; "Servicing stack updates" for combined updates, whose
servicing stack stays when the rest is removed; all Microsoft Learn. assumed: an update that waits for
its restart is still found with IsInstalled=0; a second installation does not begin before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple

from winlab.host.power import Power, Shutdown
from winlab.host.registry import Registry

POLICY = "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate"

NOT_SET = 0x80244011
NO_NAME = 0x8024402C
DOWNLOAD_FAILED = 0x80240034
ALL_FAILED = 0x80240022
CBS_E_INVALID_PACKAGE = 0x800F0805
CBS_E_CANNOT_UNINSTALL = 0x800F0825
CBS_E_NOT_APPLICABLE = 0x800F081E
CBS_E_NEW_SERVICING_STACK_REQUIRED = 0x800F0823

SUCCEEDED, FAILED = 2, 4


class UpdateError(Exception):
    """The agent refused a whole operation; ``hresult`` is unsigned."""

    def __init__(self, hresult: int) -> None:
        """Keep the number."""
        super().__init__(f"0x{hresult:08X}")
        self.hresult = hresult


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One update of the catalogue, and what goes wrong with it on this host.

    ``kb`` are article numbers without "KB"; ``requires`` and ``supersedes`` are update ids;
    ``package`` is the name under which component servicing keeps it, ``stack`` that of the servicing
    stack update which a combined update brings along. ``restart`` is whether its
    installation ends only with a restart. ``seconds`` is how long installing takes.
    ``install_errors`` are the HRESULTs of its first attempts, ``rollbacks`` how many boots take it
    back with ``rollback_error``, ``loops`` that it says it is installed and never is,
    ``breaks_services`` those that do not start any more once it is in, ``restarts_host`` that its
    installer restarts the host in the middle, whoever is connected.
    """

    id: str
    title: str
    kb: tuple[str, ...]
    categories: tuple[str, ...] = ("Security Updates",)
    package: str = ""
    stack: str = ""
    restart: bool = True
    seconds: float = 0.0
    size: int = 40 * 1024**2
    revision: int = 200
    hidden: bool = False
    browse_only: bool = False
    removable: bool = True
    requires: tuple[str, ...] = ()
    supersedes: tuple[str, ...] = ()
    download_error: int = 0
    install_errors: tuple[int, ...] = ()
    rollbacks: int = 0
    rollback_error: int = 0x800F0922
    loops: bool = False
    breaks_services: tuple[str, ...] = ()
    restarts_host: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wsus:
    """The update server as this host meets it: an HRESULT for every contact, and what it approves.

    ``approved`` None is everything that the catalogue has.
    """

    error: int = 0
    approved: frozenset[str] | None = None


class Installed(NamedTuple):
    """What installing one update gave: result code, unsigned HRESULT, whether a restart is due."""

    update: Update
    code: int
    hresult: int
    restart: bool


class Package(NamedTuple):
    """A package of component servicing; ``state`` as DISM names it."""

    name: str
    state: str
    update: Update


class Logged(NamedTuple):
    """Something that the Windows Update client writes into the System log."""

    event_id: int
    update: Update
    hresult: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    installed: frozenset[str] = frozenset()
    staged: tuple[str, ...] = ()
    removing: tuple[str, ...] = ()
    stacks: frozenset[str] = frozenset()
    downloaded: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    attempts: tuple[tuple[str, int], ...] = ()
    undone: tuple[tuple[str, int], ...] = ()
    times: tuple[tuple[str, datetime], ...] = ()


@dataclass(slots=True)
class Job:
    """A search or an installation that runs beside the connection: lines with their time."""

    lines: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)


class UpdateAgent:
    """The Windows Update Agent and component servicing of one host.

    ``jobs`` are running tasks by pipe name; a boot ends them. ``log`` is told what the client
    writes into the System log.
    """

    __slots__ = (
        "_clock",
        "_log",
        "_power",
        "_registry",
        "_state",
        "_write",
        "catalogue",
        "jobs",
        "wsus",
    )

    def __init__(
        self,
        power: Power,
        registry: Registry,
        clock: Callable[[], datetime],
        write: Callable[[str], None],
        log: Callable[[Logged], None],
    ) -> None:
        """Start with an empty catalogue."""
        self._power = power
        self._registry = registry
        self._clock = clock
        self._write = write
        self._log = log
        self._state = _State()
        self.catalogue: dict[str, Update] = {}
        self.wsus = Wsus()
        self.jobs: dict[str, Job] = {}

    # -- the estate ------------------------------------------------------------------------------

    def offer(self, updates: Iterable[Update], installed: Iterable[str], wsus: Wsus) -> None:
        """Set catalogue, what is installed already (ids) and the update server."""
        self.catalogue = {update.id: update for update in updates}
        have = frozenset(installed)
        stacks = frozenset(u.stack for u in self.catalogue.values() if u.stack and u.id in have)
        self._state = _State(installed=have, stacks=stacks)
        self.wsus = wsus

    # -- questions -------------------------------------------------------------------------------

    @property
    def restart_required(self) -> bool:
        """ISystemInformation::RebootRequired: an installation or removal waits for a restart."""
        return bool(self._state.staged or self._state.removing) or (
            "wu" in self._power.reboot_required()
        )

    def installed(self) -> list[tuple[Update, datetime | None]]:
        """Every installed update with when it was installed (None: before the lab)."""
        times = dict(self._state.times)
        return [(self.catalogue[i], times.get(i)) for i in sorted(self._state.installed)]

    def packages(self) -> list[Package]:
        """Packages of component servicing by name."""
        state = self._state
        found = []
        for update in self.catalogue.values():
            if update.stack in state.stacks:
                found.append(Package(update.stack, "Installed", update))
            if not update.package:
                continue
            if update.id in state.removing:
                found.append(Package(update.package, "Uninstall Pending", update))
            elif update.id in state.installed:
                found.append(Package(update.package, "Installed", update))
            elif update.id in state.staged:
                found.append(Package(update.package, "Install Pending", update))
        return sorted(found, key=lambda package: package.name)

    def package(self, name: str) -> Package | None:
        """A package that is there, or that this host's catalogue could bring ("Not Present")."""
        there = next((found for found in self.packages() if found.name == name), None)
        known = (u for u in self.catalogue.values() if name and name in (u.package, u.stack))
        return there or next((Package(name, "Not Present", update) for update in known), None)

    def eula_accepted(self, update: Update) -> bool:
        """Whether the licence terms were accepted here."""
        return update.id in self._state.accepted

    def is_downloaded(self, update: Update) -> bool:
        """Whether the files are here."""
        return update.id in self._state.downloaded

    def search(
        self, selection: Literal["default", "managed_server", "windows_update"]
    ) -> list[Update]:
        """``IsInstalled = 0`` at the chosen source, by title.

        Raises:
            UpdateError: the source cannot be asked.
        """
        server = self._registry.value(POLICY, "WUServer")
        used = self._registry.value(f"{POLICY}\\AU", "UseWUServer")
        managed = server is not None and used is not None and used.data == 1
        if selection == "windows_update" or (selection == "default" and not managed):
            # The lab has no internet: names outside do not resolve.
            raise UpdateError(NO_NAME)
        if not managed:
            raise UpdateError(NOT_SET)
        if self.wsus.error:
            raise UpdateError(self.wsus.error)
        return sorted(self._applicable(), key=lambda update: update.title)

    def _applicable(self) -> list[Update]:
        have = self._state.installed
        approved = self.wsus.approved
        offered = [
            update
            for update in self.catalogue.values()
            if (approved is None or update.id in approved)
            and update.id not in have
            and have.issuperset(update.requires)
        ]
        present = have.union(update.id for update in offered)
        gone = {
            old
            for update in self.catalogue.values()
            if update.id in present
            for old in update.supersedes
        }
        return [update for update in offered if update.id not in gone]

    # -- changes ---------------------------------------------------------------------------------

    def accept_eula(self, update: Update) -> None:
        """Accept the licence terms: a write, also while only searching."""
        self._write(f"update {update.id}: licence terms accepted")
        self._state = replace(self._state, accepted=self._state.accepted | {update.id})

    def download(self, updates: Sequence[Update]) -> list[Installed]:
        """Fetch the files; the code is that of the download."""
        results = []
        for update in updates:
            self._write(f"update {update.id}: download")
            error = update.download_error
            if not error:
                self._state = replace(self._state, downloaded=self._state.downloaded | {update.id})
            results.append(Installed(update, FAILED if error else SUCCEEDED, error, False))
        return results

    def install(self, updates: Sequence[Update]) -> list[Installed]:
        """Install in order; an update that needs a restart is staged until the next boot."""
        return [self._install(update) for update in updates]

    def _install(self, update: Update) -> Installed:
        self._write(f"update {update.id}: install")
        result = self._apply(update)
        self._log(Logged(20 if result.hresult else 19, update, result.hresult))
        return result

    def _apply(self, update: Update) -> Installed:
        attempts = dict(self._state.attempts)
        tried = attempts.get(update.id, 0)
        attempts[update.id] = tried + 1
        self._state = replace(self._state, attempts=tuple(sorted(attempts.items())))
        if tried < len(update.install_errors):
            return Installed(update, FAILED, update.install_errors[tried], False)
        if update.stack:
            self._state = replace(self._state, stacks=self._state.stacks | {update.stack})
        if update.restarts_host and self._power.pending is None:
            self._power.schedule(Shutdown(kind="reboot", at=self._clock()))
        if update.loops:
            return Installed(update, SUCCEEDED, 0, False)
        if not update.restart:
            self._mark_installed([update.id])
            return Installed(update, SUCCEEDED, 0, False)
        staged = (*self._state.staged, update.id)
        self._state = replace(self._state, staged=tuple(dict.fromkeys(staged)))
        self._power.require_reboot("wu", "cbs")
        return Installed(update, SUCCEEDED, 0, True)

    def add(self, name: str) -> bool:
        """Add a package by its name, as DISM does; answer whether a restart has to finish it.

        Raises:
            UpdateError: it does not apply here, needs a newer servicing stack, or fails.
        """
        package = self.package(name)
        if package is None or not self._state.installed.issuperset(package.update.requires):
            raise UpdateError(CBS_E_NOT_APPLICABLE)
        update = package.update
        if package.state != "Not Present":
            return package.state != "Installed"
        self._write(f"package {name}: add")
        if name == update.stack:
            self._state = replace(self._state, stacks=self._state.stacks | {name})
            return False
        if update.stack and update.stack not in self._state.stacks:
            raise UpdateError(CBS_E_NEW_SERVICING_STACK_REQUIRED)
        result = self._apply(update)
        if result.hresult:
            raise UpdateError(result.hresult)
        return result.restart

    def remove(self, package: str) -> bool:
        """Remove a package; answer whether a restart has to finish it.

        Raises:
            UpdateError: there is no such package, or it cannot be removed.
        """
        found = self.package(package)
        if found is None or found.state != "Installed":
            raise UpdateError(CBS_E_INVALID_PACKAGE)
        update = found.update
        if not update.removable or package == update.stack:
            raise UpdateError(CBS_E_CANNOT_UNINSTALL)
        self._write(f"update {update.id}: remove")
        if not update.restart:
            self._state = replace(self._state, installed=self._state.installed - {update.id})
            return False
        self._state = replace(self._state, removing=(*self._state.removing, update.id))
        self._power.require_reboot("cbs")
        return True

    def booted(self) -> tuple[list[str], list[str]]:
        """Finish what waited for the restart; return services that break, and that work again."""
        self.jobs = {}
        state, undone, done = self._state, dict(self._state.undone), []
        for update in (self.catalogue[i] for i in state.staged):
            if undone.get(update.id, 0) < update.rollbacks:
                undone[update.id] = undone.get(update.id, 0) + 1
                self._log(Logged(20, update, update.rollback_error))
            else:
                done.append(update.id)
        removed = state.removing
        self._state = replace(
            state,
            staged=(),
            removing=(),
            installed=state.installed - set(removed),
            undone=tuple(sorted(undone.items())),
        )
        self._mark_installed(done)
        return self._services(done), self._services(removed)

    def _services(self, ids: Iterable[str]) -> list[str]:
        return [name for i in ids for name in self.catalogue[i].breaks_services]

    def _mark_installed(self, ids: list[str]) -> None:
        times = dict(self._state.times) | dict.fromkeys(ids, self._clock())
        self._state = replace(
            self._state,
            installed=self._state.installed.union(ids),
            times=tuple(sorted(times.items())),
        )

    # -- state -----------------------------------------------------------------------------------

    def save(self) -> Any:
        """Return the state for `load`."""
        return self._state, dict(self.catalogue), self.wsus

    def load(self, state: Any) -> None:
        """Go back to a saved state; running jobs are lost."""
        self._state, catalogue, self.wsus = state
        self.catalogue = dict(catalogue)
        self.jobs = {}

    def dump(self) -> dict[str, Any]:
        """Return ids by state, and the KB numbers installed."""
        state = self._state
        return {
            "installed": sorted(state.installed),
            "installed_kbs": sorted(kb for update, _ in self.installed() for kb in update.kb),
            "staged": list(state.staged),
            "removing": list(state.removing),
            "downloaded": sorted(state.downloaded),
            "accepted": sorted(state.accepted),
            "attempts": dict(state.attempts),
            "rolled_back": dict(state.undone),
        }

"""IIS of one host: sites, application pools, their states and log settings.

Sources: "applicationHost.config" reference (sites, applicationPools, logFile) on Microsoft Learn;
state of a site or a pool depends on W3SVC and WAS running.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeAlias

from winlab.host.errors import WindowsError

IisState: TypeAlias = Literal["Started", "Stopped", "Starting", "Stopping", "Unknown"]

DEFAULT_LOG_FIELDS = (
    "Date,Time,ClientIP,UserName,ServerIP,Method,UriStem,UriQuery,TimeTaken,HttpStatus,"
    "Win32Status,ServerPort,UserAgent,Referer,HttpSubStatus"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A site's binding: ``information`` is "ip:port:host", ip "*" for all addresses.

    ``thumbprint`` (upper-case hex) and ``store`` belong to https alone; ``ssl_flags`` 1 = SNI.
    """

    protocol: str = "http"
    information: str = "*:80:"
    thumbprint: str = ""
    store: str = ""
    ssl_flags: int = 0

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self.information.split(":")[-2])

    @property
    def host(self) -> str:
        """The host header, "" for any."""
        return self.information.rpartition(":")[2]

    @property
    def address(self) -> str:
        """The address, "*" for all."""
        return self.information.rsplit(":", 2)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """``logFile`` of a site: W3C, a new file each day by UTC unless ``local_time_rollover``."""

    enabled: bool = True
    directory: str = "%SystemDrive%\\inetpub\\logs\\LogFiles"
    format: str = "W3C"
    period: str = "Daily"
    fields: str = DEFAULT_LOG_FIELDS
    local_time_rollover: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralLog:
    """Section ``log``: one file for the whole server in the modes CentralW3C and CentralBinary.

    Central files lie in ``directory\\W3SVC`` ("Configure Centralized W3C Logging", IIS 7).
    """

    mode: Literal["Site", "CentralW3C", "CentralBinary"] = "Site"
    directory: str = "%SystemDrive%\\inetpub\\logs\\LogFiles"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppPool:
    """An application pool. ``state`` is what appcmd shows while WAS runs."""

    name: str
    state: IisState = "Started"
    auto_start: bool = True
    runtime: str = "v4.0"
    pipeline: str = "Integrated"
    identity: str = "ApplicationPoolIdentity"
    user_name: str = ""
    start_mode: str = "OnDemand"
    idle_timeout_minutes: int = 20
    recycle_minutes: int = 1740


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A web site with its root application."""

    name: str
    id: int
    bindings: tuple[Binding, ...]
    pool: str = "DefaultAppPool"
    path: str = "%SystemDrive%\\inetpub\\wwwroot"
    state: IisState = "Started"
    auto_start: bool = True
    log: LogSettings = field(default_factory=LogSettings)

    @property
    def log_folder(self) -> str:
        """The folder of this site's log files, with variables unexpanded."""
        return f"{self.log.directory}\\W3SVC{self.id}"


class Iis:
    """Sites and pools of one host; ``installed`` is false on hosts without the web server role.

    Errors: 1168-like 2 for an absent site or pool, 183 for a taken name or id, 32 for a port in use
    (starting a site whose binding another started site has), 1062 when W3SVC is not running.

    ``applications`` is the code behind sites, by name: it gets the request and its decoded path and
    returns ``webserver.Answered``, or None for what is a file.
    """

    __slots__ = (
        "_pools",
        "_running",
        "_sites",
        "_write",
        "applications",
        "central_log",
        "installed",
    )

    def __init__(self, running: Callable[[str], bool], write: Callable[[str], None]) -> None:
        """``running`` tells whether a service (W3SVC, WAS) runs."""
        self.installed = False
        self.central_log = CentralLog()
        self.applications: dict[str, Callable[[Any, str], Any]] = {}
        self._sites: dict[str, Site] = {}
        self._pools: dict[str, AppPool] = {}
        self._running = running
        self._write = write

    def sites(self) -> list[Site]:
        """Return the sites by id."""
        return sorted(self._sites.values(), key=lambda s: s.id)

    def pools(self) -> list[AppPool]:
        """Return the pools in the order they were made."""
        return list(self._pools.values())

    def site(self, name: str) -> Site:
        """Return a site (2 when absent)."""
        found = self._sites.get(name.lower())
        if found is None:
            raise WindowsError(2, name)
        return found

    def pool(self, name: str) -> AppPool:
        """Return a pool (2 when absent)."""
        found = self._pools.get(name.lower())
        if found is None:
            raise WindowsError(2, name)
        return found

    def site_state(self, site: Site) -> IisState:
        """Return a site's state as seen now: Unknown when W3SVC does not run."""
        return site.state if self._running("W3SVC") else "Unknown"

    def pool_state(self, pool: AppPool) -> IisState:
        """Return a pool's state as seen now: Unknown when WAS does not run."""
        return pool.state if self._running("WAS") else "Unknown"

    def serving(self) -> list[tuple[Site, AppPool]]:
        """Return the sites that answer requests now, with their pools (which may be stopped: 503)."""
        if not self.installed or not self._running("W3SVC"):
            return []
        return [(s, self.pool(s.pool)) for s in self.sites() if s.state == "Started"]

    def put_site(self, site: Site) -> None:
        """Add or replace a site (183 when another site has its id)."""
        for other in self._sites.values():
            if other.id == site.id and other.name.lower() != site.name.lower():
                raise WindowsError(183, site.name)
        self._write(f"iis site {site.name}")
        self._sites[site.name.lower()] = site

    def put_pool(self, pool: AppPool) -> None:
        """Add or replace a pool."""
        self._write(f"iis pool {pool.name}")
        self._pools[pool.name.lower()] = pool

    def remove_site(self, name: str) -> None:
        """Remove a site (2 when absent)."""
        site = self.site(name)
        self._write(f"iis site {site.name}")
        del self._sites[site.name.lower()]

    def remove_pool(self, name: str) -> None:
        """Remove a pool (2 when absent)."""
        pool = self.pool(name)
        self._write(f"iis pool {pool.name}")
        del self._pools[pool.name.lower()]

    def start_site(self, name: str) -> Site:
        """Start a site (1062 without W3SVC, 183 when a started site has one of its bindings)."""
        site = self.site(name)
        if not self._running("W3SVC"):
            raise WindowsError(1062, name)
        mine = {(b.information.lower(), b.protocol == "https") for b in site.bindings}
        for other in self.sites():
            theirs = {(b.information.lower(), b.protocol == "https") for b in other.bindings}
            if other.id != site.id and other.state == "Started" and mine & theirs:
                raise WindowsError(183, name)
        return self._set_site(site, "Started")

    def stop_site(self, name: str) -> Site:
        """Stop a site (2 when absent)."""
        return self._set_site(self.site(name), "Stopped")

    def _set_site(self, site: Site, state: IisState) -> Site:
        changed = replace(site, state=state)
        if changed != site:
            self.put_site(changed)
        return changed

    def start_pool(self, name: str) -> AppPool:
        """Start a pool (1062 without WAS)."""
        pool = self.pool(name)
        if not self._running("WAS"):
            raise WindowsError(1062, name)
        return self._set_pool(pool, "Started")

    def stop_pool(self, name: str) -> AppPool:
        """Stop a pool."""
        return self._set_pool(self.pool(name), "Stopped")

    def _set_pool(self, pool: AppPool, state: IisState) -> AppPool:
        changed = replace(pool, state=state)
        if changed != pool:
            self.put_pool(changed)
        return changed

    def boot(self) -> None:
        """Do what a start of W3SVC does: sites and pools with auto_start start, others stop."""
        for site in self.sites():
            wanted: IisState = "Started" if site.auto_start else "Stopped"
            self._sites[site.name.lower()] = replace(site, state=wanted)
        for pool in self.pools():
            wanted = "Started" if pool.auto_start else "Stopped"
            self._pools[pool.name.lower()] = replace(pool, state=wanted)

    def save(self) -> Any:
        """Return the state for `load`."""
        return self.installed, dict(self._sites), dict(self._pools), self.central_log

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        self.installed, sites, pools, self.central_log = state
        self._sites, self._pools = dict(sites), dict(pools)

    def dump(self) -> dict[str, Any]:
        """Return sites and pools whole."""
        return {
            "installed": self.installed,
            "central_log": asdict(self.central_log),
            "sites": [asdict(s) for s in self.sites()],
            "pools": [asdict(p) for p in self.pools()],
        }

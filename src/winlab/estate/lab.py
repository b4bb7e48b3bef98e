"""A running lab: hosts, their servers and the answers of the control socket."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from winlab.estate.addresses import Blocks, take_blocks
from winlab.estate.build import Plan, build_hosts
from winlab.estate.build_sql import service_of, sql_spec
from winlab.estate.counters import Counters
from winlab.estate.machine import LabHost
from winlab.estate.schema import EstateSpec, all_hosts
from winlab.server.errors import LabError
from winlab.server.lab import LabServer
from winlab.server.signing import BASE, SigningCa
from winlab.server.site_tls import SiteCa
from winlab.server.sites import Sites
from winlab.server.sqlservers import SqlServers
from winlab.server.tls import LabCa

# The host's own clock decides when a task is due; look a little later than that.
_TASK_SECONDS = 0.01


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Lab:
    """All hosts of one estate in this process.

    ``await start()`` returns when all listen; ``await stop()`` when nothing does. ``password`` is
    that of the estate's account on every host. ``clock`` gives aware UTC, real time by default;
    ``seed`` spreads labs over loopback addresses.
    """

    def __init__(
        self,
        estate: EstateSpec,
        *,
        password: str,
        file: Path,
        seed: str,
        clock: Callable[[], dt.datetime] = _utc_now,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take addresses and build the hosts; nothing listens yet.

        Raises `EstateError` for what only shows while building, `LabError` without addresses.
        """
        self.estate = estate
        self.file = file
        specs = all_hosts(estate)
        start = clock()
        self.started_at = start
        self.ca = LabCa(start)
        self._site_ca = SiteCa(start)
        self.signing_ca = SigningCa(start)
        self._blocks: Blocks = take_blocks(len(specs), seed)
        plan = Plan(
            estate=estate,
            password=password,
            clock=clock,
            start=start,
            site_ca=self._site_ca,
            signing_ca=self.signing_ca,
            folder=file.parent,
            file=str(file),
        )
        built = build_hosts(plan, self._blocks.addresses(len(specs)))
        self.hosts = {item.spec.name: LabHost(item, steady, self._changed) for item in built}
        self._by_name = {host.name: host for host in self.hosts.values()}
        self._server = LabServer(
            [host for host in self.hosts.values() if host.listens], ca=self.ca, now=clock
        )
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._sites = Sites(clock)
        for host in self.hosts.values():
            if host.host.iis.installed:
                self._sites.add(host.address, host.host, host.built.issued, host.is_up)

        self._sql = SqlServers(clock)
        for host in self.hosts.values():
            self._add_sql(host)

    def _add_sql(self, host: LabHost) -> None:
        sql = sql_spec(host.built.spec)
        if sql is None or host.host.sql is None or not sql.remote:
            return
        service = service_of(sql)
        self._sql.add(
            host,
            host.host.sql,
            port=sql.port,
            tls12=sql.tls12 or sql.version not in {"2008", "2008R2"},
            force_encryption=sql.force_encryption,
            running=lambda: bool(host.host.pid_of(service)),
            browsed=lambda: bool(host.host.pid_of("SQLBrowser")),
        )

    @property
    def ca_pem(self) -> bytes:
        """What clients of this lab trust: the authorities of WinRM listeners and of sites."""
        return self.ca.pem + self._site_ca.pem

    async def start(self) -> None:
        """Open every listener; LabError when one cannot be had, then none is open."""
        await self._server.start()
        try:
            await self._sites.start()
            await self._sql.start()
        except LabError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close everything and give the addresses back."""
        for timer in self._timers.values():
            timer.cancel()
        await self._sql.stop()
        await self._sites.stop()
        await self._server.stop()
        self._blocks.release()

    def _changed(self, host: LabHost) -> None:
        if host.host.iis.installed:
            self._sites.refresh(host.address)
        self._sql.refresh(host.address)
        if host.listens and self._server.running:
            # Not now: a process that stops WinRM is being answered over it.
            asyncio.get_running_loop().call_soon(self._server.follow, host.name)
            self._expect_task(host)

    def _expect_task(self, host: LabHost) -> None:
        """Wake the host when its next scheduled task is due: it may let nobody in until then."""
        waiting = self._timers.pop(host.key, None)
        if waiting is not None:
            waiting.cancel()
        seconds = host.seconds_to_next_task()
        if seconds is not None:
            loop = asyncio.get_running_loop()
            self._timers[host.key] = loop.call_later(seconds + _TASK_SECONDS, host.tick)

    def _power_changed(self, host: LabHost) -> None:
        self._sql.cut(host.address)
        if host.listens:
            self._server.restart(host.name)
        self._changed(host)

    def describe(self) -> dict[str, Any]:
        """Return each host's address, ports and sites, as state.json lists them."""
        return {
            key: {
                "name": host.name,
                "address": host.address,
                "http": 5985 if host.settings.http else None,
                "https": 5986 if host.settings.https else None,
                "sites": self._sites.urls(host.address) if host.host.iis.installed else [],
                "sql": self._sql.endpoint(host.address),
            }
            for key, host in self.hosts.items()
        }

    def signing_urls(self) -> list[str]:
        """Where the signing servers of the estate are, over TLS."""
        return [
            site["url"].rstrip("/") + BASE
            for host in self.hosts.values()
            if host.host.iis.installed
            for site in self._sites.urls(host.address)
            if site["name"] in host.host.iis.applications and site["url"].startswith("https:")
        ]

    # -- the control socket ----------------------------------------------------------------------

    async def handle(self, request: Mapping[str, Any]) -> Any:
        """Answer one request of the control socket; `winlab` sends them."""
        verb = str(request["do"]).replace("-", "_")
        action = getattr(self, f"do_{verb}", None)
        if action is None:
            raise LabError(f"the lab has no command {request['do']!r}", remedy="see winlab --help")
        return action(request)

    def chosen(self, request: Mapping[str, Any]) -> list[LabHost]:
        """Return the hosts a request names, all when it names none; LabError for a stranger."""
        names: Sequence[str] = request.get("hosts") or list(self.hosts)
        found = []
        for name in names:
            host = self.hosts.get(name) or self._by_name.get(name.upper())
            if host is None:
                raise LabError(f"there is no host {name!r}", remedy="see winlab status")
            found.append(host)
        return found

    def do_status(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return where the lab is and how each host fares."""
        return {
            "pid": os.getpid(),
            "estate": str(self.file),
            "started_at": self.started_at.isoformat(timespec="seconds"),
            "hosts": {
                host.key: {
                    "address": host.address,
                    "os": host.host.os.year,
                    "locale": host.host.locale.name,
                    "managed": host.listens,
                    "up": host.is_up(),
                    "fault": host.fault_text(),
                    "sites": [
                        f"{site.name} {host.host.iis.site_state(site)}"
                        for site in host.host.iis.sites()
                    ],
                }
                for host in self.chosen(request)
            },
        }

    def do_fault(self, request: Mapping[str, Any]) -> list[str]:
        """Switch a fault on or off; return the hosts it is for."""
        hosts = self.chosen(request)
        for host in hosts:
            count = request.get("count")
            host.set_fault(
                str(request["kind"]),
                seconds=float(request.get("seconds") or 0.0),
                count=int(count) if count is not None else None,
                at=str(request.get("at") or ""),
            )
            if request["kind"] in {"down", "up"}:
                self._power_changed(host)
        return [host.key for host in hosts]

    def do_dump(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the models of hosts."""
        return {host.key: host.dump() for host in self.chosen(request)}

    def do_counters(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the counters by host and their total; ``reset`` sets them to zero afterwards."""
        hosts = self.chosen(request)
        total = Counters()
        for host in hosts:
            total.add(host.counters)
        answer = {
            "hosts": {host.key: host.counters.as_dict() for host in hosts},
            "total": total.as_dict(),
        }
        if request.get("reset"):
            for host in hosts:
                host.counters = Counters()
        return answer

    def do_guard(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Arm, disarm or show the write guard; return the violations by host."""
        mode = request.get("mode") or "show"
        if mode not in {"on", "off", "show"}:
            raise LabError(f"the guard has no mode {mode!r}", remedy="use on, off or show")
        hosts = self.chosen(request)
        for host in hosts:
            if mode == "on":
                host.host.guard.reset()
            if mode != "show":
                host.host.guard.armed = mode == "on"
        return {
            host.key: [
                {"what": write.what, "origin": write.origin} for write in host.host.guard.violations
            ]
            for host in hosts
        }

    def do_snapshot(self, request: Mapping[str, Any]) -> list[str]:
        """Keep the state of hosts under a label."""
        hosts = self.chosen(request)
        for host in hosts:
            host.save(str(request["label"]))
        return [host.key for host in hosts]

    def do_restore(self, request: Mapping[str, Any]) -> list[str]:
        """Bring a kept state back."""
        hosts = self.chosen(request)
        for host in hosts:
            host.load(str(request["label"]))
            self._power_changed(host)
        return [host.key for host in hosts]

    def do_reset(self, request: Mapping[str, Any]) -> list[str]:
        """Bring hosts back to the estate's start."""
        hosts = self.chosen(request)
        for host in hosts:
            host.reset()
            self._power_changed(host)
        return [host.key for host in hosts]

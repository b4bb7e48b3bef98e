"""A collection from a modelled host without Ansible: the role's steps, run one after another."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from opsproof.collection import role
from opsproof.collection.model import DataSource, State
from opsproof.collection.pack import pack_command, pack_script
from opsproof.collection.plan import Plan
from opsproof.collection.role import Brought, Settings, Text
from winlab.commands import run_cmd
from winlab.host.events import EventRecord, named
from winlab.host.host import Host, HostSpec
from winlab.host.iis import AppPool, Binding, LogSettings, Site
from winlab.host.image.services import iis_services

START = datetime(2026, 11, 22, 1, 15, tzinfo=UTC)
SCRATCH = "%TEMP%\\opsproof-logs"
CHANNELS = ("Security", "System", "Application")
IIS = "C:\\inetpub\\logs\\LogFiles"


class Clock:
    """The time that host and controller share."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


def make_host(clock: Clock, locale: str = "zh-CN", sites: int = 2) -> Host:
    host = Host(HostSpec(name="web01", locale=locale, release="2022", admin_password="lab"), clock)
    for service in iis_services(host.locale):
        host.services.put(service)
    host.iis.installed = True
    host.files.ensure_folder("C:\\Windows\\System32\\inetsrv")
    host.files.write("C:\\Windows\\System32\\inetsrv\\appcmd.exe", b"MZ")
    host.iis.put_pool(AppPool(name="DefaultAppPool"))
    for number in range(1, sites + 1):
        site = Site(
            name=f"Site {number}",
            id=number,
            bindings=(Binding(information=f"*:{8000 + number}:"),),
            log=LogSettings(),
        )
        host.iis.put_site(site)
        host.files.mkdir(f"{IIS}\\W3SVC{number}")
    return host


def web_log(day: str, lines: int, clock: Clock) -> bytes:
    head = f"#Version: 1.0\r\n#Date: 2026-11-{day} 00:00:00\r\n#Fields: date time cs-uri-stem sc-status\r\n"
    rows = "".join(
        f"{clock.now:%Y-%m-%d %H:%M:%S} /page{number} 200\r\n" for number in range(lines)
    )
    return (head + rows).encode()


def fill(host: Host, clock: Clock) -> None:
    """Some events and web logs, all of today."""
    for number in range(1, len(host.iis.sites()) + 1):
        host.files.write(f"{IIS}\\W3SVC{number}\\u_ex261122.log", web_log("22", 20, clock))
    add_event(host, clock)


def add_event(host: Host, clock: Clock, channel: str = "Security") -> None:
    host.eventlogs.append(
        EventRecord(
            record_id=0,
            time_created=clock.now,
            provider="Microsoft-Windows-Security-Auditing",
            event_id=4625,
            channel=channel,
            computer=host.name,
            data=named(TargetUserName="anna", IpAddress="10.1.1.1"),
        )
    )


@dataclass
class Collector:
    """Runs the role's steps against one host; ``broken`` cuts so many fetches short."""

    host: Host
    clock: Clock
    root: Path
    data: tuple[DataSource, ...] = ()
    channels: tuple[str, ...] = CHANNELS
    part_mb: int = 64
    broken: int = 0
    user: str = "Administrator"
    since: str = f"{START - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    sealed: str = ""
    plan: Plan = field(init=False)
    texts: list[Text] = field(init=False)
    fetched: list[str] = field(default_factory=list)

    def settings(self) -> Settings:
        return Settings(
            host="web01",
            channels=self.channels,
            data=self.data,
            retention_days=183,
            scratch=SCRATCH,
            part_mb=self.part_mb,
            since=self.since,
            now=f"{self.clock.now:%Y-%m-%dT%H:%M:%SZ}",
            sealed=self.sealed,
            store=str(self.root / "store"),
            staging=str(self.root / "staging"),
            schemas="/project/schemas",
            keep=True,
        )

    def run(self, line: str, stdin: str = "") -> Text:
        given = stdin if not stdin or stdin.endswith("\r\n") else f"{stdin}\r\n"
        answer = run_cmd(self.host, line, user=self.user, stdin=given.encode())
        assert answer.rc == 0, answer.stderr.decode()
        stamp = f"{self.clock.now:%Y-%m-%d %H:%M:%S.%f}"
        return Text(stdout=answer.stdout.decode(), start=stamp, end=stamp)

    def look(self) -> Plan:
        settings = self.settings()
        look = self.run(role.looking(settings))
        listed = self.run(role.listing(settings, look))
        self.texts = [look, listed]
        plan = role.planning(settings, look, listed)
        # It travels as JSON between the role's tasks.
        self.plan = msgspec.json.decode(msgspec.json.encode(plan), type=Plan)
        return self.plan

    def collect(self) -> Brought:
        plan = self.look()
        answer = self.run(pack_command(SCRATCH), pack_script(plan)) if plan.parts else None
        brought = role.bring(self.settings(), plan, answer, self.fetch, self.fetch)
        scratch = self.host.environment_of(self.user)["TEMP"] + "\\opsproof-logs"
        if self.host.files.exists(scratch):
            self.host.files.rmtree(scratch)
        return msgspec.json.decode(msgspec.json.encode(brought), type=Brought)

    def fetch(self, remote: str, local: Path) -> None:
        content = self.host.files.read(remote)
        self.fetched.append(remote)
        if self.broken:
            self.broken -= 1
            local.write_bytes(content[: len(content) // 2])
            return
        local.write_bytes(content)


def files(brought: Brought) -> dict[str, str]:
    """Paths on the host by file at home."""
    return {one.file.removeprefix("logs/web01/"): one.path for one in brought.staged}


def left(brought: Brought) -> dict[str, tuple[State, int]]:
    return {one.path: (one.state, one.code) for one in brought.left}

"""A lab of made-up hosts in a thread of its own, so that the real clients can talk to it."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pypsrp.wsman import WSMan
from winrm.protocol import Protocol

from winlab.exec.process import Process, ProcessResult
from winlab.host.logons import Logon
from winlab.host.policy_logon import NtlmPolicy
from winlab.server.lab import LabServer
from winlab.server.ports import Fault
from winlab.session.quotas import WinrmSettings

T = TypeVar("T")


def echo(process: Process) -> ProcessResult:
    """Says what it was asked, enough for protocol tests."""
    line = process.command_line
    word, _, rest = line.partition(" ")
    if word == "big":
        return ProcessResult(stdout=b"0123456789" * (int(rest) // 10))
    if word == "sleep":
        return ProcessResult(stdout=b"awake", duration=float(rest))
    if word == "fail":
        return ProcessResult(stdout=b"out\r\n", stderr=b"it failed\r\n", rc=int(rest))
    if word == "down":
        return ProcessResult(stdout=b"going", goes_down_after=float(rest))
    if word == "crash":
        raise RuntimeError("boom")
    return ProcessResult(stdout=f"{line}|".encode() + process.stdin)


@dataclass
class FakeHost:
    """A host that a test steers by its fields."""

    name: str = "WIN1"
    address: str = "127.0.0.1"
    settings: WinrmSettings = field(default_factory=WinrmSettings)
    user: str = "vagrant"
    password: str = "S3cret!über"
    run: Callable[[Process], ProcessResult] = echo
    up: bool = True
    faults: list[Fault | None] = field(default_factory=list)
    lasting: Fault | None = None
    counted: dict[str, int] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    logons: list[Logon] = field(default_factory=list)
    ntlm: NtlmPolicy = field(default_factory=NtlmPolicy)
    blocked: set[int] = field(default_factory=set)

    def lets_in(self, port: int) -> bool:
        return port not in self.blocked

    def password_of(self, user: str) -> str | None:
        domain, _, name = user.rpartition("\\")
        known = name.lower() == self.user and domain.upper() in ("", ".", self.name)
        return self.password if known else None

    def logged_on(self, logon: Logon) -> None:
        self.logons.append(logon)

    def execute(self, process: Process) -> ProcessResult:
        self.processes.append(process)
        return self.run(process)

    def fault(self) -> Fault | None:
        return self.faults.pop(0) if self.faults else self.lasting

    def is_up(self) -> bool:
        return self.up

    def count(
        self, *, requests: int = 0, commands: int = 0, bytes_in: int = 0, bytes_out: int = 0
    ) -> None:
        for name, number in (
            ("requests", requests),
            ("commands", commands),
            ("bytes_in", bytes_in),
            ("bytes_out", bytes_out),
        ):
            self.counted[name] = self.counted.get(name, 0) + number

    def set(self, **changes: Any) -> None:
        self.settings = replace(self.settings, **changes)


class RunningLab:
    """A lab and the loop it runs in."""

    def __init__(self, hosts: Sequence[FakeHost]) -> None:
        self.lab = LabServer(hosts)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self.call(self.lab.start())
        except BaseException:
            self._end()
            raise

    def call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def do(self, function: Callable[..., Any], *arguments: Any) -> Any:
        async def run() -> Any:
            return function(*arguments)

        return self.call(run())

    def close(self) -> None:
        self.call(self.lab.stop())
        self._end()

    def _end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


class Clients:
    """Makes the real clients for one host and closes them at the end."""

    def __init__(self, host: FakeHost, ca: str) -> None:
        self.host = host
        self.ca = ca
        self._open = ExitStack()

    def url(self, scheme: str) -> str:
        port = 5986 if scheme == "https" else 5985
        return f"{scheme}://{self.host.address}:{port}/wsman"

    def pywinrm(self, transport: str = "basic", scheme: str = "http", **given: Any) -> Protocol:
        options: dict[str, Any] = {
            "username": self.host.user,
            "password": self.host.password,
        } | given
        client = Protocol(
            self.url(scheme),
            **{"transport": transport, "ca_trust_path": self.ca, "proxy": None} | options,
        )
        self._open.callback(client.transport.close_session)
        return client

    def pypsrp(self, auth: str = "negotiate", scheme: str = "http", **given: Any) -> WSMan:
        plain = auth == "basic" and scheme == "http"
        options = {
            "username": self.host.user,
            "password": self.host.password,
            "cert_validation": self.ca,
            "encryption": "never" if plain else "auto",
        } | given
        client = WSMan(
            self.host.address,
            port=5986 if scheme == "https" else 5985,
            ssl=scheme == "https",
            auth=auth,
            no_proxy=True,
            **options,
        )
        self._open.callback(client.close)
        return client

    def close(self) -> None:
        self._open.close()


def free_address() -> str:
    return (
        f"127.{64 + secrets.randbelow(160)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"
    )


@pytest.fixture
def host() -> FakeHost:
    return FakeHost(address=free_address())


@pytest.fixture
def lab(host: FakeHost) -> Iterator[RunningLab]:
    running = RunningLab([host])
    yield running
    running.close()


@pytest.fixture
def ca(lab: RunningLab, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    lab.lab.ca.write(path)
    return str(path)


@pytest.fixture
def clients(host: FakeHost, ca: str) -> Iterator[Clients]:
    made = Clients(host, ca)
    yield made
    made.close()


@pytest.fixture
def start_lab() -> Iterator[Callable[[Sequence[FakeHost]], RunningLab]]:
    """Start more labs; they are stopped at the end."""
    with ExitStack() as stack:

        def start(hosts: Sequence[FakeHost]) -> RunningLab:
            running = RunningLab(hosts)
            stack.callback(running.close)
            return running

        yield start

"""A lab of made-up hosts in a thread of its own, so that the real clients can talk to it."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from winlab.exec.process import Process, ProcessResult
from winlab.server import Fault, LabServer, WinrmSettings

USER = "vagrant"
PASSWORD = "S3cret!\u00fcber"

T = TypeVar("T")


def echo(process: Process) -> ProcessResult:
    """Says what it was asked, enough for protocol tests."""
    line = process.command_line
    if line.startswith("big "):
        return ProcessResult(stdout=b"x" * int(line.split()[1]))
    if line.startswith("sleep "):
        return ProcessResult(stdout=b"awake", duration=float(line.split()[1]))
    if line.startswith("fail "):
        return ProcessResult(stderr=b"it failed\r\n", rc=int(line.split()[1]))
    if line.startswith("down "):
        return ProcessResult(stdout=b"going", goes_down_after=float(line.split()[1]))
    if line == "crash":
        raise RuntimeError("boom")
    return ProcessResult(stdout=f"{line}|".encode() + process.stdin, stderr=b"")


@dataclass
class FakeHost:
    """A host that a test steers by its fields."""

    name: str = "WIN1"
    address: str = "127.0.0.1"
    settings: WinrmSettings = field(default_factory=WinrmSettings)
    run: Callable[[Process], ProcessResult] = echo
    up: bool = True
    faults: list[Fault | None] = field(default_factory=list)
    lasting: Fault | None = None
    counted: dict[str, int] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)

    def password_of(self, user: str) -> str | None:
        domain, _, name = user.rpartition("\\")
        known = name.lower() == USER and domain.upper() in ("", ".", self.name)
        return PASSWORD if known else None

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
        self.hosts = hosts
        self.lab = LabServer(hosts)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.call(self.lab.start())

    def call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def do(self, function: Callable[..., T], *arguments: Any) -> T:
        async def run() -> T:
            return function(*arguments)

        return self.call(run())  # type: ignore[no-any-return]

    def close(self) -> None:
        self.call(self.lab.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


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

"""Hosts and a way to run manifests on them."""

from __future__ import annotations

import pytest
from tests.winlab.exec.payloads import PASSWORD, LabClock, Run, bootstrap, encoded

from winlab.exec.process import Process, ProcessResult
from winlab.exec.run import execute
from winlab.host.host import Host, HostSpec


@pytest.fixture
def clock() -> LabClock:
    return LabClock()


@pytest.fixture
def host(clock: LabClock) -> Host:
    return Host(HostSpec(name="APP1", locale="en-US", admin_password=PASSWORD), clock)


@pytest.fixture
def run(host: Host) -> Run:
    """Run a manifest as WinRM does (``psrp``: as a pipeline does)."""

    def go(
        stdin: bytes, *, psrp: bool = False, user: str = "Administrator", script: str | None = None
    ) -> ProcessResult:
        text = bootstrap() if script is None else script
        return execute(
            host,
            Process(
                command_line=text if psrp else encoded(text), user=user, stdin=stdin, psrp=psrp
            ),
        )

    return go

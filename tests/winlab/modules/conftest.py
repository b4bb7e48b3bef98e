"""A host, and a way to call modules on it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.winlab.modules.calls import PASSWORD, Call, LabClock, call_module

from winlab.host.host import Host, HostSpec


@pytest.fixture
def clock() -> LabClock:
    return LabClock()


@pytest.fixture(params=["en-US"])
def host(clock: LabClock, request: pytest.FixtureRequest) -> Host:
    return Host(
        HostSpec(name="APP1", locale=request.param, admin_password=PASSWORD),
        clock,
    )


@pytest.fixture
def call(host: Host) -> Call:
    def run(module: str, **options: Any) -> dict[str, Any]:
        return call_module(host, module, **options)

    return run

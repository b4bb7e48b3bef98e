from __future__ import annotations

import pytest
from tests.winlab.commands.lab_hosts import make_host, with_iis

from winlab.host.host import Host


@pytest.fixture(params=["zh-CN", "en-US"])
def host(request: pytest.FixtureRequest) -> Host:
    return make_host(request.param)


@pytest.fixture
def zh() -> Host:
    return make_host("zh-CN")


@pytest.fixture
def en() -> Host:
    return make_host("en-US")


@pytest.fixture
def web() -> Host:
    return with_iis(make_host("en-US"))

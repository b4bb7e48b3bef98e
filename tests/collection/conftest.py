"""A modelled host and what is collected from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.collection.lab import Clock, Collector, fill, make_host


@pytest.fixture
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Collector:
    clock = Clock()
    host = make_host(clock, getattr(request, "param", "zh-CN"))
    fill(host, clock)
    return Collector(host, clock, tmp_path)

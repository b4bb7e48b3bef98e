"""Labs for tests: small estates, a clock that tests move, no real time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from winlab.estate.build import Built, Plan, build_hosts
from winlab.estate.schema import all_hosts, parse_estate
from winlab.server.signing import SigningCa
from winlab.server.site_tls import SiteCa

START = datetime(2026, 11, 22, 9, 15, 0, tzinfo=UTC)
Builder = Callable[..., dict[str, Built]]


class Clock:
    """Lab time and steady seconds that only tests move."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def steady(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def built_hosts(text: str, folder: Path, clock: Clock) -> dict[str, Built]:
    """Build the hosts of an estate's YAML; return them by name."""
    estate = parse_estate(text)
    plan = Plan(
        estate=estate,
        password="Lab-secret-1",
        clock=clock.now,
        start=clock.now(),
        site_ca=SiteCa(clock.now()),
        signing_ca=SigningCa(clock.now()),
        folder=folder,
        file="estate.yml",
    )
    count = len(all_hosts(estate))
    built = build_hosts(plan, [f"127.99.1.{n + 1}" for n in range(count)])
    return {item.spec.name: item for item in built}


@pytest.fixture
def build(clock: Clock, tmp_path: Path) -> Builder:
    """Return a function: hosts of an estate's YAML, by name; files come from ``tmp_path``."""
    return lambda text: built_hosts(text, tmp_path, clock)


@pytest.fixture(scope="session")
def lab() -> dict[str, Built]:
    """Return the hosts of the demonstration estate; tests only read them."""
    file = Path(__file__).parents[3] / "inventories" / "lab" / "estate.yml"
    return built_hosts(file.read_text(encoding="utf-8"), file.parent, Clock())

"""Hosts of the stories' estate, and what the patching command makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from opsproof.inspection.batch import split_batch
from opsproof.patching.command import snapshot_command
from opsproof.patching.snapshot import Snapshot, read_snapshot
from winlab.commands import run_cmd
from winlab.estate.build import Plan, build_hosts
from winlab.estate.schema import load_estate
from winlab.host.host import Host
from winlab.server.signing import SigningCa
from winlab.server.site_tls import SiteCa

ESTATE = Path(__file__).with_name("estate.yml")
NOW = datetime(2026, 11, 22, 9, 15, tzinfo=UTC)
LINE = snapshot_command(asked_at=NOW, since=NOW - timedelta(hours=1))


@lru_cache(maxsize=1)
def _ca() -> SiteCa:
    return SiteCa(NOW)


@lru_cache(maxsize=1)
def _signing_ca() -> SigningCa:
    return SigningCa(NOW)


def hosts() -> dict[str, Host]:
    """Fresh hosts by their name in the estate."""
    estate = load_estate(ESTATE)
    plan = Plan(
        estate=estate,
        password="Lab-secret-1",
        clock=lambda: NOW,
        start=NOW,
        site_ca=_ca(),
        signing_ca=_signing_ca(),
        folder=ESTATE.parent,
        file=str(ESTATE),
    )
    built = build_hosts(plan, [f"127.99.2.{n + 1}" for n in range(len(estate.hosts))])
    return {item.spec.name: item.host for item in built}


def look(host: Host) -> Snapshot:
    """What the role sees of a host."""
    answer = run_cmd(host, LINE, user="Administrator", codepage=65001)
    return read_snapshot(split_batch(answer.stdout.decode()), NOW)

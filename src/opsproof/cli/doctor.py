"""``opsproof doctor``: is everything ready for a run, and if not, what is to be done?"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from opsproof.cli.output import envelope
from opsproof.errors import ExitCode
from opsproof.evidence.keys import keys_folder
from opsproof.run.checks import Check, Health, worst
from opsproof.run.controller import check_controller
from opsproof.run.doctor import HostHealth, check_hosts
from opsproof.run.environment import scrubbed
from opsproof.run.executor import Stop
from opsproof.run.inventory import planned, resolve
from opsproof.run.lock import inventory_lock
from opsproof.run.playbook import find
from opsproof.run.vault import with_resolved

_EXAMPLE = """
\b
Examples:
  opsproof doctor --inventory inventories/mine
  opsproof doctor --limit web01 --format json
"""
_CODES = {Health.FAILED: ExitCode.NOT_EVALUATED, Health.WARNING: ExitCode.FINDINGS}


@click.command(epilog=_EXAMPLE)
@click.option(
    "--inventory",
    type=click.Path(path_type=Path),
    default=Path("inventories/lab"),
    show_default=True,
    help="Inventory folder or file.",
)
@click.option("--limit", metavar="PATTERN", help="Only these hosts.")
@click.option(
    "--reports",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where bundles will lie.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(inventory: Path, limit: str | None, reports: Path, form: str) -> ExitCode:
    """Check this machine and every host of the inventory before the first run.

    Exit codes: 0 all is ready, 1 warnings, 2 usage, 3 a run would fail somewhere, 4 a run is
    going on with this inventory, 130 interrupted.
    """
    now, cwd = datetime.now(UTC), Path.cwd()
    playbook = find("doctor", cwd)
    project, config = playbook.project, playbook.project / "ansible.cfg"
    env = scrubbed(os.environ, config if config.is_file() else None)
    here = check_controller(project, reports, keys_folder(project), env, now)
    if form == "text":
        for check in here:
            click.echo(_line("controller", check))
    known, secrets = with_resolved(resolve((cwd / inventory).resolve(), env, project), env, project)
    plays = planned(playbook.path, known.path, limit, env, project)
    hosts = sorted({host for play in plays for host in play if host in known.hosts})
    stop = Stop()
    with inventory_lock(known.path), stop.listening():
        health = check_hosts(known, hosts, project, env, secrets, stop)
    if form == "json":
        click.echo(envelope("doctor/1", now, _summary(here, health), _items(here, health)))
    else:
        for one in health:
            _tell(one)
    if stop.asked:
        return ExitCode.INTERRUPTED
    every = [*here, *(check for one in health for check in one.checks)]
    return _CODES.get(worst(every), ExitCode.OK)


def _tell(one: HostHealth) -> None:
    """One line a host; every further problem has a line of its own."""
    problems = [check for check in one.checks if check.health in (Health.FAILED, Health.WARNING)]
    if not problems:
        details = ", ".join(f"{check.name} {check.detail}" for check in one.checks)
        click.echo(f"{one.host}: {worst(one.checks).value}: {details}")
    for check in problems:
        click.echo(_line(one.host, check))


def _line(who: str, check: Check) -> str:
    text = f"{who}: {check.health.value}: {check.name}: {check.detail}"
    return f"{text} -> {check.remedy}" if check.remedy else text


def _summary(here: list[Check], health: list[HostHealth]) -> dict[str, Any]:
    return {
        "controller": worst(here).value,
        "hosts": {one.host: worst(one.checks).value for one in health},
    }


def _items(here: list[Check], health: list[HostHealth]) -> list[HostHealth]:
    return [HostHealth("controller", here), *health]

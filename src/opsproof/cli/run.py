"""``opsproof run``: one maintenance run from the lock to the sealed bundle."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from opsproof.cli.output import envelope
from opsproof.cli.progress import Progress, Screen
from opsproof.errors import ExitCode, OpsproofError
from opsproof.evidence.keys import ENV_KEYS, Keys, ensure_keys, keys_folder, load_keys
from opsproof.evidence.model import Outcome, Run, State
from opsproof.run.executor import Stop
from opsproof.run.perform import Performed, World, perform
from opsproof.run.prepare import Plan, Request, prepare

_UNSIGNED = "who wrote it was not checked (no approvers.pem in the inventory, or check mode)"
_EXAMPLE = """
\b
Examples:
  opsproof run daily
  opsproof run daily --inventory inventories/mine --limit 'web*' --check
  opsproof run daily --retry 20261122T091500Z-daily-7f3a
"""


@click.command(epilog=_EXAMPLE)
@click.argument("playbook")
@click.option(
    "--inventory",
    type=click.Path(path_type=Path),
    default=Path("inventories/lab"),
    show_default=True,
    help="Inventory folder or file.",
)
@click.option("--check", is_flag=True, help="Change nothing; the run satisfies no due item.")
@click.option("--limit", metavar="PATTERN", help="Only these hosts; satisfies no due item.")
@click.option(
    "--ticket",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Approved change, JSON or YAML; playbooks that change hosts need one.",
)
@click.option("--retry", metavar="RUN", help="Only the hosts that failed in this sealed run.")
@click.option(
    "--reports",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="Where bundles and the ledger lie.",
)
@click.option("--forks", type=click.IntRange(1, 500), help="Hosts at work at the same time.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(playbook: str, form: str, **options: Any) -> ExitCode:
    """Run PLAYBOOK (a name such as `daily`, or a path) and seal what it saw.

    Exit codes: 0 nothing wrong, 1 findings, 2 usage, 3 something could not be evaluated,
    4 refused by a gate or a lock, 6 the ledger is incomplete, 130 interrupted; the worst wins.
    """
    request = Request(playbook=playbook, **options)
    stop = Stop()
    with stop.listening(), Progress(Screen(stderr=True, highlight=False)) as progress:
        plan = _prepared(request, stop)
        keys = _keys(plan.playbook.project)
        if keys.demo:
            progress.note("sealing with demonstration keys: they show how it works, prove nothing")
        world = World(keys, os.environ, _now)
        done = perform(plan, world, progress, stop)
    if form == "json":
        click.echo(envelope("run/1", _now(), _summary(done), _items(done)))
    else:
        _tell(done)
    return done.code


def _keys(project: Path) -> Keys:
    """The named keys, which must exist; without a name the project's, made for a demonstration."""
    folder = keys_folder(project)
    return load_keys(folder) if os.environ.get(ENV_KEYS) else ensure_keys(folder)


def _prepared(request: Request, stop: Stop) -> Plan:
    """The plan; whoever interrupts its making hears that, not what it broke."""
    try:
        plan = prepare(request, Path.cwd(), os.environ, _now())
    except OpsproofError:
        if stop.asked:
            raise click.Abort from None
        raise
    if stop.asked:
        raise click.Abort
    return plan


def _tell(done: Performed) -> None:
    """One line a host, what was due, where the bundle is and how to check it."""
    items = _items(done)
    targets = [item for item in items if item["planned"] or item["seen"]]
    width = max((len(item["host"]) for item in targets), default=0)
    for item in targets:
        states = " ".join(f"{count} {state}" for state, count in sorted(item["findings"].items()))
        text = f"{item['host']:<{width}}  {item['outcome']:<11}  "
        text += f"{item['observations']:>3} observations  {states or 'no findings'}  "
        text += f"{item['busy_ms'] / 1000:.1f} s"
        click.echo(text + (f"  ({item['reason']})" if item["reason"] else ""))
    if len(items) > len(targets):
        click.echo(f"not targeted: {len(items) - len(targets)} more in the inventory")
    for missed in done.run.missed:
        click.echo(f"due and not run: {missed.item}, {missed.reason}")
    for mark in _marks(done.run):
        click.echo(mark)
    for error in done.errors:
        click.echo(f"ansible: {error}", err=True)
    if done.bundle is None:
        click.echo(f"interrupted: {done.run.id} is not sealed; the next run reports it", err=True)
        return
    click.echo(_total(done))
    reports = done.bundle.parent.parent
    verify = shlex.join(["opsproof", "verify", str(reports), "--head", str(done.head)])
    click.echo(f"bundle  {done.bundle}")
    click.echo(f"head    {done.head}")
    click.echo(f"verify  {verify}")
    click.echo(f"        or without this tool: see {done.bundle / 'README.md'}")


def _marks(run: Run) -> Iterator[str]:
    """What keeps a run from counting as the one that was due."""
    if run.check:
        yield "check mode: nothing was changed, and the run satisfies no due item"
    if run.limit is not None:
        yield f"limited to {run.limit}: the run satisfies no due item"
    if run.retry_of is not None:
        yield f"a retry of {run.retry_of}: the run satisfies no due item"
    if run.ticket is not None:
        told = f"signed by {run.ticket_signer}" if run.ticket_signer else _UNSIGNED
        yield f"ticket {run.ticket}: {told}"


def _total(done: Performed) -> str:
    hosts = Counter(host.outcome for host in done.run.hosts.values() if host.planned)
    states = Counter(finding.state for finding in done.findings)
    told = ", ".join(f"{hosts[outcome]} {outcome.value}" for outcome in Outcome if hosts[outcome])
    found = ", ".join(f"{states[state]} {state.value}" for state in State if states[state])
    return f"total   hosts: {told or 'none'}; findings: {found or 'none'}"


def _items(done: Performed) -> list[dict[str, Any]]:
    """One entry a host, the reached ones first in order of trouble, untouched hosts last."""
    order = list(Outcome)
    observed = Counter(observation.subject.host for observation in done.observations)
    findings: dict[str, Counter[str]] = {}
    for finding in done.findings:
        findings.setdefault(finding.subject.host, Counter())[finding.state.value] += 1
    hosts = sorted(
        done.run.hosts.items(), key=lambda one: (not one[1].planned, order.index(one[1].outcome))
    )
    return [
        {
            "host": name,
            "outcome": host.outcome.value,
            "reason": host.reason,
            "planned": host.planned,
            "seen": host.seen,
            "observations": observed[name],
            "findings": dict(findings.get(name, {})),
            "busy_ms": done.results[name].busy_ms if name in done.results else 0,
        }
        for name, host in hosts
    ]


def _summary(done: Performed) -> dict[str, Any]:
    states = Counter(finding.state.value for finding in done.findings)
    return {
        "run": done.run.id,
        "status": done.run.status,
        "exit_code": int(done.code),
        "bundle": None if done.bundle is None else str(done.bundle),
        "head": None if done.head is None else str(done.head),
        "hosts": dict(Counter(host.outcome.value for host in done.run.hosts.values())),
        "findings": dict(states),
        "missed": [missed.item for missed in done.run.missed],
        "interrupted_before": list(done.run.interrupted),
        "errors": list(done.errors),
    }


def _now() -> datetime:
    return datetime.now(UTC)

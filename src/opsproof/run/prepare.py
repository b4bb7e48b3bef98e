"""Everything that is decided before Ansible starts: what runs, where, and whether it may."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from opsproof.errors import UsageError
from opsproof.evidence.model import Run
from opsproof.run import approvers, gates, history, schedule
from opsproof.run.environment import scrubbed
from opsproof.run.inventory import Inventory, planned, resolve
from opsproof.run.playbook import Playbook, find
from opsproof.run.rules import Rules, load_rules
from opsproof.run.vault import known_secrets


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for. ``retry`` is the id or path of a sealed run."""

    playbook: str
    inventory: Path
    reports: Path
    check: bool = False
    limit: str | None = None
    ticket: Path | None = None
    retry: str | None = None
    forks: int | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What will run. ``targets`` maps every host that a play reaches to its activities.

    ``only`` is the explicit host list of a retry, ``parent`` the run that it goes on with.
    ``window_end`` is when a change must be over, None for what changes nothing. ``approved_by`` is who
    signed the ticket, None where that was not checked.
    """

    request: Request
    playbook: Playbook
    inventory: Inventory
    inventory_name: str
    env: dict[str, str]
    secrets: frozenset[str]
    targets: dict[str, tuple[str, ...]]
    ticket: gates.Ticket | None
    schedule: tuple[schedule.Item, ...]
    rules: Rules
    only: tuple[str, ...] = ()
    parent: Run | None = None
    window_end: datetime | None = None
    approved_by: str | None = None


def prepare(request: Request, cwd: Path, caller: Mapping[str, str], now: datetime) -> Plan:
    """Reads playbook, inventory, schedule, calendar and ticket, and passes the gates.

    Raises :class:`UsageError` for what cannot be run and ``RefusedError`` for what may not.
    """
    playbook = find(request.playbook, cwd)
    config = playbook.project / "ansible.cfg"
    env = scrubbed(caller, config if config.is_file() else None)
    inventory = resolve((cwd / request.inventory).resolve(), env, playbook.project)
    name = _name(inventory.path, playbook.project)
    beside = inventory.path if inventory.path.is_dir() else inventory.path.parent
    rules = load_rules(playbook.project, beside)
    only, parent = _retry(request, playbook, name)
    known = known_secrets(inventory, env, playbook.project)
    limit = ",".join(only) if only else request.limit
    targets = _targets(
        playbook, planned(playbook.path, inventory.path, limit, env, playbook.project)
    )
    ticket = gates.load_ticket(request.ticket) if request.ticket else None
    plan = Plan(
        request=request,
        playbook=playbook,
        inventory=inventory,
        inventory_name=name,
        env=env,
        secrets=known,
        targets=targets,
        ticket=ticket,
        schedule=tuple(schedule.load(beside / "schedule.yml")),
        rules=rules,
        only=only,
        parent=parent,
    )
    if not playbook.gated:
        return plan
    calendar = gates.load_calendar(beside / "calendar.yml")
    signer = None
    if not request.check:
        _gate(plan, calendar, now)
        if ticket is not None:
            signer = approvers.signed_by(ticket, beside, str(request.ticket))
    end = gates.window_end(ticket, calendar, inventory.zone, now)
    return msgspec.structs.replace(plan, window_end=end, approved_by=signer)


def _gate(plan: Plan, calendar: gates.Calendar, now: datetime) -> None:
    change = gates.Change(
        activities=plan.playbook.activities,
        hosts=tuple(sorted(plan.targets)),
        groups={name: host.groups for name, host in plan.inventory.hosts.items()},
        content_sha256=plan.playbook.content_sha256,
    )
    gates.check(plan.ticket, calendar, change, plan.inventory.zone, now)


def _retry(
    request: Request, playbook: Playbook, inventory: str
) -> tuple[tuple[str, ...], Run | None]:
    if request.retry is None:
        return (), None
    if request.limit is not None:
        raise UsageError("--retry chooses the hosts itself", remedy="leave --limit out")
    parent = history.sealed_run(request.reports, request.retry)
    return history.to_retry(parent, playbook.name, inventory), parent


def _targets(playbook: Playbook, plays: list[tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    if len(plays) != len(playbook.plays):
        raise UsageError(
            f"Ansible finds {len(plays)} plays where the file shows {len(playbook.plays)}",
            where=str(playbook.path),
            remedy="import playbooks by a plain path",
        )
    found: dict[str, dict[str, None]] = {}
    for play, hosts in zip(playbook.plays, plays, strict=True):
        for host in hosts:
            found.setdefault(host, {}).update(dict.fromkeys(play.activities))
    return {host: tuple(activities) for host, activities in sorted(found.items())}


def _name(inventory: Path, project: Path) -> str:
    """How records name an inventory: below the project by its path there, so no machine's path."""
    return (
        str(inventory.relative_to(project)) if inventory.is_relative_to(project) else str(inventory)
    )

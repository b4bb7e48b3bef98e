"""What a run says of itself: its record, the inputs it seals, what was due. Values in, values out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from opsproof import __version__
from opsproof.controls.scope import SCHEDULE
from opsproof.errors import ExitCode, worst
from opsproof.evidence import standing
from opsproof.evidence.ids import timestamp
from opsproof.evidence.model import (
    Finding,
    MissedItem,
    Observation,
    Outcome,
    Run,
    RunHost,
    State,
    Subject,
    SubjectKind,
)
from opsproof.evidence.redaction import Redactor
from opsproof.evidence.schemas.schedule import DueItemFacts
from opsproof.run import approvers, history, provenance, schedule
from opsproof.run.events import HostResult, Tally, result_of
from opsproof.run.prepare import Plan

_WELL = (Outcome.OK, Outcome.CHANGED)
_CUT_SHORT = "not collected: the run ended before this host did"


class Origin(msgspec.Struct, frozen=True):
    """Who and what starts a run, read before it changes anything."""

    operator: str
    machine: str
    commit: provenance.Commit
    versions: dict[str, str]


def origin(plan: Plan, caller: Mapping[str, str]) -> Origin:
    """The origin of a run that starts now."""
    project = plan.playbook.project
    return Origin(
        provenance.operator(caller),
        provenance.machine(),
        provenance.commit(project),
        provenance.versions(project),
    )


def results(plan: Plan, tally: Tally) -> dict[str, HostResult]:
    """The outcome of every host of the inventory, and of any other that an event named.

    A host that was still at work when the run died or was stopped has failed, however well its
    tasks went: ``ok`` would move the start of its next window of events past what nobody read.
    """
    names = sorted({*plan.inventory.hosts, *plan.targets, *tally.hosts})
    found = {name: result_of(tally.hosts.get(name), planned=name in plan.targets) for name in names}
    if tally.finished:
        return found
    return {
        name: msgspec.structs.replace(one, outcome=Outcome.FAILED, reason=_CUT_SHORT)
        if plan.targets.get(name) and not one.observations and one.outcome in _WELL
        else one
        for name, one in found.items()
    }


def hosts(plan: Plan, tally: Tally) -> dict[str, RunHost]:
    """The same as the run's record holds it."""
    known = plan.inventory.hosts
    return {
        name: RunHost(
            outcome=result.outcome,
            planned=name in plan.targets,
            seen=result.seen,
            activities=plan.targets.get(name, ()),
            reason=result.reason,
            asset=known[name].asset if name in known else {},
        )
        for name, result in results(plan, tally).items()
    }


def record(
    plan: Plan,
    tally: Tally,
    source: Origin,
    *,
    status: str,
    rc: int,
    started: datetime,
    finished: datetime,
) -> Run:
    """The run's record, but for what other runs left and what was due."""
    path, project, request = plan.playbook.path, plan.playbook.project, plan.request
    return Run(
        id=tally.run_id,
        kind=plan.playbook.name,
        inventory=plan.inventory_name,
        playbook=str(path.relative_to(project)),
        started_at=timestamp(started),
        finished_at=timestamp(finished),
        evaluated_at=timestamp(finished),
        status=status,
        rc=rc,
        check=request.check,
        limit=request.limit,
        retry_of=plan.parent.id if plan.parent else None,
        ticket=plan.ticket.id if plan.ticket else None,
        ticket_signer=plan.approved_by,
        operator=source.operator,
        host=source.machine,
        commit=source.commit.id,
        dirty=source.commit.dirty,
        versions=source.versions,
        inventory_sha256=plan.inventory.sha256,
        hosts=hosts(plan, tally),
        counters=_counters(plan, tally),
    )


def due_items(plan: Plan, run: Run, past: Sequence[Run], started: datetime) -> list[schedule.Due]:
    """What was due since the last full run, which has reported all that was due before."""
    known = history.as_past([run, *past])
    reported = next((one.started_at for one in known[1:] if one.full), None)
    return schedule.due(plan.schedule, known, plan.inventory.zone, reported, started)


def missed(due: Sequence[schedule.Due]) -> tuple[MissedItem, ...]:
    """Those that no run has done in time."""
    return tuple(
        MissedItem(item=one.name, due_at=timestamp(one.occurrence.due_at), reason=one.reason)
        for one in due
        if one.done_by is None
    )


def due_observation(run_id: str, due: schedule.Due, now: datetime) -> Observation:
    """An item that was due, as an observation of the whole estate (its host is empty)."""
    facts = DueItemFacts(
        item=due.occurrence.item.id,
        playbook=due.occurrence.item.playbook,
        due_from=timestamp(due.occurrence.opens),
        due_until=timestamp(due.occurrence.deadline),
        done=due.done_by is not None,
        done_by=due.done_by,
    )
    return Observation(
        id="",
        run=run_id,
        activity=SCHEDULE,
        subject=Subject(kind=SubjectKind.DUE_ITEM, id=due.name, host=""),
        collected_at=timestamp(now),
        clock_offset_ms=0,
        collector=f"opsproof {__version__}",
        facts=msgspec.to_builtins(facts),
    )


def inputs(plan: Plan, redactor: Redactor) -> dict[str, bytes]:
    """What the verdicts and the run itself depended on, by path below ``inputs/``."""
    folder = plan.inventory.path if plan.inventory.path.is_dir() else plan.inventory.path.parent
    found = dict(plan.rules.files)
    for name in ("schedule.yml", "calendar.yml", approvers.FILE):
        if (folder / name).is_file():
            found[name] = (folder / name).read_bytes()
    if plan.request.ticket is not None:
        found["ticket"] = plan.request.ticket.read_bytes()
    found["estate.json"] = _json(redactor.value(_estate(plan))[0])
    found["plan.json"] = _json(_plan(plan, redactor))
    return found


def exit_code(run: Run, findings: Sequence[Finding]) -> ExitCode:
    """The worst of what the run found and of what it could not do."""
    codes = set()
    if run.missed or any(finding.state is State.FAIL for finding in findings):
        codes.add(ExitCode.FINDINGS)
    blind = (State.ERROR, State.NOT_COLLECTED)
    bad = (Outcome.FAILED, Outcome.UNREACHABLE)
    if (
        run.status != standing.COMPLETED
        or any(finding.state in blind for finding in findings)
        or any(host.outcome in bad for host in run.hosts.values())
        or not any(host.seen for host in run.hosts.values())
    ):
        codes.add(ExitCode.NOT_EVALUATED)
    return worst(codes)


def _counters(plan: Plan, tally: Tally) -> dict[str, int]:
    outcomes = Counter(result.outcome for result in results(plan, tally).values())
    return {
        "tasks": tally.tasks,
        "observations": len(tally.observations),
        "busy_ms": sum(host.busy_ms for host in tally.hosts.values()),
        **{f"hosts_{outcome}": outcomes[outcome] for outcome in Outcome},
    }


def _plan(plan: Plan, redactor: Redactor) -> dict[str, Any]:
    return {
        "content_sha256": plan.playbook.content_sha256,
        "playbook_sha256": plan.playbook.sha256,
        "time_zone": plan.inventory.zone.key,
        "targets": {host: list(names) for host, names in plan.targets.items()},
        "hosts": {
            name: {"asset": redactor.value(host.asset)[0], "groups": list(host.groups)}
            for name, host in plan.inventory.hosts.items()
        },
    }


def _estate(plan: Plan) -> dict[str, Any]:
    """The estate's own description, which reports print: the group variables ``estate_*``."""
    variables = next(iter(plan.inventory.hosts.values())).variables
    found = {
        name.removeprefix("estate_"): value
        for name, value in variables.items()
        if name.startswith("estate_")
    }
    return {**found, "time_zone": plan.inventory.zone.key}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"

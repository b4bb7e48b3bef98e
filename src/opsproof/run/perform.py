"""One run from the lock to the sealed bundle."""

from __future__ import annotations

import json
import secrets as random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import msgspec

from opsproof import __version__
from opsproof.controls.recompute import evaluate_inputs
from opsproof.controls.scope import INPUT as KNOWN
from opsproof.controls.scope import SCHEDULE, Known
from opsproof.errors import ExitCode, worst
from opsproof.evidence.bundle import BundleBuilder
from opsproof.evidence.ids import timestamp
from opsproof.evidence.keys import Keys
from opsproof.evidence.known import known_subjects
from opsproof.evidence.ledger import Head, Ledger
from opsproof.evidence.model import (
    Artifact,
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
from opsproof.evidence.reader import load_bundle, recover
from opsproof.evidence.redaction import Redactor
from opsproof.evidence.schemas.schedule import DueItemFacts
from opsproof.run import executor, history, leftovers, provenance, schedule
from opsproof.run.events import HostResult, HostTally, Tally, result_of
from opsproof.run.lock import inventory_lock
from opsproof.run.prepare import Plan
from opsproof.run.workspace import workspace

HISTORY = timedelta(days=400)
"""How far back sealed runs are read: a year, so that yearly items see their last run."""


class Watcher(Protocol):
    """Somebody who follows a run."""

    def begins(self, run_id: str, plan: Plan) -> None:
        """Ansible is about to start."""

    def event(self, tally: Tally, host: str | None) -> None:
        """An event came in; ``host`` is the one that it was about."""

    def note(self, text: str) -> None:
        """Something worth a line of its own."""


@dataclass(frozen=True)
class World:
    """What a run takes from outside: keys, the caller's environment and the clock."""

    keys: Keys
    caller: Mapping[str, str]
    now: Callable[[], datetime]


@dataclass(frozen=True)
class Performed:
    """A sealed run as it lies in the bundle, and with what exit code it ends.

    ``bundle`` and ``head`` are None for an interrupted run, which is not sealed.
    """

    run: Run
    findings: Sequence[Finding]
    observations: Sequence[Observation]
    results: Mapping[str, HostResult]
    errors: Sequence[str]
    bundle: Path | None
    head: Head | None
    code: ExitCode


def perform(plan: Plan, world: World, watcher: Watcher, stop: executor.Stop) -> Performed:
    """Runs the plan under the inventory's lock.

    Raises ``RefusedError`` when another run holds the lock, and what sealing raises. Whatever
    happens after the partial folder exists, the next run finds and reports it.
    """
    with inventory_lock(plan.inventory.path):
        return _Performance(plan, world, watcher, stop).run()


class _Performance:
    """The steps of one run, sharing what each of them learns."""

    def __init__(self, plan: Plan, world: World, watcher: Watcher, stop: executor.Stop) -> None:
        self.plan, self.world, self.watcher, self.stop = plan, world, watcher, stop
        self.reports = plan.request.reports
        self.started = world.now()
        self.id = f"{self.started:%Y%m%dT%H%M%SZ}-{plan.playbook.name}-{random.token_hex(2)}"
        self.redactor = Redactor(plan.secrets)
        self.tally = Tally(self.id, clean=lambda text: self.redactor.text(text)[0])
        self.lost: dict[str, list[str]] = {}
        self.known = Known()
        self.due: list[schedule.Due] = []

    def run(self) -> Performed:
        recovery = recover(self.reports)
        self._tell(recovery.interrupted, recovery.adopted)
        past = list(
            history.past_runs(
                self.reports, self.plan.inventory_name, not_before=self.started - HISTORY
            )
        )
        self.known = known_subjects(
            self.reports,
            self.plan.targets,
            self.plan.playbook.activities,
            self.plan.rules.register,
            inventory=self.plan.inventory_name,
        )
        builder = BundleBuilder(
            self.reports, self.id, bureau=self.world.keys.bureau, secrets=self.plan.secrets
        )
        try:
            self._inputs(builder)
            with workspace(self.plan.inventory.path, self.id) as folder:
                end = self._ansible(folder, past)
                self.due = self._due(past)
                record = self._record(end, recovery.interrupted, recovery.adopted)
                if self.stop.asked:
                    return self._interrupted(builder, record)
                observations = self._take_in(builder, folder / "staging")
            record = msgspec.structs.replace(record, hosts=self._hosts())
            builder.write(record, self._findings(record, observations))
            bundle = builder.seal(self.world.keys.signer, now=self.world.now())
        finally:
            builder.close()
        leftovers.put_away(self.reports, recovery.interrupted, self.world.now())
        return self._sealed(bundle)

    def _findings(self, record: Run, observations: Sequence[Observation]) -> list[Finding]:
        inputs = {**self.plan.rules.files, KNOWN: self.known.to_bytes()}
        return evaluate_inputs(record, observations, inputs)

    def _tell(self, interrupted: Sequence[str], adopted: Sequence[str]) -> None:
        for run_id in interrupted:
            self.watcher.note(f"an earlier run was interrupted before it was sealed: {run_id}")
        for run_id in adopted:
            self.watcher.note(
                f"a sealed run was missing from the ledger and is in it now: {run_id}"
            )

    def _inputs(self, builder: BundleBuilder) -> None:
        plan = self.plan
        for name, data in plan.rules.files.items():
            builder.add_input(name, data)
        builder.add_input(KNOWN, self.known.to_bytes())
        builder.add_input("estate.json", _json(_estate(plan)))
        folder = plan.inventory.path if plan.inventory.path.is_dir() else plan.inventory.path.parent
        for name in ("schedule.yml", "calendar.yml"):
            if (folder / name).is_file():
                builder.add_input(name, (folder / name).read_bytes())
        if plan.request.ticket is not None:
            builder.add_input("ticket", plan.request.ticket.read_bytes())
        builder.add_input("plan.json", _json(self._as_data()))

    def _as_data(self) -> dict[str, Any]:
        plan = self.plan
        return {
            "content_sha256": plan.playbook.content_sha256,
            "playbook_sha256": plan.playbook.sha256,
            "time_zone": plan.inventory.zone.key,
            "targets": {host: list(names) for host, names in plan.targets.items()},
            "hosts": {
                name: {"asset": self.redactor.value(host.asset)[0], "groups": list(host.groups)}
                for name, host in plan.inventory.hosts.items()
            },
        }

    def _ansible(self, folder: Path, past: Sequence[Run]) -> executor.JobEnd:
        plan, staging, job = self.plan, folder / "staging", folder / "job"
        for path in (staging, job):
            path.mkdir(mode=0o700)
        since = history.since_per_host(past, plan.playbook.name, sorted(plan.targets), self.started)
        usual = timestamp(self.started - history.FIRST_LOOK_BACK)
        variables = {
            "opsproof_run_id": self.id,
            "opsproof_staging": str(staging),
            "opsproof_now": timestamp(self.started),
            "opsproof_since_by_host": {name: timestamp(at) for name, at in since.items()},
            "opsproof_since": (
                f"{{{{ opsproof_since_by_host[inventory_hostname] | default('{usual}') }}}}"
            ),
        }
        self.watcher.begins(self.id, plan)
        return executor.run(
            executor.Job(
                playbook=plan.playbook.path,
                inventory=plan.inventory.path,
                project=plan.playbook.project,
                folder=job,
                env=plan.env,
                variables=variables,
                limit=plan.request.limit,
                hosts=plan.only,
                check=plan.request.check,
                forks=plan.request.forks,
            ),
            self._feed,
            self.stop,
        )

    def _feed(self, event: Mapping[str, Any]) -> None:
        host = self.tally.feed(event)
        self.watcher.event(self.tally, host)

    def _record(
        self,
        end: executor.JobEnd,
        interrupted: Sequence[str],
        adopted: Sequence[str],
    ) -> Run:
        plan, request, finished = self.plan, self.plan.request, timestamp(self.world.now())
        commit = provenance.commit(plan.playbook.project)
        return Run(
            id=self.id,
            kind=plan.playbook.name,
            inventory=plan.inventory_name,
            playbook=self._playbook_name(),
            started_at=timestamp(self.started),
            finished_at=finished,
            evaluated_at=finished,
            status=self._status(),
            rc=end.rc,
            check=request.check,
            limit=request.limit,
            retry_of=plan.parent.id if plan.parent else None,
            ticket=plan.ticket.id if plan.ticket else None,
            operator=provenance.operator(self.world.caller),
            host=provenance.machine(),
            commit=commit.id,
            dirty=commit.dirty,
            versions=provenance.versions(plan.playbook.project),
            inventory_sha256=plan.inventory.sha256,
            hosts=self._hosts(),
            interrupted=tuple(interrupted),
            adopted=tuple(adopted),
            missed=tuple(
                MissedItem(
                    item=due.name, due_at=timestamp(due.occurrence.due_at), reason=due.reason
                )
                for due in self.due
                if due.done_by is None
            ),
            counters=self._counters(),
        )

    def _status(self) -> str:
        if self.stop.asked:
            return history.INTERRUPTED
        return history.COMPLETED if self.tally.finished else history.ABORTED

    def _playbook_name(self) -> str:
        path, project = self.plan.playbook.path, self.plan.playbook.project
        return str(path.relative_to(project))

    def _due(self, past: Sequence[Run]) -> list[schedule.Due]:
        """What was due since the last full run, which has reported all that was due before."""
        plan, request = self.plan, self.plan.request
        known = history.as_past(past)
        reported = next((run.started_at for run in known if run.full), None)
        whole = not (request.check or request.limit or plan.only)
        full = whole and self.tally.finished and any(host.ok for host in self.tally.hosts.values())
        this = schedule.PastRun(self.id, plan.playbook.name, self.started, full)
        return schedule.due(
            plan.schedule, [*known, this], plan.inventory.zone, reported, self.started
        )

    def _due_observation(self, due: schedule.Due) -> Observation:
        """An item that was due, as an observation of the whole estate (host empty)."""
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
            run=self.id,
            activity=SCHEDULE,
            subject=Subject(kind=SubjectKind.DUE_ITEM, id=due.name, host=""),
            collected_at=timestamp(self.world.now()),
            clock_offset_ms=0,
            collector=f"opsproof {__version__}",
            facts=msgspec.to_builtins(facts),
        )

    def _results(self) -> dict[str, HostResult]:
        names = sorted({*self.plan.inventory.hosts, *self.plan.targets, *self.tally.hosts})
        for name, lost in self.lost.items():
            self.tally.hosts[name].lost += [
                line for line in lost if line not in self.tally.hosts[name].lost
            ]
        return {
            name: result_of(self.tally.hosts.get(name), planned=name in self.plan.targets)
            for name in names
        }

    def _hosts(self) -> dict[str, RunHost]:
        known = self.plan.inventory.hosts
        return {
            name: RunHost(
                outcome=result.outcome,
                planned=name in self.plan.targets,
                seen=result.seen,
                activities=self.plan.targets.get(name, ()),
                reason=result.reason,
                asset=known[name].asset if name in known else {},
            )
            for name, result in self._results().items()
        }

    def _counters(self) -> dict[str, int]:
        outcomes = Counter(result.outcome for result in self._results().values())
        return {
            "tasks": self.tally.tasks,
            "observations": len(self.tally.observations),
            "busy_ms": sum(host.busy_ms for host in self.tally.hosts.values()),
            **{f"hosts_{outcome}": outcomes[outcome] for outcome in Outcome},
        }

    def _take_in(self, builder: BundleBuilder, staging: Path) -> list[Observation]:
        """Moves observations and their artifacts into the bundle; what is missing is a failure."""
        for observation in self.tally.observations.values():
            stored = tuple(
                self._artifact(builder, staging, observation, artifact)
                for artifact in observation.artifacts
            )
            builder.add_observation(msgspec.structs.replace(observation, artifacts=stored))
        for due in self.due:
            builder.add_observation(self._due_observation(due))
        return builder.observations

    def _artifact(
        self,
        builder: BundleBuilder,
        staging: Path,
        observation: Observation,
        artifact: Artifact,
    ) -> Artifact:
        source = Path(self.tally.files.get(artifact.sha256, "")).resolve()
        if not (source.is_file() and source.is_relative_to(staging.resolve())):
            host = observation.subject.host
            self.tally.hosts.setdefault(host, HostTally(host))
            self.lost.setdefault(host, []).append(f"the file {artifact.name} was not handed over")
            return artifact
        return builder.add_artifact(source, artifact)

    def _interrupted(self, builder: BundleBuilder, record: Run) -> Performed:
        """Marks the partial folder, which stays unsealed for the next run to report."""
        for observation in self.tally.observations.values():
            builder.add_observation(observation)
        builder.write(record, [])
        return Performed(
            record, [], builder.observations, self._results(), self.tally.errors, None, None,
            ExitCode.INTERRUPTED,
        )  # fmt: skip

    def _sealed(self, path: Path) -> Performed:
        """Reads back what was sealed: what people see is what the bundle says."""
        bundle = load_bundle(path)
        return Performed(
            run=bundle.run,
            findings=bundle.findings,
            observations=bundle.observations,
            results=self._results(),
            errors=self.tally.errors if bundle.run.status != history.COMPLETED else [],
            bundle=path,
            head=Ledger(self.reports).head,
            code=exit_code(bundle.run, bundle.findings),
        )


def exit_code(run: Run, findings: Sequence[Finding]) -> ExitCode:
    """The worst of what the run found and of what it could not do."""
    codes = set()
    if run.missed or any(finding.state is State.FAIL for finding in findings):
        codes.add(ExitCode.FINDINGS)
    blind = (State.ERROR, State.NOT_COLLECTED)
    bad = (Outcome.FAILED, Outcome.UNREACHABLE)
    if (
        run.status != history.COMPLETED
        or any(finding.state in blind for finding in findings)
        or any(host.outcome in bad for host in run.hosts.values())
        or not any(host.seen for host in run.hosts.values())
    ):
        codes.add(ExitCode.NOT_EVALUATED)
    return worst(codes)


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

"""One run from the lock to the sealed bundle."""

from __future__ import annotations

import os
import secrets as random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import msgspec

from opsproof.controls.recompute import evaluate_inputs
from opsproof.controls.scope import INPUT as KNOWN
from opsproof.errors import ExitCode, OpsproofError, UsageError
from opsproof.evidence import standing
from opsproof.evidence.bundle import BundleBuilder
from opsproof.evidence.canonical import canonical
from opsproof.evidence.ids import timestamp
from opsproof.evidence.keys import Keys
from opsproof.evidence.known import known_subjects
from opsproof.evidence.ledger import Head, Ledger
from opsproof.evidence.model import Artifact, Finding, Observation, Run
from opsproof.evidence.reader import Recovery, load_bundle, recover
from opsproof.evidence.redaction import Redactor
from opsproof.run import account, canaries, executor, history, leftovers, schedule
from opsproof.run.events import HostResult, HostTally, Tally
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

    Raises ``RefusedError`` when another run holds the lock, ``UsageError`` when the reports folder
    cannot be written, and what sealing raises. Whatever happens after the partial folder exists,
    the next run finds and reports it.
    """
    with inventory_lock(plan.inventory.path):
        _must_be_writable(plan.request.reports)
        try:
            return _Performance(plan, world, watcher, stop).run()
        except OSError as error:
            raise OpsproofError(
                f"the run could not be sealed: {error.strerror or error}",
                where=os.fsdecode(error.filename or plan.request.reports),
                remedy="free space or repair the folder, then run again; the next run reports this",
            ) from error


def _must_be_writable(reports: Path) -> None:
    """Tried before any host is asked: a run that cannot be sealed is no evidence."""
    try:
        reports.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=reports):
            pass
    except OSError as error:
        raise UsageError(
            f"reports cannot be written there: {error.strerror}",
            where=os.fsdecode(reports),
            remedy="name another folder with --reports",
        ) from error


class _Performance:
    """The steps of one run, sharing what each of them learns."""

    def __init__(self, plan: Plan, world: World, watcher: Watcher, stop: executor.Stop) -> None:
        self.plan, self.world, self.watcher, self.stop = plan, world, watcher, stop
        self.reports = plan.request.reports
        self.started = world.now()
        self.origin = account.origin(plan, world.caller)
        self.redactor = Redactor(plan.secrets)
        self.tally = Tally(
            f"{self.started:%Y%m%dT%H%M%SZ}-{plan.playbook.name}-{random.token_hex(2)}",
            clean=lambda text: self.redactor.text(text)[0],
        )
        self.inputs = account.inputs(plan, self.redactor)
        self.proven: dict[str, Any] = {}

    def run(self) -> Performed:
        """All steps in order."""
        recovery = recover(self.reports)
        self._tell(recovery)
        past = self._past()
        self._carry()
        self.inputs[KNOWN] = known_subjects(
            self.reports,
            self.plan.targets,
            self.plan.playbook.activities,
            self.plan.rules.register,
            inventory=self.plan.inventory_name,
        ).to_bytes()
        builder = BundleBuilder(
            self.reports,
            self.tally.run_id,
            bureau=self.world.keys.bureau,
            secrets=self.plan.secrets,
        )
        try:
            for name, data in self.inputs.items():
                builder.add_input(name, data)
            with workspace(self.plan.inventory.path, self.tally.run_id) as folder:
                end = self._ansible(folder, past)
                if self.stop.asked:
                    return self._interrupted(builder, self._record(end, past, recovery)[0])
                self._take_in(builder, folder / "staging")
            record, due = self._record(end, past, recovery)
            for item in due:
                now = self.world.now()
                builder.add_observation(account.due_observation(record.id, item, now))
            builder.write(record, evaluate_inputs(record, builder.observations, self.inputs))
            bundle = builder.seal(self.world.keys.signer, now=self.world.now())
        finally:
            builder.close()
        leftovers.put_away(self.reports, recovery.interrupted, self.world.now())
        return self._sealed(bundle)

    def _tell(self, recovery: Recovery) -> None:
        for run_id in recovery.interrupted:
            self.watcher.note(f"an earlier run was interrupted before it was sealed: {run_id}")
        for run_id in recovery.adopted:
            self.watcher.note(
                f"a sealed run was missing from the ledger and is in it now: {run_id}"
            )

    def _carry(self) -> None:
        """What earlier runs' canaries have proven, for a run that patches, and into its inputs."""
        if canaries.ACTIVITY not in self.plan.playbook.activities:
            return
        signer = self.world.keys.signer
        found = canaries.proven_before(
            self.reports,
            self.plan.inventory_name,
            [n for n, h in self.plan.inventory.hosts.items() if canaries.GROUP in h.groups],
            signer.issuers or (signer.certificate,),
            self.started,
        )
        for host, canary in sorted(found.items()):
            if canary.problem:
                self.watcher.note(f"canary {host} proves nothing: {canary.problem} ({canary.run})")
        self.proven = msgspec.to_builtins(found)
        self.inputs[canaries.INPUT] = canonical(self.proven) + b"\n"

    def _past(self) -> list[Run]:
        oldest = self.started - HISTORY
        return list(history.past_runs(self.reports, self.plan.inventory_name, not_before=oldest))

    def _ansible(self, folder: Path, past: Sequence[Run]) -> executor.JobEnd:
        plan, staging, job = self.plan, folder / "staging", folder / "job"
        for path in (staging, job):
            path.mkdir(mode=0o700)
        self.watcher.begins(self.tally.run_id, plan)
        return executor.run(
            executor.Job(
                playbook=plan.playbook.path,
                inventory=plan.inventory.path,
                project=plan.playbook.project,
                folder=job,
                env=plan.env,
                variables=self._variables(staging, past),
                limit=plan.request.limit,
                hosts=plan.only,
                check=plan.request.check,
                forks=plan.request.forks,
            ),
            self._feed,
            self.stop,
        )

    def _variables(self, staging: Path, past: Sequence[Run]) -> dict[str, Any]:
        """The extra variables of every play; times are RFC 3339 in UTC."""
        name, targets = self.plan.playbook.name, sorted(self.plan.targets)
        since = history.since_per_host(past, name, targets, self.started)
        sealed = history.sealed_per_host(past, name)
        usual = timestamp(self.started - history.FIRST_LOOK_BACK)
        end = self.plan.window_end
        return {
            **({} if end is None else {"opsproof_window_end": timestamp(end)}),
            **({"opsproof_canaries": self.proven} if self.proven else {}),
            "opsproof_run_id": self.tally.run_id,
            "opsproof_staging": str(staging),
            "opsproof_now": timestamp(self.started),
            "opsproof_sealed_start_by_host": {host: timestamp(at) for host, at in sealed.items()},
            "opsproof_sealed_start": (
                "{{ opsproof_sealed_start_by_host[inventory_hostname] | default('') }}"
            ),
            "opsproof_since_by_host": {host: timestamp(at) for host, at in since.items()},
            "opsproof_since": (
                f"{{{{ opsproof_since_by_host[inventory_hostname] | default('{usual}') }}}}"
            ),
        }

    def _feed(self, event: Mapping[str, Any]) -> None:
        host = self.tally.feed(event)
        self.watcher.event(self.tally, host)

    def _record(
        self, end: executor.JobEnd, past: Sequence[Run], recovery: Recovery
    ) -> tuple[Run, list[schedule.Due]]:
        status = standing.COMPLETED if self.tally.finished else standing.ABORTED
        run = account.record(
            self.plan,
            self.tally,
            self.origin,
            status=standing.INTERRUPTED if self.stop.asked else status,
            rc=end.rc,
            started=self.started,
            finished=self.world.now(),
        )
        due = account.due_items(self.plan, run, past, self.started)
        run = msgspec.structs.replace(
            run,
            missed=account.missed(due),
            interrupted=recovery.interrupted,
            adopted=recovery.adopted,
        )
        return run, due

    def _take_in(self, builder: BundleBuilder, staging: Path) -> None:
        """Moves observations and their artifacts into the bundle; what is missing is a failure."""
        for observation in self.tally.observations.values():
            stored = tuple(
                self._artifact(builder, staging, observation.subject.host, artifact)
                for artifact in observation.artifacts
            )
            builder.add_observation(msgspec.structs.replace(observation, artifacts=stored))

    def _artifact(
        self, builder: BundleBuilder, staging: Path, host: str, artifact: Artifact
    ) -> Artifact:
        source = Path(self.tally.files.get(artifact.sha256, "")).resolve()
        if source.is_file() and source.is_relative_to(staging.resolve()):
            return builder.add_artifact(source, artifact)
        lost = self.tally.hosts.setdefault(host, HostTally(host)).lost
        line = f"the file {artifact.name} was not handed over"
        if line not in lost:
            lost.append(line)
        return artifact

    def _interrupted(self, builder: BundleBuilder, record: Run) -> Performed:
        """Marks the partial folder, which stays unsealed for the next run to report."""
        for observation in self.tally.observations.values():
            builder.add_observation(observation)
        builder.write(record, [])
        return Performed(
            run=record,
            findings=[],
            observations=builder.observations,
            results=account.results(self.plan, self.tally),
            errors=self.tally.errors,
            bundle=None,
            head=None,
            code=ExitCode.INTERRUPTED,
        )

    def _sealed(self, path: Path) -> Performed:
        """Reads back what was sealed: what people see is what the bundle says."""
        bundle = load_bundle(path)
        return Performed(
            run=bundle.run,
            findings=bundle.findings,
            observations=bundle.observations,
            results=account.results(self.plan, self.tally),
            errors=self.tally.errors if bundle.run.status != standing.COMPLETED else [],
            bundle=path,
            head=Ledger(self.reports).head,
            code=account.exit_code(bundle.run, bundle.findings),
        )

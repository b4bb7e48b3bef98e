"""Which controls meet which subjects: findings = controls in scope x subjects in scope, always.

A host that was planned but not (completely) seen still has subjects: those that the register
declares, else those of its last sealed run, else the host itself stands in for them. So nothing
vanishes by failing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from opsproof.controls.evaluate import evaluate, finding
from opsproof.controls.model import Control
from opsproof.controls.waivers import Waiver
from opsproof.evidence.canonical import canonical, decode
from opsproof.evidence.model import (
    Finding,
    Json,
    Observation,
    Outcome,
    Record,
    Run,
    RunHost,
    State,
    Subject,
    SubjectKind,
)

INPUT = "known.json"
SCHEDULE = "schedule"
COMPLETE = (Outcome.OK, Outcome.CHANGED)
"""Outcomes of a host whose subjects were all seen."""


class KnownSubject(Record, frozen=True, kw_only=True):
    """A subject that is known without this run having seen it.

    ``source`` is ``register`` (the inventory declares it) or the id of the run that saw it last.
    """

    activity: str
    subject: Subject
    source: str


class Known(Record, frozen=True, kw_only=True):
    """What is known of hosts' subjects before a run: a bundle's ``inputs/known.json``."""

    schema: str = "known/1"
    subjects: tuple[KnownSubject, ...] = ()

    def to_bytes(self) -> bytes:
        """The file's bytes."""
        return canonical(self) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str = INPUT) -> Known:
        """Read the file back.

        Raises:
            CanonicalError: it is not such a file.
        """
        return decode(data.removesuffix(b"\n"), cls, where=where)


def evaluate_run(
    run: Run,
    controls: Iterable[Control],
    observations: Sequence[Observation],
    known: Known,
    waivers: Sequence[Waiver],
    now: datetime,
) -> list[Finding]:
    """All findings of a run, sorted by subject and control. Pure.

    ``now`` is the time of ``run.evaluated_at``.
    """
    newest = _newest(observations)
    findings: list[Finding] = []
    for control in sorted(controls, key=lambda control: control.id):
        for subject in subjects_in_scope(run, control, newest, known):
            seen = newest.get((control.activity, subject))
            findings.append(
                evaluate(control, seen, waivers, now)
                if seen
                else _not_collected(control, run, subject)
            )
    return sorted(findings, key=lambda f: (f.subject.key, f.control))


def subjects_in_scope(
    run: Run,
    control: Control,
    newest: Mapping[tuple[str, Subject], Observation],
    known: Known,
) -> list[Subject]:
    """The subjects that a control gets a finding for in this run, sorted."""
    if control.activity == SCHEDULE:
        return _observed(newest, control, "")
    found: list[Subject] = []
    for name, host in sorted(run.hosts.items()):
        if host.planned and control.activity in host.activities:
            found += _of_host(name, host, control, newest, known)
    return found


def _of_host(
    name: str,
    host: RunHost,
    control: Control,
    newest: Mapping[tuple[str, Subject], Observation],
    known: Known,
) -> list[Subject]:
    itself = Subject(kind=SubjectKind.HOST, id=name, host=name)
    if control.subject is SubjectKind.HOST:
        return [itself]
    seen = _observed(newest, control, name)
    declared, remembered = _known(known, control, name)
    host_seen = (control.activity, itself) in newest
    if host_seen and host.outcome in COMPLETE:
        expected = declared
    else:
        expected = declared or remembered or ([] if seen else [itself])
    return sorted({*seen, *expected}, key=lambda subject: subject.key)


def _newest(observations: Sequence[Observation]) -> dict[tuple[str, Subject], Observation]:
    """The last observation of every activity and subject; ties are broken by id."""
    ordered = sorted(observations, key=lambda o: (o.collected_at, o.id))
    return {(o.activity, o.subject): o for o in ordered}


def _observed(
    newest: Mapping[tuple[str, Subject], Observation], control: Control, host: str
) -> list[Subject]:
    return sorted(
        (
            subject
            for activity, subject in newest
            if (activity, subject.kind, subject.host) == (control.activity, control.subject, host)
        ),
        key=lambda subject: subject.key,
    )


def _known(known: Known, control: Control, host: str) -> tuple[list[Subject], list[Subject]]:
    """What the register declares, and what an earlier run saw, of the control's kind."""
    fitting = [
        entry
        for entry in known.subjects
        if (entry.activity, entry.subject.kind, entry.subject.host)
        == (control.activity, control.subject, host)
    ]
    declared = [entry.subject for entry in fitting if entry.source == "register"]
    return declared, [entry.subject for entry in fitting if entry.source != "register"]


def _not_collected(control: Control, run: Run, subject: Subject) -> Finding:
    host = run.hosts.get(subject.host)
    reason: Json = {
        "outcome": host.outcome.value if host else None,
        "reason": host.reason if host else "",
    }
    return finding(control, run=run.id, subject=subject, state=State.NOT_COLLECTED, observed=reason)

"""Holding one control against one observation. Pure: the same values give the same finding."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from opsproof.controls.conditions import (
    MissingFactError,
    NotCollectedError,
    holds,
    lookup,
    observed,
)
from opsproof.controls.model import Control
from opsproof.controls.waivers import Waiver
from opsproof.evidence.canonical import jsonable
from opsproof.evidence.ids import content_id
from opsproof.evidence.model import Finding, Json, Observation, State, Subject

EVALUATOR = 1
"""Version of the rules in this package; a change that can change a finding raises it."""


def evaluate(
    control: Control, observation: Observation, waivers: Sequence[Waiver], now: datetime
) -> Finding:
    """The finding of a control about an observation's subject.

    A missing fact is an error and a null one not collected, neither ever a pass. Only a failed
    control can be waived.
    """
    state, seen = _judge(control, observation.facts)
    if control.owner is not None and state in (State.PASS, State.FAIL):
        owner = lookup(observation.facts, control.owner.path)
        seen = seen if owner is None else seen | {control.owner.path: owner}
    waiver: str | None = None
    if state is State.FAIL:
        covering = (w.id for w in waivers if w.covers(control.id, observation.subject, now))
        waiver = min(covering, default=None)
    return finding(
        control,
        run=observation.run,
        subject=observation.subject,
        state=State.WAIVED if waiver else state,
        observed=seen,
        evidence=(observation.id,),
        waiver=waiver,
    )


def finding(
    control: Control,
    *,
    run: str,
    subject: Subject,
    state: State,
    observed: Json,
    evidence: tuple[str, ...] = (),
    waiver: str | None = None,
) -> Finding:
    """A finding of this control with the id that follows from its content."""
    fields = {
        "run": run,
        "control": control.id,
        "control_sha256": control.sha256,
        "severity": control.severity,
        "subject": subject,
        "state": state,
        "expected": control.expected,
        "observed": jsonable(observed),
        "evidence": evidence,
        "waiver": waiver,
        "demands": control.demands,
        "clauses": tuple(clause.id for clause in control.clauses),
    }
    draft = Finding(id="", **fields)
    return Finding(id=content_id("FND", draft), **fields)


def _judge(control: Control, facts: Json) -> tuple[State, Json]:
    try:
        if control.applies is not None and not holds(control.applies, facts):
            return State.NOT_APPLICABLE, observed(control.applies, facts)
        passed = holds(control.test, facts)
    except NotCollectedError as error:
        return State.NOT_COLLECTED, {"error": str(error)}
    except MissingFactError as error:
        return State.ERROR, {"error": str(error)}
    return State.PASS if passed else State.FAIL, observed(control.test, facts)

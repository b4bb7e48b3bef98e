"""The evidence part of the sheet: from a finding to its observation, its events, its raw files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec

from opsproof.evidence.model import Finding, Observation, State
from opsproof.reports.events import EVENTS_KEPT, FoundEvent, events_of, references
from opsproof.reports.model import ControlRecord, FindingRecord, ObservationRecord
from opsproof.reports.rows import Judged, subject_name
from opsproof.reports.settings import ACTIVITY
from opsproof.reports.sources import SealedRun
from opsproof.reports.wording import paths

_QUIET = (State.PASS, State.NOT_APPLICABLE)


def finding_records(
    judged: Sequence[Judged], runs: Sequence[SealedRun], controls: Mapping[str, ControlRecord]
) -> tuple[FindingRecord, ...]:
    """All findings that the sheet counts, sorted by host and line.

    Settings that hold are left out: there are hundreds a host, and the sheet names their lines.
    """
    judged = [item for item in judged if not (item.state in _QUIET and _setting(item, controls))]
    wanted = {e for item in judged if item.state not in _QUIET for e in item.finding.evidence}
    events = _events(runs, wanted)
    records = [_finding(item, events) for item in judged]
    return tuple(sorted(records, key=lambda record: (record.host, record.run, record.line)))


def _setting(item: Judged, controls: Mapping[str, ControlRecord]) -> bool:
    control = controls.get(item.finding.control)
    return control is not None and control.activity == ACTIVITY


def observation_records(
    runs: Sequence[SealedRun], judged: Sequence[Judged], local: Callable[[str], str]
) -> tuple[ObservationRecord, ...]:
    """All observations of these runs. The events that findings name come first of those kept."""
    named: dict[str, set[str]] = defaultdict(set)
    events = _events(runs, {e for item in judged for e in item.finding.evidence})
    for item in judged:
        if item.state not in _QUIET:
            for observation in item.finding.evidence:
                named[observation] |= {
                    found.event.anchor
                    for found in _belonging(item.finding, events.get(observation, []))
                }
    return tuple(
        _observation(observation, line, run, named.get(observation.id, set()), local)
        for run in runs
        for line, observation in enumerate(run.bundle.observations, 1)
    )


def _finding(item: Judged, events: dict[str, list[FoundEvent]]) -> FindingRecord:
    finding = item.finding
    quiet = item.state in _QUIET
    anchors = (
        found.event.anchor
        for observation in finding.evidence
        for found in _belonging(finding, events.get(observation, []))
    )
    return FindingRecord(
        id=finding.id,
        run=finding.run,
        line=item.line,
        control=finding.control,
        host=finding.subject.host,
        subject=subject_name(finding),
        state=item.state,
        expected=None if quiet else finding.expected,
        observed=None if quiet or item.inferred else finding.observed,
        evidence=() if item.inferred else finding.evidence,
        events=() if quiet or item.inferred else tuple(anchors)[:EVENTS_KEPT],
        waiver=finding.waiver,
        inferred=item.inferred,
    )


def _events(runs: Sequence[SealedRun], wanted: set[str]) -> dict[str, list[FoundEvent]]:
    return {
        observation.id: events_of(observation)
        for run in runs
        for observation in run.bundle.observations
        if observation.id in wanted
    }


def _belonging(finding: Finding, events: Sequence[FoundEvent]) -> list[FoundEvent]:
    """The events behind a finding: those it names by file and record, else those of its facts."""
    named = references(finding.observed)
    exact = [found for found in events if (found.event.sha256, found.event.record_id) in named]
    if exact:
        return exact
    tested = set(paths(finding.expected))
    stems = {path.rpartition(".")[0] or path for path in tested}
    return [
        found
        for found in events
        if any(found.path == path or found.path.startswith(f"{path}.") for path in tested)
        or (found.path.rpartition(".")[0] in stems and not found.path.endswith("log_cleared"))
    ]


def _observation(
    observation: Observation,
    line: int,
    run: SealedRun,
    named: set[str],
    local: Callable[[str], str],
) -> ObservationRecord:
    found = events_of(observation)
    ordered = sorted(found, key=lambda item: item.event.anchor not in named)
    kept = [
        msgspec.structs.replace(item.event, time=local(item.event.time))
        for item in ordered[:EVENTS_KEPT]
    ]
    subject = observation.subject
    return ObservationRecord(
        id=observation.id,
        run=run.entry.id,
        line=line,
        activity=observation.activity,
        host=subject.host,
        subject="" if subject.id == subject.host else subject.id,
        collected_at=local(observation.collected_at),
        clock_offset_ms=observation.clock_offset_ms,
        collector=observation.collector,
        redactions=tuple((r.rule, r.count) for r in observation.redactions),
        artifacts=observation.artifacts,
        events=tuple(kept),
        events_total=len(found),
    )

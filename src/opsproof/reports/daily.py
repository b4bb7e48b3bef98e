"""Builds the daily monitoring sheet from one day's evidence. Pure: no file, no clock.

Which findings count: for each control and subject the newest of the day's full runs. Trials, limited
runs and retries satisfy nothing that was due; what a retry or a limited run found stands beside the
row as a follow-up. On a day without a full daily run every finding of the last one before stands
as not collected, so that a day that was skipped never looks like a quiet one, whatever else ran.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from opsproof.evidence.ids import moment
from opsproof.evidence.ledger import NO_PREVIOUS, line_sha256
from opsproof.evidence.model import Finding, Outcome, Run, RunHost, State, SubjectKind
from opsproof.evidence.standing import has_reached, is_full, is_whole
from opsproof.evidence.sums import sm3
from opsproof.reports.calendar import calendar_day
from opsproof.reports.controls import controls_digest, controls_of, waivers_of
from opsproof.reports.corrected import corrected_part
from opsproof.reports.hardened import settings_part
from opsproof.reports.model import (
    Asset,
    Bilingual,
    ControlRecord,
    CorrectionLine,
    Counts,
    DailySheet,
    HostOutcome,
    Integrity,
    Missed,
    RunLine,
    Verdict,
    WaiverRecord,
)
from opsproof.reports.patches import patch_block
from opsproof.reports.rows import Judged, check_key, group_blocks
from opsproof.reports.sources import Day, SealedRun, estate
from opsproof.reports.trail import finding_records, observation_records

SCHEDULE_INPUT = "schedule.yml"
_LANGUAGE_OF = {"zh": "zh-CN", "zh-CN": "zh-CN", "en": "en"}


def daily_sheet(day: Day, *, template_sha256: str, revision: int = 0) -> DailySheet:
    """The sheet of one day.

    ``template_sha256`` names the templates and catalogues it will be rendered with; ``revision``
    above 0 is a later issue of the same day's sheet.
    """
    counted = _counted(day.runs)
    missing = _missing_kind(day.basis, counted)
    judged = _judged(counted)
    told = {check_key(item.finding) for item in judged}
    judged += [item for item in _inferred(missing) if check_key(item.finding) not in told]
    source = [*([missing] if missing else []), *counted]
    controls = _controls(source)
    assets = _assets([*source, *day.runs])
    outcomes = _outcomes(counted)
    counts = _counts(item.state for item in judged)
    runs = [run.bundle.run for run in counted]
    described = estate(source[-1].bundle if source else None)
    return DailySheet(
        id=report_number(day, revision),
        date=day.date.isoformat(),
        time_zone=day.zone,
        period=(day.start.isoformat(), day.end.isoformat()),
        calendar=calendar_day(day.date),
        inventory=day.inventory,
        system=_bilingual(described.get("name")),
        mlps_level=str(described.get("mlps_level") or ""),
        prepared_by=tuple(sorted({run.operator for run in runs if run.operator})),
        cutoff=_local(max((run.finished_at for run in runs), default=""), day),
        verdict=_verdict(counts, bool(counted)),
        counts=counts,
        hosts_planned=len(outcomes),
        hosts_seen=len({n for run in runs for n, h in run.hosts.items() if _answered(h)}),
        groups=group_blocks(judged, controls, assets, outcomes, _follow_ups(day.runs, counted)),
        patches=patch_block(day.runs, assets),
        incomplete_hosts=tuple(
            HostOutcome(
                host=name,
                asset=assets.get(name, Asset()),
                outcome=outcome,
                reason=next((r.hosts[name].reason for r in reversed(runs) if name in r.hosts), ""),
            )
            for name, outcome in sorted(outcomes.items())
            if outcome in (Outcome.UNREACHABLE, Outcome.FAILED)
        ),
        runs=tuple(_run_line(run, day, run in counted) for run in day.runs),
        basis_runs=(_run_line(missing, day, False),) if missing else (),
        missed=_missed(day, judged),
        schedule_known=any(SCHEDULE_INPUT in run.bundle.inputs for run in day.runs),
        corrections=_corrections(day),
        controls=tuple(controls[name] for name in sorted(controls)),
        waivers=_waivers(judged, source),
        findings=finding_records(judged, source, controls),
        observations=observation_records(source, judged, lambda text: _local(text, day)),
        settings=settings_part(
            day,
            controls | _controls(day.runs),
            assets,
            lambda text: _local(text, day),
        ),
        corrected=corrected_part(day, lambda text: _local(text, day)),
        integrity=_integrity(day, controls, source, template_sha256),
    )


def report_number(day: Day, revision: int = 0) -> str:
    """``RPT-D-20261122``, with ``-r1`` and so on for a later issue of the same day's sheet."""
    suffix = f"-r{revision}" if revision else ""
    return f"RPT-D-{day.date:%Y%m%d}{suffix}"


def _counted(runs: Sequence[SealedRun]) -> list[SealedRun]:
    """The newest full run of each kind, else the newest that was meant to be one."""
    chosen: dict[str, SealedRun] = {}
    whole = [run for run in runs if is_whole(run.bundle.run)]
    for run in sorted(whole, key=lambda run: (is_full(run.bundle.run), run.entry.seq)):
        chosen[run.bundle.run.kind] = run
    return sorted(chosen.values(), key=lambda run: run.entry.seq)


def _judged(runs: Sequence[SealedRun]) -> list[Judged]:
    newest: dict[tuple[str, ...], Judged] = {}
    for run in runs:
        for line, finding in enumerate(run.bundle.findings, 1):
            newest[check_key(finding)] = Judged(finding=finding, line=line, state=finding.state)
    return list(newest.values())


def _missing_kind(basis: SealedRun | None, counted: Sequence[SealedRun]) -> SealedRun | None:
    """The earlier run that stands for what did not run today: another kind does not make up for it."""
    kinds = {run.bundle.run.kind for run in counted}
    return basis if basis is not None and basis.bundle.run.kind not in kinds else None


def _inferred(basis: SealedRun | None) -> list[Judged]:
    """What was due by the last full run, none of it collected."""
    return [
        Judged(finding=finding, line=line, state=State.NOT_COLLECTED, inferred=True)
        for line, finding in enumerate(basis.bundle.findings if basis else (), 1)
        if finding.state is not State.NOT_APPLICABLE
    ]


def _follow_ups(
    runs: Sequence[SealedRun], counted: Sequence[SealedRun]
) -> dict[tuple[str, ...], list[Finding]]:
    """What partial runs after the counted ones found, by control and subject. Trials do not count."""
    after = max((run.entry.seq for run in counted), default=0)
    found: dict[tuple[str, ...], list[Finding]] = {}
    for run in runs:
        if run.entry.seq > after and not run.bundle.run.check and not is_whole(run.bundle.run):
            for finding in run.bundle.findings:
                found.setdefault(check_key(finding), []).append(finding)
    return found


def _counts(states: Iterable[State]) -> Counts:
    tally = Counter(states)
    return Counts(
        normal=tally[State.PASS],
        abnormal=tally[State.FAIL],
        review=tally[State.WAIVED],
        not_collected=tally[State.NOT_COLLECTED] + tally[State.ERROR],
        error=tally[State.ERROR],
        not_applicable=tally[State.NOT_APPLICABLE],
    )


def _verdict(counts: Counts, ran: bool) -> Verdict:
    if not ran:
        return Verdict.NO_RUN
    if not counts.collected:
        return Verdict.NO_CHECK
    if counts.abnormal:
        return Verdict.ABNORMAL
    if counts.not_collected:
        return Verdict.INCOMPLETE
    return Verdict.REVIEW if counts.review else Verdict.NORMAL


def _controls(runs: Sequence[SealedRun]) -> dict[str, ControlRecord]:
    return {name: record for run in runs for name, record in controls_of(run.bundle.inputs).items()}


def _waivers(judged: Sequence[Judged], runs: Sequence[SealedRun]) -> tuple[WaiverRecord, ...]:
    """Those that let a finding of this sheet pass."""
    used = {item.finding.waiver for item in judged if item.state is State.WAIVED}
    found = {w.id: w for run in runs for w in waivers_of(run.bundle.inputs) if w.id in used}
    return tuple(found[name] for name in sorted(found))


def _answered(host: RunHost) -> bool:
    return host.planned and host.seen and host.outcome is not Outcome.UNREACHABLE


def _outcomes(runs: Sequence[SealedRun]) -> dict[str, str]:
    """The newest outcome of every planned host."""
    return {
        name: host.outcome.value
        for run in runs
        for name, host in run.bundle.run.hosts.items()
        if host.planned
    }


def _assets(runs: Iterable[SealedRun]) -> dict[str, Asset]:
    return {
        name: Asset(
            code=str(host.asset.get("code") or ""),
            department=str(host.asset.get("department") or ""),
            owner=str(host.asset.get("owner") or ""),
            criticality=str(host.asset.get("criticality") or ""),
            application=str(host.asset.get("title") or host.asset.get("application") or ""),
        )
        for run in runs
        for name, host in run.bundle.run.hosts.items()
    }


def _run_line(sealed: SealedRun, day: Day, counted: bool) -> RunLine:
    run = sealed.bundle.run
    marks = {
        "check": run.check,
        "limit": bool(run.limit),
        "retry": bool(run.retry_of),
        "failed": not has_reached(run),
        "dirty": run.dirty,
        "superseded": is_full(run) and not counted and _same_day(run, day),
    }
    tally = Counter(host.outcome.value for host in run.hosts.values() if host.planned)
    return RunLine(
        id=run.id,
        playbook=run.playbook,
        started_at=_local(run.started_at, day),
        finished_at=_local(run.finished_at, day),
        status=run.status,
        operator=run.operator,
        marks=tuple(name for name, holds in marks.items() if holds),
        limit=run.limit or "",
        retry_of=run.retry_of or "",
        ticket=run.ticket or "",
        ticket_signer=run.ticket_signer or "",
        commit=run.commit or "",
        dirty=run.dirty,
        counted=counted,
        sequence=sealed.entry.seq,
        sums_sha256=sealed.entry.sums_sha256,
        hosts={outcome.value: tally[outcome.value] for outcome in Outcome if tally[outcome.value]},
        partials=run.interrupted,
    )


def _same_day(run: Run, day: Day) -> bool:
    return day.start <= moment(run.started_at) < day.end


def _missed(day: Day, judged: Sequence[Judged]) -> tuple[Missed, ...]:
    """What runs of the day reported as due and not run, unless a finding says so already."""
    told = {j.finding.subject.id.partition("@")[0] for j in judged if _is_due_item(j.finding)}
    found = {
        (item.due_at, item.item): Missed(
            item=item.item, due_at=_local(item.due_at, day), reported_by=run.entry.id
        )
        for run in reversed(day.runs)
        for item in run.bundle.run.missed
        if item.item.partition("@")[0] not in told
    }
    return tuple(found[key] for key in sorted(found))


def _is_due_item(finding: Finding) -> bool:
    return finding.subject.kind is SubjectKind.DUE_ITEM


def _corrections(day: Day) -> tuple[CorrectionLine, ...]:
    return tuple(
        CorrectionLine(
            id=record.id,
            sequence=record.seq or 0,
            at=_local(record.made_at, day),
            supersedes=record.supersedes,
            statement=record.statement,
            reason=record.reason,
            by=record.by,
        )
        for record in day.corrections
    )


def _integrity(
    day: Day, controls: Mapping[str, ControlRecord], source: Sequence[SealedRun], template: str
) -> Integrity:
    clauses = [clause for record in controls.values() for clause in record.clauses]
    return Integrity(
        length=day.length,
        head=line_sha256(day.ledger_line) if day.length else NO_PREVIOUS,
        head_sm3=sm3(day.ledger_line) if day.length else NO_PREVIOUS,
        previous_report=day.previous_report,
        template_sha256=template,
        controls_sha256=controls_digest([run.bundle.inputs for run in source]),
        mapping_reviewed=sum(clause.reviewed for clause in clauses),
        mapping_total=len(clauses),
    )


def _bilingual(value: object) -> Bilingual:
    if not isinstance(value, dict):
        return {}
    return {_LANGUAGE_OF[key]: str(text) for key, text in value.items() if key in _LANGUAGE_OF}


def _local(text: str, day: Day) -> str:
    """A record's UTC time in the day's zone, RFC 3339; what is no time stays as it is."""
    try:
        return datetime.fromisoformat(text).astimezone(ZoneInfo(day.zone)).isoformat()
    except ValueError:
        return text

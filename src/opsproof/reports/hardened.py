"""The hardening part of a sheet, from the runs of its day and what was before. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from opsproof.evidence.model import Json, State
from opsproof.evidence.standing import is_whole
from opsproof.reports.labels import both
from opsproof.reports.model import LANGUAGES, Asset, Bilingual, ControlRecord
from opsproof.reports.rows import owner_of
from opsproof.reports.settings import (
    ACTIVITY,
    JUDGED,
    Before,
    Compared,
    covers,
    current,
    grouped,
    host_lines,
)
from opsproof.reports.settings_model import Change, ChangeKind, Settings, Since, UnseenHost
from opsproof.reports.sources import Day, SealedRun
from opsproof.reports.wording import setting_value, words_of


def settings_part(
    day: Day,
    controls: Mapping[str, ControlRecord],
    assets: Mapping[str, Asset],
    local: Callable[[str], str],
) -> Settings | None:
    """What deviates and what has changed; None when no run of the day looked at settings.

    Every host stands with its newest run of the day, limited runs too: what they saw is true.
    ``local`` puts a time into the day's zone.
    """
    runs = [run for run in day.runs if covers(run.bundle.run)]
    if not runs:
        return None
    now = current([(run.entry.seq, run.bundle) for run in runs])
    hosts, changed = host_lines(now.findings, day.before, assets)
    unseen, not_asked = _unseen(runs, now.hosts, day.before, assets, local)
    return Settings(
        hosts=tuple(
            msgspec.structs.replace(host, compared_at=local(host.compared_at))
            if host.compared_at
            else host
            for host in hosts
        ),
        changes=tuple(
            _change(group, by_run, controls, day.before, local)
            for group, by_run in grouped(changed, _made(runs, now.hosts))
        ),
        unseen=unseen,
        not_asked=not_asked,
    )


def _made(runs: Sequence[SealedRun], hosts: Mapping[str, int]) -> frozenset[tuple[str, str]]:
    """Host and control of every setting that the runs which stand for hosts changed themselves."""
    return frozenset(
        (seen.subject.host, change["id"])
        for run in runs
        for seen in run.bundle.observations
        if seen.activity == ACTIVITY and hosts.get(seen.subject.host) == run.entry.seq
        if seen.facts.get("applied")
        for change in seen.facts.get("changes") or ()
    )


def _unseen(
    runs: Sequence[SealedRun],
    now: Mapping[str, int],
    before: Before,
    assets: Mapping[str, Asset],
    local: Callable[[str], str],
) -> tuple[tuple[UnseenHost, ...], int]:
    """Hosts that are missed, and how many were left out on purpose by runs with a limit."""
    planned = {
        name
        for run in runs
        for name, host in run.bundle.run.hosts.items()
        if host.planned and ACTIVITY in host.activities
    }
    whole = any(is_whole(run.bundle.run) for run in runs)
    gone = [name for name in sorted(before.hosts.keys() | planned) if name not in now]
    missed = [name for name in gone if whole or name in planned]
    return tuple(
        UnseenHost(
            host=name,
            asset=assets.get(name, Asset()),
            run=found.run if (found := before.hosts.get(name)) else "",
            at=local(found.started_at) if found else "",
            planned=name in planned,
        )
        for name in missed
    ), len(gone) - len(missed)


def _change(
    group: Sequence[Compared],
    by_run: bool,
    controls: Mapping[str, ControlRecord],
    before: Before,
    local: Callable[[str], str],
) -> Change:
    first = group[0]
    finding, control = first.finding, controls.get(first.finding.control)
    was, now = _values(first)
    since = [
        found
        for item in group
        if (found := before.since.get((item.host, item.finding.control))) is not None
    ]
    oldest = min(since, key=lambda found: (found.at, found.run), default=None)
    return Change(
        kind=first.kind,
        control=finding.control,
        title=control.title if control else dict.fromkeys(LANGUAGES, finding.control),
        severity=finding.severity.value,
        was=was,
        now=now,
        since=_local(oldest, local),
        gpo=owner_of(finding, control),
        by_run=by_run,
        demand=first.demand,
        hosts=tuple(item.host for item in group),
    )


def _local(since: Since | None, local: Callable[[str], str]) -> Since | None:
    return since and msgspec.structs.replace(since, at=local(since.at))


def _values(change: Compared) -> tuple[Bilingual, Bilingual]:
    """Before and now in words; of lists what came and what went, since all of it would be cut."""
    was = setting_value(msgspec.json.decode(change.was.observed))
    now = setting_value(change.finding.observed)
    if change.kind in (ChangeKind.LOST, ChangeKind.BACK):
        return _said(change.was.state, was), _said(change.finding.state, now)
    if isinstance(was, list) and isinstance(now, list) and was and was != now:
        gone = [f"−{item}" for item in was if item not in now]
        come = [f"+{item}" for item in now if item not in was]
        return both("settings.entries", count=len(was)), dict.fromkeys(
            LANGUAGES, " ".join([*come, *gone])
        )
    return words_of(was), words_of(now)


def _said(state: State, value: Json) -> Bilingual:
    return words_of(value) if state in JUDGED else both(f"state.{state.value}")

"""Puts the facts of one host's patching together, and says in one word how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from opsproof.evidence.schemas.patching import (
    Code,
    HostFacts,
    HostResult,
    Partner,
    Restart,
    Source,
    Standing,
    UpdateRow,
)
from opsproof.patching.approved import Approved, Canary, Frozen, age_days, digest
from opsproof.patching.ends import health_after, stamp, standing_before
from opsproof.patching.hresult import code_in
from opsproof.patching.plan import Entry, Found, Plan
from opsproof.patching.preflight import backup_age_hours
from opsproof.patching.rounds import Round, became
from opsproof.patching.snapshot import Differences, Snapshot

GOOD: frozenset[HostResult] = frozenset(
    {"patched", "current", "planned", "nothing-approved", "removed"}
)
"""Results that let a wave go on."""

_STANDING: Mapping[str, Standing] = {
    "offered": "missing",
    "not-offered": "missing",
    "installed": "installed",
    "not-applicable": "not-applicable",
    "unknown": "unknown",
}
_AFTER: Mapping[str, Standing] = {"installed": "installed", "unknown": "unknown"}
_RESULTS: Mapping[str, Any] = {
    "installed": "already-installed",
    "not-applicable": "not-applicable",
    "not-offered": "not-offered",
    "unknown": "unknown",
}


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of one host's patching when it ends.

    ``search`` and ``search_after`` are win_updates results, None when no search was made; ``plans``
    are those of each round, the first before anything was installed. ``blocked`` and ``partners``
    come from the preflight; ``too_late`` that the window left no time.
    """

    wave: str
    service: str
    check: bool
    approved: tuple[Approved, ...]
    frozen: Frozen | None
    selection: str
    window_end: str | None
    last_backup: str | None
    started_at: datetime
    finished_at: datetime
    before: Snapshot | None
    after: Snapshot | None
    blocked: tuple[str, ...]
    partners: tuple[Partner, ...]
    too_late: bool
    search: Mapping[str, Any] | None
    search_after: Mapping[str, Any] | None
    plans: tuple[Plan, ...]
    rounds: tuple[Round, ...]
    differences: Differences | None


def facts_of(story: Story) -> HostFacts:
    """The facts; their ``result`` is the worst thing that happened."""
    offered_after = _offered_after(story)
    rows = tuple(_row(entry, story, offered_after) for entry in _entries(story))
    result, reasons = _result(story, rows)
    first = story.plans[0] if story.plans else None
    return HostFacts(
        wave=story.wave,
        service=story.service,
        result=result,
        reasons=reasons,
        build=story.before.build if story.before else None,
        approved_sha256=digest(story.approved),
        approved=len(story.approved),
        frozen=story.frozen.updates if story.frozen else None,
        frozen_by=story.frozen.proven_by if story.frozen else None,
        window_end=story.window_end,
        started_at=stamp(story.started_at),
        finished_at=stamp(story.finished_at),
        rounds=len(story.rounds),
        source=_source(story, first),
        before=standing_before(story.before, backup_age_hours(story.last_backup, story.started_at)),
        partners=story.partners,
        updates=rows,
        unplanned=tuple(sorted({key for one in story.rounds for key in one.unplanned})),
        restart=_restart(story),
        health=health_after(story.after, story.differences),
    )


def message(facts: HostFacts) -> str:
    """One line that says why this host did not end well."""
    told = [*facts.reasons]
    told += [
        f"{row.key} {row.result}" + (f" ({row.code.en}, {row.code.hresult})" if row.code else "")
        for row in facts.updates
        if row.result in {"failed", "rolled-back", "update-loop", "restart-due"}
        or (row.result == "unknown" and facts.rounds)
    ]
    return f"{facts.result}: {'; '.join(told)}" if told else facts.result


def canary_of(facts: Mapping[str, Any], run: str) -> Canary:
    """What a canary has proven in ``run`` by its facts; in check mode what it would install."""
    proven: tuple[tuple[str, str | None], ...] = ()
    problem = ""
    if facts["wave"] != "canary":
        problem = "it was not patched as a canary"
    elif facts["result"] not in GOOD:
        problem = f"it ended with {facts['result']}"
    else:
        proven = tuple(
            (row["key"], row["id"] if row["result"] != "already-installed" else None)
            for row in facts["updates"]
            if row["result"] in {"installed", "already-installed", "planned"}
        )
    return Canary(run=run, approved_sha256=facts["approved_sha256"], proven=proven, problem=problem)


def _entries(story: Story) -> tuple[Entry, ...]:
    """The first plan's entries; what later rounds brought to light replaces its absence."""
    if not story.plans:
        return tuple(Entry(approved=item, standing="unknown") for item in story.approved)
    found = list(story.plans[0].entries)
    for later in story.plans[1:]:
        for place, entry in enumerate(later.entries):
            if entry.found and not found[place].found:
                found[place] = entry
    return tuple(found)


def _offered_after(story: Story) -> tuple[str, ...] | None:
    search = story.search_after
    if search is None or search.get("failed") or search.get("unreachable"):
        return None
    every = [*search.get("updates", {}), *search.get("filtered_updates", {})]
    return tuple(key.lower() for key in every)


def _row(entry: Entry, story: Story, offered_after: tuple[str, ...] | None) -> UpdateRow:
    approved = entry.approved
    before = _STANDING[entry.standing]
    if story.before is not None and approved.kb in story.before.fixes and not entry.found:
        before = "installed"
    update = entry.found[0] if entry.found else None
    result: Any = _RESULTS.get(entry.standing, "unknown")
    if before == "installed" and not entry.found:
        result = "already-installed"
    code: Code | None = None
    tried: Round | None = None
    if update is not None:
        result, code, tried = _worst(entry.found, story, offered_after)
        if result == "not-started" and story.check and not _hindered(story):
            result = "planned"
    return UpdateRow(
        key=approved.key,
        id=update.id if update else approved.id,
        title=update.title[:200] if update else None,
        severity=approved.severity,
        approver=approved.approver,
        ticket=approved.ticket,
        released=approved.released,
        age_days=age_days(approved, _day(story)),
        before=before,
        after=_AFTER.get(result, before) if update else before,
        result=result,
        code=code,
        minutes=tried.minutes if tried else None,
        restarted=bool(tried and tried.returned),
    )


def _worst(
    found: Sequence[Found], story: Story, offered_after: tuple[str, ...] | None
) -> tuple[Any, Code | None, Round | None]:
    """A KB that stands for several updates is installed when all of them are."""
    each = [
        became(update.id, story.rounds, offered_after, story.after, update.kb) for update in found
    ]
    return next((one for one in each if one[0] != "installed"), each[0])


def _day(story: Story) -> date:
    return story.started_at.astimezone(UTC).date()


def _hindered(story: Story) -> bool:
    refused = any(plan.refusals for plan in story.plans)
    return bool(story.blocked or story.too_late or refused)


def _result(story: Story, rows: Sequence[UpdateRow]) -> tuple[HostResult, tuple[str, ...]]:
    """The first of these that is true; the order is that in which things happen."""
    if not story.approved:
        return "nothing-approved", ()
    if story.before is None:
        return "not-collected", ("the host could not be read before patching",)
    if story.blocked and not story.rounds:
        return "blocked", story.blocked
    early = _searching(story)
    if early is not None:
        return early
    refusals = tuple(reason for plan in story.plans for reason in plan.refusals)
    if refusals:
        return "refused", refusals
    if any(one.unplanned for one in story.rounds):
        return "selection-differs", ("win_updates selected what was not planned",)
    if any(one.lost for one in story.rounds):
        return "connection-lost", tuple(one.message for one in story.rounds if one.lost)
    return _ending(story, rows)


def _searching(story: Story) -> tuple[HostResult, tuple[str, ...]] | None:
    if story.search is None:
        return "not-collected", ("no search was made",)
    if story.search.get("unreachable"):
        return "connection-lost", (str(story.search.get("msg", "")),)
    if story.search.get("failed"):
        code = code_in(story.search.get("msg"))
        if code is None:
            # No word of Windows Update: the module or the connection broke, the server need not have.
            return "not-collected", (f"the search failed: {story.search.get('msg', '')}"[:300],)
        unset = code.name == "WU_E_PT_SUS_SERVER_NOT_SET"
        told = f"{code.en} ({code.hresult})"
        return ("source-not-configured" if unset else "source-unreachable"), (told,)
    plan = story.plans[0]
    if plan.offered == 0 and any(e.standing in ("not-offered", "unknown") for e in plan.entries):
        return "source-approves-nothing", ("the update server answers and offers nothing at all",)
    return None


def _ending(story: Story, rows: Sequence[UpdateRow]) -> tuple[HostResult, tuple[str, ...]]:
    results = {row.result for row in rows}
    returned = [one.returned for one in story.rounds if one.returned is not None]
    if returned and not returned[-1]:
        return "did-not-return", ("the host did not come back from its restart",)
    if story.rounds and story.differences is None:
        return "not-collected", ("the host could not be read after patching",)
    if story.differences is not None and not story.differences.sound:
        return "unsound", _told(story.differences)
    for word, result in (
        ("update-loop", "update-loop"),
        ("rolled-back", "rolled-back"),
        ("failed", "update-failed"),
    ):
        if word in results:
            return result, ()  # type: ignore[return-value]  # both are words of HostResult
    if story.blocked:
        return "blocked", story.blocked
    if story.too_late:
        return "window-over", (f"no installation begins so late before {story.window_end}",)
    if "planned" in results:
        return "planned", ()
    if results & {"unknown", "restart-due", "not-started"}:
        return "not-collected", ("it is not known what became of every update",)
    return ("patched" if story.rounds else "current"), ()


def _told(differences: Differences) -> tuple[str, ...]:
    named = {
        "service": differences.services,
        "site": differences.sites,
        "application pool": differences.pools,
        "port": tuple(str(port) for port in differences.ports),
    }
    return tuple(
        f"{kind} {', '.join(names)} was there before and is not now"
        for kind, names in named.items()
        if names
    )


def _source(story: Story, plan: Plan | None) -> Source:
    search = story.search
    failed = bool(search and (search.get("failed") or search.get("unreachable")))
    return Source(
        selection=story.selection,
        server=story.before.wsus_server if story.before else None,
        used=bool(story.before and story.before.wsus_used),
        searched=None if search is None else ("failed" if failed else "answered"),
        code=code_in(search.get("msg")) if search is not None and failed else None,
        offered=plan.offered if plan else None,
        unapproved=plan.others if plan else None,
    )


def _restart(story: Story) -> Restart | None:
    if not story.rounds:
        return None
    made = [one for one in story.rounds if one.returned is not None]
    return Restart(
        due=any(one.restart_due for one in story.rounds),
        done=bool(made) and all(one.returned for one in made),
        seconds=sum(one.restart_seconds or 0 for one in made) if made else None,
        boot_time=story.after.boot_time if story.after else None,
    )

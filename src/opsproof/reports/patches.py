"""The patch block of the sheet: what became of each approved update on each host. Pure.

Every run of the day that patched and was no trial counts here, limited ones and retries too: canaries
are patched by a limited run. Of each host its newest run of the day speaks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from opsproof.evidence.schemas.patching import Code, HostFacts, UpdateRow
from opsproof.reports.model import Asset, PatchBlock, PatchHost, PatchLine, PatchTotal
from opsproof.reports.sources import SealedRun

ACTIVITY = "patching"
NOT_COLLECTED = "not-collected"

_GOOD = frozenset({"patched", "current", "planned", "nothing-approved", "removed"})
_MARKS = {
    "installed": "pass",
    "already-installed": "pass",
    "removed": "pass",
    "not-applicable": "not-applicable",
    "not-offered": "waived",
    "not-started": "waived",
    "planned": "waived",
}
"""The sign beside an update's result; what stands not here has failed."""

_COLUMNS = {
    "installed": "installed",
    "removed": "removed",
    "already-installed": "had",
    "not-applicable": "not_applicable",
    "not-offered": "open",
    "not-started": "open",
    "planned": "open",
}
"""Where an update's result is counted; what stands not here has failed."""


def patch_block(runs: Sequence[SealedRun], assets: Mapping[str, Asset]) -> PatchBlock:
    """The block of one day; ``runs`` are all of its sealed runs, oldest first."""
    newest: dict[str, PatchHost] = {}
    for run in runs:
        if not run.bundle.run.check:
            newest |= {host.host: host for host in _hosts(run, assets)}
    hosts = tuple(sorted(newest.values(), key=lambda h: (h.mark == "pass", h.asset.code, h.host)))
    return PatchBlock(
        hosts=hosts,
        results=dict(sorted(Counter(host.result for host in hosts).items())),
        totals=_totals(hosts),
    )


def _hosts(run: SealedRun, assets: Mapping[str, Asset]) -> list[PatchHost]:
    seen = {o.subject.host: o for o in run.bundle.observations if o.activity == ACTIVITY}
    return [
        _host(run.entry.id, name, seen[name].facts if name in seen else None, assets, host.reason)
        for name, host in run.bundle.run.hosts.items()
        if host.planned and ACTIVITY in host.activities
    ]


def _host(
    run: str, name: str, raw: Mapping[str, Any] | None, assets: Mapping[str, Asset], reason: str
) -> PatchHost:
    asset = assets.get(name, Asset())
    try:
        facts = None if raw is None else msgspec.convert(raw, HostFacts)
    except msgspec.ValidationError as error:
        facts, reason = None, str(error)
    if facts is None:
        reasons = (reason,) if reason else ()
        return PatchHost(
            host=name,
            asset=asset,
            run=run,
            result=NOT_COLLECTED,
            mark=NOT_COLLECTED,
            reasons=reasons,
        )
    return PatchHost(
        host=name,
        asset=asset,
        run=run,
        wave=facts.wave,
        result=facts.result,
        mark="pass" if facts.result in _GOOD else "fail",
        reasons=facts.reasons,
        source_code=_code(facts.source.code),
        source_text=_text(facts.source.code),
        restart_seconds=facts.restart.seconds if facts.restart else None,
        frozen_by=tuple(sorted({by for by in (facts.frozen_by or {}).values() if by})),
        updates=tuple(_line(row) for row in facts.updates),
    )


def _line(row: UpdateRow) -> PatchLine:
    return PatchLine(
        key=row.key,
        title=row.title or "",
        severity=row.severity,
        ticket=row.ticket,
        before=row.before,
        after=row.after,
        result=row.result,
        mark=_MARKS.get(row.result, "fail"),
        code=_code(row.code),
        text=_text(row.code),
        minutes=row.minutes,
        restarted=row.restarted,
    )


def _code(code: Code | None) -> str:
    return f"{code.name} {code.hresult}" if code else ""


def _text(code: Code | None) -> dict[str, str]:
    return {"zh-CN": code.zh, "en": code.en} if code else {}


def _totals(hosts: Sequence[PatchHost]) -> tuple[PatchTotal, ...]:
    """Hosts by what became of each update, over the whole day."""
    found: dict[tuple[str, str, str], Counter[str]] = {}
    for host in hosts:
        for line in host.updates:
            tally = found.setdefault((line.key, line.severity, line.ticket), Counter())
            tally[_COLUMNS.get(line.result, "failed")] += 1
    return tuple(
        PatchTotal(key=key, severity=severity, ticket=ticket, **tally)
        for (key, severity, ticket), tally in sorted(found.items())
    )

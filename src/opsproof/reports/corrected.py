"""The part of a sheet on signature data, from the runs of its day. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from opsproof.evidence.model import Observation
from opsproof.reports.corrected_model import CorrectedSet
from opsproof.reports.sources import Day, SealedRun

ACTIVITY = "signatures"


def corrected_part(day: Day, local: Callable[[str], str]) -> tuple[CorrectedSet, ...]:
    """Every table that a run of the day looked at, in the order of the runs.

    ``local`` puts a time into the day's zone.
    """
    return tuple(
        _set(run, line, seen, local)
        for run in sorted(day.runs, key=lambda run: run.entry.seq)
        for line, seen in enumerate(run.bundle.observations, 1)
        if seen.activity == ACTIVITY
    )


def _set(run: SealedRun, line: int, seen: Observation, local: Callable[[str], str]) -> CorrectedSet:
    facts: dict[str, Any] = dict(seen.facts)
    fields = {
        "run": run.entry.id,
        "line": line,
        "at": local(seen.collected_at),
        "host": seen.subject.host,
        "check": run.bundle.run.check,
        **{name: facts[name] or "" for name in _TEXTS},
        **{name: facts[name] for name in _COUNTS if name in facts},
        "interface": _interface(facts.get("interface"), local),
        "classes": {
            one["record_class"]: one["records"]
            for one in facts["classes"]
            if one["record_class"] != "valid" and one["records"]
        },
    }
    return msgspec.convert(fields, CorrectedSet)


def _interface(found: Any, local: Callable[[str], str]) -> dict[str, Any] | None:
    """None too for an observation of before logs were looked at."""
    if found is None:
        return None
    return {
        **{name: found[name] for name in ("files", "lines", "unreadable")},
        "failures": [_failures(kind, found[kind], local) for kind in ("verification", "signing")],
    }


def _failures(kind: str, found: Any, local: Callable[[str], str]) -> dict[str, Any]:
    return {
        "kind": kind,
        **{name: found[name] for name in ("lines", "records")},
        **{name: local(found[name]) if found[name] else "" for name in ("first", "last")},
        "standing": {name: found[name] for name in _STANDINGS if found[name]},
    }


_STANDINGS = ("right", "wrong", "absent", "not_verifiable", "nameless")
_COUNTS = (
    "records",
    "wrong",
    "bad_base_rows",
    "base_without_record",
    "to_write",
    "unsolved",
    "written",
    "already",
    "left_alone",
)
_TEXTS = (
    "profile",
    "state",
    "ticket",
    "plan_sha256",
    "table_sha256",
    "before_sha256",
    "after_sha256",
)

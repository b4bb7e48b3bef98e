"""Make a list of suppressions from a report: what is there today is accepted until a day.

A baseline covers the hits that the report shows and no others. It has an owner, a reason and an
expiry, or it is not written: nothing is accepted by nobody, for ever.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from opsproof.errors import UsageError
from opsproof.evidence.files import replace_durably
from opsproof.evidence.ids import content_id
from opsproof.logs.days import folder_of
from opsproof.logs.model import INCIDENTS, AuditReport, Hit
from opsproof.logs.suppress import GAP

LONGEST: Final = timedelta(days=366)
"""A baseline is looked at again after a year at the latest."""

SHOWN: Final = 100_000
"""Hits of a rule that a report must show for a baseline: what it does not show stays uncovered."""

_VOLATILE: Final = (
    "time", "date", "id", "guid", "port", "hash", "bytes", "taken", "status", "binary",
)  # fmt: skip


_REMOVED: Final = re.compile(r"\[redacted[^\]…]*(?:\]|…\Z)|…\Z")
"""Where a report leaves out part of a value."""


@dataclass(frozen=True)
class Baseline:
    """The text of a list, how many hits and gaps its ``entries`` cover, and what none covers.

    ``uncovered`` are hits beyond those shown, by the title of their rule, and gaps that are incidents,
    by their kind.
    """

    text: str
    entries: int
    covered: int
    gaps: int
    uncovered: dict[str, int]


def make_baseline(
    report: AuditReport, *, owner: str, reason: str, expires: date, today: date
) -> Baseline:
    """A list that covers what the report shows.

    Fields that change from record to record (times, ids of processes and logons) are left out. A hit
    without any field that stays the same is accepted by its id, and nothing like it later.

    Raises:
        UsageError: owner or reason is empty, or the expiry has passed or is more than a year away.
    """
    check_baseline(owner, reason, expires, today)
    entries: dict[str, dict[str, Any]] = {}

    def accept(rule: str, told: dict[str, Any]) -> None:
        key = content_id("BASELINE", {"rule": rule, **told})
        entries[key] = {
            "id": key,
            "rule": rule,
            **told,
            "owner": owner.strip(),
            "reason": reason.strip(),
            "expires": expires.isoformat(),
        }

    uncovered: Counter[str] = Counter(
        {rule.title: rule.hits - rule.shown for rule in report.rules_run if rule.hits > rule.shown}
    )
    for hit in report.hits:
        match = {name: _pattern(value) for name, value in sorted(_stable(hit).items())}
        # Without a field to tell it by, the entry would accept every hit of its rule.
        accept(hit.rule, {"match": match} if match else {"hit": hit.id})
    # Only what may well be in order: a log that was cleared is not accepted in passing.
    uncovered.update(gap.kind for gap in report.gaps if gap.kind in INCIDENTS)
    quiet = [gap for gap in report.gaps if gap.kind == "quiet-day"]
    for gap in quiet:
        match = {
            "channel": literal(gap.channel),
            "detail": f"{literal(gap.detail.partition(';')[0])}*",
            "file": f"{literal(folder_of(gap.file))}*",
        }
        accept(f"{GAP}{gap.kind}", {"match": match})
    ordered = [entries[key] for key in sorted(entries)]
    text = yaml.safe_dump(ordered, allow_unicode=True, sort_keys=False)
    return Baseline(
        text, len(ordered), len(report.hits), len(quiet), dict(sorted(uncovered.items()))
    )


def write_baseline(baseline: Baseline, file: Path) -> None:
    """Write the list.

    Raises:
        UsageError: another list is there; a decision that somebody made is not overwritten.
        OSError: it cannot be written; nothing is left of it.
    """
    data = baseline.text.encode()
    if file.exists():
        if file.is_file() and file.read_bytes() == data:
            return
        raise UsageError("is there already", where=str(file), remedy="name another file")
    try:
        replace_durably(file, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error


def check_baseline(owner: str, reason: str, expires: date, today: date) -> None:
    """Raise :class:`UsageError` for a baseline of nobody, without a reason, or without an end."""
    for name, value in (("--owner", owner), ("--reason", reason)):
        if not value.strip():
            raise UsageError("a baseline needs an owner and a reason", where=name)
    if not today <= expires <= today + LONGEST:
        raise UsageError(
            f"{expires} has passed or is more than a year away",
            where="--expires",
            remedy=f"name a day from {today} to {today + LONGEST}",
        )


def _stable(hit: Hit) -> dict[str, str]:
    if hit.burst is not None:
        return dict(hit.burst.group)
    return {
        name: value for name, value in hit.fields.items() if not name.lower().endswith(_VOLATILE)
    }


def _pattern(value: str) -> str:
    """What fits a value that a report shows, also where it was cut or a secret was removed.

    Without such a value the entry would accept every command that the program is ever started with.
    """
    left = _REMOVED.split(value)
    return "*".join(map(literal, left)) + ("*" if len(left) > 1 and left[-1] else "")


def literal(value: str) -> str:
    """A value as a pattern that fits nothing else."""
    return "".join(f"[{one}]" if one in "*?[" else one for one in value)

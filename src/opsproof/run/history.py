"""What earlier runs say to the next one: since when to look, what ran, whom to try again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from opsproof.errors import UsageError
from opsproof.evidence.ids import moment
from opsproof.evidence.ledger import EntryKind, Ledger
from opsproof.evidence.model import Outcome, Run
from opsproof.evidence.records import RUN_FILE, read_record
from opsproof.evidence.seal import RUNS
from opsproof.evidence.standing import is_full
from opsproof.run.schedule import PastRun

FIRST_LOOK_BACK = timedelta(hours=24)
LONGEST_LOOK_BACK = timedelta(days=35)
"""A host that was away longer gets its logs from this far back: exports stay bounded."""


def past_runs(reports: Path, inventory: str, *, not_before: datetime) -> Iterator[Run]:
    """Sealed runs of one inventory that began at ``not_before`` or later, newest first."""
    for entry in reversed(Ledger(reports).entries):
        path = reports / RUNS / entry.id / RUN_FILE
        if entry.kind is not EntryKind.RUN or not path.is_file():
            continue
        run = read_record(path, Run)
        if moment(run.started_at) < not_before:
            return
        if run.inventory == inventory:
            yield run


def as_past(runs: Sequence[Run]) -> list[PastRun]:
    """The runs as the schedule looks at them."""
    return [PastRun(run.id, run.kind, moment(run.started_at), is_full(run)) for run in runs]


def since_per_host(
    runs: Sequence[Run], kind: str, hosts: Sequence[str], now: datetime
) -> dict[str, datetime]:
    """From when each host is to be looked at: the start of the last run that succeeded on it.

    ``runs`` are newest first. A host without one gets the last 24 hours; nobody gets more than
    :data:`LONGEST_LOOK_BACK`. Runs in check mode leave evidence too, but count for nothing.
    """
    found = sealed_per_host(runs, kind)
    earliest, usual = now - LONGEST_LOOK_BACK, now - FIRST_LOOK_BACK
    return {host: max(found.get(host, usual), earliest) for host in hosts}


def sealed_per_host(runs: Sequence[Run], kind: str) -> dict[str, datetime]:
    """When the last sealed run of a kind began that succeeded on a host, by host."""
    found: dict[str, datetime] = {}
    for run in runs:
        if run.kind != kind or run.check:
            continue
        for name, host in run.hosts.items():
            if host.outcome in (Outcome.OK, Outcome.CHANGED):
                found.setdefault(name, moment(run.started_at))
    return found


def sealed_run(reports: Path, word: str) -> Run:
    """The run of an id or of a bundle's path; :class:`UsageError` when there is none."""
    path = Path(word) if "/" in word else reports / RUNS / word
    if not (path / RUN_FILE).is_file():
        raise UsageError(
            "there is no such sealed run", where=str(path), remedy="opsproof ledger list shows them"
        )
    return read_record(path / RUN_FILE, Run)


def to_retry(run: Run, kind: str, inventory: str) -> tuple[str, ...]:
    """The hosts of ``run`` that failed, were unreachable or were never got to, sorted.

    Raises :class:`UsageError` when the run is of another playbook or inventory, or when there is
    no such host.
    """
    if (run.kind, run.inventory) != (kind, inventory):
        raise UsageError(
            f"it ran {run.kind} on {run.inventory}, not {kind} on {inventory}", where=run.id
        )
    bad = (Outcome.FAILED, Outcome.UNREACHABLE)
    hosts = sorted(name for name, host in run.hosts.items() if host.planned and host.outcome in bad)
    if not hosts:
        raise UsageError("every host of it was reached and did not fail", where=run.id)
    return tuple(hosts)

"""What canaries of earlier runs have proven, so that the others can be patched on another day.

Of each canary its newest sealed evidence counts, good or bad: a canary that failed since, or out of
which an update was taken, proves nothing any more. Evidence is verified before it is believed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from opsproof.errors import OpsproofError
from opsproof.evidence.ids import moment
from opsproof.evidence.ledger import EntryKind, Ledger, LedgerEntry
from opsproof.evidence.model import Run
from opsproof.evidence.reader import load_bundle
from opsproof.evidence.records import RUN_FILE, read_record
from opsproof.evidence.seal import RUNS
from opsproof.evidence.sums import SHA256SUMS
from opsproof.evidence.verify import Trust, verify
from opsproof.patching.approved import Canary
from opsproof.patching.facts import canary_of

ACTIVITY = "patching"
GROUP = "patching_canary"
INPUT = "canaries.json"
HOLDS = timedelta(days=35)
"""How long a canary's proof counts: the next month's updates come before it ends."""


def proven_before(
    reports: Path,
    inventory: str,
    canaries: Sequence[str],
    ca: Sequence[x509.Certificate],
    now: datetime,
) -> dict[str, Canary]:
    """The newest sealed word of each of ``canaries`` within :data:`HOLDS`; who has none is not there.

    Trials count for nothing. ``ca`` are the certificates in which a bundle's signature must end.
    """
    found: dict[str, Canary] = {}
    for entry in _recent(reports, now):
        missing = [host for host in canaries if host not in found]
        if not missing:
            break
        path = reports / RUNS / entry.id
        if not (path / RUN_FILE).is_file():
            problem = "its evidence is missing"
            found |= {host: Canary(run=entry.id, problem=problem) for host in missing}
            continue
        try:
            run = read_record(path / RUN_FILE, Run)
        except OpsproofError as error:
            found |= {host: Canary(run=entry.id, problem=str(error)) for host in missing}
            continue
        if run.check or run.inventory != inventory:
            continue
        planned = [
            host for host in missing if host in run.hosts and ACTIVITY in run.hosts[host].activities
        ]
        if planned:
            found |= _words(path, entry, planned, ca)
    return found


def _recent(reports: Path, now: datetime) -> Iterator[LedgerEntry]:
    for entry in reversed(Ledger(reports).entries):
        if moment(entry.at) < now - HOLDS:
            return
        if entry.kind is EntryKind.RUN:
            yield entry


def _words(
    path: Path, entry: LedgerEntry, canaries: Sequence[str], ca: Sequence[x509.Certificate]
) -> dict[str, Canary]:
    """What one bundle says of these canaries, or for all of them why it is not believed."""
    problem = _doubt(path, entry, ca)
    if problem:
        return {host: Canary(run=entry.id, problem=problem) for host in canaries}
    facts = {
        observation.subject.host: observation.facts
        for observation in load_bundle(path).observations
        if observation.activity == ACTIVITY
    }
    return {
        host: canary_of(facts[host], entry.id)
        if host in facts
        else Canary(run=entry.id, problem="it handed nothing over")
        for host in canaries
    }


def _doubt(path: Path, entry: LedgerEntry, ca: Sequence[x509.Certificate]) -> str:
    """Why the bundle is not evidence; empty when it is."""
    problems = verify(path, Trust(ca=list(ca))).problems
    if problems:
        return f"its evidence does not verify: {problems[0].where}: {problems[0].what}"
    if hashlib.sha256((path / SHA256SUMS).read_bytes()).hexdigest() != entry.sums_sha256:
        return "its evidence is not what the ledger holds"
    return ""

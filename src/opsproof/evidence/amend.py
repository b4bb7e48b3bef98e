"""Records that are added to the ledger afterwards: corrections, prunes, and a repaired tail.

Nothing sealed is ever edited. Each record is a sealed, signed folder of its own below
``reports/records``, with a line of the ledger.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec

from opsproof.errors import IncompleteError, RefusedError, UsageError
from opsproof.evidence import sums
from opsproof.evidence.bundle import ARTIFACTS
from opsproof.evidence.files import locked, sync_folder, write_durably
from opsproof.evidence.ids import moment, new_run_id, timestamp
from opsproof.evidence.keys import Signer
from opsproof.evidence.ledger import LEDGER, EntryKind, Ledger, LedgerEntry
from opsproof.evidence.reader import load_bundle, prunes
from opsproof.evidence.records import RUN_FILE, Correction, Prune, RemovedFile
from opsproof.evidence.seal import (
    RECORDS,
    RUNS,
    Checkpoint,
    Place,
    claim_partial,
    lock,
    no_checkpoint,
    partial_path,
    seal,
)

KEPT_DAYS = 180
"""Raw logs stay at least this long (days): Cybersecurity Law, article 21, six months."""

TORN_FILE = "torn.bin"
R = TypeVar("R", Correction, Prune)


def correct(
    reports: Path,
    signer: Signer,
    *,
    supersedes: str,
    run: str | None,
    statement: str,
    reason: str,
    by: str,
    now: datetime,
) -> Path:
    """Seal a correction of a run, an earlier correction, or a record of the run ``run``.

    Raises:
        UsageError: there is nothing of that id, or a text is empty.
    """
    for name, text in (("statement", statement), ("reason", reason), ("by", by)):
        if not text.strip():
            raise UsageError(f"a correction needs its {name}")
    if not _exists(reports, supersedes, run):
        raise UsageError(
            f"there is no sealed record {supersedes}" + (f" in run {run}" if run else ""),
            remedy="name a run, a correction, or a finding or observation with --run",
        )
    record = Correction(
        id=new_run_id(EntryKind.CORRECTION, now),
        supersedes=supersedes,
        run=run,
        statement=statement,
        reason=reason,
        by=by,
        made_at=timestamp(now),
    )
    return _seal(reports, signer, EntryKind.CORRECTION, record, now=now)


def prune(
    reports: Path,
    signer: Signer,
    *,
    run: str,
    whole: bool,
    reason: str,
    by: str,
    now: datetime,
    checkpoint: Checkpoint = no_checkpoint,
) -> Path:
    """Remove a run's artifacts (or, ``whole``, its folder) and seal a record that says so.

    The record comes first: killed in between, files are left that the record allows to be missing,
    and pruning again removes them.

    Raises:
        RefusedError: the run is younger than :data:`KEPT_DAYS`.
        UsageError: there is no such run, or nothing is left to remove.
    """
    entry = next((e for e in Ledger(reports).entries if e.id == run and e.kind == "run"), None)
    if entry is None:
        raise UsageError(f"there is no sealed run {run}")
    if now < moment(entry.at) + timedelta(days=KEPT_DAYS):
        raise RefusedError(
            f"is younger than {KEPT_DAYS} days", where=run, remedy="the law keeps logs six months"
        )
    folder = reports / RUNS / run
    done = next((p for p in reversed(prunes(reports)) if p.run == run and p.whole >= whole), None)
    if done is not None:
        _remove(folder, done)
        return reports / RECORDS / done.id
    record = Prune(
        id=new_run_id(EntryKind.PRUNE, now),
        run=run,
        sums_sha256=entry.sums_sha256,
        whole=whole,
        removed=_removable(folder, whole),
        reason=reason,
        by=by,
        made_at=timestamp(now),
    )
    target = _seal(reports, signer, EntryKind.PRUNE, record, now=now, checkpoint=checkpoint)
    _remove(folder, record)
    return target


def repair(reports: Path, signer: Signer, *, by: str, now: datetime) -> Path:
    """Cut a torn last line off the ledger and seal a correction that holds the torn bytes.

    Raises:
        UsageError: the last line is not torn.
    """
    ledger = Ledger(reports)
    _, torn = ledger.split()
    if not torn:
        raise UsageError("is not torn: there is nothing to repair", where=str(ledger.path))
    record = Correction(
        id=new_run_id(EntryKind.CORRECTION, now),
        supersedes=LEDGER,
        run=None,
        statement=f"the torn last line was cut off; {TORN_FILE} holds its {len(torn)} bytes",
        reason="a process was killed, or the disk was full, while the line was written",
        by=by,
        made_at=timestamp(now),
        torn=hashlib.sha256(torn).hexdigest(),
    )
    partial = partial_path(reports, RECORDS, record.id)
    os.close(claim_partial(partial))
    write_durably(partial / TORN_FILE, torn)
    sync_folder(partial)
    with locked(lock(reports)):
        if ledger.split()[1] == torn:
            ledger.cut_torn()
    return _seal(reports, signer, EntryKind.CORRECTION, record, now=now)


def _seal(
    reports: Path,
    signer: Signer,
    kind: EntryKind,
    record: R,
    *,
    now: datetime,
    checkpoint: Checkpoint = no_checkpoint,
) -> Path:
    def placed(place: Place) -> R:
        return msgspec.structs.replace(
            record, seq=place.seq, previous=place.previous, sealed_at=place.sealed_at
        )

    held = claim_partial(partial_path(reports, RECORDS, record.id))
    try:
        return seal(
            reports,
            RECORDS,
            kind,
            record.id,
            signer,
            now=now,
            place=placed,
            checkpoint=checkpoint,
        )
    finally:
        os.close(held)


def _exists(reports: Path, record_id: str, run: str | None) -> bool:
    entries: list[LedgerEntry] = Ledger(reports).entries
    if run is None:
        return any(entry.id == record_id for entry in entries)
    folder = reports / RUNS / run
    if not (folder / RUN_FILE).is_file():
        return False
    bundle = load_bundle(folder)
    held = {finding.id for finding in bundle.findings} | {o.id for o in bundle.observations}
    return record_id in held


def _removable(folder: Path, whole: bool) -> tuple[RemovedFile, ...]:
    path = folder / sums.SHA256SUMS
    if not path.is_file():
        raise IncompleteError("is missing", where=str(path))
    listed = sums.parse("sha256", path.read_bytes(), where=str(path))
    removed = tuple(
        RemovedFile(path=name, sha256=sha256)
        for name, sha256 in sorted(listed.items())
        if whole or name.startswith(f"{ARTIFACTS}/")
    )
    if not removed:
        raise UsageError("holds no artifacts", where=folder.name)
    return removed


def _remove(folder: Path, record: Prune) -> None:
    if record.whole:
        # One rename first: killed in the middle of removing, no half of a bundle stays visible.
        going = folder.with_name(f".{folder.name}.partial")
        if folder.exists():
            folder.rename(going)
        if going.exists():
            shutil.rmtree(going)
        return
    for entry in record.removed:
        (folder / entry.path).unlink(missing_ok=True)

"""Sealing: the one way a partial folder becomes evidence and a line of the ledger.

Under the lock of the reports folder: sealed folders that a crash kept out of the ledger are taken
up, then place and time in the chain are fixed in the folder's record, hash lists and signature are
written, everything is forced to disk, the folder gets its name by one rename, and the ledger gets
its line. Killed at any moment, this leaves a partial folder or a sealed one, never half of one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from opsproof.errors import IncompleteError, OpsproofError
from opsproof.evidence import cms, readme, sums
from opsproof.evidence.canonical import canonical
from opsproof.evidence.files import locked, sync_folder, write_durably
from opsproof.evidence.ids import timestamp
from opsproof.evidence.keys import Signer
from opsproof.evidence.ledger import EntryKind, Head, Ledger, LedgerEntry, line_sha256
from opsproof.evidence.records import SealedRecord, read_sealed_record

RUNS = "runs"
RECORDS = "records"
SIGNER = "signer.pem"

Checkpoint = Callable[[str], None]
"""Called with the name of the step that comes next; tests kill the process there."""


def no_checkpoint(step: str) -> None:
    """The checkpoint of everyday use."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the chain: ``adopted`` are ids that were taken up just before it was fixed."""

    seq: int
    previous: str
    sealed_at: str
    adopted: tuple[str, ...]


def lock(reports: Path) -> Path:
    """The lock file under which the ledger of a reports folder is written."""
    return reports / ".lock"


def partial_path(reports: Path, family: str, record_id: str) -> Path:
    """Where a folder is built before it is sealed."""
    return reports / family / f".{record_id}.partial"


def claim_partial(path: Path) -> int:
    """Create a partial folder and hold its lock: the descriptor to close when done.

    Whoever can take the lock knows that the process that built the folder is dead.
    """
    path.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def seal(
    reports: Path,
    family: str,
    kind: EntryKind,
    record_id: str,
    signer: Signer,
    *,
    now: datetime,
    place: Callable[[Place], SealedRecord],
    checkpoint: Checkpoint = no_checkpoint,
) -> Path:
    """Seal ``.RECORD_ID.partial`` and return its new path.

    ``place`` is called with the place in the chain and gives the record that names it.

    Raises:
        IncompleteError: the ledger's last line is torn, or the partial folder is gone.
    """
    partial = partial_path(reports, family, record_id)
    target = reports / family / record_id
    if not partial.is_dir() or target.exists():
        raise IncompleteError("is not there to be sealed", where=str(partial))
    with locked(lock(reports)):
        adopted = adopt(reports)
        ledger = Ledger(reports)
        head = ledger.head
        checkpoint("record")
        record = place(Place(head.length + 1, head.sha256, timestamp(now), adopted))
        write_durably(partial / record.file_name, canonical(record) + b"\n")
        _close(partial, record_id, signer, checkpoint)
        checkpoint("rename")
        partial.rename(target)
        sync_folder(target.parent)
        checkpoint("ledger")
        ledger.append(entry_of(target, kind, record))
        checkpoint("done")
    return target


def entry_of(folder: Path, kind: EntryKind, record: SealedRecord) -> LedgerEntry:
    """The only ledger line that fits a sealed folder: all of it follows from the folder.

    Raises:
        IncompleteError: the folder has no hash list, or its record no place in the chain.
    """
    list_path = folder / sums.SHA256SUMS
    if record.seq is None or record.previous is None or record.sealed_at is None:
        raise IncompleteError("has no place in the chain", where=str(folder))
    if not list_path.is_file():
        raise IncompleteError("is missing", where=str(list_path))
    return LedgerEntry(
        seq=record.seq,
        kind=kind,
        id=record.id,
        sums_sha256=hashlib.sha256(list_path.read_bytes()).hexdigest(),
        previous=record.previous,
        at=record.sealed_at,
    )


def sealed_folders(reports: Path) -> dict[str, Path]:
    """``id -> path`` of every folder that is sealed by its name (not hidden), sorted by id."""
    return {
        path.name: path
        for family in (RUNS, RECORDS)
        if (reports / family).is_dir()
        for path in sorted((reports / family).iterdir())
        if path.is_dir() and not path.name.startswith(".")
    }


def adopt(reports: Path) -> tuple[str, ...]:
    """Append the lines of sealed folders that continue the chain but are missing from it.

    The caller holds the lock. A folder that does not continue the chain is left alone:
    ``verify`` names it.

    Raises:
        IncompleteError: the ledger's last line is torn.
    """
    ledger = Ledger(reports)
    head = ledger.head
    known = {entry.id for entry in ledger.entries}
    loose = {name: path for name, path in sealed_folders(reports).items() if name not in known}
    adopted: list[str] = []
    while entry := _next_entry(loose, head):
        ledger.append(entry)
        loose.pop(entry.id)
        head = Head(entry.seq, line_sha256(canonical(entry)))
        adopted.append(entry.id)
    return tuple(adopted)


def _next_entry(loose: dict[str, Path], head: Head) -> LedgerEntry | None:
    for path in loose.values():
        try:
            kind, record = read_sealed_record(path)
            entry = entry_of(path, kind, record)
        except OpsproofError:
            continue
        if (entry.seq, entry.previous) == (head.length + 1, head.sha256) and entry.id == path.name:
            return entry
    return None


def _close(partial: Path, record_id: str, signer: Signer, checkpoint: Checkpoint) -> None:
    """Add what makes the folder checkable by a stranger and force it to disk."""
    write_durably(partial / SIGNER, signer.pem)
    for name, text in readme.render(record_id).items():
        write_durably(partial / name, text.encode())
    for name in (sums.SM3SUMS, sums.SHA256SUMS, sums.SIGNATURE):
        (partial / name).unlink(missing_ok=True)
    checkpoint("sums")
    hashes = {name: sums.both_hashes(partial / name) for name in sums.files_below(partial)}
    sm3 = sums.render("sm3", {name: pair[1] for name, pair in hashes.items()})
    sha256 = {name: pair[0] for name, pair in hashes.items()}
    sha256[sums.SM3SUMS] = hashlib.sha256(sm3).hexdigest()
    listing = sums.render("sha256", sha256)
    write_durably(partial / sums.SM3SUMS, sm3)
    write_durably(partial / sums.SHA256SUMS, listing)
    checkpoint("signature")
    write_durably(partial / sums.SIGNATURE, cms.sign(listing, signer))
    checkpoint("sync")
    _force_to_disk(partial)


def _force_to_disk(folder: Path) -> None:
    """Make files read-only (a guard against slips, not against attackers) and flush folders."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            (Path(parent) / name).chmod(0o444)
        sync_folder(Path(parent))

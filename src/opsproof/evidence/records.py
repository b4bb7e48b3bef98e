"""What a sealed folder is about: a run, a correction, or a prune. Each names its place in the chain."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from opsproof.errors import IncompleteError
from opsproof.evidence.canonical import CanonicalError, decode_lines
from opsproof.evidence.ledger import EntryKind
from opsproof.evidence.model import Record, Run

T = TypeVar("T")

RUN_FILE = "run.json"
RECORD_FILE = "record.json"


class RemovedFile(Record, frozen=True, kw_only=True):
    """A file that pruning removed; ``path`` is relative to the run's bundle, hash as listed there."""

    path: str
    sha256: str


class Correction(Record, frozen=True, kw_only=True):
    """Says that an earlier record is superseded: nothing sealed is ever edited.

    ``supersedes`` is the id of a run, an observation, a finding or an earlier correction;
    ``run`` the id of the run that holds it. ``statement`` is what holds instead, in words.
    A repaired ledger records itself with ``supersedes`` ``ledger.jsonl`` and the torn bytes.
    """

    schema: Literal["correction/1"] = "correction/1"
    id: str
    supersedes: str
    run: str | None
    statement: str
    reason: str
    by: str
    made_at: str
    torn: str | None = None
    seq: int | None = None
    previous: str | None = None
    sealed_at: str | None = None

    @property
    def file_name(self) -> str:
        """The file of the sealed folder that holds this record."""
        return RECORD_FILE


class Prune(Record, frozen=True, kw_only=True):
    """Says that files of a sealed run were removed because their retention ended.

    ``sums_sha256`` is that of the run's ledger line; ``whole`` says that its folder is gone.
    """

    schema: Literal["prune/1"] = "prune/1"
    id: str
    run: str
    sums_sha256: str
    whole: bool
    removed: tuple[RemovedFile, ...]
    reason: str
    by: str
    made_at: str
    seq: int | None = None
    previous: str | None = None
    sealed_at: str | None = None

    @property
    def file_name(self) -> str:
        """The file of the sealed folder that holds this record."""
        return RECORD_FILE


SealedRecord: TypeAlias = Run | Correction | Prune

_RECORD_KINDS: dict[EntryKind, type[Correction] | type[Prune]] = {
    EntryKind.CORRECTION: Correction,
    EntryKind.PRUNE: Prune,
}


def read_sealed_record(folder: Path) -> tuple[EntryKind, SealedRecord]:
    """The record of a sealed folder and its kind.

    Raises:
        IncompleteError: the folder holds none.
        CanonicalError: it is not a canonical record.
    """
    run_file, record_file = folder / RUN_FILE, folder / RECORD_FILE
    if run_file.is_file():
        return EntryKind.RUN, read_record(run_file, Run)
    if not record_file.is_file():
        raise IncompleteError(f"holds neither {RUN_FILE} nor {RECORD_FILE}", where=str(folder))
    kind = EntryKind.PRUNE if b'"schema":"prune/' in record_file.read_bytes() else None
    kind = kind or EntryKind.CORRECTION
    return kind, read_record(record_file, _RECORD_KINDS[kind])


def read_record(path: Path, kind: type[T]) -> T:
    """Read a file that holds one canonical record and a line feed.

    Raises:
        CanonicalError: it does not.
    """
    records = decode_lines(path.read_bytes(), kind, where=str(path))
    if len(records) != 1:
        raise CanonicalError(f"holds {len(records)} records instead of one", where=str(path))
    return records[0]


def read_records(path: Path, kind: type[T]) -> list[T]:
    """Read a file of canonical records, one a line.

    Raises:
        CanonicalError: naming the first line that is not one.
    """
    return decode_lines(path.read_bytes(), kind, where=str(path))

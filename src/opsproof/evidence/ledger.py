"""The append-only chain of everything sealed: ``reports/ledger.jsonl``.

One canonical line an entry; ``previous`` is the SHA-256 of the line before it without its line
feed, 64 zeros for the first. The head is the SHA-256 of the last line: printed with the length, it
anchors the chain outside the machine, because a chain alone shows no cut tail and no full rewrite.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from opsproof.errors import IncompleteError, UsageError
from opsproof.evidence.canonical import canonical, decode
from opsproof.evidence.files import append_durably, sync_folder
from opsproof.evidence.model import Record

LEDGER = "ledger.jsonl"
NO_PREVIOUS = "0" * 64
_HEAD = re.compile(r"(0|[1-9][0-9]*):([0-9a-f]{64})")


class EntryKind(StrEnum):
    """What a line of the ledger stands for."""

    RUN = "run"
    CORRECTION = "correction"
    PRUNE = "prune"


class LedgerEntry(Record, frozen=True, kw_only=True):
    """One line. ``sums_sha256`` is the SHA-256 of the sealed folder's ``SHA256SUMS``."""

    seq: int
    kind: EntryKind
    id: str
    sums_sha256: str
    previous: str
    at: str


@dataclass(frozen=True, slots=True)
class Head:
    """Length (lines) and SHA-256 of the last line, written ``LENGTH:SHA256``."""

    length: int
    sha256: str

    def __str__(self) -> str:
        """The form that reports print and ``--head`` takes."""
        return f"{self.length}:{self.sha256}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read what a report prints.

        Raises:
            UsageError: it is not ``LENGTH:SHA256``.
        """
        match = _HEAD.fullmatch(text.strip().lower())
        if match is None:
            raise UsageError(f"{text!r} is not a head", remedy="write it as LENGTH:SHA256")
        return cls(int(match[1]), match[2])


def line_sha256(line: bytes) -> str:
    """The hash by which the next line names this one (without line feed)."""
    return hashlib.sha256(line).hexdigest()


class Ledger:
    """The chain of one reports folder. Reading takes no lock; appending is for the sealer."""

    def __init__(self, reports: Path) -> None:
        """The ledger of the folder ``reports``; it need not exist yet."""
        self.reports = reports
        self.path = reports / LEDGER

    def split(self) -> tuple[list[bytes], bytes]:
        """The complete lines without line feeds, and the torn rest (normally empty)."""
        data = self.path.read_bytes() if self.path.exists() else b""
        *lines, torn = data.split(b"\n")
        return lines, torn

    @property
    def entries(self) -> list[LedgerEntry]:
        """All entries, oldest first.

        Raises:
            CanonicalError: a line is not an entry.
            IncompleteError: the last line is torn.
        """
        lines, torn = self.split()
        if torn:
            raise IncompleteError(
                "the last line is torn",
                where=f"{self.path}:{len(lines) + 1}",
                remedy="opsproof ledger repair",
            )
        return [
            decode(line, LedgerEntry, where=f"{self.path}:{n}") for n, line in enumerate(lines, 1)
        ]

    @property
    def head(self) -> Head:
        """Where the chain ends now; ``0:000...`` for an empty ledger.

        Raises:
            IncompleteError: the last line is torn.
        """
        entries = self.entries
        lines, _ = self.split()
        return Head(len(entries), line_sha256(lines[-1]) if lines else NO_PREVIOUS)

    def append(self, entry: LedgerEntry) -> None:
        """Add a line. The caller holds the lock and has fixed ``seq`` and ``previous``."""
        created = not self.path.exists()
        append_durably(self.path, canonical(entry) + b"\n")
        if created:
            sync_folder(self.reports)

    def cut_torn(self) -> bytes:
        """Remove the torn rest of the file and return it. The caller holds the lock."""
        lines, torn = self.split()
        if torn:
            with self.path.open("r+b") as stream:
                stream.truncate(sum(len(line) + 1 for line in lines))
                os.fsync(stream.fileno())
        return torn

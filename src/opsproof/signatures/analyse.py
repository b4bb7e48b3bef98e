"""Analysis of a whole table: every record gets its class, on all processors, in bounded memory."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from opsproof.signatures import cross, sm2
from opsproof.signatures.basedata import BadRow, key_text
from opsproof.signatures.book import CertificateBook
from opsproof.signatures.certificates import Certificate, load
from opsproof.signatures.check import Checker
from opsproof.signatures.database import Database
from opsproof.signatures.diagnose import Diagnoser
from opsproof.signatures.model import BaseRecord, Diagnosis, RecordClass
from opsproof.signatures.profile import Profile
from opsproof.signatures.revocation import load_revocations
from opsproof.signatures.workbook import Workbook

RANGE = 20_000
"""Records of one unit of work."""

Progress: TypeAlias = Callable[[int, int], None]
"""Told the records done and the records there are."""


@dataclass(frozen=True)
class Job:
    """Everything that an analysis depends on; can be handed to another process.

    ``now`` stands for the moment of signing where none is recorded.
    """

    url: str = field(repr=False)
    profile: Profile
    certificates: tuple[Path, ...]
    trusted: tuple[Path, ...]
    revocations: tuple[Path, ...]
    require_revocation: bool
    now: datetime
    workbook: Path
    base_delivered: bool

    def book(self) -> CertificateBook:
        """The certificates, read from their files."""
        return CertificateBook(
            [one for path in self.certificates for one in load(path)],
            [one for path in self.trusted for one in load(path)],
            load_revocations(self.revocations),
            require_revocation=self.require_revocation,
        )

    def checker(self) -> Checker:
        """The strict verifier."""
        return Checker(self.profile, self.book(), self.now)

    def diagnoser(self) -> Diagnoser:
        """The diagnosis of single records."""
        return Diagnoser(self.checker(), base_delivered=self.base_delivered)


@dataclass(frozen=True)
class Analysis:
    """How many records are in each class; single records are in the workbook."""

    records: int
    classes: dict[RecordClass, int]
    base_rows: int
    base_without_record: int
    bad_rows: list[BadRow]
    table_sha256: str
    signers: list[Certificate]


def analyse(
    job: Job, *, workers: int = 1, progress: Progress | None = None, range_size: int = RANGE
) -> Analysis:
    """Diagnose every record of the table; findings go to the job's workbook.

    The base data must be in the workbook already (:meth:`Workbook.add_base`).

    Raises:
        SourceError: the database cannot be read.
    """
    workbook = Workbook(job.workbook)
    database = Database(job.url, job.profile)
    try:
        total = database.count()
        seen = 0
        digests = hashlib.sha256()
        matched = 0
        for part in _parts(job, database, workers, range_size):
            workbook.add_found(part.findings)
            digests.update(part.digest)
            seen += part.records
            matched += part.with_base
            if progress is not None:
                progress(seen, max(total, seen))
        diagnoser = job.diagnoser()
        cross.resolve(database, diagnoser, workbook)
        classes = Counter(one.record_class for one in workbook.found())
        wrong = sum(classes.values())
        base_rows = workbook.base_count()
        return Analysis(
            records=seen,
            classes={RecordClass.VALID: seen - wrong, **dict(sorted(classes.items()))},
            base_rows=base_rows,
            base_without_record=base_rows - matched,
            bad_rows=workbook.bad_rows(),
            table_sha256=digests.hexdigest(),
            signers=diagnoser.checker.book.signers(),
        )
    finally:
        database.close()
        workbook.close()


@dataclass(frozen=True)
class Part:
    """What one range of keys gave; valid records are only counted."""

    records: int
    with_base: int
    digest: bytes
    findings: list[Diagnosis]


Ends: TypeAlias = tuple[tuple[Any, ...] | None, tuple[Any, ...] | None]


def _parts(job: Job, database: Database, workers: int, size: int) -> Iterator[Part]:
    if workers == 1:
        worker = _Worker(job)
        try:
            for ends in _ranges(database, size):
                yield worker.part(ends)
        finally:
            worker.close()
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start, (job,)) as pool:
        yield from pool.map(_run, _ranges(database, size))


def _ranges(database: Database, size: int) -> Iterator[Ends]:
    begin: tuple[Any, ...] | None = None
    for end in database.boundaries(size):
        yield begin, end
        begin = end
    yield begin, None


class _Worker:
    def __init__(self, job: Job) -> None:
        self.database = Database(job.url, job.profile)
        self.workbook = Workbook(job.workbook)
        self.diagnoser = job.diagnoser()
        self.base_delivered = job.base_delivered
        self.quick = self.diagnoser.checker.quick()
        self.key = [job.profile.columns.index(name) for name in job.profile.key]
        self.signature = job.profile.columns.index(job.profile.signature.column)

    def close(self) -> None:
        self.database.close()
        self.workbook.close()

    def part(self, ends: Ends) -> Part:
        digest = hashlib.sha256()
        findings: list[Diagnosis] = []
        records = with_base = 0
        with sm2.quiet():
            for batch in self.database.stream(*ends):
                keys = [tuple([cells[place] for place in self.key]) for cells in batch]
                base = self.workbook.base(keys) if self.base_delivered else {}
                with_base += len(base)
                records += len(batch)
                for key, cells in zip(keys, batch, strict=True):
                    digest.update(f"{key!r} {cells[self.signature]} ".encode("utf-8", "replace"))
                    given = base.get(key_text(key)) if base else None
                    found = self._one(cells, given)
                    if found is not None:
                        findings.append(found)
        return Part(records, with_base, digest.digest(), findings)

    def _one(self, cells: Sequence[Any], given: BaseRecord | None) -> Diagnosis | None:
        """What is wrong with a record; None when nothing is."""
        if self.quick is not None:
            values = self.quick(cells)
            if values is not None and (given is None or given.values == values):
                return None
        found = self.diagnoser.diagnose(self.diagnoser.checker.row(cells), given)
        return None if found.record_class is RecordClass.VALID else found


_worker: _Worker | None = None


def _start(job: Job) -> None:
    global _worker
    _worker = _Worker(job)


def _run(ends: Ends) -> Part:
    assert _worker is not None
    return _worker.part(ends)

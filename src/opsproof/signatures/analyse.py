"""Analysis of a whole table: every record gets its class, on all processors, in bounded memory."""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from opsproof.signatures import cross, sm2
from opsproof.signatures.basedata import BadRow
from opsproof.signatures.book import CertificateBook
from opsproof.signatures.certificates import Certificate, load
from opsproof.signatures.check import Checker
from opsproof.signatures.database import BATCH, Database
from opsproof.signatures.diagnose import Diagnoser
from opsproof.signatures.errors import SourceError
from opsproof.signatures.model import BaseRecord, Diagnosis, RecordClass, key_text
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
        # Counting costs a look at every page: only where somebody waits for the end.
        total = database.count() if progress is not None else 0
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
        classes = workbook.classes()
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


@dataclass
class _Tally:
    """A part that is still growing."""

    records: int = 0
    with_base: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    findings: list[Diagnosis] = field(default_factory=list)

    def part(self) -> Part:
        return Part(self.records, self.with_base, self.digest.digest(), self.findings)


Ends: TypeAlias = tuple[tuple[Any, ...] | None, tuple[Any, ...] | None]


def _parts(job: Job, database: Database, workers: int, size: int) -> Iterator[Part]:
    if workers == 1:
        worker = _Worker(job)
        try:
            yield from worker.parts((None, None), size)
        finally:
            worker.close()
        return
    context = multiprocessing.get_context("spawn")
    waiting: deque[Future[list[Part]]] = deque()
    try:
        with ProcessPoolExecutor(workers, context, _start, (job,)) as pool:
            try:
                # A window: results that nobody has taken yet must not fill the memory.
                for ends in _ranges(database, size):
                    waiting.append(pool.submit(_run, ends, size))
                    if len(waiting) > 2 * workers:
                        yield from waiting.popleft().result()
                while waiting:
                    yield from waiting.popleft().result()
            finally:
                for one in waiting:
                    one.cancel()
    except BrokenProcessPool as error:
        raise SourceError(
            "a process that verifies was killed",
            where="--workers",
            remedy="look for a lack of memory in the system's log; nothing was written",
        ) from error


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
        self.digested = [*self.key, job.profile.columns.index(job.profile.signature.column)]

    def close(self) -> None:
        self.database.close()
        self.workbook.close()

    def parts(self, ends: Ends, size: int) -> Iterator[Part]:
        """A range of keys in parts of ``size`` records; the last may be smaller."""
        part = _Tally()
        for batch in self.database.stream(*ends, batch=min(BATCH, size)):
            with sm2.quiet():
                self._look(batch, part)
            if part.records >= size:
                yield part.part()
                part = _Tally()
        if part.records:
            yield part.part()

    def _look(self, batch: Sequence[Sequence[Any]], tally: _Tally) -> None:
        for place in self.digested:
            tally.digest.update(column_bytes([cells[place] for cells in batch]))
        right = [False] * len(batch) if self.quick is None else self.quick.right(batch)
        given: Sequence[BaseRecord | None] = [None] * len(batch)
        if self.base_delivered:
            keys = [key_text(cells[place] for place in self.key) for cells in batch]
            base = self.workbook.base(keys)
            given = [base.get(key) for key in keys]
            tally.with_base += len(base)
            right = self._like_base(batch, right, given)
        tally.records += len(batch)
        for place in (place for place, good in enumerate(right) if not good):
            row = self.diagnoser.checker.row(batch[place])
            found = self.diagnoser.diagnose(row, given[place])
            if found.record_class is not RecordClass.VALID:
                tally.findings.append(found)

    def _like_base(
        self,
        batch: Sequence[Sequence[Any]],
        right: list[bool],
        given: Sequence[BaseRecord | None],
    ) -> list[bool]:
        """Which right records are also what was delivered, where something was."""
        values = self.diagnoser.checker.values
        return [
            good and (base is None or base.values == values(cells))
            for cells, good, base in zip(batch, right, given, strict=True)
        ]


def column_bytes(cells: Sequence[Any]) -> bytes:
    """What a column's cells are hashed as: other cells give other bytes."""
    if set(map(type, cells)) <= {str, type(None)}:
        lengths = [-1 if cell is None else len(cell) for cell in cells]
        return f"{lengths}{''.join(filter(None, cells))}".encode("utf-8", "surrogatepass")
    return repr(list(cells)).encode("utf-8", "surrogatepass")


_worker: _Worker | None = None


def _start(job: Job) -> None:
    """Once a process. What was imported and compiled is garbage at no time: not looked at again."""
    global _worker
    _worker = _Worker(job)
    gc.freeze()


def _run(ends: Ends, size: int) -> list[Part]:
    assert _worker is not None
    return list(_worker.parts(ends, size))

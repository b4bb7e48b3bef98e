"""Analysis of a whole table: every record gets its class, on all processors, in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from opsproof.signatures import cross, sm2
from opsproof.signatures.ambiguous import compile_look
from opsproof.signatures.basedata import BadRow
from opsproof.signatures.book import CertificateBook
from opsproof.signatures.certificates import load
from opsproof.signatures.check import Checker
from opsproof.signatures.database import BATCH, Database
from opsproof.signatures.diagnose import Diagnoser
from opsproof.signatures.errors import CertificateError
from opsproof.signatures.model import (
    SHOWN,
    BaseRecord,
    Diagnosis,
    Progress,
    RecordClass,
    key_digest,
)
from opsproof.signatures.profile import Profile
from opsproof.signatures.revocation import load_revocations
from opsproof.signatures.trust import Trust, trust_of
from opsproof.signatures.workbook import Workbook
from opsproof.workers import Workers, seldom_collected

_BATCHES = 2
"""Batches of one unit of work."""
_JSON = msgspec.json.Encoder()


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
        """The certificates, read from their files.

        Raises:
            CertificateError: a file is not what it is taken for, or no trusted issuer signed it.
        """
        book = CertificateBook(
            [one for path in self.certificates for one in load(path)],
            [one for path in self.trusted for one in load(path)],
            load_revocations(self.revocations),
            require_revocation=self.require_revocation,
            allowed=self.profile.allowed,
        )
        with sm2.quiet():
            refused = book.believed.refused
        for origin in refused:
            raise CertificateError(
                "is not signed by a trusted issuer at hand whose name it bears with a key that counts "
                "(RSA of 2048 bits or more) and not over SHA-1, so it says nothing about any certificate",
                where=origin,
                remedy="give its issuer's certificate, fetch it again, or leave it out",
            )
        return book

    def checker(self) -> Checker:
        """The strict verifier."""
        return Checker(self.profile, self.book(), self.now)

    def diagnoser(self) -> Diagnoser:
        """The diagnosis of single records."""
        return Diagnoser(self.checker(), base_delivered=self.base_delivered)


@dataclass(frozen=True)
class Analysis:
    """How many records are in each class; single records are in the workbook.

    ``bad_rows`` are the first of the ``bad_base_rows``, which the workbook has all. ``ambiguous`` are valid
    records that :mod:`opsproof.signatures.ambiguous` speaks of and no base data confirms, the first named
    by their keys' digests.
    """

    records: int
    classes: dict[RecordClass, int]
    base_rows: int
    base_without_record: int
    bad_base_rows: int
    bad_rows: list[BadRow]
    table_sha256: str
    trust: Trust
    ambiguous: int
    ambiguous_records: tuple[str, ...]


def analyse(
    job: Job, *, workers: int = 1, progress: Progress | None = None, batch: int = BATCH
) -> Analysis:
    """Diagnose every record of the table; findings go to the job's workbook.

    The base data must be in the workbook already (:meth:`Workbook.add_base`). The result does not
    depend on the number of ``workers``, this process included; ``table_sha256`` does on ``batch``.

    Raises:
        SourceError: the database cannot be read.
    """
    with (
        Workers(partial(_opened, job, batch), workers - 1, handed=2) as side,
        closing(_Worker(job, batch)) as here,
        seldom_collected(),
    ):
        # Counting costs a look at every page: only where somebody waits for the end.
        total = here.database.count() if progress is not None else 0
        seen = matched = ambiguous = 0
        doubtful: list[str] = []
        digests = hashlib.sha256()
        # A process alone need not look where ranges end.
        parts = here.parts() if workers == 1 else side.done(here.ranges(), here.part)
        for part in filter(lambda one: one.records, parts):
            here.workbook.add_found(part.findings)
            digests.update(part.digest)
            seen += part.records
            matched += part.with_base
            ambiguous += part.ambiguous
            doubtful += part.ambiguous_records[: SHOWN - len(doubtful)]
            if progress is not None:
                progress(seen, max(total, seen))
        cross.resolve(here.database, here.diagnoser, here.workbook)
        classes = here.workbook.classes()
        base_rows = here.workbook.base_count()
        return Analysis(
            records=seen,
            classes={
                RecordClass.VALID: seen - sum(classes.values()),
                **dict(sorted(classes.items())),
            },
            base_rows=base_rows,
            base_without_record=base_rows - matched,
            bad_base_rows=here.workbook.bad_count(),
            bad_rows=list(islice(here.workbook.bad_rows(), SHOWN)),
            table_sha256=digests.hexdigest(),
            trust=trust_of(here.diagnoser.checker.book),
            ambiguous=ambiguous,
            ambiguous_records=tuple(doubtful),
        )


@dataclass(frozen=True)
class Part:
    """What one range of keys gave; valid records are only counted."""

    records: int
    with_base: int
    digest: bytes
    findings: list[Diagnosis]
    ambiguous: int
    ambiguous_records: list[str]


@dataclass
class _Tally:
    """A part that is still growing."""

    records: int = 0
    with_base: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    findings: list[Diagnosis] = field(default_factory=list)
    ambiguous: int = 0
    ambiguous_records: list[str] = field(default_factory=list)

    def part(self) -> Part:
        return Part(
            self.records,
            self.with_base,
            self.digest.digest(),
            self.findings,
            self.ambiguous,
            self.ambiguous_records,
        )

    def doubt(self, digest: str) -> None:
        """Count a record as ambiguous."""
        self.ambiguous += 1
        if len(self.ambiguous_records) < SHOWN:
            self.ambiguous_records.append(digest)


Ends: TypeAlias = tuple[tuple[Any, ...] | None, tuple[Any, ...] | None]
"""The keys that a range comes after and ends with; None: the table's begin and end."""


class _Worker:
    """One process's connections and what it verifies with."""

    def __init__(self, job: Job, batch: int) -> None:
        self.database = Database(job.url, job.profile)
        self.workbook = Workbook(job.workbook)
        self.diagnoser = job.diagnoser()
        self.base_delivered = job.base_delivered
        self.batch = batch
        self.quick = self.diagnoser.checker.quick()
        self.ambiguous = compile_look(job.profile)
        self.key = [job.profile.columns.index(name) for name in job.profile.key]
        self.digested = [*self.key, job.profile.columns.index(job.profile.signature.column)]

    def close(self) -> None:
        self.database.close()
        self.workbook.close()

    def ranges(self) -> Iterator[Ends]:
        """The units of work."""
        begin: tuple[Any, ...] | None = None
        for end in self.database.boundaries(_BATCHES * self.batch):
            yield begin, end
            begin = end
        yield begin, None

    def part(self, ends: Ends) -> Part:
        """What is in a range of keys."""
        part = _Tally()
        for batch in self.database.stream(*ends, batch=self.batch):
            with sm2.quiet():
                self._look(batch, part)
        return part.part()

    def parts(self) -> Iterator[Part]:
        """The parts of all :meth:`ranges`, in one go."""
        batches = self.database.stream(batch=self.batch)
        for first in batches:
            part = _Tally()
            with sm2.quiet():
                for batch in chain([first], islice(batches, _BATCHES - 1)):
                    self._look(batch, part)
            yield part.part()

    def _look(self, batch: Sequence[Sequence[Any]], tally: _Tally) -> None:
        columns = list(zip(*batch, strict=True))
        for place in self.digested:
            tally.digest.update(column_bytes(columns[place]))
        right = [False] * len(batch)
        if self.quick is not None:
            right = self.quick.right_columns(columns)
        given: Sequence[BaseRecord | None] = [None] * len(batch)
        if self.base_delivered:
            text = self.database.key_form.text
            keys = [text([cells[place] for place in self.key]) for cells in batch]
            base = self.workbook.base(keys)
            given = [base.get(key) for key in keys]
            tally.with_base += len(base)
            right = self._like_base(batch, right, given)
        tally.records += len(batch)
        wrong = set()
        for place in (place for place, good in enumerate(right) if not good):
            row = self.diagnoser.checker.row(batch[place])
            found = self.diagnoser.diagnose(row, given[place])
            if found.record_class is not RecordClass.VALID:
                tally.findings.append(found)
                wrong.add(place)
        for place in self.ambiguous(columns):
            if place not in wrong and given[place] is None:
                tally.doubt(key_digest(tuple(batch[place][part] for part in self.key)))

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
    if set(map(type, cells)) <= {str, int, type(None)}:
        with suppress(UnicodeEncodeError):  # half a surrogate pair
            return _JSON.encode(cells)
    return repr(list(cells)).encode("utf-8", "surrogatepass")


@contextmanager
def _opened(job: Job, batch: int) -> Iterator[Callable[[Ends], Part]]:
    """The work of a process beside this one."""
    with closing(_Worker(job, batch)) as worker:
        yield worker.part

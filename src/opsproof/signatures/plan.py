"""A plan as a file: what was analysed, every record that is not right, and how many there must be."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from opsproof.errors import UsageError
from opsproof.evidence.canonical import CanonicalError, decode
from opsproof.signatures.book import CertificateBook
from opsproof.signatures.database import Database
from opsproof.signatures.errors import PlanError, SourceError
from opsproof.signatures.model import Entry
from opsproof.signatures.profile import Profile
from opsproof.signatures.trust import Trust, trust_of

SCHEMA: Final = "signature-plan/2"
_BLOCK: Final = 1 << 20
_SHOWN: Final = 3


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """First line of a plan: what was analysed and what came out.

    ``database`` is :attr:`Database.place`; ``trust`` is what every value of the plan was verified with and
    must be verified with again. ``bad_rows`` are the first of the ``bad_base_rows`` that were
    not taken.
    """

    schema: str
    profile: str
    profile_sha256: str
    database: str
    trust: Trust
    created_at: str
    records: int
    classes: dict[str, int]
    base_rows: int
    base_without_record: int
    bad_base_rows: int
    bad_rows: tuple[dict[str, str], ...]
    table_sha256: str
    ambiguous: int
    ambiguous_records: tuple[str, ...]


class _Any(msgspec.Struct):
    """A header of whatever version."""

    schema: str


class Footer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Last line of a plan: how many entries there must be, by action and by source."""

    entries: int
    actions: dict[str, int]
    sources: dict[str, int]


@dataclass(frozen=True)
class Plan:
    """A plan file whose every line was read once; entries are streamed from it."""

    path: Path
    sha256: str
    header: Header
    footer: Footer

    def entries(self) -> Iterator[Entry]:
        """All entries in key order, from a copy without a name that nobody can change meanwhile.

        Raises:
            PlanError: before the first entry, if the file is another by now.
            SourceError: the disk does not take the copy.
        """
        with _unnamed(self.path.parent) as copy:
            digest = hashlib.sha256()
            try:
                with self.path.open("rb") as stream:
                    while block := stream.read(_BLOCK):
                        digest.update(block)
                        copy.write(block)
            except OSError as error:
                raise SourceError(
                    f"cannot be copied to be read: {error.strerror}", where=str(self.path)
                ) from error
            if digest.hexdigest() != self.sha256:
                raise PlanError("was changed while it was read", where=str(self.path))
            copy.seek(0)
            previous: bytes | None = None
            for number, line in enumerate(copy, 1):
                if previous is not None and number > 2:
                    yield _decode(previous, Entry, f"{self.path}:{number - 1}")
                previous = line

    def held_to(
        self,
        profile: Profile,
        *,
        database: Database | None = None,
        book: CertificateBook | None = None,
    ) -> None:
        """Whether it was made with this profile, on this database, with these certificates.

        None is not asked for: a script speaks to another database, the way back verifies no signature.

        Raises:
            PlanError: it was made with another one.
        """
        if self.header.profile_sha256 != profile.sha256:
            raise PlanError("was made with another profile", where=str(self.path))
        if database is not None and self.header.database != database.place:
            raise PlanError(
                f"was made on {self.header.database}, and this is {database.place}",
                where=str(self.path),
                remedy="name the database as the plan does, or make a plan on this one",
            )

        others = [] if book is None else list(self.header.trust.others(trust_of(book)))
        if others:
            more = f", and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
            raise PlanError(
                f"was made with other certificates: {'; '.join(others[:_SHOWN])}{more}",
                where=str(self.path),
                remedy="name what the plan was made with; for a newer CRL make a new plan",
            )

    def writes(self) -> Iterator[Entry]:
        """Entries that change something."""
        return (entry for entry in self.entries() if entry.action == "write")


def load_plan(path: Path) -> Plan:
    """Read a plan.

    Raises:
        PlanError: it is not whole.
        UsageError: there is none, or another version of opsproof made it.
    """
    if not path.exists():
        raise UsageError("there is no plan yet", where=str(path), remedy="opsproof signatures plan")
    digest = hashlib.sha256()
    first = last = b""
    lines = 0
    try:
        with path.open("rb") as stream:
            for line in stream:
                digest.update(line)
                first = first or line
                last = line
                lines += 1
    except OSError as error:
        raise PlanError(f"cannot be read: {error.strerror}", where=str(path)) from error
    if lines < 2:
        raise PlanError("is not a whole plan", where=str(path))
    if (made := _schema(first)) not in (None, SCHEMA):
        raise UsageError(
            f"another version made this plan ({made}; this one reads {SCHEMA})",
            where=str(path),
            remedy="make a new plan; go back with the version that applied this one",
        )
    header = _decode(first, Header, f"{path}:1")
    footer = _decode(last, Footer, f"{path}:{lines}")
    if footer.entries != lines - 2:
        raise PlanError(
            f"has {lines - 2} entries where {footer.entries} were written", where=str(path)
        )
    return Plan(path, digest.hexdigest(), header, footer)


def _schema(header: bytes) -> str | None:
    """What a header calls itself; None where it is none."""
    try:
        return msgspec.json.decode(header, type=_Any).schema
    except msgspec.DecodeError:
        return None


def _unnamed(folder: Path) -> IO[bytes]:
    """A file without a name beside the plan, whose disk has room for it; else where others are made."""
    try:
        return tempfile.TemporaryFile(dir=folder)
    except OSError:
        return tempfile.TemporaryFile()


def _decode(line: bytes, kind: type[Any], where: str) -> Any:
    try:
        return decode(line.rstrip(b"\n"), kind, where=where)
    except CanonicalError as error:
        raise PlanError(error.what, where=where) from error

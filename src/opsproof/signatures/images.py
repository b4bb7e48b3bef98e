"""Before-images: what was stored before a plan's values, readable by the bureau only.

A file a batch, CMS EnvelopedData (RFC 5652) of canonical JSON, on disk before the change it speaks of
is committed. One too many is harmless: whoever goes back asks the row and the plan as well.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from opsproof.evidence import cms as evidence_cms
from opsproof.evidence.canonical import canonical
from opsproof.evidence.files import replace_durably, sync_folder
from opsproof.signatures.errors import PlanError
from opsproof.signatures.model import Entry, image_digest, key_digest, packed, unpacked
from opsproof.signatures.plan import Plan
from opsproof.signatures.profile import Profile

_REMEDY: Final = "take it out of the folder: it was not written with this plan"

Todo = Sequence[tuple[Entry, Mapping[str, Any]]]
"""Entries with all that is stored in their records now."""


Packed: TypeAlias = bool | int | str | dict[Literal["base64"], str] | None


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One record of an image; the contents of columns are :func:`packed`."""

    key: tuple[Packed, ...]
    before: dict[str, Packed]
    after: dict[str, Packed]
    before_sha256: str
    after_sha256: str

    @property
    def record(self) -> tuple[Any, ...]:
        """The key as the database gave it."""
        return tuple(unpacked(part) for part in self.key)

    def content(self, now: Mapping[str, Any]) -> dict[str, Any]:
        """What its columns held, for a record that holds ``now`` in all of the profile's.

        Raises:
            PlanError: with it the record would not be what the plan saw.
        """
        try:
            content = {name: unpacked(value) for name, value in self.before.items()}
            if image_digest({**now, **content}) == self.before_sha256:
                return content
        except (KeyError, ValueError):  # no base64
            pass
        where = f"record {_name(self.key)}"
        raise PlanError("a before-image is not of what the plan saw", where=where)


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one file holds."""

    schema: Literal["signature-before/1"]
    plan: str
    rows: tuple[Row, ...]


class Images:
    """The before-images of an approved plan, a record once: its first image is the oldest.

    Anybody can encrypt for the bureau, so an image is believed only as far as the plan says the same:
    the record, what it held and is to hold, and which columns change. Everything is looked at before
    the first row is given out. What the plan says is kept on disk where memory has no room, in a file
    without a name (https://www.sqlite.org/inmemorydb.html, temporary databases).
    """

    def __init__(
        self,
        work: Path,
        plan: Plan,
        profile: Profile,
        bureau: x509.Certificate,
        key: rsa.RSAPrivateKey,
    ) -> None:
        """Look at all of them.

        Raises:
            DecryptionError: the key is not the bureau's.
            PlanError: an image is none, or not one of this plan.
        """
        self._folder = images_folder(work, plan.sha256)
        self._plan = plan
        self._columns = profile.written_columns
        self._open = partial(evidence_cms.decrypt, recipient=bureau, key=key)
        self._db = sqlite3.connect("")
        try:
            self._db.executescript(
                "pragma journal_mode=off; pragma synchronous=off;"
                "create table planned(record text primary key, says blob not null, image text,"
                " given integer not null default 0, put_back integer not null default 0) without rowid"
            )
            self._db.executemany(
                "insert or ignore into planned(record, says) values (?, ?)",
                (
                    (_name(entry.key), _says(entry.before, entry.after, entry.changes))
                    for entry in plan.writes()
                ),
            )
            for path, rows in self._read():
                self._db.executemany(
                    "update planned set image = ? where record = ? and image is null",
                    ((path.name, _name(row.key)) for row in rows),
                )
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the room back."""
        self._db.close()

    def __iter__(self) -> Iterator[tuple[str, list[Row]]]:
        """Every file's name and rows; raises as the constructor if a file is another by now."""
        for path, rows in self._read():
            mine = [row for row in rows if self._give(path.name, row)]
            if mine:
                yield path.name, mine

    def put_back(self, keys: Iterable[tuple[Any, ...]]) -> None:
        """Note that these records were put back."""
        names = [(key_digest(key),) for key in keys]
        self._db.executemany("update planned set put_back = 1 where record = ?", names)

    def of(self, key: tuple[Any, ...]) -> bool | None:
        """Whether the record was put back; None where it has no image."""
        row = self._db.execute(
            "select put_back from planned where record = ? and image is not null",
            (key_digest(key),),
        ).fetchone()
        return None if row is None else bool(row[0])

    def _give(self, image: str, row: Row) -> bool:
        name = (_name(row.key), image)
        query = "update planned set given = 1 where record = ? and image = ? and given = 0"
        return self._db.execute(query, name).rowcount > 0

    def _read(self) -> Iterator[tuple[Path, tuple[Row, ...]]]:
        for path in sorted(self._folder.glob("*.p7m")):
            try:
                document = msgspec.json.decode(self._open(path.read_bytes()), type=Document)
            except msgspec.DecodeError as error:
                raise PlanError("is no before-image", where=str(path), remedy=_REMEDY) from error
            if document.plan != self._plan.sha256:
                raise PlanError("belongs to another plan", where=str(path), remedy=_REMEDY)
            for row in document.rows:
                if not self._is_planned(row):
                    raise PlanError(
                        f"says of record {_name(row.key)} what the plan does not say",
                        where=str(path),
                        remedy=_REMEDY,
                    )
            yield path, document.rows

    def _is_planned(self, row: Row) -> bool:
        query = "select says from planned where record = ?"
        found = self._db.execute(query, (_name(row.key),)).fetchone()
        says = _says(row.before_sha256, row.after_sha256, row.after)
        columns = set(row.after)
        return found == (says,) and set(row.before) == columns <= self._columns


def _name(key: Iterable[Packed]) -> str:
    """:func:`key_digest` of a packed key."""
    return hashlib.sha256(canonical(list(key))).hexdigest()[:24]


def _says(before: str, after: str, changes: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(canonical([before, after, changes])).digest()


def images_folder(work: Path, plan_sha256: str) -> Path:
    """Where the images of a plan are; a work folder sees many plans."""
    return work / "before" / plan_sha256[:16]


def write_image(work: Path, plan_sha256: str, bureau: x509.Certificate, todo: Todo) -> str:
    """Keep what will be overwritten; the name of the file, which is on disk when this returns.

    The caller holds the lock of the work folder.
    """
    rows = tuple(
        Row(
            key=entry.key,
            before={name: packed(stored[name]) for name in entry.changes},
            after=entry.changes,
            before_sha256=entry.before,
            after_sha256=entry.after,
        )
        for entry, stored in todo
    )
    document = Document(schema="signature-before/1", plan=plan_sha256, rows=rows)
    folder = images_folder(work, plan_sha256)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # After the last, not by how many there are: one that was taken away must not cost another.
    number = 1 + max((int(one.stem) for one in folder.glob("[0-9]*.p7m")), default=0)
    path = folder / f"{number:06d}.p7m"
    replace_durably(path, evidence_cms.encrypt(canonical(document), bureau), mode=0o600)
    sync_folder(folder)
    return path.name

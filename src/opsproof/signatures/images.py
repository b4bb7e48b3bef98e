"""Before-images: what was stored before a plan's values, readable by the bureau only.

A file a batch, CMS EnvelopedData (RFC 5652) of canonical JSON, on disk before the change it speaks of
is committed. One too many is harmless: whoever goes back asks the row as well.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from opsproof.evidence import cms as evidence_cms
from opsproof.evidence.canonical import canonical
from opsproof.evidence.files import replace_durably, sync_folder
from opsproof.signatures.errors import PlanError
from opsproof.signatures.model import Entry, key_digest, packed, unpacked

Todo = Sequence[tuple[Entry, Mapping[str, Any]]]
"""Entries with all that is stored in their records now."""


class Seen:
    """Which records have an image, and which of them were put back; a plan may have any number.

    On disk where memory has no room, in a file without a name (https://www.sqlite.org/inmemorydb.html,
    temporary databases).
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._db = sqlite3.connect("")
        self._db.executescript(
            "pragma journal_mode=off; pragma synchronous=off;"
            "create table seen(record text primary key, put_back integer not null default 0)"
            " without rowid"
        )

    def close(self) -> None:
        """Give its room back."""
        self._db.close()

    def add(self, key: tuple[Any, ...]) -> bool:
        """Whether the record was not known before."""
        name = (key_digest(key),)
        return self._db.execute("insert or ignore into seen(record) values (?)", name).rowcount > 0

    def put_back(self, keys: Iterable[tuple[Any, ...]]) -> None:
        """Note that these records were put back."""
        names = [(key_digest(key),) for key in keys]
        self._db.executemany("update seen set put_back = 1 where record = ?", names)

    def of(self, key: tuple[Any, ...]) -> bool | None:
        """Whether the record was put back; None where it has no image."""
        name = (key_digest(key),)
        row = self._db.execute("select put_back from seen where record = ?", name).fetchone()
        return None if row is None else bool(row[0])


def images_folder(work: Path, plan_sha256: str) -> Path:
    """Where the images of a plan are; a work folder sees many plans."""
    return work / "before" / plan_sha256[:16]


def write_image(work: Path, plan_sha256: str, bureau: x509.Certificate, todo: Todo) -> str:
    """Keep what will be overwritten; the name of the file, which is on disk when this returns.

    The caller holds the lock of the work folder.
    """
    rows = [
        {
            "key": list(entry.key),
            "before": {name: packed(stored[name]) for name in entry.changes},
            "after": entry.changes,
            "before_sha256": entry.before,
            "after_sha256": entry.after,
        }
        for entry, stored in todo
    ]
    document = {"schema": "signature-before/1", "plan": plan_sha256, "rows": rows}
    folder = images_folder(work, plan_sha256)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # After the last, not by how many there are: one that was taken away must not cost another.
    number = 1 + max((int(one.stem) for one in folder.glob("[0-9]*.p7m")), default=0)
    path = folder / f"{number:06d}.p7m"
    replace_durably(path, evidence_cms.encrypt(canonical(document), bureau), mode=0o600)
    sync_folder(folder)
    return path.name


def read_images(
    work: Path, plan_sha256: str, bureau: x509.Certificate, key: rsa.RSAPrivateKey, seen: Seen
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Every file's name and rows, a record once: its first image is the oldest. ``seen`` learns of each.

    Raises:
        DecryptionError: the key is not the bureau's.
        PlanError: an image belongs to another plan.
    """
    for path in sorted(images_folder(work, plan_sha256).glob("*.p7m")):
        document = json.loads(evidence_cms.decrypt(path.read_bytes(), bureau, key))
        if document["plan"] != plan_sha256:
            raise PlanError("belongs to another plan", where=str(path))
        rows = [row for row in document["rows"] if seen.add(row_key(row))]
        if rows:
            yield path.name, rows


def row_key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """The key as the database gave it."""
    return tuple(unpacked(part) for part in row["key"])

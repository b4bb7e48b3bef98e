"""The way back: put the before-images where a plan's values still are.

Only the bureau's key opens the images. A record that no longer holds what was written is left
alone and reported, and so is one that holds a value of the plan but has no image here (another plan
or another folder wrote it, and its way back is there); one that already is as before is done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy.engine import Connection

from opsproof.evidence.canonical import canonical_line
from opsproof.evidence.files import append_durably, locked
from opsproof.signatures.apply import (
    ABSENT,
    BATCH,
    Point,
    Result,
    chunks,
    named,
    stored_anew,
    unpacked_key,
)
from opsproof.signatures.database import Database, reading
from opsproof.signatures.errors import PlanError
from opsproof.signatures.images import read_images
from opsproof.signatures.model import image_digest, key_digest, unpacked
from opsproof.signatures.plan import Plan
from opsproof.signatures.profile import Profile


@dataclass(frozen=True)
class Rollback:
    """Undoes what :class:`Applier` did with the same plan in the same folder."""

    plan: Plan
    profile: Profile
    database: Database
    folder: Path
    bureau: x509.Certificate
    key: rsa.RSAPrivateKey
    at: Callable[[Point], None] = lambda _: None

    def roll_back(self) -> Result:
        """Put everything back that still is as it was written.

        Raises:
            DecryptionError: the key is not the bureau's.
            PlanError: an image belongs to another plan, or the database did not take a value back.
            RefusedError: another process works in the folder.
        """
        result = Result()
        kept: dict[str, bool] = {}
        with locked(self.folder / "lock", wait=False):
            for name, rows in read_images(self.folder, self.plan.sha256, self.bureau, self.key):
                kept |= self._image(name, rows, result)
            self._plan(kept, result)
        return result

    def _plan(self, kept: dict[str, bool], result: Result) -> None:
        """Leave alone what has no image, and note the digests: see :class:`Result`."""
        before, after = hashlib.sha256(), hashlib.sha256()
        for entries in chunks(self.plan.writes(), BATCH):
            keys = [unpacked_key(entry) for entry in entries]
            with reading(self.database.engine) as connection:
                stored = self.database.fetch(connection, keys)
            left: list[str] = []
            for entry, key in zip(entries, keys, strict=True):
                cells, name = stored.get(key), key_digest(key)
                now = ABSENT if cells is None else image_digest(named(self.profile, cells))
                before.update((entry.after if kept.get(name) else now).encode())
                after.update(now.encode())
                if name not in kept and now == entry.after:
                    left.append(name)
            if left:
                result.leave(left)
                self._journal(None, 0, 0, left)
        result.before_sha256, result.after_sha256 = before.hexdigest(), after.hexdigest()

    def _image(self, name: str, rows: list[dict[str, Any]], result: Result) -> dict[str, bool]:
        """For every record of an image whether it was put back now."""
        put_back: dict[str, bool] = {}
        keys = [_key(row) for row in rows]
        left: list[str] = []
        written = already = 0
        with self.database.writing() as connection:
            stored = self.database.fetch(connection, keys, lock=True)
            self.at("read")
            for row, key in zip(rows, keys, strict=True):
                cells = stored.get(key)
                now = None if cells is None else named(self.profile, cells)
                state = None if now is None else image_digest(now)
                put_back[key_digest(key)] = False
                if state == row["before_sha256"]:
                    already += 1
                elif now is None or state != row["after_sha256"]:
                    left.append(key_digest(key))
                elif self._put_back(connection, key, now, row):
                    written += 1
                    put_back[key_digest(key)] = True
                else:
                    left.append(key_digest(key))
            self.at("updated")
        self.at("committed")
        result.written += written
        result.already += already
        result.leave(left)
        self._journal(name, written, already, left)
        self.at("journalled")
        return put_back

    def _journal(self, image: str | None, written: int, already: int, left: list[str]) -> None:
        line = {"image": image, "put_back": written, "already": already, "left": left}
        append_durably(self.folder / "rollback.jsonl", canonical_line(line))

    def _put_back(
        self, connection: Connection, key: tuple[Any, ...], now: dict[str, Any], row: dict[str, Any]
    ) -> bool:
        """False when the record changed since it was read."""
        before = {name: unpacked(value) for name, value in row["before"].items()}
        if not stored_anew(self.database, connection, key, now, before):
            return False
        [cells] = self.database.fetch(connection, [key]).values()
        if image_digest(named(self.profile, cells)) != row["before_sha256"]:
            raise PlanError("a record did not become what it was", where=key_digest(key))
        return True


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(unpacked(part) for part in row["key"])

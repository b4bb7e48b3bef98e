"""The way back: put the before-images where a plan's values still are.

Only the bureau's key opens the images. A record that no longer holds what was written is left
alone and reported, and so is one that holds a value of the plan but has no image here (another plan
or another folder wrote it, and its way back is there); one that already is as before is done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
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
from opsproof.signatures.images import Images, Row
from opsproof.signatures.model import Progress, image_digest, key_digest, silent
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
    progress: Progress = silent
    """Told of steps and not of records: each of them is put back, then looked at."""

    def roll_back(self) -> Result:
        """Put everything back that still is as it was written.

        Raises:
            DecryptionError: the key is not the bureau's.
            PlanError: the plan is for another profile or database, or an image says what the plan does
                not, before anything is put back; or the database did not take a value back.
            RefusedError: another process works in the folder.
        """
        self.plan.held_to(self.profile, database=self.database)
        result = Result()
        with (
            locked(self.folder / "lock", wait=False),
            closing(Images(self.folder, self.plan, self.profile, self.bureau, self.key)) as images,
        ):
            total, done = self.plan.footer.actions.get("write", 0), 0
            for name, rows in images:
                images.put_back(self._image(name, rows, result))
                done += len(rows)
                self.progress(done, 2 * total)
            self._plan(images, result)
        return result

    def _plan(self, images: Images, result: Result) -> None:
        """Leave alone what has no image, and note the digests: see :class:`Result`."""
        before, after = hashlib.sha256(), hashlib.sha256()
        total = done = self.plan.footer.actions.get("write", 0)
        for entries in chunks(self.plan.writes(), BATCH):
            keys = [unpacked_key(entry) for entry in entries]
            with reading(self.database.engine) as connection:
                stored = self.database.fetch(connection, keys)
            left: list[str] = []
            for entry, key in zip(entries, keys, strict=True):
                cells, put_back = stored.get(key), images.of(key)
                now = ABSENT if cells is None else image_digest(named(self.profile, cells))
                before.update((entry.after if put_back else now).encode())
                after.update(now.encode())
                if put_back is None and now == entry.after:
                    left.append(key_digest(key))
            if left:
                result.leave(left)
                self._journal(None, 0, 0, left)
            done += len(entries)
            self.progress(done, 2 * total)
        result.before_sha256, result.after_sha256 = before.hexdigest(), after.hexdigest()

    def _image(self, name: str, rows: list[Row], result: Result) -> list[tuple[Any, ...]]:
        """Keys of the records of an image that were put back now."""
        put_back: list[tuple[Any, ...]] = []
        keys = [row.record for row in rows]
        left: list[str] = []
        already = 0
        with self.database.writing() as connection:
            stored = self.database.fetch(connection, keys, lock=True)
            self.at("read")
            for row, key in zip(rows, keys, strict=True):
                cells = stored.get(key)
                now = None if cells is None else named(self.profile, cells)
                state = None if now is None else image_digest(now)
                if state == row.before_sha256:
                    already += 1
                elif now is None or state != row.after_sha256:
                    left.append(key_digest(key))
                elif self._put_back(connection, key, now, row):
                    put_back.append(key)
                else:
                    left.append(key_digest(key))
            self.at("updated")
        self.at("committed")
        result.written += len(put_back)
        result.already += already
        result.leave(left)
        self._journal(name, len(put_back), already, left)
        self.at("journalled")
        return put_back

    def _journal(self, image: str | None, written: int, already: int, left: list[str]) -> None:
        line = {"image": image, "put_back": written, "already": already, "left": left}
        append_durably(self.folder / "rollback.jsonl", canonical_line(line))

    def _put_back(
        self, connection: Connection, key: tuple[Any, ...], now: dict[str, Any], row: Row
    ) -> bool:
        """False when the record changed since it was read."""
        if not stored_anew(self.database, connection, key, now, row.content(now)):
            return False
        [cells] = self.database.fetch(connection, [key]).values()
        if image_digest(named(self.profile, cells)) != row.before_sha256:
            raise PlanError("a record did not become what it was", where=key_digest(key))
        return True

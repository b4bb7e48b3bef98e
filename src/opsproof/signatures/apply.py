"""Storing what a plan says: in transactions, with before-images, safe to kill at any point.

The state is in the table itself: a record that still is what the plan saw is written, one that
already is what the plan wants is done, any other is left alone and reported. So a run that was
killed is simply started again. Before-images are encrypted for the bureau and on disk before the
transaction that changes the records is committed.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from cryptography import x509
from sqlalchemy.engine import Connection

from opsproof.evidence.canonical import canonical_line
from opsproof.evidence.files import append_durably, locked
from opsproof.signatures import sm2
from opsproof.signatures.check import Checker
from opsproof.signatures.database import Database
from opsproof.signatures.errors import PlanError
from opsproof.signatures.images import write_image
from opsproof.signatures.model import (
    SHOWN,
    Entry,
    Progress,
    image_digest,
    key_digest,
    silent,
    unpacked,
)
from opsproof.signatures.plan import Plan
from opsproof.signatures.profile import Profile
from opsproof.signatures.strict import Strict

BATCH: Final = 500
"""Records of one transaction."""
ABSENT: Final = "absent"
CHANGED: Final = "changed"
"""In place of a digest: the table has no such record, or somebody wrote to it meanwhile."""

Point: TypeAlias = Literal["read", "image", "updated", "committed", "journalled"]


@dataclass
class Result:
    """What became of a plan's records.

    ``left`` are the key digests of the first that were left alone; the journal has all. The two hashes
    are over the digests of all records in plan order, as they were before this run and as it left them:
    what was left alone counts as what it is, not as what was planned.
    """

    written: int = 0
    already: int = 0
    left_alone: int = 0
    left: list[str] = field(default_factory=list)
    before_sha256: str = ""
    after_sha256: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing had to be left alone."""
        return not self.left_alone

    def leave(self, digests: Sequence[str]) -> None:
        """Count records that were left alone."""
        self.left_alone += len(digests)
        self.left += digests[: SHOWN - len(self.left)]


@dataclass(frozen=True)
class Applier:
    """Applies one plan. ``folder`` keeps the lock, the journal and the before-images.

    ``at`` is called at every point where a crash would be interesting.
    """

    plan: Plan
    profile: Profile
    database: Database
    checker: Checker
    folder: Path
    bureau: x509.Certificate
    batch: int = BATCH
    at: Callable[[Point], None] = lambda _: None
    progress: Progress = silent

    def apply(self) -> Result:
        """Write what is still to be written.

        Raises:
            PlanError: the plan is for another profile or database or was made with other certificates, or a
                value does not pass the strict check; the transaction that was open is rolled back.
            RefusedError: another process works in the folder.
            SourceError: the database does not answer.
        """
        self.plan.held_to(self.profile, database=self.database, book=self.checker.book)
        result = Result()
        before, after = hashlib.sha256(), hashlib.sha256()
        total = self.plan.footer.actions.get("write", 0)
        done = 0
        with locked(self.folder / "lock", wait=False), sm2.quiet():
            for entries in chunks(self.plan.writes(), self.batch):
                for was, now in self._batch(entries, result):
                    before.update(was.encode())
                    after.update(now.encode())
                done += len(entries)
                self.progress(done, total)
        result.before_sha256, result.after_sha256 = before.hexdigest(), after.hexdigest()
        return result

    @property
    def _strict(self) -> Strict:
        return Strict(self.plan, self.database, self.checker)

    def _batch(self, entries: Sequence[Entry], result: Result) -> list[tuple[str, str]]:
        """What every record was before this run and is after it: digests, or why there is none."""
        keys = [unpacked_key(entry) for entry in entries]
        left: list[str] = []
        changed: list[tuple[Any, ...]] = []
        already = 0
        image: str | None = None
        states: dict[tuple[Any, ...], tuple[str, str]] = {}
        with self.database.writing() as connection:
            rows = self.database.fetch(connection, keys, lock=True)
            self.at("read")
            todo: list[tuple[Entry, dict[str, Any]]] = []
            for entry, key in zip(entries, keys, strict=True):
                cells = rows.get(key)
                stored = None if cells is None else named(self.profile, cells)
                state = ABSENT if stored is None else image_digest(stored)
                states[key] = (state, state)
                if stored is not None and state == entry.before:
                    states[key] = (state, entry.after)
                    self._strict.check(entry, stored)
                    todo.append((entry, stored))
                elif state == entry.after:
                    already += 1
                else:
                    left.append(key_digest(key))
            if todo:
                image = write_image(self.folder, self.plan.sha256, self.bureau, todo)
                self.at("image")
                changed = self._update(connection, todo)
                left += map(key_digest, changed)
                states |= {key: (states[key][0], CHANGED) for key in changed}
                self.at("updated")
        self.at("committed")
        result.written += len(todo) - len(changed)
        result.already += already
        result.leave(left)
        if todo or left:
            written = len(todo) - len(changed)
            line = {"image": image, "written": written, "already": already, "left": left}
            append_durably(self.folder / "journal.jsonl", canonical_line(line))
        self.at("journalled")
        return [states[key] for key in keys]

    def _update(
        self, connection: Connection, todo: Sequence[tuple[Entry, dict[str, Any]]]
    ) -> list[tuple[Any, ...]]:
        """Write, and look at what is stored then; keys of those that changed since they were read."""
        written: dict[tuple[Any, ...], Entry] = {}
        changed = []
        for entry, stored in todo:
            new = {name: unpacked(value) for name, value in entry.changes.items()}
            key = unpacked_key(entry)
            if stored_anew(self.database, connection, key, stored, new):
                written[key] = entry
            else:
                changed.append(key)
        rows = self.database.fetch(connection, list(written)) if written else {}
        for key, entry in written.items():
            if key not in rows:
                raise PlanError("the record is gone", where=self._strict.where(entry))
            self._strict.holds(entry, named(self.profile, rows[key]))
        return changed


def stored_anew(
    database: Database,
    connection: Connection,
    key: tuple[Any, ...],
    stored: dict[str, Any],
    changes: dict[str, Any],
) -> bool:
    """Write to the record if it still is as it was read; False when it is another by now.

    A lock keeps it so where the database has row locks; a trigger may still change it.

    Raises:
        PlanError: the database changed several rows, or none although the record is as it was.
    """
    changed = database.update(connection, key, stored, changes)
    if changed > 1:
        raise PlanError(f"{changed} rows changed instead of one", where=key_digest(key))
    if changed == 0:
        now = database.fetch(connection, [key]).get(key)
        if now is not None and named(database.profile, now) == stored:
            raise PlanError(
                "the database does not find the record by what it holds", where=key_digest(key)
            )
    return changed == 1


def named(profile: Profile, cells: Sequence[Any]) -> dict[str, Any]:
    """The cells of a row by column; memory views become bytes."""
    plain = [bytes(cell) if isinstance(cell, memoryview) else cell for cell in cells]
    return dict(zip(profile.columns, plain, strict=True))


def unpacked_key(entry: Entry) -> tuple[Any, ...]:
    """The key as the database gave it."""
    return tuple(unpacked(part) for part in entry.key)


def chunks(entries: Iterator[Entry], size: int) -> Iterator[list[Entry]]:
    """The entries in lists of ``size``."""
    while chunk := list(itertools.islice(entries, size)):
        yield chunk

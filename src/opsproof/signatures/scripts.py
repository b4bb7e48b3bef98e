"""A plan, or the way back from it, as statements for :mod:`opsproof.signatures.tsql`.

Both read the copy of the table that the plan was made on, and hold the server to it. That may be a copy
of this copy, elsewhere, because every record is held to the plan's digest of all that it has; so unlike
``apply`` neither asks for the plan's database.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from opsproof.errors import UsageError
from opsproof.evidence.files import replacing
from opsproof.signatures import tsql
from opsproof.signatures.apply import chunks, named, unpacked_key
from opsproof.signatures.check import Checker
from opsproof.signatures.database import Database, reading
from opsproof.signatures.errors import PlanError
from opsproof.signatures.images import Images, Row, images_folder, write_image
from opsproof.signatures.model import Progress, image_digest, key_digest, unpacked
from opsproof.signatures.plan import Plan
from opsproof.signatures.profile import Profile
from opsproof.signatures.strict import Strict
from opsproof.signatures.tsql import Statement
from opsproof.signatures.values import ValueProblemError, reader

BATCH = 200
"""Records of one transaction."""


def forward(
    plan: Plan,
    profile: Profile,
    database: Database,
    checker: Checker,
    work: Path,
    bureau: x509.Certificate,
) -> Iterator[list[Statement]]:
    """The plan's changes, each checked once more; before-images are kept in ``work`` first.

    Raises:
        PlanError: the plan is for another profile or was made with other certificates, the copy is not
            what was planned on, or a value is not what was planned or does not verify.
    """
    plan.held_to(profile, book=checker.book)
    strict = Strict(plan, database, checker)
    for entries in chunks(plan.writes(), BATCH):
        stored = _stored(database, [unpacked_key(entry) for entry in entries])
        made = []
        for entry in entries:
            key = unpacked_key(entry)
            before = stored.get(key, {})
            if image_digest(before) != entry.before:
                raise _other(key)
            strict.check(entry, before)
            changes = {name: unpacked(value) for name, value in entry.changes.items()}
            made.append(Statement(key, _accepted(profile, before), changes))
        todo = [(entry, stored[unpacked_key(entry)]) for entry in entries]
        write_image(work, plan.sha256, bureau, todo)
        yield made


def backward(
    plan: Plan,
    profile: Profile,
    database: Database,
    work: Path,
    bureau: x509.Certificate,
    key: rsa.RSAPrivateKey,
) -> Iterator[list[Statement]]:
    """The before-images as changes of records that hold what the plan wanted.

    Raises:
        DecryptionError: the key is not the bureau's.
        PlanError: the plan is for another profile, an image says what the plan does not, or the copy is
            neither what was planned on nor what was planned.
        UsageError: there are no before-images of the plan.
    """
    plan.held_to(profile)
    if not images_folder(work, plan.sha256).is_dir():
        raise UsageError(
            "there are no before-images of this plan",
            where=str(work),
            remedy="use the work folder and the ticket that it was applied with",
        )
    with closing(Images(work, plan, profile, bureau, key)) as images:
        yield from _backward(profile, database, (row for _, rows in images for row in rows))


def _backward(
    profile: Profile, database: Database, rows: Iterator[Row]
) -> Iterator[list[Statement]]:
    while part := list(itertools.islice(rows, BATCH)):
        keys = [row.record for row in part]
        stored = _stored(database, keys)
        made = []
        for row, name in zip(part, keys, strict=True):
            now = stored.get(name, {})
            state = image_digest(now)
            if state not in (row.before_sha256, row.after_sha256):
                raise _other(name)
            written = {column: unpacked(value) for column, value in row.after.items()}
            expected = _accepted(profile, {**now, **written})
            made.append(Statement(name, expected, row.content(now)))
        yield made


def save(
    title: str,
    plan: Plan,
    profile: Profile,
    batches: Iterator[list[Statement]],
    path: Path,
    progress: Progress,
) -> int:
    """Write a script for sqlcmd to ``path`` (mode 0600); the number of records."""
    records, total = 0, plan.footer.actions.get("write", 0)

    def counted() -> Iterator[list[Statement]]:
        nonlocal records
        for batch in batches:
            records += len(batch)
            progress(records, total)
            yield batch

    with replacing(path, mode=0o600) as stream:
        # sqlcmd tells UTF-16 by its byte order mark; names may be Chinese.
        text = io.TextIOWrapper(stream, encoding="utf-16-le", newline="\r\n")
        text.write("\ufeff")
        text.writelines(f"{line}\n" for line in tsql.script(profile, title, counted()))
        text.detach()
    return records


def _other(key: tuple[Any, ...]) -> PlanError:
    return PlanError("the copy is not what the plan was made on", where=f"record {key_digest(key)}")


def _stored(
    database: Database, keys: Sequence[tuple[Any, ...]]
) -> dict[tuple[Any, ...], dict[str, Any]]:
    with reading(database.engine) as connection:
        rows = database.fetch(connection, keys)
    return {key: named(database.profile, cells) for key, cells in rows.items()}


def _accepted(profile: Profile, stored: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """For every column what the copy holds, and the value that this is."""
    values: dict[str, tuple[Any, ...]] = {name: (value,) for name, value in stored.items()}
    readers = {field.column: reader(field) for field in profile.fields}
    for name, read in readers.items():
        try:
            value = read(stored[name])
        except ValueProblemError:
            continue
        if type(value) is not type(stored[name]) and value is not None:
            values[name] = (stored[name], value)
    return values

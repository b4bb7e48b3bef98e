"""How a plan's values stand in the table now."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import sqlalchemy as sa

from opsproof.signatures import sm2
from opsproof.signatures.apply import chunks, named, unpacked_key
from opsproof.signatures.check import Checker
from opsproof.signatures.database import Database, reading
from opsproof.signatures.model import Entry, Progress, image_digest
from opsproof.signatures.plan import Plan

_BATCH = 200
_Word: TypeAlias = Literal["holds", "as_before", "other"]


@dataclass(frozen=True)
class Standing:
    """Counts of a plan's records: as planned and verifying, as before, or other."""

    holds: int
    as_before: int
    other: int


def look(plan: Plan, database: Database, checker: Checker, progress: Progress) -> Standing:
    """Look at every record that the plan writes, with the strict check.

    Raises:
        SourceError: the database does not answer.
        PlanError: the plan is another by now.
    """
    counts: Counter[_Word] = Counter()
    total = plan.footer.actions.get("write", 0)
    with sm2.quiet():
        for entries in chunks(plan.writes(), _BATCH):
            keys = [unpacked_key(entry) for entry in entries]
            with reading(database.engine) as connection:
                rows = database.fetch(connection, keys)
            counts.update(
                _word(entry, rows.get(key), checker)
                for entry, key in zip(entries, keys, strict=True)
            )
            progress(counts.total(), total)
    return Standing(counts["holds"], counts["as_before"], counts["other"])


def _word(entry: Entry, cells: sa.Row[Any] | None, checker: Checker) -> _Word:
    if cells is None:
        return "other"
    state = image_digest(named(checker.profile, cells))
    if state == entry.after:
        return "other" if checker.check(checker.row(cells)).failed else "holds"
    return "as_before" if state == entry.before else "other"

"""The check at planning, once more, on what is stored now: before a value goes anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opsproof.signatures.check import Checker
from opsproof.signatures.database import Database
from opsproof.signatures.errors import PlanError
from opsproof.signatures.model import Entry, image_digest, key_digest, unpacked
from opsproof.signatures.plan import Plan


@dataclass(frozen=True)
class Strict:
    """Holds entries of a plan to what was approved and to what verifies."""

    plan: Plan
    database: Database
    checker: Checker

    def check(self, entry: Entry, stored: Mapping[str, Any]) -> None:
        """Whether the entry's change of the record, which holds ``stored``, is what was planned.

        Raises:
            PlanError: it is not, it does not verify, or it changes more than the signature.
        """
        profile = self.database.profile
        changes = set(entry.changes)
        if not changes or changes - profile.written_columns:
            raise PlanError("changes columns that are not the signature's", where=self.where(entry))
        new = {name: unpacked(value) for name, value in entry.changes.items()}
        after = {name: self.database.bound(name, value) for name, value in new.items()}
        self.holds(entry, {**stored, **after})

    def holds(self, entry: Entry, stored: Mapping[str, Any]) -> None:
        """Whether a record that holds ``stored`` is what was planned. Raises as :meth:`check`."""
        row = self.checker.row([stored[name] for name in self.database.profile.columns])
        message = self.checker.message(row.values)
        data = None if message is None else hashlib.sha256(message).hexdigest()
        verdict = self.checker.check(row)
        is_planned = data == entry.data and image_digest(dict(stored)) == entry.after
        if verdict.failed is not None or not is_planned:
            reason = verdict.detail or "it is not what was planned"
            raise PlanError(f"the new value does not verify: {reason}", where=self.where(entry))

    def where(self, entry: Entry) -> str:
        """How an error names a record."""
        key = tuple(unpacked(part) for part in entry.key)
        return f"{self.plan.path.name}: record {key_digest(key)}"

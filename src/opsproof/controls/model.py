"""What a control, its clauses and its texts are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from opsproof.controls.conditions import Condition, as_json
from opsproof.evidence.canonical import canonical
from opsproof.evidence.model import Severity, SubjectKind


@dataclass(frozen=True, slots=True)
class Text:
    """The same text for both groups of readers."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause of a standard that the control serves.

    Until a person has checked the mapping, ``reviewed`` is false and reports say so.
    """

    id: str
    reviewed: bool = False
    reviewer: str | None = None


@dataclass(frozen=True)
class Control:
    """One statement that must hold for every subject of a kind.

    ``applies`` decides whether it speaks of a subject at all; None means always.
    """

    id: str
    title: Text
    remedy: Text
    activity: str
    subject: SubjectKind
    severity: Severity
    demands: tuple[str, ...]
    clauses: tuple[Clause, ...]
    applies: Condition | None
    test: Condition

    def as_json(self) -> dict[str, Any]:
        """The control as plain JSON, every field written out."""
        return {
            "id": self.id,
            "title": {"zh": self.title.zh, "en": self.title.en},
            "remedy": {"zh": self.remedy.zh, "en": self.remedy.en},
            "activity": self.activity,
            "subject": self.subject.value,
            "severity": self.severity.value,
            "demands": list(self.demands),
            "clauses": [
                {"id": c.id, "reviewed": c.reviewed, "reviewer": c.reviewer} for c in self.clauses
            ],
            "applies": None if self.applies is None else as_json(self.applies),
            "test": as_json(self.test),
        }

    @cached_property
    def sha256(self) -> str:
        """Hex SHA-256 of the canonical form: what a finding names as the control it used."""
        return hashlib.sha256(canonical(self.as_json())).hexdigest()

"""What a control, its clauses and its texts are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from opsproof.controls.conditions import Condition, as_json
from opsproof.evidence.canonical import canonical, jsonable
from opsproof.evidence.model import Json, Severity, SubjectKind


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


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody else who decides what the facts are: the fact at ``path``, where it is there, names them.

    ``remedy`` then takes the place of the control's own, with the name for ``{owner}``. The verdict
    is not touched.
    """

    path: str
    remedy: Text


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
    owner: Owner | None = None

    def as_json(self) -> dict[str, Any]:
        """The control as plain JSON, every field written out but an owner that there is not."""
        plain: dict[str, Any] = {
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
        if self.owner is not None:
            remedy = {"zh": self.owner.remedy.zh, "en": self.owner.remedy.en}
            plain["owner"] = {"path": self.owner.path, "remedy": remedy}
        return plain

    @cached_property
    def expected(self) -> Json:
        """The test as findings carry it, made once for all of them."""
        return jsonable(as_json(self.test))

    @cached_property
    def sha256(self) -> str:
        """Hex SHA-256 of the canonical form: what a finding names as the control it used."""
        return hashlib.sha256(canonical(self.as_json())).hexdigest()

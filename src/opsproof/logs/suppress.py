"""Suppressions and baselines: hits that a person has accepted, counted instead of shown.

Both are one list in YAML; a baseline is such a list made from a report by :func:`baseline`::

    - id: backup-service
      rule: f4e19c7e-d99a-4c9b-aa09-7f50d8555114     # id, name or title; * for every rule
      match: {ServiceName: Veeam*, Computer: SRV01}  # all must fit; * and ? as in Sigma
      owner: zhang.san
      reason: installed by ticket T-2026-118
      expires: 2027-03-31                            # the last day it holds (UTC)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
import yaml

from opsproof.errors import UsageError
from opsproof.evidence.ids import content_id
from opsproof.logs.model import AuditReport, Hit, Suppressed
from opsproof.logs.rules.compiled import Meta


class Suppression(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One accepted kind of hit."""

    id: str
    rule: str
    owner: str
    reason: str
    expires: date
    match: dict[str, str] = {}

    def speaks_of(self, meta: Meta) -> bool:
        """Whether it is for this rule."""
        return self.rule in {"*", meta.id, meta.name, meta.title["en"]}

    def fits(self, fields: dict[str, str]) -> bool:
        """Whether a record's fields (lower-cased names) are as ``match`` says."""
        return all(
            name.lower() in fields and fnmatchcase(fields[name.lower()].lower(), wanted.lower())
            for name, wanted in self.match.items()
        )


class Suppressions:
    """Suppressions at work in one audit; ``today`` decides which have expired."""

    def __init__(self, known: Sequence[Suppression] = (), today: date | None = None) -> None:
        """``today`` None: none has expired."""
        self._known = sorted(known, key=lambda one: one.id)
        self._today = today
        self._counts: dict[str, int] = defaultdict(int)

    def for_rule(self, meta: Meta) -> tuple[Suppression, ...]:
        """Those that are for a rule and still hold."""
        return tuple(one for one in self._known if one.speaks_of(meta) and not self._over(one))

    def covers(self, chosen: Iterable[Suppression], fields: dict[str, str], *, shown: bool) -> bool:
        """Whether one of ``chosen`` fits the fields; it is counted where the hit would be shown."""
        lowered = {name.lower(): value for name, value in fields.items()}
        for one in chosen:
            if one.fits(lowered):
                self._counts[one.id] += shown
                return True
        return False

    def merge(self, other: Suppressions) -> None:
        """Add what another part of the audit covered."""
        for key, count in other._counts.items():
            self._counts[key] += count

    def result(self) -> tuple[Suppressed, ...]:
        """Every suppression with the number of hits it covered."""
        return tuple(
            Suppressed(
                id=one.id,
                rule=one.rule,
                owner=one.owner,
                reason=one.reason,
                expires=one.expires.isoformat(),
                expired=self._over(one),
                hits=self._counts[one.id],
            )
            for one in self._known
        )

    def _over(self, one: Suppression) -> bool:
        return self._today is not None and one.expires < self._today


def load_suppressions(paths: Sequence[Path]) -> tuple[Suppression, ...]:
    """The suppressions of these files.

    Raises :class:`UsageError` where a file is none, or an id stands twice.
    """
    found: dict[str, Suppression] = {}
    for path in paths:
        try:
            document: Any = yaml.safe_load(path.read_text("utf-8"))
            listed = msgspec.convert(document or [], list[Suppression])
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise UsageError(
                f"this is no list of suppressions: {error}", where=str(path)
            ) from error
        for one in listed:
            if one.id in found:
                raise UsageError(f"the id {one.id!r} stands twice", where=str(path))
            found[one.id] = one
    return tuple(found.values())


def baseline(report: AuditReport, *, owner: str, reason: str, expires: date) -> str:
    """A list of suppressions, as YAML, that covers every hit the report shows and no others.

    Fields that change from record to record (times, ids of processes and logons) are left out.
    """
    entries: dict[str, dict[str, Any]] = {}
    for hit in report.hits:
        match = {name: _literal(value) for name, value in sorted(_stable(hit).items())}
        key = content_id("BASELINE", {"rule": hit.rule, "match": match})
        entries[key] = {
            "id": key,
            "rule": hit.rule,
            "match": match,
            "owner": owner,
            "reason": reason,
            "expires": expires,
        }
    ordered = [entries[key] for key in sorted(entries)]
    return yaml.safe_dump(ordered, allow_unicode=True, sort_keys=False)


_VOLATILE = ("time", "date", "id", "guid", "port", "hash", "bytes", "taken", "status", "binary")


def _stable(hit: Hit) -> dict[str, str]:
    if hit.burst is not None:
        return dict(hit.burst.group)
    return {
        name: value
        for name, value in hit.fields.items()
        if not name.lower().endswith(_VOLATILE) and "[redacted" not in value and "…" not in value
    }


def _literal(value: str) -> str:
    """A value as a pattern that fits nothing else."""
    return "".join(f"[{one}]" if one in "*?[" else one for one in value)

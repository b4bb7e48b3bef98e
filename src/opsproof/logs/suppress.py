"""Suppressions: hits that a person has accepted, counted instead of shown.

A list in YAML, written by hand or made from a report (:mod:`opsproof.logs.baseline`)::

    - id: backup-service
      rule: f4e19c7e-d99a-4c9b-aa09-7f50d8555114     # id, name or title; * for every rule
      match: {ServiceName: Veeam*, Computer: SRV01}  # all must fit; * and ? as in Sigma
      owner: zhang.san
      reason: installed by ticket T-2026-118
      expires: 2027-03-31                            # the last day it holds (UTC)
      hit: HIT-0123456789abcdef01234567              # this one hit alone; where match is not enough

A gap is accepted by ``rule: gap:KIND`` and at least one of ``file``, ``channel`` and ``detail``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec

from opsproof.errors import UsageError
from opsproof.logs import hit_id
from opsproof.logs.accepted import Accepted
from opsproof.logs.model import Gap, GapKind, Suppressed
from opsproof.logs.rules.compiled import Meta

if TYPE_CHECKING:
    from opsproof.controls.strict_yaml import Document

GAP: Final = "gap:"
"""What the rule of a suppression begins with that accepts gaps."""

_GAP_FIELDS: Final = frozenset({"file", "channel", "detail"})
_KEYS = ("id", "rule", "owner", "reason", "expires")


class Suppression(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One accepted kind of hit."""

    id: str
    rule: str
    owner: str
    reason: str
    expires: date
    match: dict[str, str] = {}
    hit: str = ""


class Suppressions:
    """Suppressions at work in one audit; ``today`` decides which have expired."""

    def __init__(self, known: Sequence[Suppression] = (), today: date | None = None) -> None:
        """``today`` None: none has expired."""
        self._known = sorted(known, key=lambda one: one.id)
        self._today = today
        self._counts: dict[str, int] = defaultdict(int)
        self._places: dict[str, list[int]] = defaultdict(list)
        self._chosen: dict[tuple[str, ...], Accepted] = {}
        for place, one in enumerate(self._known):
            if not self._over(one):
                self._places[one.rule].append(place)

    def __getstate__(self) -> dict[str, Any]:
        """The counts: who merges them has the suppressions."""
        return {"_counts": self._counts}

    def afresh(self) -> Suppressions:
        """The same with nothing counted yet; what has been worked out of them is shared."""
        other = Suppressions()
        other._known, other._today = self._known, self._today
        other._places, other._chosen = self._places, self._chosen
        return other

    def for_rule(self, meta: Meta) -> Accepted:
        """Those that are for a rule and still hold."""
        return self._of("*", meta.id, meta.name, meta.title["en"])

    def _of(self, *names: str) -> Accepted:
        chosen = self._chosen.get(names)
        if chosen is None:
            places = sorted({place for name in names for place in self._places.get(name, ())})
            chosen = self._chosen[names] = Accepted([self._known[place] for place in places])
        return chosen

    def covers(
        self,
        chosen: Accepted,
        fields: dict[str, str],
        own_id: Callable[[], str],
        *,
        shown: bool,
    ) -> bool:
        """Whether one of ``chosen`` is for a hit with these fields, whose id ``own_id`` tells.

        It is counted where the hit would be shown.
        """
        one = chosen.first(fields, own_id)
        if one is not None:
            self._counts[one.id] += shown
        return one is not None

    def accepts(self, gap: Gap) -> bool:
        """Whether one that still holds is for a gap; it is counted."""
        fields = {"file": gap.file, "channel": gap.channel, "detail": gap.detail}
        one = self._of(f"{GAP}{gap.kind}").first(fields)
        if one is not None:
            self._counts[one.id] += 1
        return one is not None

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

    Raises :class:`UsageError` with file and line where a file is none, an entry lacks its owner,
    reason or expiry, or an id stands twice.
    """
    # Imported where a list is read: worker processes read none, and start sooner without it.
    from opsproof.controls.strict_yaml import parse

    found: dict[str, Suppression] = {}
    for path in paths:
        try:
            document = parse(path.read_bytes(), str(path))
        except OSError as error:
            raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error
        entries = document.value if document.value is not None else []
        if not isinstance(entries, list):
            raise UsageError("this is no list of suppressions", where=document.where())
        for number, entry in enumerate(entries):
            one = _entry(entry, document, number)
            if one.id in found:
                raise UsageError(f"the id {one.id!r} stands twice", where=document.where(number))
            found[one.id] = one
    return tuple(found.values())


def _entry(entry: Any, document: Document, number: int) -> Suppression:
    if not isinstance(entry, dict):
        raise UsageError("this is no list of suppressions", where=document.where(number))
    missing = [key for key in _KEYS if not str(entry.get(key) or "").strip()]
    if missing:
        raise UsageError(
            f"this suppression lacks {', '.join(missing)}",
            where=document.where(number),
            remedy="nothing is accepted without owner, reason and expiry",
        )
    hit = entry.get("hit")
    if hit is not None and not hit_id.PATTERN.fullmatch(str(hit)):
        raise UsageError(
            f"{hit!r} is no id of a hit",
            where=document.where(number, "hit"),
            remedy="copy it from the report (--format json or csv), HIT- and 24 digits",
        )
    _check_gap(entry, document, number)
    match = entry.get("match")
    if isinstance(match, dict):
        # A number such as an event id is what it is in the record: text.
        match = {key: str(value) if type(value) is int else value for key, value in match.items()}
        entry = {**entry, "match": match}
    try:
        return msgspec.convert(entry, Suppression)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        keys = [key for key in path.rstrip("`").split(".") if key]
        where = document.where(number, *keys)
        raise UsageError(": ".join([*keys, what]), where=where) from error


def _check_gap(entry: dict[str, Any], document: Document, number: int) -> None:
    """What would accept no gap, or every one of its kind for ever, is refused."""
    rule = str(entry["rule"])
    if not rule.startswith(GAP):
        return
    kinds = get_args(GapKind)
    if rule.removeprefix(GAP) not in kinds:
        raise UsageError(
            f"{rule!r} is no kind of gap",
            where=document.where(number, "rule"),
            remedy=f"known are {', '.join(GAP + kind for kind in kinds)}",
        )
    match = entry.get("match")
    names = {str(name).lower() for name in match} if isinstance(match, dict) else set()
    if not names or names - _GAP_FIELDS or entry.get("hit"):
        raise UsageError(
            "gaps are accepted by their file, channel or detail, and by nothing else",
            where=document.where(number),
            remedy="give match, with * and ? where more than one is meant",
        )

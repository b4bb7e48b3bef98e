"""From rows that rules describe to hits: single records as they come, correlations at the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from opsproof.evidence.model import Severity
from opsproof.logs import hit_id, times
from opsproof.logs.accepted import Accepted
from opsproof.logs.bursts import Correlator
from opsproof.logs.joins import groupless, inputs_missing, needed
from opsproof.logs.model import BlindSpot, Burst, Hit, Reason, RuleNotRun, RuleRun, exact
from opsproof.logs.redact import redact
from opsproof.logs.rules.compiled import Correlation, Meta, Rule, RuleSet
from opsproof.logs.shown import FIELDS, Shown
from opsproof.logs.sight import Blind, Judged, Sight, blind_of
from opsproof.logs.store import Store
from opsproof.logs.suppress import Suppressions
from opsproof.logs.table import Ints, Place, Table

_MOST_TEXTS = 1 << 14
"""Texts of hits that are remembered to be kept once."""

_LONGEST_NAME = 256
"""Characters of a channel's or computer's name that a hit shows."""


_MOST_BLIND = 1000
"""Places at which rules were blind that are listed; each rule counts its own."""


@dataclass(frozen=True, slots=True)
class Found:
    """Hits, the rules that ran, those that did not, and where which of the former were blind."""

    hits: tuple[Hit, ...]
    ran: tuple[RuleRun, ...]
    not_run: tuple[RuleNotRun, ...]
    blind: tuple[BlindSpot, ...]


class Collector:
    """Takes hits of all batches; knows which fields correlations need."""

    def __init__(
        self,
        rules: RuleSet,
        most_hits: int,
        most_members: int,
        suppressions: Suppressions | None = None,
    ) -> None:
        """Of each rule ``most_hits`` are kept in detail, of each burst ``most_members`` records."""
        self._suppressions = suppressions or Suppressions()
        self._rules = rules
        self._most_hits, self._most_members = most_hits, most_members
        self._files: list[tuple[str, str]] = []
        self._bursts: dict[str, list[Hit]] = {}
        self._blind: list[BlindSpot] = []
        self._texts: dict[str, str] = {}
        self._counts: dict[str, int] = defaultdict(int)
        self._shown: dict[str, Shown] = {}
        self._seen = 0
        self._sight = Sight(rules)
        self._store = Store(needed(rules))

    @property
    def wanted(self) -> frozenset[str]:
        """The lower-cased names of the fields that correlations group by or count."""
        return self._store.wanted | FIELDS | {"channel", "computer"}

    @property
    def store(self) -> Store:
        """What feeds correlations."""
        return self._store

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the rules: who takes a part in has them."""
        return {**self.__dict__, "_rules": None, "_texts": {}}

    def merge(self, other: Collector, base: int) -> None:
        """Take what a later part of the same audit found. ``other`` is used up.

        ``base`` puts the order of its records behind that of earlier files and parts.
        """
        files = len(self._files)
        self._files += other._files
        for rule, shown in other._shown.items():
            self._showing(rule).merge(shown)
        for rule, count in other._counts.items():
            self._counts[rule] += count
        self._store.merge(other._store, files, base)
        self._seen += other._seen
        self._sight.merge(other._sight)
        self._suppressions.merge(other._suppressions)

    @property
    def suppressions(self) -> Suppressions:
        """The suppressions at work, with their counts."""
        return self._suppressions

    def source(self, file: str, sha256: str) -> int:
        """A number for a file."""
        self._files.append((file, sha256))
        return len(self._files) - 1

    def see(self, table: Table) -> None:
        """Note what kinds of logs, which channels and fields there are at all."""
        self._store.settle()
        self._sight.see(table, self._files[table.source])
        self._seen += table.size

    def add(self, rule: Rule, table: Table, rows: Ints) -> None:
        """Take the records of one batch (the one last seen) that a rule describes."""
        key = rule.meta.id
        accepted = self._suppressions.for_rule(rule.meta)
        if accepted:
            rows = self._unaccepted(rule, accepted, table, rows)
        self._counts[key] += len(rows)
        if rule.meta.output:
            shown = self._showing(key)
            for row, place in shown.choose(table, rows):
                shown.keep(place, self._hit(rule, table, row))
        if key in self._store:
            self._store.add(key, table, rows, self._seen - table.size)

    def _showing(self, rule: str) -> Shown:
        found = self._shown.get(rule)
        if found is None:
            found = self._shown[rule] = Shown(self._most_hits)
        return found

    def _unaccepted(self, rule: Rule, accepted: Accepted, table: Table, rows: Ints) -> Ints:
        """The rows that no suppression covers: these count, and feed correlations."""
        meta = rule.meta

        def covered(row: int) -> bool:
            return self._suppressions.covers(
                accepted,
                table.fields(row),
                lambda: self._id(
                    meta,
                    table.place(row),
                    int(table.times[row]),
                    lambda: _redacted(rule, table, row)[0],
                ),
                shown=meta.output,
            )

        return np.array([row for row in rows.tolist() if not covered(row)], dtype=np.int32)

    def _id(self, meta: Meta, place: Place, time: int, fields: Callable[[], dict[str, str]]) -> str:
        channel, record = place.channel[:_LONGEST_NAME], exact(place.record_id)
        computer = place.computer[:_LONGEST_NAME]
        return hit_id.of_record(meta.id, computer, channel, record, times.text(time), fields)

    def result(self) -> Found:
        """All that was found; each sorted."""
        not_run = {one.rule: one for one in self._rules.rejected}
        ran: list[RuleRun] = []
        judged = self._sight.judge()
        for rule in self._rules.rules:
            why = self._missing(rule, judged)
            if why is not None:
                not_run[rule.meta.id] = why
            elif rule.meta.output:
                ran.append(self._ran(rule.meta, judged.blind.get((rule.meta.id, ()), ())))
        by_id = {one.meta.id: one for one in self._rules.correlations}
        correlator = Correlator(self._store, self._rules, self._suppressions, self._most_members)
        for correlation in self._rules.correlations:
            why = inputs_missing(correlation, not_run) or groupless(correlation, self._store)
            if why is not None:
                not_run[correlation.meta.id] = why
                continue
            self._correlate(correlator, correlation)
            if correlation.meta.output:
                blind = blind_of(correlation, judged, by_id)
                ran.append(self._ran(correlation.meta, blind))
        return Found(
            hits=tuple(sorted(self._hits(), key=_order)),
            ran=tuple(sorted(ran, key=lambda one: one.rule)),
            not_run=tuple(not_run[key] for key in sorted(not_run)),
            blind=tuple(sorted(self._blind, key=_worst_first)[:_MOST_BLIND]),
        )

    def _hits(self) -> Iterator[Hit]:
        for shown in self._shown.values():
            yield from shown.hits()
        for hits in self._bursts.values():
            yield from hits

    def _ran(self, meta: Meta, blind: Iterable[Blind]) -> RuleRun:
        places = dict.fromkeys(blind)
        self._blind += [
            BlindSpot(
                rule=meta.id,
                title=meta.title["en"],
                severity=meta.severity,
                file=file,
                sha256=sha256,
                channel=channel,
                event=event,
                fields=fields,
            )
            for (file, sha256), channel, event, fields in places
        ]
        return RuleRun(
            rule=meta.id,
            title=meta.title["en"],
            title_zh=meta.title.get("zh", ""),
            severity=meta.severity,
            hits=self._counts[meta.id],
            shown=len(self._bursts.get(meta.id, ())) + len(self._shown.get(meta.id, ())),
            blind=len({place[0] for place in places}),
        )

    def _missing(self, rule: Rule, judged: Judged) -> RuleNotRun | None:
        needs = rule.needs
        if needs.kind not in judged.kinds:
            detail = f"no {needs.kind} log among the files"
        elif needs.channels and not judged.channels.intersection(map(str.lower, needs.channels)):
            detail = f"no record of {' or '.join(needs.channels)}"
        else:
            return self._fieldless(rule, judged)
        return RuleNotRun(
            rule=rule.meta.id,
            title=rule.meta.title["en"],
            reason=Reason.NO_SOURCE,
            detail=detail,
        )

    def _fieldless(self, rule: Rule, judged: Judged) -> RuleNotRun | None:
        """Whether a rule needs a field that no record that it is for has: it cannot hit."""
        absent = self._sight.absent(rule, judged)
        if absent is None:
            return None
        return RuleNotRun(
            rule=rule.meta.id,
            title=rule.meta.title["en"],
            reason=Reason.NO_FIELD,
            detail=f"no record has the field {' or '.join(absent)}",
        )

    def _hit(self, rule: Rule, table: Table, row: int) -> Hit:
        fields, removed = _redacted(rule, table, row)
        if len(self._texts) > _MOST_TEXTS:
            self._texts.clear()
        # A record that was made to hit all rules must not be kept once for each.
        fields = {name: self._texts.setdefault(value, value) for name, value in fields.items()}
        place = table.place(row)
        return self._make(rule.meta, int(table.times[row]), place, fields, removed)

    def _make(
        self,
        meta: Meta,
        time: int,
        place: Place,
        fields: dict[str, str],
        removed: int,
        burst: Burst | None = None,
    ) -> Hit:
        file, sha256 = self._files[place.source]
        own = (
            self._id(meta, place, time, lambda: fields)
            if burst is None
            else hit_id.of_burst(meta.id, burst.first, burst.group)
        )
        return Hit(
            id=own,
            rule=meta.id,
            title=meta.title["en"],
            severity=meta.severity,
            file=file,
            sha256=sha256,
            record_id=exact(place.record_id),
            channel=place.channel[:_LONGEST_NAME],
            time=times.text(time),
            computer=place.computer[:_LONGEST_NAME],
            fields=fields,
            redactions=removed,
            demands=meta.demands,
            clauses=meta.clauses,
            attack=meta.attack,
            burst=burst,
        )

    def _correlate(self, correlator: Correlator, correlation: Correlation) -> None:
        meta = correlation.meta
        found = correlator.find(correlation, self._most_hits if meta.output else 0)
        self._counts[meta.id] = found.bursts
        hits = self._bursts[meta.id] = []
        for one in found.shown:
            burst = one.burst([self._files[place.source] for place in one.places])
            hits.append(self._make(meta, one.first, one.places[0], burst.group, 0, burst))


def _redacted(rule: Rule, table: Table, row: int) -> tuple[dict[str, str], int]:
    """The fields of a record as a hit shows them, and how many pieces were removed."""
    return redact(_ordered(table.fields(row), rule.fields))


def _ordered(fields: dict[str, str], first: tuple[str, ...]) -> dict[str, str]:
    """The fields that the rule tests come first: a hit shows only so many."""
    tested = {name.lower() for name in first}
    return dict(sorted(fields.items(), key=lambda pair: pair[0].lower() not in tested))


def _worst_first(spot: BlindSpot) -> tuple[int, str, str, str, str, str]:
    worst = list(Severity).index(spot.severity)
    return (worst, spot.rule, spot.file, spot.sha256, spot.channel, spot.event)


def _order(hit: Hit) -> tuple[str, str, str, str, str, str]:
    record = str(hit.record_id or "").rjust(20, "0")
    group = "" if hit.burst is None else repr(sorted(hit.burst.group.items()))
    return (hit.time or "", hit.file, hit.sha256, record, hit.rule, group)

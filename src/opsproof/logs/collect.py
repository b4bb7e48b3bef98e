"""From rows that rules describe to hits: single records as they come, correlations at the end."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from opsproof.logs import times
from opsproof.logs.correlate import Entry, Found, bursts
from opsproof.logs.model import Burst, Hit, Member, Reason, RuleNotRun, RuleRun, exact
from opsproof.logs.redact import redact, text
from opsproof.logs.rules.compiled import Correlation, Meta, Rule, RuleSet
from opsproof.logs.table import Ints, Place, Table


class _Record(NamedTuple):
    """A record that a correlation may report; ``rule`` is the rule that found it."""

    time: int
    rank: int
    rule: str
    place: Place
    fields: dict[str, str]


class _Kept(NamedTuple):
    """One finding of a rule: a record with its values for the correlations that refer to it."""

    time: int
    rank: int
    values: dict[str, str]
    record: _Record


class Collector:
    """Takes hits of all batches; knows which fields correlations need."""

    def __init__(self, rules: RuleSet, most_hits: int, most_members: int) -> None:
        """Of each rule ``most_hits`` are kept in detail, of each burst ``most_members`` records."""
        self._rules = rules
        self._most_hits, self._most_members = most_hits, most_members
        self._files: list[tuple[str, str]] = []
        self._hits: list[Hit] = []
        self._counts: dict[str, int] = defaultdict(int)
        self._shown: dict[str, int] = defaultdict(int)
        self._kept: dict[str, list[_Kept]] = defaultdict(list)
        self._rank = 0
        self._kinds: set[str] = set()
        self._channels: set[str] = set()
        self._names: dict[str, set[str]] = _needed(rules)

    @property
    def wanted(self) -> frozenset[str]:
        """The lower-cased names of the fields that correlations group by or count."""
        return frozenset(
            {"channel", "computer"}.union(*self._names.values(), {"channel", "computer"})
        )

    def source(self, file: str, sha256: str) -> int:
        """A number for a file."""
        self._files.append((file, sha256))
        return len(self._files) - 1

    def see(self, table: Table) -> None:
        """Note what kinds of logs and which channels there are at all."""
        kind, channel = table.columns.get("_kind"), table.columns.get("channel")
        self._kinds.update(kind.values if kind is not None else ())
        self._channels.update(name.lower() for name in (channel.values if channel else ()))

    def add(self, rule: Rule, table: Table, rows: Ints) -> None:
        """Take the records of one batch that a rule describes."""
        key = rule.meta.id
        self._counts[key] += len(rows)
        names = self._names.get(key)
        for row in rows.tolist():
            if rule.meta.output and self._shown[key] < self._most_hits:
                self._shown[key] += 1
                self._hits.append(self._hit(rule, table, row))
            if names is not None:
                self._keep(rule, table, row, names)

    def result(self) -> tuple[tuple[Hit, ...], tuple[RuleRun, ...], tuple[RuleNotRun, ...]]:
        """All hits, the rules that ran, and those that did not; each sorted."""
        not_run = {one.rule: one for one in self._rules.rejected}
        ran: list[RuleRun] = []
        for rule in self._rules.rules:
            why = self._missing(rule)
            if why is not None:
                not_run[rule.meta.id] = why
            elif rule.meta.output:
                ran.append(self._ran(rule.meta))
        for correlation in self._rules.correlations:
            absent = [one.rule for one in correlation.inputs if one.rule in not_run]
            if absent and (len(absent) == len(correlation.inputs)):
                why = not_run[absent[0]]
                not_run[correlation.meta.id] = RuleNotRun(
                    rule=correlation.meta.id,
                    title=correlation.meta.title["en"],
                    reason=why.reason,
                    detail=why.detail,
                )
                continue
            self._correlate(correlation)
            if correlation.meta.output:
                ran.append(self._ran(correlation.meta))
        return (
            tuple(sorted(self._hits, key=_order)),
            tuple(sorted(ran, key=lambda one: one.rule)),
            tuple(not_run[key] for key in sorted(not_run)),
        )

    def _ran(self, meta: Meta) -> RuleRun:
        return RuleRun(
            rule=meta.id,
            title=meta.title["en"],
            severity=meta.severity,
            hits=self._counts[meta.id],
            shown=self._shown[meta.id],
        )

    def _missing(self, rule: Rule) -> RuleNotRun | None:
        needs = rule.needs
        if needs.kind not in self._kinds:
            detail = f"no {needs.kind} log among the files"
        elif needs.channels and not self._channels.intersection(map(str.lower, needs.channels)):
            detail = f"no record of {' or '.join(needs.channels)}"
        else:
            return None
        return RuleNotRun(
            rule=rule.meta.id,
            title=rule.meta.title["en"],
            reason=Reason.NO_SOURCE,
            detail=detail,
        )

    def _hit(self, rule: Rule, table: Table, row: int) -> Hit:
        fields, removed = redact(_ordered(table.fields(row), rule.fields))
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
        return Hit(
            rule=meta.id,
            title=meta.title["en"],
            severity=meta.severity,
            file=file,
            sha256=sha256,
            record_id=exact(place.record_id),
            channel=place.channel,
            time=times.text(time),
            computer=place.computer,
            fields=fields,
            redactions=removed,
            demands=meta.demands,
            clauses=meta.clauses,
            attack=meta.attack,
            burst=burst,
        )

    def _keep(self, rule: Rule, table: Table, row: int, names: set[str]) -> None:
        moment = int(table.times[row])
        if moment == times.UNKNOWN:
            return
        found = {name: table.value(name, row) for name in names}
        values = {name: value for name, value in found.items() if value is not None}
        self._rank += 1
        record = _Record(moment, self._rank, rule.meta.id, table.place(row), values)
        self._kept[rule.meta.id].append(_Kept(moment, self._rank, values, record))

    def _correlate(self, correlation: Correlation) -> None:
        groups: dict[tuple[str, ...], list[tuple[Entry, _Record]]] = defaultdict(list)
        for number, source in enumerate(correlation.inputs):
            for kept in self._kept[source.rule]:
                key = tuple(kept.values.get(name.lower(), "") for name in source.keys)
                if source.keys and not all(key):
                    continue
                value = "\x1f".join(
                    kept.values.get(name.lower(), "") for name in correlation.fields
                )
                if correlation.fields and not value:
                    continue
                folded = tuple(part.lower() for part in key)
                groups[folded].append((Entry(kept.time, kept.rank, number, value), kept.record))
        for key in sorted(groups):
            pairs = sorted(groups[key], key=lambda pair: pair[0])
            records = [record for _, record in pairs]
            for found in bursts(correlation, [entry for entry, _ in pairs]):
                self._burst(correlation, found, records)

    def _burst(self, correlation: Correlation, found: Found, records: list[_Record]) -> None:
        meta = correlation.meta
        inside = records[found.start : found.stop]
        first = inside[0]
        self._counts[meta.id] += 1
        if meta.id in self._names:
            self._rank += 1
            record = _Record(inside[-1].time, self._rank, meta.id, first.place, first.fields)
            self._kept[meta.id].append(_Kept(inside[-1].time, self._rank, first.fields, record))
        if not meta.output or self._shown[meta.id] >= self._most_hits:
            return
        self._shown[meta.id] += 1
        source = next(one for one in correlation.inputs if one.rule == first.rule)
        group = {
            name: text(first.fields.get(own.lower(), ""))[0]
            for name, own in zip(correlation.group, source.keys, strict=True)
        }
        burst = Burst(
            first=times.text(first.time) or "",
            last=times.text(inside[-1].time) or "",
            peak=found.peak,
            events=len(inside),
            group=group,
            members=tuple(self._member(one) for one in inside[: self._most_members]),
        )
        self._hits.append(self._make(meta, first.time, first.place, group, 0, burst))

    def _member(self, record: _Record) -> Member:
        file, sha256 = self._files[record.place.source]
        return Member(
            rule=record.rule,
            file=file,
            sha256=sha256,
            record_id=exact(record.place.record_id),
            time=times.text(record.time),
        )


def _needed(rules: RuleSet) -> dict[str, set[str]]:
    """For each rule that feeds a correlation: the fields (lower-cased) it has to keep.

    What a correlation of correlations groups by has to come up from below.
    """
    names: dict[str, set[str]] = {}
    by_id = {correlation.meta.id: correlation for correlation in rules.correlations}

    def keep(rule: str, fields: set[str]) -> None:
        names.setdefault(rule, set()).update(fields)
        below = by_id.get(rule)
        if below is not None:
            for source in below.inputs:
                keep(source.rule, fields)

    for correlation in rules.correlations:
        for source in correlation.inputs:
            keep(source.rule, {name.lower() for name in (*source.keys, *correlation.fields)})
    return names


def _ordered(fields: dict[str, str], first: tuple[str, ...]) -> dict[str, str]:
    """The fields that the rule tests come first: a hit shows only so many."""
    tested = {name.lower() for name in first}
    return dict(sorted(fields.items(), key=lambda pair: pair[0].lower() not in tested))


def _order(hit: Hit) -> tuple[str, str, str, str, str, str]:
    record = str(hit.record_id or "").rjust(20, "0")
    group = "" if hit.burst is None else repr(sorted(hit.burst.group.items()))
    return (hit.time or "", hit.file, hit.sha256, record, hit.rule, group)

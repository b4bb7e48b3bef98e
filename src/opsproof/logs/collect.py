"""From rows that rules describe to hits: single records as they come, correlations at the end."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from opsproof.logs import hit_id, times
from opsproof.logs.correlate import Found, Windows, bursts, windows
from opsproof.logs.joins import CHAINS, Joined, groupless, inputs_missing, join, needed
from opsproof.logs.model import Burst, Hit, Member, Reason, RuleNotRun, RuleRun, exact
from opsproof.logs.readers.base import kinds_of
from opsproof.logs.redact import redact, text
from opsproof.logs.rules.compiled import Correlation, Input, Meta, Rule, RuleSet, Tree
from opsproof.logs.series import Pool, Series
from opsproof.logs.suppress import Suppression, Suppressions
from opsproof.logs.table import RAW, Ints, Place, Table

_LONGEST_NAME = 256
"""Characters of a channel's or computer's name that a hit shows."""


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
        self._hits: list[Hit] = []
        self._counts: dict[str, int] = defaultdict(int)
        self._shown: dict[str, int] = defaultdict(int)
        self._pool = Pool()
        self._seen = 0
        self._kinds: set[str] = set()
        self._channels: set[str] = set()
        self._fields: dict[str, set[str]] = defaultdict(set)
        self._series = {rule: kept.series() for rule, kept in needed(rules).items()}
        self._correlations = frozenset(one.meta.id for one in rules.correlations)
        merged_into = {
            one.rule
            for correlation in rules.correlations
            if correlation.type not in CHAINS
            for one in correlation.inputs
        }
        self._bursts = {rule: Series(self._series[rule].names) for rule in merged_into}

    @property
    def wanted(self) -> frozenset[str]:
        """The lower-cased names of the fields that correlations group by or count."""
        return frozenset(
            {"channel", "computer"}.union(
                *((*one.names, *one.counted) for one in self._series.values())
            )
        )

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the rules: who takes a part in has them."""
        return {**self.__dict__, "_rules": None}

    def merge(self, other: Collector, base: int) -> None:
        """Take what a later part of the same audit found. ``other`` is used up.

        ``base`` puts the order of its records behind that of earlier files and parts.
        """
        files = len(self._files)
        self._files += other._files
        for hit in other._hits:
            if self._shown[hit.rule] < self._most_hits:
                self._shown[hit.rule] += 1
                self._hits.append(hit)
        for rule, count in other._counts.items():
            self._counts[rule] += count
        for rule, series in other._series.items():
            self._series[rule].extend(series, files, base, self._pool, other._pool)
        self._seen += other._seen
        self._kinds |= other._kinds
        self._channels |= other._channels
        for kind, fields in other._fields.items():
            self._fields[kind] |= fields
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
        """Note what kinds of logs and which channels there are at all."""
        kind, channel = table.columns.get("_kind"), table.columns.get("channel")
        kinds = kinds_of(kind.values if kind is not None else ())
        self._kinds.update(kinds)
        for one in kinds:
            self._fields[one].update(table.columns)
        self._channels.update(name.lower() for name in (channel.occurring() if channel else ()))
        self._seen += table.size

    def add(self, rule: Rule, table: Table, rows: Ints) -> None:
        """Take the records of one batch (the one last seen) that a rule describes."""
        key = rule.meta.id
        accepted = self._suppressions.for_rule(rule.meta)
        if accepted:
            rows = self._unaccepted(rule.meta, accepted, table, rows)
        self._counts[key] += len(rows)
        if rule.meta.output:
            room = self._most_hits - self._shown[key]
            for row in rows[: max(0, room)].tolist():
                self._shown[key] += 1
                self._hits.append(self._hit(rule, table, row))
        series = self._series.get(key)
        if series is not None:
            series.add(table, rows, self._seen - table.size, self._pool)

    def _unaccepted(
        self, meta: Meta, accepted: tuple[Suppression, ...], table: Table, rows: Ints
    ) -> Ints:
        """The rows that no suppression covers: these count, and feed correlations."""

        def covered(row: int) -> bool:
            return self._suppressions.covers(
                accepted,
                table.fields(row),
                lambda: self._id(meta, table.place(row), int(table.times[row])),
                shown=meta.output,
            )

        return np.array([row for row in rows.tolist() if not covered(row)], dtype=np.int32)

    def _id(self, meta: Meta, place: Place, time: int) -> str:
        log = place.computer[:_LONGEST_NAME] or self._files[place.source][1]
        channel, record = place.channel[:_LONGEST_NAME], exact(place.record_id)
        return hit_id.of_record(meta.id, log, channel, record, times.text(time))

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
            why = inputs_missing(correlation, not_run) or groupless(correlation, self._series)
            if why is not None:
                not_run[correlation.meta.id] = why
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
            title_zh=meta.title.get("zh", ""),
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
            return self._fieldless(rule)
        return RuleNotRun(
            rule=rule.meta.id,
            title=rule.meta.title["en"],
            reason=Reason.NO_SOURCE,
            detail=detail,
        )

    def _fieldless(self, rule: Rule) -> RuleNotRun | None:
        """Whether a rule needs a field that no record of its kind of log has: it cannot hit."""
        known = self._fields[rule.needs.kind]
        if self._satisfiable(rule.tree, known):
            return None
        absent = [name for name in rule.fields if name.lower() not in known]
        return RuleNotRun(
            rule=rule.meta.id,
            title=rule.meta.title["en"],
            reason=Reason.NO_FIELD,
            detail=f"no record has the field {' or '.join(absent)}",
        )

    def _satisfiable(self, tree: Tree, known: set[str]) -> bool:
        if isinstance(tree, int):
            atom = self._rules.atoms[tree]
            return atom.field in known or atom.field == RAW
        if tree[0] == "!":
            return True
        each = (self._satisfiable(part, known) for part in tree[1:])
        return all(each) if tree[0] == "&" else any(each)

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
        own = (
            self._id(meta, place, time)
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

    def _correlate(self, correlation: Correlation) -> None:
        joined = self._join(correlation)
        if joined is None:
            return
        found = windows(correlation, joined.entries)
        merged = bursts(correlation, joined.entries, found)
        accepted = self._suppressions.for_rule(correlation.meta)
        if accepted:
            merged = [
                one for one in merged if not self._accepted(accepted, correlation, joined, one)
            ]
        self._counts[correlation.meta.id] += len(merged)
        self._feed(correlation, joined, found, merged)
        if correlation.meta.output:
            room = self._most_hits - self._shown[correlation.meta.id]
            merged.sort(key=lambda one: (joined.entries.time[one.start], one.start))
            for one in merged[: max(0, room)]:
                self._shown[correlation.meta.id] += 1
                self._hits.append(self._burst(correlation, joined, one))

    def _accepted(
        self,
        accepted: tuple[Suppression, ...],
        correlation: Correlation,
        joined: Joined,
        found: Found,
    ) -> bool:
        meta = correlation.meta
        first = times.text(int(joined.entries.time[found.start])) or ""
        return self._suppressions.covers(
            accepted,
            self._group(correlation, joined, found),
            lambda: hit_id.of_burst(meta.id, first, self._shown_group(correlation, joined, found)),
            shown=meta.output,
        )

    def _join(self, correlation: Correlation) -> Joined | None:
        """The findings of the inputs, sorted and grouped; None where there are none."""
        merges = correlation.type not in CHAINS
        series = [
            self._bursts[one.rule]
            if merges and one.rule in self._correlations
            else self._series[one.rule]
            for one in correlation.inputs
        ]
        return join(correlation, series, self._pool, [name for name, _ in self._files])

    def _feed(
        self, correlation: Correlation, joined: Joined, found: Windows, merged: list[Found]
    ) -> None:
        """What this correlation found, for correlations that refer to it.

        Those that ask "and then" get every moment at which the condition held; those that count get
        each burst once, at its end.
        """
        ends = {"every": (found.stop - 1).tolist(), "burst": [one.stop - 1 for one in merged]}
        for target, rows in (
            (self._series.get(correlation.meta.id), ends["every"]),
            (self._bursts.get(correlation.meta.id), ends["burst"]),
        ):
            if target is None:
                continue
            for row in rows:
                which, index = int(joined.which[row]), int(joined.row[row])
                source = correlation.inputs[which]
                renamed = {
                    name.lower(): own.lower()
                    for name, own in zip(correlation.group, source.keys, strict=True)
                }
                target.take(joined.series[which], [index], renamed)

    def _burst(self, correlation: Correlation, joined: Joined, found: Found) -> Hit:
        entries = joined.entries
        group = self._shown_group(correlation, joined, found)
        shown = range(found.start, min(found.stop, found.start + self._most_members))
        first = int(entries.time[found.start])
        burst = Burst(
            first=times.text(first) or "",
            last=times.text(int(entries.time[found.stop - 1])) or "",
            peak=found.peak,
            events=found.stop - found.start,
            group=group,
            members=tuple(self._member(correlation.inputs, joined, row) for row in shown),
        )
        place = self._place(joined, found.start)
        return self._make(correlation.meta, first, place, group, 0, burst)

    def _shown_group(
        self, correlation: Correlation, joined: Joined, found: Found
    ) -> dict[str, str]:
        return {
            name: text(value, name)[0]
            for name, value in self._group(correlation, joined, found).items()
        }

    def _group(self, correlation: Correlation, joined: Joined, found: Found) -> dict[str, str]:
        keys = joined.keys[found.start]
        return {
            name: self._pool.text(int(code))
            for name, code in zip(correlation.group, keys, strict=False)
        }

    def _place(self, joined: Joined, row: int) -> Place:
        series = joined.series[int(joined.which[row])]
        return series.place(int(joined.row[row]), self._pool)

    def _member(self, inputs: tuple[Input, ...], joined: Joined, row: int) -> Member:
        place = self._place(joined, row)
        file, sha256 = self._files[place.source]
        return Member(
            rule=inputs[int(joined.which[row])].rule,
            file=file,
            sha256=sha256,
            record_id=exact(place.record_id),
            time=times.text(int(joined.entries.time[row])),
        )


def _ordered(fields: dict[str, str], first: tuple[str, ...]) -> dict[str, str]:
    """The fields that the rule tests come first: a hit shows only so many."""
    tested = {name.lower() for name in first}
    return dict(sorted(fields.items(), key=lambda pair: pair[0].lower() not in tested))


def _order(hit: Hit) -> tuple[str, str, str, str, str, str]:
    record = str(hit.record_id or "").rjust(20, "0")
    group = "" if hit.burst is None else repr(sorted(hit.burst.group.items()))
    return (hit.time or "", hit.file, hit.sha256, record, hit.rule, group)

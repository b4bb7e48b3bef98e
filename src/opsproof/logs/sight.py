"""What rules can see at all: a record without the field that a rule asks of is no record without a hit.

Which fields there are is noted for each file, and in Windows logs for each kind of event: 4688 of
Windows Server 2012 has no name of the parent, whatever another host's Sysmon tells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np

from opsproof.logs.atoms import predicate
from opsproof.logs.readers.base import KIND, kinds_of
from opsproof.logs.rules.compiled import Correlation, Input, Rule, RuleSet, Tree
from opsproof.logs.table import RAW, Ints, Table

_PLACES: Final = ("channel", "eventid", "provider_name")
"""What kind of event a record is: the fields by which a rule on Windows events chooses."""
_AT: Final = {name: at for at, name in enumerate(_PLACES)}
_TESTS: Final = frozenset({"eq", "sw", "ew", "in", "glob"})
_MOST_GROUPS: Final = 5000
"""Kinds of events of one file that are told apart: no log has a tenth of them, one may be made to."""
_PATH: Final = frozenset({"cs-uri-stem"})
_QUERY: Final = "cs-uri-query"
_WHOLE: Final = _PATH | {_QUERY}
_URLS: Final = frozenset({"c-uri", "cs-uri"})
_HALF: Final = "_half"
"""Stands among the fields of a web log without queries: its whole URLs are but the paths."""
_ALWAYS: Final = frozenset({"channel", "computer"})
"""Fields that a record has even where it does not say: the log does."""

Group: TypeAlias = tuple[str, str, str, str]
"""The kind of log, and the lower-cased values of :data:`_PLACES`; empty for what no rule names."""

File: TypeAlias = tuple[str, str]
"""The name of a file and its SHA-256."""

Blind: TypeAlias = tuple[File, str, str, tuple[str, ...]]
"""A file, the channel and the id of its events (empty: of any), and the fields that none has."""


_Place: TypeAlias = tuple[str | None, ...]
"""Values of :data:`_PLACES`; None for any."""

_Verdict: TypeAlias = tuple[bool, list[tuple[tuple[str, ...], tuple[str, ...]]]]


@dataclass(slots=True)
class Judged:
    """What rules saw. ``blind``: in which files a rule is blind, by its id and () for its condition,
    or the fields that a correlation wants of its records. ``chosen`` are rules for whose kind of record
    there is any, ``seeing`` those of them that could see in some file.
    """

    kinds: set[str] = field(default_factory=set)
    channels: set[str] = field(default_factory=set)
    fields: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    chosen: set[str] = field(default_factory=set)
    seeing: set[str] = field(default_factory=set)
    blind: dict[tuple[str, tuple[str, ...]], list[Blind]] = field(
        default_factory=lambda: defaultdict(list)
    )


class Sight:
    """Which of the fields that rules ask of there are, by file and kind of event."""

    def __init__(self, rules: RuleSet) -> None:
        """Nothing is seen yet."""
        self._rules = rules
        self._keys: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        for correlation in rules.correlations:
            for source in correlation.inputs:
                self._keys[source.rule].add(keys_of(correlation, source))
        keys = {key.lower() for some in self._keys.values() for each in some for key in each}
        self._chosen: dict[Group, list[tuple[int, _Place]]] = {}
        self._needed: dict[int, frozenset[str]] = {}
        self._verdicts: dict[tuple[int, _Place, frozenset[str]], _Verdict] = {}
        atoms = rules.atoms
        asked = {atom.field for atom in atoms} | {atom.value for atom in atoms if atom.op == "ref"}
        # Only what rules ask for: a file may be made of any number of fields and channels.
        self._asked = asked.union(keys, *(map(str.lower, rule.fields) for rule in rules.rules))
        named: dict[str, set[str]] = {name: set() for name in _PLACES}
        for atom in atoms:
            if atom.field in named and atom.op == "eq":
                named[atom.field].add(atom.value.lower())
        self._named = {name: sorted(values) for name, values in named.items()}
        self._known: dict[File, dict[Group, set[str]]] = defaultdict(dict)

    def __getstate__(self) -> dict[str, Any]:
        """What was seen: who takes it in has the rules."""
        return {"_known": self._known}

    def merge(self, other: Sight) -> None:
        """Take what was seen in a later part."""
        for file, groups in other._known.items():
            for group, fields in groups.items():
                _of(self._known[file], group).update(fields)

    def see(self, table: Table, file: File) -> None:
        """The next batch of a file."""
        kind = table.columns.get(KIND)
        groups = self._known[file]
        for one in kinds_of(kind.values if kind is not None else ()):
            if one == "windows":
                self._events(table, groups)
            else:
                found = self._asked & (table.columns.keys() | table.declared)
                known = groups.setdefault((one, "", "", ""), set())
                known.update(found, {_HALF} if table.declared & _WHOLE == _PATH else ())

    def _events(self, table: Table, groups: dict[Group, set[str]]) -> None:
        forms, of = table.forms or (table, None)
        used = (
            np.ones(forms.size, np.bool_)
            if of is None
            else np.bincount(of, minlength=forms.size) > 0
        )
        codes = np.zeros(forms.size, dtype=np.int64)
        for name in _PLACES:
            named = self._named[name]
            codes *= len(named) + 1
            column = forms.columns.get(name)
            if column is None:
                continue
            places = {value: number for number, value in enumerate(named, 1)}
            names, mine = column.names(), column.code_array()
            occurring, back = np.unique(mine, return_inverse=True)
            numbers = [places.get(names[code].lower(), 0) for code in occurring.tolist()]
            codes[column.row_array()] += np.array(numbers, dtype=np.int64)[back]
        distinct, inverse = np.unique(codes[used], return_inverse=True)
        place: Ints = np.full(forms.size, -1, dtype=np.int32)
        place[used] = inverse
        sets = [_of(groups, self._group(code)) for code in distinct.tolist()]
        for name in self._asked & forms.columns.keys():
            rows = forms.columns[name].row_array()
            seen = np.zeros(len(sets) + 1, dtype=np.bool_)
            # The last one takes the forms that no record of this batch has.
            seen[place[rows]] = True
            for number in np.flatnonzero(seen[:-1]).tolist():
                sets[number].add(name)

    def _group(self, code: int) -> Group:
        values = []
        for name in reversed(_PLACES):
            code, number = divmod(code, len(self._named[name]) + 1)
            values.append(self._named[name][number - 1] if number else "")
        provider, event, channel = values
        return ("windows", channel, event, provider)

    def judge(self) -> Judged:
        """What every rule on single records saw, of all files."""
        judged = Judged()
        for file in sorted(self._known):
            joined: dict[tuple[int, _Place], set[str]] = {}
            for group, fields in self._known[file].items():
                judged.kinds.add(group[0])
                judged.channels.add(group[1])
                judged.fields[group[0]] |= fields
                for number, place in self._choosing(group):
                    seen = joined.setdefault((number, place), set())
                    seen |= fields & self._relevant(number)
            for (number, place), fields in joined.items():
                rule = self._rules.rules[number].meta.id
                judged.chosen.add(rule)
                sees, blind = self._verdict(number, place, frozenset(fields))
                if sees:
                    judged.seeing.add(rule)
                for keys, absent in blind:
                    where = (file, place[0] or "", place[1] or "", absent)
                    judged.blind[rule, keys].append(where)
        return judged

    def absent(self, rule: Rule, judged: Judged) -> tuple[str, ...] | None:
        """The fields without which a rule can see nothing in any file; None where it can."""
        if rule.meta.id in judged.seeing:
            return None
        if rule.meta.id in judged.chosen:
            each = [set(fields) for *_, fields in judged.blind[rule.meta.id, ()]]
            common = set.intersection(*each) or set.union(*each)
            return tuple(name for name in rule.fields if name in common)
        known = judged.fields[rule.needs.kind]
        if self._can(rule.tree, (None,) * len(_PLACES), known):
            return None
        return tuple(name for name in rule.fields if name.lower() not in known)

    def _verdict(self, number: int, place: _Place, fields: frozenset[str]) -> _Verdict:
        """Whether a rule sees with these fields, and which its condition or a correlation lacks.

        Remembered: most files of a kind are alike.
        """
        found = self._verdicts.get((number, place, fields))
        if found is None:
            rule = self._rules.rules[number]
            blind: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
            sees = self._can(rule.tree, place, fields)
            if not sees:
                lacking = tuple(name for name in rule.fields if name.lower() not in fields)
                blind.append(((), lacking))
            elif _HALF in fields and not self._can(rule.tree, place, fields - _URLS):
                blind.append(((), (_QUERY,)))
            for keys in sorted(self._keys.get(rule.meta.id, ())) if sees else ():
                lacking = tuple(key for key in keys if key.lower() not in fields | _ALWAYS)
                if lacking:
                    blind.append((keys, lacking))
            found = self._verdicts[number, place, fields] = sees, blind
        return found

    def _relevant(self, number: int) -> frozenset[str]:
        """The fields that decide what a rule and its correlations see."""
        found = self._needed.get(number)
        if found is None:
            rule = self._rules.rules[number]
            names = set(self._named_in(rule.tree)).union(map(str.lower, rule.fields), (_HALF,))
            names.update(key.lower() for keys in self._keys.get(rule.meta.id, ()) for key in keys)
            found = self._needed[number] = frozenset(names)
        return found

    def _named_in(self, tree: Tree) -> Iterator[str]:
        if isinstance(tree, int):
            atom = self._rules.atoms[tree]
            yield atom.field
            if atom.op == "ref":
                yield atom.value
        else:
            for part in tree[1:]:
                yield from self._named_in(part)

    def _choosing(self, group: Group) -> list[tuple[int, _Place]]:
        """The rules (by number) that are for such records, each with what it chooses them by."""
        found = self._chosen.get(group)
        if found is None:
            found = self._chosen[group] = []
            place = group[1:]
            for number, rule in enumerate(self._rules.rules):
                if rule.needs.kind == group[0] and self._can(rule.tree, place, None):
                    less = [(*place[:at], "", *place[at + 1 :]) for at in range(len(place))]
                    free = [self._can(rule.tree, other, None) for other in less]
                    pairs = zip(place, free, strict=True)
                    found.append((number, tuple(None if any_ else one for one, any_ in pairs)))
        return found

    def _can(self, tree: Tree, place: _Place, fields: Set[str] | None) -> bool:
        """Whether records of a kind can fulfil a condition with these fields; None: with all."""
        if not isinstance(tree, int):
            each = (self._can(part, place, fields) for part in tree[1:])
            return tree[0] == "!" or (all(each) if tree[0] == "&" else any(each))
        atom = self._rules.atoms[tree]
        at = _AT.get(atom.field)
        if at is not None and atom.op in _TESTS and not atom.flags:
            value = place[at]
            if value is not None:
                return predicate(atom)(value) if value else atom.op != "eq"
        if fields is None or atom.field == RAW:
            return True
        return atom.field in fields and (atom.op != "ref" or atom.value in fields)


def _of(groups: dict[Group, set[str]], group: Group) -> set[str]:
    """The fields of a group; those of many are put together by channel."""
    if group not in groups and len(groups) >= _MOST_GROUPS:
        group = (*group[:2], "", "")
    return groups.setdefault(group, set())


def blind_of(
    correlation: Correlation, judged: Judged, by_id: dict[str, Correlation]
) -> Iterator[Blind]:
    """Where a correlation is blind: what feeds it cannot see, or cannot say whom a record concerns."""
    for source in correlation.inputs:
        below = by_id.get(source.rule)
        if below is not None:
            yield from blind_of(below, judged, by_id)
            continue
        yield from judged.blind.get((source.rule, ()), ())
        yield from judged.blind.get((source.rule, keys_of(correlation, source)), ())


def keys_of(correlation: Correlation, source: Input) -> tuple[str, ...]:
    """The fields of one input that a correlation groups by or counts."""
    return (*source.keys, *correlation.fields)

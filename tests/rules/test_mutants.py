"""The cases of the rules tell each rule from one with a part less or a number off.

A part that no case needs is one that nobody has tried, or that does nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import pytest
from tests.rules.cases import Case, cases, documents, only, tables
from tests.rules.mutants import Mutant, of_correlation, of_rule

from opsproof.logs.collect import Collector
from opsproof.logs.evaluate import Evaluator
from opsproof.logs.rules.compiled import Atom, Correlation, Rule, RuleSet
from opsproof.logs.rules.load import compile_texts
from opsproof.logs.table import Ints, Table

_CASE = "_case"
_Rows = dict[str, list[tuple[Table, Ints]]]
"""Where each rule, by id, has found something."""


@pytest.fixture(scope="module")
def own_cases() -> dict[str, list[Case]]:
    found = defaultdict(list)
    for case in cases():
        found[case.rule].append(case)
    return found


def _allowed() -> dict[str, dict[str, str]]:
    """What the rules themselves say no case can show, with the reason, by rule."""
    return {document["id"]: document["opsproof"].get("untested", {}) for _, document in documents()}


def _of_others(rules: RuleSet) -> dict[str, set[str]]:
    """What of a feeder another rule with the same selections has cases for, by feeder."""
    same = {
        document["id"]: document["opsproof"]["same_as"]
        for _, document in documents()
        if "same_as" in document["opsproof"]
    }
    by_title = {rule.meta.title["en"]: rule for rule in rules.rules}
    return {
        key: {mutant.what for mutant in of_rule(by_title[title], list(rules.atoms))}
        for key, title in same.items()
        if title in by_title
    }


def _set(atoms: Iterable[Atom], chosen: Iterable[Rule], above: Iterable[Correlation]) -> RuleSet:
    rules = tuple(sorted(chosen, key=lambda one: one.meta.id))
    return RuleSet("", tuple(atoms), rules, tuple(above), ())


def _complaints(lived: dict[str, list[str]], title: dict[str, str]) -> list[str]:
    allowed = _allowed()
    found = [
        f"{title[rule]}: no case needs: {what}"
        for rule, whats in lived.items()
        for what in whats
        if what not in allowed[rule]
    ]
    found += [
        f"{title[rule]}: a case does need: {what}"
        for rule in lived
        for what in allowed[rule]
        if what not in lived[rule]
    ]
    return sorted(found)


def survivors_of_records(rules: RuleSet, own_cases: dict[str, list[Case]]) -> dict[str, list[str]]:
    """The mutants of rules with hits of their own that their cases do not tell from the rule."""
    atoms, mutants = list(rules.atoms), {}
    for rule in rules.rules:
        if rule.meta.output:
            mutants[rule.meta.id] = list(of_rule(rule, atoms))
    every = [rule for rule in rules.rules if rule.meta.output]
    every += [one.rule for some in mutants.values() for one in some if isinstance(one.rule, Rule)]
    evaluator = Evaluator(_set(atoms, every, ()))
    listed = [case for rule in mutants for case in own_cases[rule]]
    records = [
        {**record, _CASE: number} for number, case in enumerate(listed) for record in case.records
    ]
    counts: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for table in tables(records):
        case_of = [int(table.fields(row)[_CASE]) for row in range(table.size)]
        for rule, rows in evaluator.hits(table):
            for row in rows.tolist():
                counts[rule.meta.id][case_of[row]] += 1
    return {
        rule: [
            one.what
            for one in some
            if all(
                counts[one.rule.meta.id][number] == counts[rule][number]
                for number, case in enumerate(listed)
                if case.rule == rule
            )
        ]
        for rule, some in mutants.items()
    }


class _Chain:
    """A correlation with hits of its own, with all it is fed by, and its cases."""

    def __init__(self, rules: RuleSet, top: Correlation, own: list[Case]) -> None:
        self.top, self.cases = top, own
        chosen = only(rules, top.meta.id)
        self.above, self.below = chosen.correlations, chosen.rules
        atoms = list(rules.atoms)
        self.fed = {one.meta.id: list(of_rule(one, atoms)) for one in self.below}
        every = [one.rule for some in self.fed.values() for one in some]
        evaluator = Evaluator(
            _set(atoms, [*self.below, *(one for one in every if isinstance(one, Rule))], ())
        )
        self.atoms = atoms
        self.seen: list[_Rows] = []
        for case in own:
            rows: _Rows = defaultdict(list)
            for table in tables(case.records):
                for rule, found in evaluator.hits(table):
                    rows[rule.meta.id].append((table, found))
            self.seen.append(rows)

    def told(self, mutant: Mutant, instead: str) -> bool:
        """Whether a case tells the mutant from the rule that it stands for."""
        return any(
            self._count(rows, mutant, instead) != case.hits
            for case, rows in zip(self.cases, self.seen, strict=True)
            if isinstance(mutant.rule, Correlation) or self._differs(rows, mutant, instead)
        )

    @staticmethod
    def _differs(rows: _Rows, mutant: Mutant, instead: str) -> bool:
        one, other = rows.get(mutant.rule.meta.id, []), rows.get(instead, [])
        return len(one) != len(other) or any(
            here[0] is not there[0] or not np.array_equal(here[1], there[1])
            for here, there in zip(one, other, strict=True)
        )

    def _count(self, rows: _Rows, mutant: Mutant, instead: str) -> int:
        other = mutant.rule
        above = [
            other if isinstance(other, Correlation) and one.meta.id == instead else one
            for one in self.above
        ]
        collector = Collector(_set(self.atoms, self.below, above), 1000, 1)
        collector.source("case", "0" * 64)
        places = {id(table): table for some in rows.values() for table, _ in some}
        for table in places.values():
            collector.see(table)
            for rule in self.below:
                key = rule.meta.id
                if isinstance(other, Rule) and key == instead:
                    key = other.meta.id
                for where, found in rows.get(key, ()):
                    if where is table:
                        collector.add(rule, table, found)
        return sum(hit.rule == self.top.meta.id for hit in collector.result().hits)


def survivors_of_chains(rules: RuleSet, own_cases: dict[str, list[Case]]) -> dict[str, list[str]]:
    """The mutants of correlations and of what feeds them that no case of any correlation tells."""
    lived: dict[str, dict[tuple[str, str], None]] = {}
    told: set[tuple[str, str]] = set()
    for top in rules.correlations:
        if not top.meta.output:
            continue
        chain = _Chain(rules, top, own_cases[top.meta.id])
        some = dict(chain.fed)
        some |= {one.meta.id: list(of_correlation(one)) for one in chain.above}
        for rule, mutants in some.items():
            for mutant in mutants:
                key = mutant.rule.meta.id, mutant.what
                lived.setdefault(rule, {})[key] = None
                if key not in told and chain.told(mutant, rule):
                    told.add(key)
    others = _of_others(rules)
    return {
        rule: [key[1] for key in keys if key not in told and key[1] not in others.get(rule, ())]
        for rule, keys in lived.items()
    }


def _titles(rules: RuleSet) -> dict[str, str]:
    metas = [rule.meta for rule in rules.rules] + [rule.meta for rule in rules.correlations]
    return {meta.id: meta.title["en"] for meta in metas}


def test_cases_need_every_part_of_a_rule(rules: RuleSet, own_cases: dict[str, list[Case]]) -> None:
    assert _complaints(survivors_of_records(rules, own_cases), _titles(rules)) == []


def test_cases_need_every_part_of_a_correlation(
    rules: RuleSet, own_cases: dict[str, list[Case]]
) -> None:
    assert _complaints(survivors_of_chains(rules, own_cases), _titles(rules)) == []


_WEAK = b"""\
title: Weak
id: 5f3c2c0e-7b8e-4a39-9d35-0d2f6a3f1a01
name: weak
status: test
logsource: {product: windows, service: security}
detection:
  one: {EventID: [1, 2], Image|endswith: a.exe}
  condition: one
level: low
---
title: Many
id: 5f3c2c0e-7b8e-4a39-9d35-0d2f6a3f1a02
status: test
correlation: {type: event_count, rules: [weak], group-by: [Computer], timespan: 1m, condition: {gte: 2}}
level: low
"""


def test_what_no_case_needs_is_told() -> None:
    rules = compile_texts([("weak.yml", _WEAK)])
    records = [
        {"Channel": "Security", "EventID": 1, "Image": "a.exe", "Computer": "S", "repeat": 2}
    ]
    weak, many = rules.rules[0].meta.id, rules.correlations[0].meta.id
    case = Case(many, "Many", "two", records, 1, boundary=False)
    assert survivors_of_chains(rules, {many: [case]}) == {
        weak: [
            "without (eventid eq 1 or eventid eq 2)",
            "without eventid eq 2",
            "without image ew a.exe",
            "anywhere: image ew a.exe",
        ],
        many: ["window +1 s", "window -1 s", "2 is 1", "not by Computer"],
    }

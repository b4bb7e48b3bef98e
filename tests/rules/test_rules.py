"""Every rule in ``rules/`` does what the cases in its own file say."""

from __future__ import annotations

import pytest
from tests.rules.cases import cases, documents, hits, only

from opsproof.logs.evaluate import Evaluator
from opsproof.logs.rules.compiled import RuleSet

_CASES = cases()


def test_all_rules_compile(rules: RuleSet) -> None:
    assert rules.rejected == ()
    assert len(rules.rules) + len(rules.correlations) == len(list(documents()))


@pytest.mark.parametrize("key", list(dict.fromkeys(case.rule for case in _CASES)))
def test_cases(rules: RuleSet, key: str) -> None:
    chosen = only(rules, key)
    evaluator = Evaluator(chosen)
    found = {
        str(case): sum(hit.rule == key for hit in hits(evaluator, chosen, case.records))
        for case in _CASES
        if case.rule == key
    }
    assert found == {str(case): case.hits for case in _CASES if case.rule == key}


def test_every_rule_has_a_case_that_hits_one_that_does_not_and_one_at_the_edge(
    rules: RuleSet,
) -> None:
    outputs = {rule.meta.id for rule in rules.rules if rule.meta.output}
    outputs |= {rule.meta.id for rule in rules.correlations if rule.meta.output}
    assert outputs <= {case.rule for case in _CASES if case.hits}
    assert outputs <= {case.rule for case in _CASES if not case.hits}
    assert outputs <= {case.rule for case in _CASES if case.boundary}


def test_ids_names_and_titles_are_unique() -> None:
    for key in ("id", "name", "title"):
        values = [document[key] for _, document in documents() if key in document]
        assert len(values) == len(set(values)), key
    names = [str(case) for case in _CASES]
    assert [name for name in names if names.count(name) > 1] == []


def test_every_rule_with_hits_of_its_own_names_a_public_source(rules: RuleSet) -> None:
    nameless = {"web", "data:sign-verify"}
    for rule in rules.rules:
        if rule.meta.output and rule.needs.kind not in nameless:
            assert rule.meta.references, rule.meta.title["en"]


def test_every_rule_says_what_a_report_needs() -> None:
    for path, document in documents():
        own = document["opsproof"]
        where = f"{path.name}: {document['title']}"
        assert own["title"]["zh"], where
        assert own["demands"], where
        assert {"level", "status", "description"} <= document.keys(), where
        if document["level"] != "informational":
            assert set(own["advice"]) == {"en", "zh"}, where
            assert own["clauses"], where


def test_a_feeder_that_leaves_its_cases_to_another_rule_has_its_selections() -> None:
    looks, same = {}, {}
    for _, document in documents():
        if "detection" in document:
            parts = document["detection"].items()
            looks[document["title"]] = {name: what for name, what in parts if name != "condition"}
        if "same_as" in document["opsproof"]:
            same[document["title"]] = document["opsproof"]["same_as"]
    assert same
    for one, other in same.items():
        assert looks[one] == looks[other], one

"""Every rule in ``rules/`` does what the cases in its own file say."""

from __future__ import annotations

import pytest
from tests.rules.cases import Case, cases, documents, hits

from opsproof.logs.evaluate import Evaluator
from opsproof.logs.rules.compiled import RuleSet

_CASES = cases()


def test_all_rules_compile(rules: RuleSet) -> None:
    assert rules.rejected == ()
    assert len(rules.rules) + len(rules.correlations) == len(list(documents()))


@pytest.fixture(scope="module")
def evaluator(rules: RuleSet) -> Evaluator:
    return Evaluator(rules)


@pytest.mark.parametrize("case", _CASES, ids=str)
def test_case(rules: RuleSet, evaluator: Evaluator, case: Case) -> None:
    found = [hit for hit in hits(evaluator, rules, case.records) if hit.rule == case.rule]
    assert len(found) == case.hits


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


@pytest.mark.parametrize(
    ("served", "refused"),
    [
        ("Path traversal in a request", "Path traversal refused"),
        ("SQL injection in a request", "SQL injection refused"),
        ("Command injection in a request", "Command injection refused"),
    ],
)
def test_attacks_that_are_served_and_refused_are_the_same(served: str, refused: str) -> None:
    looks = {
        document["title"]: {
            name: what for name, what in document["detection"].items() if name != "condition"
        }
        for _, document in documents()
        if "detection" in document
    }
    assert looks[served] == looks[refused]

"""What is explained is what is evaluated: counts, orders, conditions and names of fields."""

from __future__ import annotations

import pytest

from opsproof.logs.explain import explain
from opsproof.logs.rules.load import compile_texts, default_rules, load

INPUTS = """\
title: Upload
id: 6f1f3c0e-0000-4000-8000-00000000000a
name: a
logsource: {category: webserver}
detection: {s: {cs-method: POST}, condition: s}
---
title: Logon
id: 6f1f3c0e-0000-4000-8000-00000000000b
name: b
logsource: {product: windows, service: security}
detection: {s: {EventID: 4625}, condition: s}
"""


def explained(correlation: str) -> list[str]:
    text = f"{INPUTS}---\ntitle: Both\nid: 6f1f3c0e-0000-4000-8000-00000000000c\n{correlation}"
    rules = compile_texts([("a.yml", text.encode())])
    assert rules.rejected == ()
    told = explain(rules, "both")
    assert told is not None
    return told.splitlines()[4:]


@pytest.mark.parametrize(
    ("correlation", "lines"),
    [
        (
            "correlation: {type: temporal, rules: [a, b], timespan: 5m, group-by: [user],"
            " aliases: {user: {a: cs-username, b: TargetUserName}}, condition: a and not b}",
            ["temporal within 300 s, ends included, of", "  Upload", "  Logon", "with the same user",
             "  called cs-username in Upload", "  called TargetUserName in Logon",
             "where", "  all of", "    Upload", "    not", "      Logon"],
        ),
        (
            "correlation: {type: temporal, rules: [a, b], timespan: 5m, condition: {gte: 1}}",
            ["temporal within 300 s, ends included, of", "  Upload", "  Logon",
             "where the number of these that are found is >= 1"],
        ),
        (
            "correlation: {type: temporal_ordered, rules: [b, a], timespan: 1h}",
            ["temporal_ordered within 3600 s, ends included, of", "  Logon", "  Upload",
             "one after another"],
        ),
        (
            "correlation: {type: temporal_ordered, rules: [a, b], timespan: 1h, condition: not b and a}",
            ["temporal_ordered within 3600 s, ends included, of", "  Logon", "  Upload",
             "where", "  one after another", "    not", "      Logon", "    Upload"],
        ),
        (
            "correlation: {type: value_percentile, rules: [a], timespan: 5m, group-by: [c-ip],"
            " condition: {gte: 1000, field: time-taken, percentile: 95}}",
            ["value_percentile within 300 s, ends included, of", "  Upload", "with the same c-ip",
             "percentile 95 of time-taken >= 1000"],
        ),
        (
            "correlation: {type: event_count, rules: [a, b], timespan: 5m, condition: {gt: 9, lte: 20}}",
            ["event_count within 300 s, ends included, of", "  Upload", "  Logon",
             "event_count > 9 and <= 20"],
        ),
    ],
)  # fmt: skip
def test_a_correlation_is_explained_whole(correlation: str, lines: list[str]) -> None:
    assert explained(correlation) == lines


def test_every_shipped_rule_can_be_explained() -> None:
    rules = load([default_rules()])
    metas = [one.meta for one in rules.rules] + [one.meta for one in rules.correlations]
    for meta in metas:
        told = explain(rules, meta.id)
        assert told is not None
        assert told.startswith(meta.title["en"])

"""The engine against a slow reading of the specification, over random rules and events."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.logs.slow_sigma import Event, matches

from opsproof.logs.evaluate import Evaluator
from opsproof.logs.readers.base import KIND
from opsproof.logs.rules.load import compile_texts
from opsproof.logs.table import RAW, TableBuilder

FIELDS = ("Alpha", "beta", "Gamma")
_CHARACTERS = "abAB-/1.\\ü\n"
# Few characters, so that texts are often parts of each other.
_text = st.text("aAb", max_size=4) | st.text(_CHARACTERS, max_size=6)
_pattern = st.text("ab", min_size=1, max_size=2) | st.text(_CHARACTERS + "*?", max_size=6)
_number = st.integers(-3, 30)

_plain = st.sampled_from(["", "|contains", "|startswith", "|endswith", "|cased", "|contains|cased"])
_windash = st.sampled_from(["|windash", "|contains|windash", "|windash|endswith"])


def _values(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return one | st.lists(one, min_size=1, max_size=3)


@st.composite
def items(draw: st.DrawFn) -> tuple[str, Any]:
    """One field test: a name with modifiers, and its value or values."""
    field = draw(st.sampled_from([*FIELDS, "ALPHA", "missing"]))
    kind = draw(
        st.sampled_from(
            [
                "text",
                "text",
                "text",
                "windash",
                "b64",
                "number",
                "null",
                "re",
                "cidr",
                "exists",
                "ref",
            ]
        )
    )
    every = draw(st.sampled_from(["", "|all"]))
    if kind == "text":
        plain = draw(_plain)
        return f"{field}{plain}{every}", draw(_values(_pattern if plain else _pattern | _number))
    if kind == "windash":
        return f"{field}{draw(_windash)}", draw(_values(st.text("ab-/ ", max_size=5)))
    if kind == "b64":
        name = draw(st.sampled_from(["base64", "base64offset"]))
        return f"{field}|{name}|contains", draw(_values(st.text("ab1", min_size=2, max_size=4)))
    if kind == "number":
        name = draw(st.sampled_from(["lt", "lte", "gt", "gte"]))
        return f"{field}|{name}", draw(_number)
    if kind == "null":
        return field, None
    if kind == "re":
        flag = draw(st.sampled_from(["", "|i", "|s", "|i|s"]))
        return f"{field}|re{flag}", draw(
            st.sampled_from(["^a+b?", "[ab]{2}", "a.b", "(a|B)$", "1"])
        )
    if kind == "cidr":
        return f"{field}|cidr", draw(st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "fe80::/10"]))
    if kind == "exists":
        return f"{field}|exists", draw(st.booleans())
    how = draw(st.sampled_from(["", "|startswith", "|endswith", "|contains"]))
    return f"{field}|fieldref{how}", draw(st.sampled_from(FIELDS))


def _keyed(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(pairs)


_mapping = st.lists(items(), min_size=1, max_size=3).map(_keyed)
_words = st.lists(_pattern.filter(str.strip), min_size=1, max_size=2)
_keywords = (
    st.lists(_pattern.filter(str.strip) | _number, min_size=1, max_size=2)
    | st.tuples(st.sampled_from(["|all", "|cased", "|cased|all"]), _words).map(
        lambda one: {one[0]: one[1]}
    )
    | st.sampled_from([{"|re": "a.b"}, {"|re|i": ["^A", "b$"]}, {"|re|all": ["a", "b"]}])
)
_selection = _mapping | _mapping | st.lists(_mapping, min_size=1, max_size=2) | _keywords
_condition = st.sampled_from(
    [
        "one",
        "not one",
        "one and two",
        "one or two",
        "one and not two",
        "not one and not two",
        "not one or two",
        "1 of them",
        "all of them",
        "1 of o*",
        "one and not 1 of t*",
    ]
)
_detections = st.builds(
    lambda one, two, condition: {"one": one, "two": two, "condition": condition},
    _selection,
    _selection,
    _condition,
)
_value = (
    _text
    | _number.map(str)
    | st.sampled_from(["", "-", "10.1.2.3", "10.255.0.1", "11.0.0.1", "fe80::1", "YWIx", "xYWJh"])
)
_event = st.dictionaries(st.sampled_from(FIELDS), _value, max_size=3)


def engine(detections: list[dict[str, Any]], events: list[Event]) -> list[list[bool]]:
    """For each rule, which events it describes, by the engine; a rejected rule is an error."""
    ids = [str(uuid.UUID(int=number)) for number in range(len(detections))]
    documents = [
        {"title": key, "id": key, "logsource": {"product": "windows"}, "detection": detection}
        for key, detection in zip(ids, detections, strict=True)
    ]
    text = yaml.safe_dump_all(documents, allow_unicode=True).encode()
    rules = compile_texts([("random.yml", text)])
    assert not rules.rejected, rules.rejected
    builder = TableBuilder(0, None)
    for number, event in enumerate(events):
        fields = {name.lower(): value for name, value in event.items()}
        builder.add(0, number, {**fields, KIND: "windows", RAW: "\n".join(event.values())})
    found = {
        rule.meta.id: set(rows.tolist())
        for rule, rows in Evaluator(rules).hits(builder.build(lambda _: {}))
    }
    return [[row in found.get(key, ()) for row in range(len(events))] for key in ids]


@settings(max_examples=40, deadline=None, phases=(Phase.generate, Phase.shrink))
@given(st.lists(_detections, min_size=1, max_size=6), st.lists(_event, min_size=1, max_size=12))
def test_engine_agrees_with_the_specification(
    detections: list[dict[str, Any]], events: list[Event]
) -> None:
    expected = [[matches(detection, event) for event in events] for detection in detections]
    assert engine(detections, events) == expected


_TEXTS = (
    *("", "-", "a", "b", "ab", "ba", "AB", "aab", "a.b", "a\nb", "ab\n", "b\n\n", "a*b", "a\\b"),
    *("ü", "Üa", "xYWJh", "YWIx"),
    *("-a", "/a", "\u2013a", "x -a", "x-a", "1", "07", "3", "30", "-3", "10.1.2.3", "fe80::1"),
)  # fmt: skip
_WIDE = ("wide", "utf16le", "utf16be", "utf16")
# What PowerShell's -EncodedCommand holds: a value at each of the three places within base64.
_ENCODED = (
    base64.b64encode(b"ab").decode(),
    *(
        base64.b64encode(b"x" * shift + mark + text.encode(codec) + b"zz").decode()
        for codec, mark in (
            ("utf-8", b""),
            ("utf-16-le", b""),
            ("utf-16-be", b""),
            ("utf-16-le", b"\xff\xfe"),
        )
        for text in ("ab", "考a")
        for shift in range(3)
    ),
)
_MOMENTS = ("2026-01-05T10:20:30Z", "2025-12-29T23:59:59Z", "2026-02-01 00:00:00")
_ASKED: tuple[tuple[str, tuple[Any, ...]], ...] = (
    *(
        (modifier, ("a", "b", "ab", "A", "a*", "?b", "a*b", "a\\*b", "ü"))
        for modifier in (
            *("", "contains", "startswith", "endswith", "cased", "contains|cased"),
            *("startswith|cased", "endswith|cased", "neq"),
        )
    ),
    *((modifier, ("-a", "/a")) for modifier in ("windash", "contains|windash", "endswith|windash")),
    *((f"{modifier}|contains", ("ab", "a", "考a")) for modifier in ("base64", "base64offset")),
    *((f"{wide}|base64offset|contains", ("ab", "考a")) for wide in _WIDE),
    *(
        (part, (0, 1, 5, 10, 20, 59, 2026))
        for part in ("minute", "hour", "day", "week", "month", "year")
    ),
    *((modifier, (1, 3, 7, -3)) for modifier in ("lt", "lte", "gt", "gte", "")),
    *(
        (modifier, ("^a", "b$", "a.b", "A"))
        for modifier in ("re", "re|i", "re|s", "re|m", "re|i|s")
    ),
    ("cidr", ("10.0.0.0/8", "10.1.0.0/16", "fe80::/10")),
    ("exists", (True, False)),
    ("", (None,)),
    *((f"fieldref{how}", ("beta",)) for how in ("", "|startswith", "|endswith", "|contains")),
    ("contains|all", (["a", "b"], ["a", "z"])),
)


def test_every_modifier_on_every_text() -> None:
    """One test of one field a rule: nothing else can hide what a modifier does."""
    events: list[Event] = [
        {"Alpha": text, "beta": other}
        for text in (*_TEXTS, *_ENCODED, *_MOMENTS)
        for other in ("a", "ab")
    ]
    events += [{}, {"beta": "a"}, {"Gamma": "a"}]
    rules = [
        {"one": {f"Alpha|{modifier}".rstrip("|"): value}, "condition": "one"}
        for modifier, values in _ASKED
        for value in values
    ]
    expected = [[matches(rule, event) for event in events] for rule in rules]
    found = engine(rules, events)
    for rule, ours, theirs in zip(rules, found, expected, strict=True):
        assert ours == theirs, rule
    assert sum(map(any, expected)) > len(rules) // 2
    told = {modifier for modifier, _ in _ASKED}
    hit = {
        next(iter(rule["one"])).partition("|")[2]
        for rule, row in zip(rules, expected, strict=True)
        if any(row)
    }
    assert hit == told


def test_numbers_are_compared_as_long_as_counters_are() -> None:
    texts = (str(2**64 - 1), "9" * 40, "-" + "9" * 30, "1" * 41, "0xffffffffffffffff")
    rule = {"one": {"Alpha|gt": 2**63}, "condition": "one"}
    assert engine([rule], [{"Alpha": text} for text in texts]) == [[True, True, False, False, True]]


def test_a_time_of_no_year_has_no_hour() -> None:
    rule = {"one": {"Alpha|hour": 0}, "condition": "one"}
    texts = ("0001-01-01T00:00:00+08:00", "2026-01-05T00:20:30Z")
    assert engine([rule], [{"Alpha": text} for text in texts]) == [[False, True]]

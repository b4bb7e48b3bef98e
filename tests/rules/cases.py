"""Turns the test cases inside our rule files into tables that the engine evaluates.

A case is ``name``, ``records`` and ``hits``; ``boundary: true`` marks one that stands just inside or
just outside of what the rule describes. A record is a mapping of fields; ``at`` is its time
(default: 2026-01-05T10:00:00Z), ``after`` is added to it, ``repeat`` and ``every`` (``5s``,
``100ms``, ``2m``) make several of it, with ``{n}`` in texts replaced by their number from 1. ``each``
names fields with values: there is one record for every value, which differs from the rest in this field
alone (null: it has none); ``{e}`` is its number. A record
with a ``Channel`` is a Windows event, one with an ``operation`` a data log's, any other a web log's,
unless ``_kind`` says which.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from opsproof.logs import times
from opsproof.logs.collect import Collector
from opsproof.logs.evaluate import Evaluator
from opsproof.logs.model import Hit
from opsproof.logs.readers import web
from opsproof.logs.readers.base import KIND
from opsproof.logs.readers.evtx_fields import Event, lowered
from opsproof.logs.rules.compiled import RuleSet
from opsproof.logs.table import RAW, Table, TableBuilder

RULES = Path(__file__).parents[2] / "rules"
_START = "2026-01-05T10:00:00Z"
_KINDS = {"windows": "", "web": "IIS", "httperr": "HTTPERR", "data:sign-verify": "sign-verify"}
_WEB = {"web", "httperr"}
_UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}


@dataclass(frozen=True)
class Case:
    rule: str
    title: str
    name: str
    records: list[dict[str, Any]]
    hits: int
    boundary: bool

    def __str__(self) -> str:
        return f"{self.title}: {self.name}"


@cache
def documents() -> tuple[tuple[Path, dict[str, Any]], ...]:
    """Every document of our rule files; nobody may change one."""
    return tuple(
        (path, document)
        for path in sorted(RULES.rglob("*.yml"))
        for document in yaml.load_all(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
    )


def cases() -> list[Case]:
    return [
        Case(
            rule=document["id"],
            title=document["title"],
            name=case["name"],
            records=case["records"],
            hits=case["hits"],
            boundary=case.get("boundary", False),
        )
        for _, document in documents()
        for case in document["opsproof"].get("tests", ())
    ]


def _duration(text: str) -> int:
    match = re.fullmatch(r"(\d+)(ms|s|m|h)", text)
    assert match is not None, text
    return int(match[1]) * _UNITS[match[2]]


def _kind(fields: dict[str, str]) -> str:
    if KIND in fields:
        return fields[KIND]
    if "Channel" in fields:
        return "windows"
    return "data:sign-verify" if "operation" in fields else "web"


def _each(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    rest = {name: value for name, value in record.items() if name != "each"}
    if rest == record:
        yield record
        return
    chosen = [(name, value) for name, values in record["each"].items() for value in values]
    for number, (name, value) in enumerate(chosen, 1):
        one = {
            key: text.replace("{e}", str(number)) if isinstance(text, str) else text
            for key, text in {**rest, name: value}.items()
        }
        yield {key: text for key, text in one.items() if text is not None}


def _expanded(record: dict[str, Any]) -> Iterator[tuple[int, dict[str, str]]]:
    record = dict(record)
    start = times.parse(record.pop("at", _START))
    assert start is not None, record
    start += _duration(record.pop("after", "0s"))
    count = record.pop("repeat", 1)
    step = _duration(record.pop("every", "0s"))
    for number in range(count):
        fields = {
            name: str(value).replace("{n}", str(number + 1)) for name, value in record.items()
        }
        yield start + number * step, fields


def _add(
    builder: TableBuilder, kind: str, number: int, moment: int, fields: dict[str, str]
) -> None:
    if kind == "windows":
        builder.add(moment, number, lowered(Event(moment, number, fields)))
        return
    plain = {name.lower(): value for name, value in fields.items()}
    if kind in _WEB:
        plain[RAW] = " ".join(fields.values())
        web.derive(plain, kind)
    plain[KIND] = kind
    builder.add(moment, number, plain)


def tables(records: list[dict[str, Any]]) -> Iterator[Table]:
    """One table for each kind of log among the records, as the readers would make them."""
    expanded = [pair for record in records for one in _each(record) for pair in _expanded(one)]
    for kind, channel in _KINDS.items():
        chosen = [pair for pair in expanded if _kind(pair[1]) == kind]
        builder = TableBuilder(0, None, web.FORMS if kind in _WEB else {})
        for number, (moment, fields) in enumerate(chosen, 1):
            _add(builder, kind, number, moment, fields)
        if chosen:
            yield builder.build(lambda row, chosen=chosen: chosen[row][1], channel)  # type: ignore[misc]


def only(rules: RuleSet, key: str) -> RuleSet:
    """One rule, by id, with all that it is fed by: its cases need no other."""
    above = {one.meta.id: one for one in rules.correlations}
    wanted, ids = [key], set[str]()
    while wanted:
        one = wanted.pop()
        ids.add(one)
        wanted += [feeder.rule for feeder in above[one].inputs] if one in above else []
    return RuleSet(
        sha256=rules.sha256,
        atoms=rules.atoms,
        rules=tuple(rule for rule in rules.rules if rule.meta.id in ids),
        correlations=tuple(rule for rule in rules.correlations if rule.meta.id in ids),
        rejected=(),
    )


def hits(evaluator: Evaluator, rules: RuleSet, records: list[dict[str, Any]]) -> list[Hit]:
    """All hits of the rules on these records; ``evaluator`` is theirs."""
    collector = Collector(rules, 1000, 20)
    collector.source("case", "0" * 64)
    for table in tables(records):
        collector.see(table)
        for rule, rows in evaluator.hits(table):
            collector.add(rule, table, rows)
    return list(collector.result().hits)

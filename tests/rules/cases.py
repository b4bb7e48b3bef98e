"""Turns the test cases inside our rule files into tables that the engine evaluates.

A case is ``name``, ``records`` and ``hits``. A record is a mapping of fields; ``at`` is its time
(default: 2026-01-05T10:00:00Z), ``repeat`` and ``every`` (``5s``, ``100ms``, ``2m``) make several of
it, with ``{n}`` in texts replaced by their number from 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from opsproof.logs import times
from opsproof.logs.collect import Collector
from opsproof.logs.evaluate import Evaluator
from opsproof.logs.model import Hit
from opsproof.logs.readers import web
from opsproof.logs.readers.evtx_fields import Event, lowered
from opsproof.logs.rules.compiled import RuleSet
from opsproof.logs.table import RAW, Table, TableBuilder

RULES = Path(__file__).parents[2] / "rules"
_START = "2026-01-05T10:00:00Z"
_UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}


@dataclass(frozen=True)
class Case:
    rule: str
    title: str
    name: str
    records: list[dict[str, Any]]
    hits: int

    def __str__(self) -> str:
        return f"{self.title}: {self.name}"


def documents() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(RULES.rglob("*.yml")):
        for document in yaml.safe_load_all(path.read_text("utf-8")):
            yield path, document


def cases() -> list[Case]:
    return [
        Case(
            rule=document["id"],
            title=document["title"],
            name=case["name"],
            records=case["records"],
            hits=case["hits"],
        )
        for _, document in documents()
        for case in document["opsproof"].get("tests", ())
    ]


def _expanded(record: dict[str, Any]) -> Iterator[tuple[int, dict[str, str]]]:
    record = dict(record)
    start = times.parse(record.pop("at", _START))
    assert start is not None, record
    count = record.pop("repeat", 1)
    match = re.fullmatch(r"(\d+)(ms|s|m|h)", record.pop("every", "0s"))
    assert match is not None, record
    step = int(match[1]) * _UNITS[match[2]]
    for number in range(count):
        fields = {
            name: str(value).replace("{n}", str(number + 1)) for name, value in record.items()
        }
        yield start + number * step, fields


def _add(builder: TableBuilder, number: int, moment: int, fields: dict[str, str]) -> None:
    if "Channel" in fields:
        builder.add(moment, number, lowered(Event(moment, number, fields)))
    else:
        plain = {name.lower(): value for name, value in fields.items()}
        plain[RAW] = " ".join(fields.values())
        web.derive(plain, "web")
        builder.add(moment, number, plain)


def tables(records: list[dict[str, Any]]) -> Iterator[Table]:
    """One table for each kind of log among the records, as the readers would make them."""
    expanded = [pair for record in records for pair in _expanded(record)]
    for windows in (True, False):
        chosen = [pair for pair in expanded if ("Channel" in pair[1]) is windows]
        builder = TableBuilder(0, None, {} if windows else web.FORMS)
        for number, (moment, fields) in enumerate(chosen, 1):
            _add(builder, number, moment, fields)
        if chosen:
            yield builder.build(lambda row, chosen=chosen: chosen[row][1], "" if windows else "IIS")  # type: ignore[misc]


def hits(rules: RuleSet, records: list[dict[str, Any]]) -> list[Hit]:
    """All hits of all rules on these records."""
    evaluator, collector = Evaluator(rules), Collector(rules, 1000, 20)
    collector.source("case", "0" * 64)
    for table in tables(records):
        collector.see(table)
        for rule, rows in evaluator.hits(table):
            collector.add(rule, table, rows)
    return list(collector.result()[0])

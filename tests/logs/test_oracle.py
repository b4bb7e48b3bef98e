"""The engine against pySigma's own sqlite backend: SigmaHQ's rules on real events.

The backend is an outside oracle where it is right. It is not for absent fields (SQL's NULL makes NOT
unknown), so these are empty texts here, and rules that tell absent from empty are left out; nor can
it search keywords or compare fields.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sigma.backends.sqlite import sqlite as backend
from sigma.collection import SigmaCollection
from sigma.rule import SigmaRule

from opsproof.logs.evaluate import Evaluator
from opsproof.logs.readers import evtx
from opsproof.logs.readers.base import Log, Notes
from opsproof.logs.rules.load import compile_texts
from opsproof.logs.rules.logsource import select
from opsproof.logs.table import RAW, TableBuilder

DATA = Path(__file__).parents[3] / "shared" / "data"
RULES = DATA / "sigma" / "rules" / "windows"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not RULES.is_dir(),
        reason="SigmaHQ's rules and the real logs are not there: ../shared/data",
    ),
]


def events() -> list[dict[str, str]]:
    """Every real event, by lower-cased field."""
    found = []
    for file in sorted((DATA / "evtx").iterdir()):
        for table in evtx.read(Log(file, file.name), None, Notes()):
            rows: list[dict[str, str]] = [{} for _ in range(table.size)]
            for name, column in table.columns.items():
                names = column.names()
                pairs = zip(column.row_array().tolist(), column.code_array().tolist(), strict=True)
                for row, code in pairs:
                    rows[row][name] = names[code]
            found += rows
    return found


def query(rule: SigmaRule, collection: SigmaCollection) -> str | None:
    """The rule as SQL with its log source; None for what the backend cannot say or says wrong."""
    selection = select(rule.logsource.product, rule.logsource.category, rule.logsource.service)
    if selection is None:
        return None
    try:
        made: Any = backend.sqliteBackend
        (sql,) = made().convert(collection)
    except Exception:  # noqa: BLE001 - keywords and placeholders, in the backend's many errors
        return None
    where = str(sql).split(" WHERE ", 1)[1]
    if re.search(r"IS (NOT )?NULL|\bTRUE\b|\bFALSE\b", where) or "fieldref" in str(rule.detection):
        return None
    sources = [
        f"channel='{channel}' COLLATE NOCASE"
        + (f" AND eventid IN ({','.join(map(repr, map(str, ids)))})" if ids else "")
        for channel, ids in selection.alternatives
    ] or ["1=1"]
    return f"({where}) AND ({' OR '.join(f'({one})' for one in sources)})"


def test_every_rule_that_the_backend_can_say_finds_the_same_events() -> None:
    records = events()
    table = sqlite3.connect(":memory:")
    table.create_function("regexp", 2, lambda pattern, text: bool(re.search(pattern, text or "")))
    builder = TableBuilder(0, None)
    for number, fields in enumerate(records):
        builder.add(0, number, {**fields, RAW: ""})
    batch = builder.build(lambda _: {})
    texts = [(file.name, file.read_bytes()) for file in sorted(RULES.rglob("*.yml"))]
    rules = compile_texts(texts)
    ours = {rule.meta.id: set(rows.tolist()) for rule, rows in Evaluator(rules).hits(batch)}
    queries: dict[str, str] = {}
    names = {name for fields in records for name in fields} - {RAW}
    for name, content in texts:
        collection = SigmaCollection.from_yaml(content)
        (rule,) = collection.rules
        assert isinstance(rule, SigmaRule), name
        asked = query(rule, collection)
        if asked is not None:
            queries[str(rule.id)] = asked
            names |= {one.lower() for one in re.findall(r"[A-Za-z_][A-Za-z_0-9]*", asked)}
    columns = sorted(name for name in names if re.fullmatch(r"[a-z_][a-z_0-9]*", name))
    _fill(table, columns, records)
    assert len(queries) > 250
    theirs = {key: _rows(table, asked) for key, asked in queries.items()}
    assert {key: ours.get(key, set()) for key in queries} == theirs
    assert sum(map(bool, theirs.values())) >= 8


def _fill(table: sqlite3.Connection, columns: list[str], records: list[dict[str, str]]) -> None:
    quoted = ", ".join(f'"{name}" TEXT' for name in columns)
    table.execute(f"CREATE TABLE logs (number INTEGER, {quoted})")
    marks = ", ".join("?" * (len(columns) + 1))
    rows: list[list[Any]] = [
        [number, *(fields.get(name, "") for name in columns)]
        for number, fields in enumerate(records)
    ]
    table.executemany(f"INSERT INTO logs VALUES ({marks})", rows)  # noqa: S608 - our own columns


def _rows(table: sqlite3.Connection, where: str) -> set[int]:
    return {row for (row,) in table.execute(f"SELECT number FROM logs WHERE {where}")}  # noqa: S608 - our own rules

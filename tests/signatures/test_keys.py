"""Keys that a plan writes as text come back to the database as what they are."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import msgspec
import pytest
from tests.signatures import drills
from tests.signatures.applying import applied, drill_key, make

from opsproof.evidence.keys import Keys
from opsproof.signatures.database import Database, make_engine
from opsproof.signatures.model import RecordClass
from opsproof.signatures.profile import TableName
from opsproof.signatures.rollback import Rollback
from opsproof.signatures.simulate import Drill

RECORDS = 16
# Type of the key's column in SQLite and PostgreSQL, the key of a record as the table gives it, as text,
# and as base data writes it.
KINDS: dict[str, tuple[str, str, Callable[[int], str], Callable[[str], str]]] = {
    "2^53 and more": ("bigint", "bigint", lambda n: str(2**53 + n), lambda key: f"00{key}"),
    "2^63 - 1 and less": ("bigint", "bigint", lambda n: str(2**63 - n), str),
    "UUID": ("char(36)", "uuid", lambda n: str(uuid5(NAMESPACE_OID, str(n))), str),
    "date": ("date", "date", lambda n: str(date(2026, 1, 1) + timedelta(days=n)), str),
    "CHAR": ("char(8)", "char(8)", lambda n: f"K {n}".ljust(8), str.rstrip),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records.db'}"
    return str(request.getfixturevalue("postgres").new_database())


def keyed(drill: Drill, kind: str) -> Drill:
    """The same records and base data in a table whose key is ``k``."""
    sqlite, postgresql, key, delivered = KINDS[kind]
    engine = make_engine(drill.url)
    with engine.connect() as connection:
        run = connection.exec_driver_sql
        of = sqlite if engine.dialect.name == "sqlite" else postgresql
        names = [name for name in drill.profile.columns if name != "id"]
        run(f"create table keyed (k {of} primary key, id bigint, {' text, '.join(names)} text)")
        for number in range(1, RECORDS + 1):
            literal = f"'{key(number)}'"
            if engine.dialect.name == "postgresql":
                literal = f"cast({literal} as {of})"
            run(
                f"insert into keyed select {literal}, id, {', '.join(names)}"  # noqa: S608 - of the test
                f' from "exam score" where id = {number}'
            )
        connection.commit()
    engine.dispose()
    path = drill.folder / "base.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [{"k": delivered(key(int(row["id"]))), **row} for row in csv.DictReader(stream)]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    profile = msgspec.structs.replace(drill.profile, table=TableName(name="keyed"), key=("k",))
    return dataclasses.replace(drill, profile=profile)


def contents(drill: Drill) -> dict[str, tuple[Any, ...]]:
    database = Database(drill.url, drill.profile)
    rows = {str(row[0]): tuple(row) for batch in database.stream() for row in batch}
    database.close()
    return rows


@pytest.mark.parametrize("kind", list(KINDS))
def test_there_and_back(kind: str, url: str, tmp_path: Path, keys: Keys, keys_folder: Path) -> None:
    drill = keyed(make(tmp_path, url, seed=4, records=RECORDS), kind)
    before = contents(drill)
    assert set(before) == {KINDS[kind][2](number) for number in range(1, RECORDS + 1)}
    job, plan = drills.planned(drill)
    writes = list(plan.writes())
    assert writes
    assert all(type(part) is str for entry in writes for part in entry.key)
    swapped = {one.key for one in drill.truth if one.record_class is RecordClass.SWAPPED}
    assert swapped
    assert {KINDS[kind][2](key) for key in swapped} <= {entry.key[0] for entry in writes}

    result = applied(job, plan, keys, tmp_path / "work", batch=3)
    assert (result.written, result.left_alone) == (len(writes), 0)
    after = contents(drill)
    assert {key for key in after if after[key] != before[key]} == {one.key[0] for one in writes}
    checker = job.checker()
    assert all(checker.check(checker.row(after[one.key[0]])).failed is None for one in writes)
    assert applied(job, plan, keys, tmp_path / "work").already == len(writes)

    database = Database(job.url, job.profile)
    back = Rollback(
        plan, job.profile, database, tmp_path / "work", keys.bureau, drill_key(keys_folder)
    ).roll_back()
    database.close()
    assert (back.written, back.left_alone) == (len(writes), 0)
    assert contents(drill) == before

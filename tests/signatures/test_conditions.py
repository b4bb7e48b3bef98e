"""A record is written only if all of it still is as it was read, whatever its columns' types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.signatures import drills
from tests.signatures.applying import applied, contents, drill_key, make

from opsproof.evidence.keys import Keys
from opsproof.signatures import simulate
from opsproof.signatures.apply import stored_anew
from opsproof.signatures.database import Database, make_engine
from opsproof.signatures.errors import PlanError
from opsproof.signatures.model import key_digest
from opsproof.signatures.profile import Profile
from opsproof.signatures.rollback import Rollback

# Column, type and content; a second content where a condition can tell them apart.
_COLUMNS: dict[str, list[tuple[str, str, str, str | None]]] = {
    "sqlite": [
        ("a", "TEXT COLLATE NOCASE", "'x'", "'X'"),
        ("b", "REAL", "0.1", "0.2"),
        ("c", "DATE", "'2026-06-07'", "'2026-06-08'"),
        ("d", "BLOB", "x'00ff'", "x'00'"),
        ("e", "", "12345678901234567", "12345678901234568"),
        ("f", "NUMERIC(4,1)", "91.5", "'91,5'"),
        ("g", "TEXT", "NULL", "''"),
    ],
    "postgresql": [
        ("a", "char(5)", "'x'", "'X'"),
        ("b", "real", "0.1", None),
        ("c", "timestamptz", "'2026-06-07 10:00:00.123456+08'", "'2026-06-07 10:00:00+08'"),
        ("d", "bytea", r"'\x00ff'", r"'\x00'"),
        ("e", "json", """'{"a": 1}'""", None),
        ("f", "numeric(4,1)", "91.5", "91.6"),
        ("g", "varchar(9)", "'x '", "'x'"),
        ("h", "mood", "'so'", None),
        ("i", "uuid", "gen_random_uuid()", "gen_random_uuid()"),
        ("j", "boolean", "true", "NULL"),
        ("k", "double precision", "0.1", None),
        ("l", "date", "'2026-06-07'", "'2026-06-08'"),
    ],
    "mssql": [
        ("a", "nchar(5)", "N'王'", "N'李'"),
        ("b", "float", "0.1", None),
        ("c", "datetime", "'2026-06-07T10:00:00.123'", "'2026-06-07T10:00:00'"),
        ("d", "varbinary(9)", "0x00ff", "0x00"),
        ("e", "datetime2", "'2026-06-07T10:00:00.1234567'", None),
        ("f", "decimal(4,1)", "91.5", "91.6"),
        ("g", "ntext", "N'x '", "N'x'"),
        ("h", "text", "'x'", "'X'"),
        ("i", "bit", "1", "NULL"),
        ("j", "date", "'2026-06-07'", "'2026-06-08'"),
    ],
}


def profile_over(columns: list[tuple[str, str, str, str | None]]) -> Profile:
    document = simulate.profile_document("ecdsa", "raw", "base64", "international")
    document["table"] = {"name": "kinds"}
    document["key"] = ["id"]
    document["fields"] = [{"name": one[0], "column": one[0]} for one in columns]
    return msgspec.convert(document, Profile)


def run(url: str, *statements: str) -> None:
    engine = make_engine(url)
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.commit()
    engine.dispose()


def test_every_column_is_part_of_the_condition_where_it_can_be(url: str) -> None:
    dialect = url.partition("+")[0].partition(":")[0]
    columns = _COLUMNS[dialect]
    run(
        url,
        *(["create type mood as enum ('so', 'not so')"] if dialect == "postgresql" else []),
        f"create table kinds (id int primary key, {', '.join(f'{n} {t}' for n, t, *_ in columns)},"
        " sign_value varchar(99), cert_serial varchar(99), signed_at varchar(99))",
        f"insert into kinds (id, {', '.join(one[0] for one in columns)}, sign_value)"  # noqa: S608 - of the test
        f" values (1, {', '.join(one[2] for one in columns)}, 'old')",
    )
    profile = profile_over(columns)
    database = Database(url, profile)

    def read() -> dict[str, Any]:
        with database.writing() as connection:
            [cells] = database.fetch(connection, [(1,)], lock=True).values()
            return dict(zip(profile.columns, cells, strict=True))

    def written(stored: dict[str, Any], value: str) -> bool:
        with database.writing() as connection:
            return stored_anew(database, connection, (1,), stored, {"sign_value": value})

    assert written(read(), "new")
    assert read()["sign_value"] == "new"
    for name, _, first, second in columns:
        if second is not None:
            stored = read()
            run(url, f"update kinds set {name} = {second}")  # noqa: S608 - of the test
            assert not written(stored, "wrong"), name
            run(url, f"update kinds set {name} = {first}")  # noqa: S608 - of the test
    assert read()["sign_value"] == "new"
    assert written(read(), "last")
    database.close()


def test_a_record_that_changes_between_reading_and_writing_is_left_alone(
    tmp_path: Path, keys: Keys, keys_folder: Path
) -> None:
    """SQLite has no row locks, and a trigger of the business system may change what it likes."""
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    before = contents(drill)
    job, plan = drills.planned(drill)
    first, second = [entry.key[0] for entry in plan.writes()][:2]
    run(
        drill.url,
        f'CREATE TRIGGER meddles AFTER UPDATE ON "exam score" WHEN new.id = {first} BEGIN'  # noqa: S608 - integers
        f" UPDATE \"exam score\" SET note = 'meddled' WHERE id = {second}; END",
    )
    result = applied(job, plan, keys, tmp_path / "work")
    assert result.left == [key_digest((second,))]
    assert result.written == plan.footer.actions["write"] - 1
    after = contents(drill)
    place = drill.profile.columns.index("note")
    assert after[second][place] == "meddled"
    assert after[second][:place] + after[second][place + 1 :] == (
        before[second][:place] + before[second][place + 1 :]
    )
    database = Database(job.url, job.profile)
    back = Rollback(
        plan, job.profile, database, tmp_path / "work", keys.bureau, drill_key(keys_folder)
    ).roll_back()
    database.close()
    assert back.written == result.written
    assert back.left == result.left


def test_a_way_back_that_meets_another_record_leaves_it(
    tmp_path: Path, keys: Keys, keys_folder: Path
) -> None:
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    job, plan = drills.planned(drill)
    written = applied(job, plan, keys, tmp_path / "work").written
    first, second = [entry.key[0] for entry in plan.writes()][:2]
    run(
        drill.url,
        f'CREATE TRIGGER meddles AFTER UPDATE ON "exam score" WHEN new.id = {first} BEGIN'  # noqa: S608 - integers
        f" UPDATE \"exam score\" SET note = 'meddled' WHERE id = {second}; END",
    )
    database = Database(job.url, job.profile)
    back = Rollback(
        plan, job.profile, database, tmp_path / "work", keys.bureau, drill_key(keys_folder)
    ).roll_back()
    database.close()
    assert back.left == [key_digest((second,))]
    assert back.written == written - 1


def test_a_column_that_never_equals_what_it_gives_is_an_error_and_not_a_change(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    before = contents(drill)
    job, plan = drills.planned(drill)
    monkeypatch.setattr(Database, "update", lambda *_: 0)
    with pytest.raises(PlanError, match="does not find the record by what it holds"):
        applied(job, plan, keys, tmp_path / "work")
    assert contents(drill) == before

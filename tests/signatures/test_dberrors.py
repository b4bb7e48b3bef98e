"""What a database says is told where it speaks of objects, never where it may speak of data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pymssql
import pytest
import sqlalchemy as sa

from opsproof.signatures.database import make_engine, reading
from opsproof.signatures.dberrors import told
from opsproof.signatures.errors import SourceError

SECRET = "330102199001011234"  # an identity card's number


def answer(engine: sa.Engine, statements: str) -> str:
    with pytest.raises(SourceError) as caught:
        ask(engine, [statements] if statements.startswith("DO ") else statements.split("; "))
    assert "\n" not in caught.value.what
    return caught.value.what


def ask(engine: sa.Engine, statements: list[str]) -> None:
    with reading(engine) as connection:
        connection.execution_options(postgresql_readonly=False)
        for statement in statements:
            result = connection.exec_driver_sql(statement)
            if result.returns_rows:
                result.fetchall()


# What is asked, and what is told of it, on each database.
ASKED: dict[str, list[tuple[str, str]]] = {
    "sqlite": [
        ("INSERT INTO t SELECT name FROM t", "attempt to write a readonly database"),
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("SELECT lacking FROM t", "no such column: lacking"),
        ("SELEC", "syntax error"),
        (
            "PRAGMA query_only=0; INSERT INTO t SELECT name FROM t",
            "UNIQUE constraint failed: t.name",
        ),
        ("SELECT json_extract('{}', name) FROM t", "error SQLITE_ERROR"),
        ("SELECT CAST(x'e9' || name AS text) FROM t", "a text that it holds is not UTF-8"),
    ],
    "postgresql": [
        ("SELECT * FROM nowhere", 'relation "nowhere" does not exist'),
        ("SELECT lacking FROM t", 'column "lacking" does not exist'),
        ("SELEC", "syntax error"),
        ("SET ROLE pg_monitor; SELECT * FROM t", "permission denied for table t"),
        (
            "INSERT INTO t SELECT name FROM t",
            "error 23505: a constraint refuses a row, 't_pkey' of 't'",
        ),
        ("SELECT CAST(name AS int) FROM t", "error 22003: a value does not fit"),
        ("SELECT CAST('x' || name AS int) FROM t", "error 22P02: a value does not fit"),
        ("SELECT CAST(name AS date) FROM t", "error 22008: a value does not fit"),
        (
            "DO $$ BEGIN RAISE insufficient_privilege USING MESSAGE = (SELECT name FROM t); END $$",
            "error 42501 (",
        ),
        ("SELECT CAST('infinity' AS date), name FROM t", "DataError (its own words"),
    ],
    "mssql": [
        ("SELECT * FROM nowhere", "Invalid object name 'nowhere'"),
        ("SELECT lacking FROM t", "Invalid column name 'lacking'"),
        ("INSERT INTO t SELECT name FROM t", "error 2627: another record has"),
        ("SELECT CAST(name AS int) FROM t", "error 24"),
        ("SELECT CAST('x' + name AS int) FROM t", "error 245: a value does not fit"),
    ],
}


def test_objects_are_named_and_data_is_not(url: str) -> None:
    engine = make_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (name varchar(20) NOT NULL PRIMARY KEY)")
        table = sa.table("t", sa.column("name"))
        connection.execute(table.insert(), {"name": SECRET})
        connection.commit()
    for statement, said in ASKED[engine.dialect.name]:
        what = answer(engine, statement)
        assert what.startswith("the database answers: ")
        assert said in what
        assert SECRET not in what
    engine.dispose()


class _Diag:
    context = None
    constraint_name = table_name = None

    def __init__(self, words: str) -> None:
        self.message_primary = words


class _Postgres(psycopg.DataError):
    """As the server's answer would be read."""

    def __init__(self, state: str, words: str) -> None:
        super().__init__(words)
        self.sqlstate = state
        self.words = words

    @property
    def diag(self) -> Any:
        return _Diag(self.words)


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (_Postgres("22003", f'value "{SECRET}" is out of range for type integer'), "error 22003: "),
        (_Postgres("XX000", SECRET), "error XX000 ("),
        (
            pymssql.OperationalError(220, f"... for data type tinyint, value = {SECRET}.".encode()),
            "error 220: a value does not fit",
        ),
        (
            pymssql.OperationalError(
                245, f"在将 varchar 值 '{SECRET}' 转换成 int 时失败。".encode()
            ),
            "error 245: a value does not fit",
        ),
        (pymssql.OperationalError(50000, SECRET.encode()), "error 50000: a trigger or function"),
        (pymssql.OperationalError(777, SECRET.encode()), "error 777 ("),
        (pymssql.OperationalError(20018, SECRET.encode()), "error 20018 ("),
        (psycopg.DataError(f"timestamp too large: {SECRET!r}"), "DataError ("),
        (psycopg.OperationalError("server closed the connection"), "closed the connection"),
        (pymssql.OperationalError(208, "对象名 'nowhere' 无效。".encode()), "'nowhere'"),
    ],
)
def test_words_are_told_by_code_whatever_their_language(cause: Exception, said: str) -> None:
    what = told(sa.exc.DBAPIError("SELECT", {"name": SECRET}, cause), connected=True)
    assert what.startswith("the database answers: ")
    assert said in what
    assert SECRET not in what


def test_the_driver_s_own_errors_while_rows_are_read_are_told_too(tmp_path: Path) -> None:
    """The table is read past SQLAlchemy, which does not see what happens there."""
    engine = make_engine(f"sqlite:///{tmp_path}/x.db")

    def read() -> None:
        with reading(engine) as connection:
            query = sa.text("SELECT 'a' UNION ALL SELECT CAST(x'e9' AS text)")
            cursor = connection.execute(query).cursor
            assert cursor is not None
            cursor.fetchall()

    with pytest.raises(SourceError, match="a text that it holds is not UTF-8"):
        read()
    engine.dispose()

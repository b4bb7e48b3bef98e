"""Statements are what each dialect wants; errors say what to do and show no data."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pymssql
import pytest
import sqlalchemy as sa
from tests.signatures import drills
from tests.winlab.sql_lab import PASSWORD, SqlLab

from opsproof.signatures import simulate
from opsproof.signatures.database import Database, _place, after, make_engine, reading
from opsproof.signatures.dberrors import told
from opsproof.signatures.errors import ProfileError, SourceError
from opsproof.signatures.simulate import Drill
from winlab.server.ports import Fault, FaultKind


@pytest.fixture
def drill(tmp_path: Path) -> Drill:
    return simulate.simulate(
        tmp_path, drills.lab_of("ecdsa"), records=25, seed=1, damaged_percent=0
    )


def test_ranges_cover_every_record_once(drill: Drill) -> None:
    database = Database(drill.url, drill.profile)
    ends = [None, *database.boundaries(10), None]
    assert ends == [None, (10,), (20,), None]
    found = []
    for begin, end in itertools.pairwise(ends):
        for batch in database.stream(begin, end, batch=3):
            assert len(batch) <= 3
            found += [row[0] for row in batch]
    database.close()
    assert found == list(range(1, 26))


def test_a_key_of_several_columns_is_compared_in_order() -> None:
    text = str(after([sa.column("a"), sa.column("b"), sa.column("c")], [1, 2, 3]))
    assert text == "a > :a_1 OR a = :a_2 AND (b > :b_1 OR b = :b_2 AND c > :c_1)"


def test_old_tls_is_explained() -> None:
    words = b"DB-Lib error message 20002: Adaptive Server connection failed"
    cause = pymssql.OperationalError((20002, words))
    said = told(sa.exc.OperationalError("SELECT secret", {"name": "王伟"}, cause), connected=False)
    assert "offers TLS 1.0 at most" in said
    assert "--script" in said
    assert "secret" not in said
    assert "王伟" not in said


def test_other_failures_are_not_blamed_on_tls(sql_server: SqlLab) -> None:
    """A refused login ends with the driver's 20002 too, and so does an unknown database."""
    right = sql_server.url()
    ways = {
        right.replace(PASSWORD, "wrong"): "Login failed for user 'sa'",
        sql_server.url("nowhere"): "DB-Lib error message 20018",
        right.replace(f":{sql_server.port}/", ":1/"): "server is unavailable or does not exist",
    }
    for url, said in ways.items():
        engine = make_engine(url)
        with pytest.raises(SourceError) as caught, reading(engine):
            pass
        engine.dispose()
        assert "TLS" not in caught.value.what
        assert caught.value.what.startswith("the database answers: ")
        assert said in caught.value.what
        assert 'b"' not in caught.value.what
        assert "b'" not in caught.value.what
        assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("kind", [FaultKind.REFUSE, FaultKind.DROP])
def test_a_connection_that_is_lost_later_is_not_blamed_on_tls(
    kind: FaultKind, sql_server: SqlLab
) -> None:
    engine = make_engine(sql_server.url())

    def lose() -> None:
        with reading(engine) as connection:
            connection.exec_driver_sql("SELECT 1").fetchall()
            sql_server.faults.append(Fault(kind=kind))
            connection.exec_driver_sql("SELECT 1").fetchall()

    with pytest.raises(SourceError) as caught:
        lose()
    engine.dispose()
    assert sql_server.faults == []
    assert caught.value.what.startswith("the database answers: DB-Lib error message 20047")


@pytest.mark.parametrize("connected", [False, True])
def test_an_end_of_the_connection_is_blamed_on_tls_only_while_it_is_made(connected: bool) -> None:
    words = b"DB-Lib error message 20017, severity 9:\nUnexpected EOF from the server"
    cause = pymssql.OperationalError(20017, words)
    said = told(sa.exc.OperationalError(None, None, cause), connected=connected)
    assert ("TLS 1.0" in said) != connected


def test_a_server_without_tls_1_2_is_explained() -> None:
    old = SqlLab("2008", address="127.77.4.21", tls12=False).start()
    engine = make_engine(old.url())
    try:
        with pytest.raises(SourceError, match=r"offers TLS 1\.0 at most"), reading(engine):
            pass
    finally:
        engine.dispose()
        old.stop()


def test_a_url_that_is_none_is_not_repeated() -> None:
    with pytest.raises(SourceError) as caught:
        make_engine("postgres secret")
    assert str(caught.value) == (
        "--database: is no database URL such as postgresql+psycopg://user@host/name"
    )


def test_passwords_are_not_in_labels(tmp_path: Path) -> None:
    engine = make_engine("postgresql+psycopg://a:secret@127.0.0.1:1/x")
    with pytest.raises(SourceError) as caught, reading(engine):
        pass
    assert "secret" not in str(caught.value)
    assert "a:***@127.0.0.1:1/x" in str(caught.value)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """Of the databases that know partial indexes and many NULL in a unique one."""
    url = f"sqlite:///{tmp_path}/x.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").new_database()
    found = make_engine(url)
    yield found
    found.dispose()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ('CREATE UNIQUE INDEX u ON "exam score" (id) WHERE note IS NOT NULL', "is not unique in"),
        ('ALTER TABLE "exam score" ADD UNIQUE (id)', ""),
        ('CREATE UNIQUE INDEX u ON "exam score" (id)', "has a record whose key is NULL"),
    ],
)
def test_a_key_that_may_miss_records_is_refused(
    statement: str, said: str, engine: sa.Engine, drill: Drill
) -> None:
    """What a partial index leaves out may be there twice, and nothing comes after NULL in a range."""
    names = {f'"{one}" text' for one in drill.profile.columns if one != "id"}
    other = None if "INDEX" in statement else 8
    with engine.connect() as connection:
        if statement.startswith("ALTER") and engine.dialect.name == "sqlite":
            statement = 'CREATE UNIQUE INDEX u ON "exam score" (id)'
        connection.exec_driver_sql(f'CREATE TABLE "exam score" (id integer, {", ".join(names)})')
        connection.exec_driver_sql(statement)
        for key in (7, other):
            connection.execute(sa.insert(sa.table("exam score", sa.column("id"))), {"id": key})
        connection.commit()
    url = engine.url.render_as_string(hide_password=False)
    if not said:
        Database(url, drill.profile).close()
        return
    with pytest.raises(ProfileError) as caught:
        Database(url, drill.profile)
    assert said in caught.value.what


def test_passwords_after_the_question_mark_are_not_in_labels() -> None:
    engine = make_engine("postgresql+psycopg:///x?host=127.0.0.1&port=1&user=a&password=secret")
    with pytest.raises(SourceError) as caught, reading(engine):
        pass
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        (
            "postgresql+psycopg://reader@DB/archive",
            "postgresql+psycopg://writer:secret@db:5432/archive?sslmode=require",
            "postgresql+psycopg://reader@db/archive2",
        ),
        (
            "postgresql+psycopg:///archive?host=/run/a",
            "postgresql+psycopg://writer@/archive?host=/run/a&password=secret",
            "postgresql+psycopg:///archive?host=/run/b",
        ),
        (
            "mssql+pymssql://reader:secret@sql01/archive",
            "mssql+pymssql://writer@sql01:1433/archive?charset=utf8",
            "mssql+pymssql://reader:secret@sql01:1444/archive",
        ),
        ("sqlite:///records.db", "sqlite:///./x/../records.db", "sqlite:///x/records.db"),
    ],
)
def test_a_place_is_the_databases_and_not_the_accounts(one: str, same: str, other: str) -> None:
    """A plan is made with an account that reads and applied with one that writes."""
    places = [_place(sa.make_url(url)) for url in (one, same, other)]
    assert places[0] == places[1] != places[2]
    assert not [word for word in ("secret", "reader", "writer", "+") if word in "".join(places)]

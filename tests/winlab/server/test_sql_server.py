"""pymssql, a real driver, against the lab's SQL Server."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import pymssql
import pytest
import sqlalchemy as sa
from tests.winlab.sql_lab import SqlLab

from winlab.server.ports import Fault, FaultKind


@pytest.fixture(scope="module")
def lab() -> Iterator[SqlLab]:
    found = SqlLab("2008").start()
    yield found
    found.stop()


@pytest.fixture
def link(lab: SqlLab) -> Iterator[pymssql.Connection]:
    with lab.connect() as connection:
        yield connection


def number_of(error: BaseException) -> int:
    """The server's number in a driver's error."""
    found = error.args[0]
    return int(found[0] if isinstance(found, tuple) else found)


TYPES = """CREATE TABLE {name} (id int PRIMARY KEY, a nvarchar(max), b varbinary(max), c datetime,
 d datetime2, e decimal(10,3), f bit, g uniqueidentifier, h float, i date, j varchar(10), k nchar(3),
 l bigint, m smallint, n tinyint, o nvarchar(20), p binary(4), q time(3), r smalldatetime, s char(4))"""
NOON = datetime(2026, 1, 2, 3, 4, 5, 677000)  # noqa: DTZ001 - SQL Server's times have no zone
ROW = (
    *(1, "王伟" * 20_000, os.urandom(90_000), NOON, NOON.replace(microsecond=678000)),
    *(Decimal("-12.345"), True, UUID(int=5), 1.25, date(2026, 1, 2), "abc", "x  ", 2**40, -5, 200),
    *("𠮷野家", b"\1\2\0\0"),
)


@pytest.mark.parametrize("version", ["7.1", "7.2", "7.3", "7.4"])
def test_every_type_comes_back(lab: SqlLab, version: str) -> None:
    name = f"types{version.replace('.', '')}"
    with lab.connect(tds_version=version) as link, link.cursor() as cursor:
        cursor.execute(TYPES.format(name=name))
        marks = ", ".join(["%s"] * len(ROW))
        values = tuple(str(one) if isinstance(one, UUID) else one for one in ROW)
        rest = "'10:11:12.123', '2026-01-02 10:11:31', 'ab'"
        cursor.execute(f"INSERT {name} VALUES ({marks}, {rest})", values)  # noqa: S608 - of the test
        cursor.execute(f"INSERT {name} (id) VALUES (2)")  # noqa: S608 - of the test
        cursor.execute(f"SELECT * FROM {name} ORDER BY id")  # noqa: S608 - of the test
        first, second = cursor.fetchall()
    if version in {"7.1", "7.2"}:  # the new times travel as text there
        assert first[4] == "2026-01-02 03:04:05.6780000"
        assert first[9] == "2026-01-02"
        first = (*first[:4], ROW[4], *first[5:9], ROW[9], *first[10:])
    assert first[: len(ROW)] == ROW
    assert first[-2:] == (datetime(2026, 1, 2, 10, 12), "ab  ")  # noqa: DTZ001 - no zone
    assert second == (2, *[None] * (len(first) - 1))


def test_a_login_that_fails(lab: SqlLab) -> None:
    lab.failed.clear()
    with pytest.raises(pymssql.OperationalError) as caught:
        lab.connect(password="wrong")
    # 20018: the server answered. Which of its words the driver shows depends on earlier failures.
    assert "20018" in str(caught.value)
    [told] = lab.failed
    assert (told.user, told.client) == ("sa", "127.0.0.1")
    assert told.reason == "Password did not match that for the login provided."
    with pytest.raises(pymssql.OperationalError) as caught:
        lab.connect(database="nowhere")
    assert "20018" in str(caught.value)
    assert lab.failed[1].reason == "Failed to open the explicitly specified database 'nowhere'."


def test_errors_have_the_numbers_of_the_server(link: pymssql.Connection) -> None:
    cursor = link.cursor()
    cursor.execute("CREATE TABLE numbers (id int PRIMARY KEY, a nvarchar(3) NOT NULL)")
    cursor.execute("INSERT numbers VALUES (1, N'a')")
    link.commit()
    for number, kind, text in (
        (208, pymssql.ProgrammingError, "SELECT * FROM nothing"),
        (207, pymssql.ProgrammingError, "SELECT nothing FROM numbers"),
        (102, pymssql.ProgrammingError, "SELECT id FROM numbers ORDER BY id OFFSET 1 ROWS"),
        (2627, pymssql.IntegrityError, "INSERT numbers VALUES (1, N'b')"),
        (515, pymssql.IntegrityError, "INSERT numbers (id) VALUES (2)"),
        (8152, pymssql.OperationalError, "INSERT numbers VALUES (3, N'abcd')"),
        (8134, pymssql.OperationalError, "SELECT 1 / 0"),
        (245, pymssql.OperationalError, "SELECT CAST('x' AS int)"),
        (50000, pymssql.OperationalError, "SELECT frobnicate(1)"),
    ):
        with pytest.raises(kind) as caught:
            cursor.execute(text)
        assert number_of(caught.value) == number, str(caught.value)
        link.rollback()


def test_two_connections_see_what_is_committed(lab: SqlLab) -> None:
    with lab.connect() as one, lab.connect() as two:
        first, second = one.cursor(), two.cursor()
        first.execute("CREATE TABLE seen (id int PRIMARY KEY, a int)")
        first.execute("INSERT seen VALUES (1, 10)")
        one.commit()
        first.execute("UPDATE seen SET a = 11")
        second.execute("SET LOCK_TIMEOUT 50")
        with pytest.raises(pymssql.OperationalError) as caught:
            second.execute("SELECT a FROM seen")
        assert number_of(caught.value) == 1222
        second.execute("SELECT a FROM seen WITH (NOLOCK)")
        assert second.fetchall() == [(11,)]
        one.rollback()
        second.execute("SELECT a FROM seen")
        assert second.fetchall() == [(10,)]
        two.commit()


def test_a_writer_waits_for_the_other(lab: SqlLab) -> None:
    with lab.connect() as one, lab.connect() as two:
        first, second = one.cursor(), two.cursor()
        first.execute("CREATE TABLE waits (id int PRIMARY KEY, a int)")
        first.execute("INSERT waits VALUES (1, 0)")
        one.commit()
        first.execute("UPDATE waits SET a = a + 1")
        done = threading.Event()

        def other() -> None:
            second.execute("UPDATE waits SET a = a + 10")
            two.commit()
            done.set()

        thread = threading.Thread(target=other)
        thread.start()
        assert not done.wait(0.1)
        one.commit()
        thread.join(10)
        first.execute("SELECT a FROM waits")
        assert first.fetchall() == [(11,)]


def test_a_cut_connection_rolls_back(lab: SqlLab) -> None:
    one = lab.connect()
    cursor = one.cursor()
    cursor.execute("CREATE TABLE cuts (id int)")
    one.commit()
    cursor.execute("INSERT cuts VALUES (1)")
    lab.faults.append(Fault(kind=FaultKind.DROP))
    with pytest.raises(pymssql.Error):
        cursor.execute("INSERT cuts VALUES (2)")
    with lab.connect() as two, two.cursor() as again:
        again.execute("SELECT COUNT(*) FROM cuts")
        assert again.fetchall() == [(0,)]


def test_a_service_that_stops_keeps_its_data(lab: SqlLab) -> None:
    with lab.connect() as link, link.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (a nvarchar(5))")
        cursor.execute("INSERT kept VALUES (N'留')")
        link.commit()
        cursor.execute("INSERT kept VALUES (N'去')")
        lab.running = False
        lab.refresh()
        with pytest.raises(pymssql.Error):
            cursor.execute("SELECT 1")
    with pytest.raises(pymssql.OperationalError):
        lab.connect(login_timeout=2)
    lab.running = True
    lab.refresh()
    with lab.connect() as link, link.cursor() as cursor:
        cursor.execute("SELECT a FROM kept")
        assert cursor.fetchall() == [("留",)]


def test_latency_is_felt_and_counted(lab: SqlLab) -> None:
    with lab.connect() as link, link.cursor() as cursor:
        lab.counted.clear()
        lab.faults.append(Fault(kind=FaultKind.LATENCY, latency=0.2))
        begin = time.monotonic()
        cursor.execute("SELECT 1")
        assert time.monotonic() - begin > 0.19
    assert lab.counted["sql batch"] >= 1


def test_a_query_can_be_cancelled(lab: SqlLab) -> None:
    with (
        lab.connect(timeout=1) as link,
        link.cursor() as cursor,
        pytest.raises(pymssql.OperationalError),
    ):
        cursor.execute("WAITFOR DELAY '00:00:30'")


def test_tls_1_0_is_all_that_an_old_server_offers() -> None:
    old = SqlLab("2008", address="127.77.4.10", tls12=False).start()
    try:
        with pytest.raises(pymssql.OperationalError) as caught:
            old.connect()
        # The driver's number may be that of an earlier failure; 20018 would say that the server answered.
        assert "TDS server connection failed" in str(caught.value)
        assert "20018" not in str(caught.value)
    finally:
        old.stop()


def test_a_server_that_hangs_lets_the_lab_stop() -> None:
    lab = SqlLab("2008", address="127.77.4.12").start()
    with lab.connect(timeout=1) as link, link.cursor() as cursor:
        lab.faults.append(Fault(kind=FaultKind.HANG))
        with pytest.raises(pymssql.OperationalError):
            cursor.execute("SELECT 1")
        lab.stop()


@pytest.mark.parametrize("encryption", ["off", "request", "require"])
def test_encryption_is_what_both_want(lab: SqlLab, encryption: str) -> None:
    with lab.connect(encryption=encryption) as link, link.cursor() as cursor:
        cursor.execute("SELECT REPLICATE(N'密', 3000)")
        assert cursor.fetchall() == [("密" * 3000,)]


def test_a_server_can_force_encryption() -> None:
    lab = SqlLab("2008", address="127.77.4.13", force_encryption=True).start()
    try:
        with lab.connect(encryption="request") as link, link.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchall() == [(1,)]
        with pytest.raises(pymssql.OperationalError):
            lab.connect(encryption="off")
    finally:
        lab.stop()


@pytest.mark.parametrize("year", ["2008", "2019"])
def test_sqlalchemy_reflects(lab: SqlLab, year: str) -> None:
    other = lab if year == "2008" else SqlLab(year, address="127.77.4.11").start()
    try:
        engine = sa.create_engine(other.new_database())
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE parent (a int NOT NULL, b nvarchar(10) NOT NULL, "
                "CONSTRAINT pk_parent PRIMARY KEY (a, b))"
            )
            connection.exec_driver_sql(
                "CREATE TABLE child (id bigint IDENTITY(5, 2) PRIMARY KEY, a int, b nvarchar(10), "
                "n decimal(7, 2) NOT NULL DEFAULT 1.5, "
                "CONSTRAINT fk FOREIGN KEY (a, b) REFERENCES parent (a, b))"
            )
            connection.exec_driver_sql("CREATE UNIQUE INDEX only_n ON child (n)")
            connection.exec_driver_sql("CREATE VIEW seen AS SELECT id, n FROM child WHERE n > 1")
        inspector = sa.inspect(engine)
        assert inspector.get_table_names() == ["child", "parent"]
        assert inspector.get_view_names() == ["seen"]
        assert inspector.get_pk_constraint("parent")["constrained_columns"] == ["a", "b"]
        [foreign] = inspector.get_foreign_keys("child")
        assert (foreign["referred_table"], foreign["referred_columns"]) == ("parent", ["a", "b"])
        assert [one["name"] for one in inspector.get_indexes("child") if one["unique"]] == [
            "only_n"
        ]
        table = sa.Table("child", sa.MetaData(), autoload_with=engine)
        assert isinstance(table.c.n.type, sa.Numeric)
        assert (table.c.n.type.precision, table.c.n.type.scale) == (7, 2)
        with engine.begin() as connection:
            connection.execute(table.insert(), [{"n": Decimal(one)} for one in range(1, 8)])
            page = sa.select(table.c.id, table.c.n).order_by(table.c.id).offset(2).limit(2)
            assert connection.execute(page).all() == [(9, Decimal("3.00")), (11, Decimal("4.00"))]
            one = connection.execute(table.insert().values(n=99))
            assert one.inserted_primary_key == (19,)
        engine.dispose()
    finally:
        if other is not lab:
            other.stop()

"""Transact-SQL as SQL Server has it: types, errors, transactions, versions."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.winlab.sql_lab import new_instance, new_session

from winlab.sqlserver.database import Database
from winlab.sqlserver.events import Blocked, Done, Result, Said
from winlab.sqlserver.instance import Instance, Login
from winlab.sqlserver.session import Client, Session, drive


@pytest.fixture
def session() -> Session:
    return new_session(new_instance("2008"))


def rows(session: Session, text: str) -> list[tuple[Any, ...]]:
    """The rows of the last result; an error fails the test."""
    events = drive(session.batch(text))
    assert not [one for one in events if isinstance(one, Said) and one.severity > 10], events
    found = [one for one in events if isinstance(one, Result)]
    return found[-1].rows if found else []


def value(session: Session, expression: str) -> Any:
    [(found,)] = rows(session, f"SELECT {expression}")
    return found


def errors(session: Session, text: str) -> list[int]:
    """The numbers of a batch's errors."""
    events = drive(session.batch(text))
    return [one.number for one in events if isinstance(one, Said) and one.severity > 10]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("5 / 2", 2),
        ("-7 / 2", -3),
        ("7 % 3", 1),
        ("5 / 2.0", Decimal("2.500000")),
        ("1.10 + 2", Decimal("3.10")),
        ("1.5 * 1.5", Decimal("2.25")),
        ("CAST(2.345 AS decimal(5, 2))", Decimal("2.35")),
        ("CAST(-2.345 AS decimal(5, 2))", Decimal("-2.35")),
        ("CAST(12.9 AS int)", 12),
        ("CAST('' AS int)", 0),
        ("CAST(' 42 ' AS bigint)", 42),
        ("1 + '2'", 3),
        ("'a' + N'王'", "a王"),
        ("N'王' + NULL", None),
        ("CAST(N'王' AS varchar(4))", "王"),  # the database's code page is 936
        ("CAST(N'𠮷' AS varchar(4))", "?"),
        ("DATALENGTH(N'王a')", 4),
        ("DATALENGTH('王a')", 3),
        ("LEN('ab  ')", 2),
        ("CAST('ab' AS char(4)) + '|'", "ab  |"),
        ("CAST(0x414243 AS varchar(2))", "AB"),
        ("CAST(258 AS varbinary(2))", b"\1\2"),
        ("CAST(N'A' AS varbinary(max))", b"A\0"),
        ("CONVERT(varchar(8), 0x0AFF, 2)", "0AFF"),
        ("CAST('2026-01-02T03:04:05' AS datetime2)", datetime(2026, 1, 2, 3, 4, 5)),  # noqa: DTZ001 - no zone
        (
            "CONVERT(varchar(23), CAST('20260102 03:04:05.678' AS datetime), 121)",
            "2026-01-02 03:04:05.677",
        ),
        ("CONVERT(varchar(10), CAST('2026-01-02' AS datetime), 23)", "2026-01-02"),
        ("CAST(CAST('2026-01-02' AS datetime) AS varchar(20))", "Jan  2 2026 12:00AM"),
        ("CAST('2026-02-28' AS date)", date(2026, 2, 28)),
        ("DATEADD(month, 1, CAST('2026-01-31' AS date))", date(2026, 2, 28)),
        ("DATEDIFF(day, '2026-01-01 23:59', '2026-01-02 00:01')", 1),
        ("ISNULL(NULL, 'x')", "x"),
        ("COALESCE(NULL, NULL, 5)", 5),
        ("NULLIF('a', 'A ')", None),
        ("CASE WHEN NULL = NULL THEN 1 ELSE 0 END", 0),
        ("CASE 'a' WHEN 'A ' THEN 1 ELSE 0 END", 1),
        ("CASE WHEN 'ａ' = 'A' THEN 1 ELSE 0 END", 1),
        ("CASE WHEN 'a' = 'A' COLLATE Latin1_General_BIN2 THEN 1 ELSE 0 END", 0),
        ("CASE WHEN 91.5 = '91.50' THEN 1 ELSE 0 END", 1),
        ("CASE WHEN 'x%' LIKE 'x!%' ESCAPE '!' THEN 1 ELSE 0 END", 1),
        ("CASE WHEN 'b' LIKE '[^a]' THEN 1 ELSE 0 END", 1),
        ("CASE WHEN 1 IN (2, NULL) THEN 1 WHEN 1 NOT IN (2, NULL) THEN 2 ELSE 3 END", 3),
        ("QUOTENAME('a]b')", "[a]]b]"),
        ("SUBSTRING('abcdef', 2, 3)", "bcd"),
        (
            "CAST(CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier) AS varbinary(16))",
            bytes.fromhex("FF19966F868B11D0B42D00C04FC964FF"),
        ),
        ("CAST('2026-01-06' AS datetime) - -5", datetime(2026, 1, 11)),  # noqa: DTZ001 - no zone
        ("SCOPE_IDENTITY()", None),
        ("DB_NAME()", "exam"),
        ("@@TRANCOUNT", 0),
    ],
)
def test_expressions(session: Session, expression: str, expected: Any) -> None:
    assert value(session, expression) == expected


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("SELEC 1", [2812]),
        ("SELECT 1 1", [102]),
        ("SELECT FROM t", [156]),
        ("SELECT 'open", [105]),
        ("SELECT 1 /* open", [113]),
        ("SELECT @x", [137]),
        ("DECLARE @a int, @a int", [134]),
        ("SELECT a FROM sys.objects, sys.tables", [207]),
        ("SELECT name FROM sys.objects, sys.tables", [209]),
        ("SELECT x.name FROM sys.objects", [4104]),
        ("SELECT name, COUNT(*) FROM sys.objects", [8120]),
        ("SELECT (SELECT 1 UNION SELECT 2)", [512]),
        ("SELECT 1 UNION SELECT 1, 2", [205]),
        ("SELECT CAST(300 AS tinyint)", [220]),
        ("SELECT CAST('9999999999' AS int)", [248]),
        ("SELECT CAST(1000 AS decimal(3, 1))", [8115]),
        ("SELECT CAST('x' AS decimal(3, 1))", [8114]),
        ("SELECT CAST('2026-02-30' AS datetime)", [242]),
        ("SELECT CAST('no' AS datetime2)", [241]),
        ("SELECT CAST('x' AS uniqueidentifier)", [8169]),
        ("SELECT 2147483647 + 1", [8115]),
        ("COMMIT", [3902]),
        ("ROLLBACK", [3903]),
        ("EXEC nobody", [2812]),
        ("USE nowhere", [911]),
        ("DROP TABLE nothing", [3701]),
        ("SELECT IIF(1 = 1, 2, 3)", [195]),
        ("THROW 50001, 'x', 1", [102]),
        ("DROP TABLE IF EXISTS t", [156]),
        ("MERGE t USING u ON 1 = 1", [50000]),
        ("SELECT CAST(1 AS xml)", [50000]),
        ("SELECT * FROM other.dbo.t", [50000]),
        ("SELECT 1 FOR XML AUTO", [50000]),
        ("SELECT CAST('a' AS ntext) + 'b'", [402]),
        ("SELECT DISTINCT CAST('a' AS ntext)", [306]),
    ],
)
def test_errors(session: Session, text: str, numbers: list[int]) -> None:
    assert errors(session, text) == numbers


def test_newer_versions_know_more() -> None:
    session = new_session(new_instance("2016"))
    assert value(session, "IIF(1 = 1, 'yes', 'no')") == "yes"
    rows(session, "DROP TABLE IF EXISTS t; CREATE TABLE t (a int); INSERT t VALUES (1), (2), (3)")
    assert rows(session, "SELECT a FROM t ORDER BY a OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY") == [
        (2,)
    ]
    assert errors(session, "THROW 50001, 'mine', 1; SELECT 1") == [50001]


def test_what_is_not_modelled_is_counted() -> None:
    seen: list[str] = []
    session = new_session(new_instance("2008", not_modelled=seen.append))
    drive(session.batch("SELECT SOUNDEX('x')"))
    assert seen == ["SQL Server: the function SOUNDEX"]


TABLE = """CREATE TABLE scores (id int IDENTITY(10, 5) PRIMARY KEY, name nvarchar(5) NOT NULL UNIQUE,
 score decimal(5, 1) NOT NULL DEFAULT 60 CHECK (score >= 0), kind char(2) COLLATE Latin1_General_BIN2)"""


def test_tables_keep_what_they_declare(session: Session) -> None:
    rows(session, TABLE)
    events = drive(
        session.batch(
            "INSERT scores (name) OUTPUT inserted.id, inserted.score VALUES (N'王'), (N'李')"
        )
    )
    assert [one.rows for one in events if isinstance(one, Result)] == [
        [(10, Decimal("60.0")), (15, Decimal("60.0"))]
    ]
    assert value(session, "SCOPE_IDENTITY()") == Decimal(15)
    for text, number in (
        ("INSERT scores (name) VALUES (N'王  ')", 2627),
        ("INSERT scores (name) VALUES (N'123456')", 8152),
        ("INSERT scores (name) VALUES (NULL)", 515),
        ("INSERT scores (name, score) VALUES (N'x', -1)", 547),
        ("INSERT scores (id, name) VALUES (1, N'x')", 544),
        ("INSERT scores VALUES (N'x')", 213),
        ("INSERT scores (name, score) VALUES (N'x')", 109),
        ("UPDATE scores SET id = 1", 8102),
        ("UPDATE scores SET score = 99999", 8115),
    ):
        assert errors(session, text) == [number], text
    rows(session, "INSERT scores (name, kind) VALUES (N'x', 'a')")
    # Refused rows used up numbers: IDENTITY gives none back.
    assert value(session, "SCOPE_IDENTITY()") > Decimal(20)
    assert rows(session, "SELECT name FROM scores WHERE kind = 'A'") == []
    rows(session, "SET IDENTITY_INSERT scores ON; INSERT scores (id, name) VALUES (1, N'y')")
    assert value(session, "(SELECT MIN(id) FROM scores)") == 1


def test_changes_with_joins_top_and_output(session: Session) -> None:
    rows(session, "CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int, w int)")
    rows(session, "INSERT a VALUES (1, 0), (2, 0), (3, 0); INSERT b VALUES (1, 7), (2, 8), (2, 8)")
    [done] = [
        one
        for one in drive(session.batch("UPDATE x SET v = b.w FROM a x JOIN b ON b.id = x.id"))
        if isinstance(one, Done)
    ]
    assert done.count == 2
    assert rows(session, "SELECT v FROM a ORDER BY id") == [(7,), (8,), (0,)]
    assert rows(session, "DELETE TOP (1) FROM a OUTPUT deleted.id WHERE v = 8") == [(2,)]
    rows(session, "DELETE a FROM a JOIN b ON a.id = b.id")
    assert rows(session, "SELECT id FROM a") == [(3,)]
    rows(session, "INSERT a SELECT id + 100, MAX(w) FROM b GROUP BY id")
    assert rows(session, "SELECT id, v FROM a ORDER BY 1 DESC") == [(102, 8), (101, 7), (3, 0)]


def test_queries(session: Session) -> None:
    rows(session, "CREATE TABLE t (id int, g nvarchar(3), n decimal(4, 1))")
    rows(session, "INSERT t VALUES (1, 'a', 1.5), (2, 'A', 2.5), (3, 'b', NULL)")
    assert rows(session, "SELECT g, COUNT(*), SUM(n), AVG(id) FROM t GROUP BY g ORDER BY g") == [
        ("a", 2, Decimal("4.0"), 1),
        ("b", 1, None, 3),
    ]
    assert rows(session, "SELECT DISTINCT g FROM t ORDER BY g DESC") == [("b",), ("a",)]
    assert rows(session, "SELECT id FROM t WHERE EXISTS (SELECT g INTERSECT SELECT N'B')") == [(3,)]
    assert rows(session, "SELECT id FROM t WHERE EXISTS (SELECT n INTERSECT SELECT NULL)") == [(3,)]
    assert rows(
        session, "WITH q (x) AS (SELECT id FROM t) SELECT TOP 2 x FROM q ORDER BY x DESC"
    ) == [(3,), (2,)]
    assert rows(session, "SELECT id FROM t WHERE id NOT IN (SELECT id FROM t WHERE n > 2)") == [
        (1,),
        (3,),
    ]
    numbered = "SELECT id, ROW_NUMBER() OVER (PARTITION BY g ORDER BY id DESC) AS r FROM t"
    first = f"SELECT id FROM ({numbered}) AS q WHERE r = 1 ORDER BY id"  # noqa: S608 - of the test
    assert rows(session, first) == [
        (2,),
        (3,),
    ]
    rows(session, "CREATE VIEW v AS SELECT g AS name, n FROM t WHERE n IS NOT NULL")
    assert rows(session, "SELECT v.name FROM v ORDER BY n DESC") == [("A",), ("a",)]
    assert rows(
        session,
        "SELECT COALESCE(a.id, 0), b.id FROM t a RIGHT JOIN t b ON a.id = b.id - 1 ORDER BY b.id",
    )[0] == (0, 1)


def test_long_lists_are_no_deep_trees(session: Session) -> None:
    rows(session, "CREATE TABLE t (id int PRIMARY KEY); INSERT t VALUES (7)")
    many = " OR ".join(f"id = {number}" for number in range(3000))
    assert rows(session, f"SELECT id FROM t WHERE {many}") == [(7,)]  # noqa: S608 - of the test
    listed = ", ".join(str(number) for number in range(3000))
    assert rows(session, f"SELECT id FROM t WHERE id IN ({listed})") == [(7,)]  # noqa: S608 - as above
    assert errors(session, f"SELECT {'(' * 500}1{')' * 500}") == [191]


# -- transactions --------------------------------------------------------------------------------


def test_try_and_catch(session: Session) -> None:
    rows(session, "CREATE TABLE t (id int PRIMARY KEY); INSERT t VALUES (1)")
    text = """BEGIN TRY INSERT t VALUES (2); INSERT t VALUES (1); INSERT t VALUES (3) END TRY
BEGIN CATCH SELECT ERROR_NUMBER(), ERROR_LINE(), XACT_STATE() END CATCH"""
    assert rows(session, text) == [(2627, 1, 0)]
    assert rows(session, "SELECT id FROM t") == [(1,), (2,)]


def test_xact_abort_ends_batch_and_transaction(session: Session) -> None:
    rows(session, "CREATE TABLE t (id int PRIMARY KEY)")
    assert errors(
        session, "BEGIN TRAN INSERT t VALUES (1) INSERT t VALUES (1) INSERT t VALUES (2) COMMIT"
    ) == [2627]
    assert rows(session, "SELECT id FROM t") == [(1,), (2,)]
    text = "SET XACT_ABORT ON BEGIN TRAN INSERT t VALUES (3) INSERT t VALUES (3) INSERT t VALUES (4) COMMIT"
    assert errors(session, text) == [2627]
    assert value(session, "@@TRANCOUNT") == 0
    assert rows(session, "SELECT id FROM t") == [(1,), (2,)]


def test_a_doomed_transaction_can_only_be_rolled_back(session: Session) -> None:
    rows(session, "CREATE TABLE t (id int PRIMARY KEY)")
    text = """SET XACT_ABORT ON BEGIN TRY BEGIN TRAN INSERT t VALUES (1) INSERT t VALUES (1) END TRY
BEGIN CATCH IF XACT_STATE() = -1 INSERT t VALUES (9) END CATCH"""
    assert errors(session, text) == [3930, 3998] or errors(session, text) == [3930]
    assert value(session, "@@TRANCOUNT") == 0
    assert rows(session, "SELECT * FROM t") == []


def test_a_conversion_error_ends_the_batch(session: Session) -> None:
    rows(session, "CREATE TABLE t (id int)")
    assert errors(
        session, "BEGIN TRAN INSERT t VALUES (1) SELECT CAST('x' AS int) INSERT t VALUES (2)"
    ) == [245]
    assert value(session, "@@TRANCOUNT") == 0
    assert rows(session, "SELECT * FROM t") == []


def test_definitions_are_rolled_back_too(session: Session) -> None:
    rows(
        session,
        "BEGIN TRAN CREATE TABLE t (id int) ALTER TABLE t ADD n nvarchar(3) NOT NULL DEFAULT 'x'",
    )
    assert rows(session, "SELECT name FROM sys.columns WHERE object_id = OBJECT_ID('t')") == [
        ("id",),
        ("n",),
    ]
    rows(session, "ROLLBACK")
    assert errors(session, "SELECT * FROM t") == [208]
    assert rows(session, "SELECT name FROM sys.tables") == []


def test_table_variables_outlive_a_rollback_and_temporary_tables_do_not(session: Session) -> None:
    text = """BEGIN TRAN DECLARE @v TABLE (a int) CREATE TABLE #t (a int)
INSERT @v VALUES (1) INSERT #t VALUES (1)
ROLLBACK SELECT COUNT(*) FROM @v"""
    assert rows(session, text) == [(1,)]
    assert errors(session, "SELECT * FROM #t") == [208]
    rows(session, "CREATE TABLE #u (a int); INSERT #u VALUES (5)")
    assert rows(session, "SELECT a FROM #u") == [(5,)]
    other = new_session(session.instance)
    assert errors(other, "SELECT * FROM #u") == [208]


def test_deadlocks_have_a_victim() -> None:
    instance = new_instance()
    instance.attach("two")
    one, two = new_session(instance), new_session(instance)
    for name in ("exam", "two"):
        rows(one, f"USE {name}; CREATE TABLE t (a int); INSERT t VALUES (0)")  # noqa: S608 - as above
    rows(one, "USE exam; BEGIN TRAN UPDATE t SET a = 1; USE two")
    rows(two, "USE two; BEGIN TRAN UPDATE t SET a = 2; USE exam")
    waiting = one.batch("UPDATE t SET a = 1")
    assert isinstance(next(waiting), Blocked)
    assert errors(two, "UPDATE t SET a = 2") == [1205]
    assert two.trancount == 0
    assert isinstance(waiting.send(True), Done)
    rows(one, "COMMIT")
    assert rows(two, "USE two; SELECT a FROM t") == [(1,)]


def test_update_locks_hold_readers_that_will_write() -> None:
    instance = new_instance()
    one, two = new_session(instance), new_session(instance)
    rows(one, "CREATE TABLE t (a int); INSERT t VALUES (0)")
    rows(one, "BEGIN TRAN SELECT a FROM t WITH (UPDLOCK, ROWLOCK)")
    assert rows(two, "SELECT a FROM t") == [(0,)]
    assert errors(two, "UPDATE t SET a = 1") == [1222]
    assert errors(two, "BEGIN TRAN SELECT a FROM t WITH (UPDLOCK)") == [1222]
    rows(one, "COMMIT")
    assert errors(two, "UPDATE t SET a = 1 COMMIT") == []


def test_a_session_that_ends_rolls_back() -> None:
    instance = new_instance()
    one, two = new_session(instance), new_session(instance)
    rows(one, "CREATE TABLE t (a int)")
    rows(one, "BEGIN TRAN INSERT t VALUES (1)")
    one.close()
    assert rows(two, "SELECT * FROM t") == []
    assert list(instance.sessions.values()) == [two]


# -- instances -----------------------------------------------------------------------------------


def test_a_saved_instance_is_as_it_was() -> None:
    instance = new_instance()
    session = new_session(instance)
    rows(
        session,
        "CREATE TABLE t (id int IDENTITY PRIMARY KEY, a nvarchar(5)); INSERT t (a) VALUES (N'甲')",
    )
    state = instance.save()
    rows(session, "INSERT t (a) VALUES (N'乙'); DROP TABLE t")
    instance.load(state)
    again = new_session(instance)
    assert rows(again, "SELECT * FROM t") == [(1, "甲")]
    rows(again, "INSERT t (a) VALUES (N'丙')")
    assert rows(again, "SELECT MAX(id) FROM t") == [(2,)]
    instance.save()
    rows(again, "CREATE TABLE later (id int)")
    instance.load(instance.save())
    assert rows(new_session(instance), "SELECT COUNT(*) FROM later") == [(0,)]
    copy = Database.load(instance.databases["exam"].save())
    assert copy.storage.fetch("SELECT type FROM sqlite_master")


def test_rights(session: Session) -> None:
    instance: Instance = session.instance
    rows(session, "CREATE TABLE t (a int)")
    instance.logins["r"] = Login("r", "r", roles={"exam": "reader"})
    reader = instance.log_in("r", "r", "exam", Client())
    assert errors(reader, "SELECT * FROM t") == []
    assert errors(reader, "INSERT t VALUES (1)") == [229]
    assert errors(reader, "CREATE TABLE u (a int)") == [262]
    assert errors(reader, "ALTER DATABASE exam SET OFFLINE") == [262]
    instance.attach("closed")
    assert errors(reader, "USE closed") == [916]


@given(text=st.text(max_size=40))
@settings(max_examples=60)
def test_any_text_is_stored_as_it_is(text: str) -> None:
    session = new_session(new_instance())
    rows(session, "CREATE TABLE t (a nvarchar(max))")
    quoted = text.replace("'", "''")
    rows(session, f"INSERT t VALUES (N'{quoted}')")  # noqa: S608 - what is tested
    assert rows(session, "SELECT a FROM t") == [(text,)]
    hexed = text.encode("utf-16-le").hex()
    found = f"SELECT COUNT(*) FROM t WHERE CAST(a AS varbinary(max)) = 0x{hexed}"  # noqa: S608 - as above
    assert rows(session, found) == [(1,)]


WORDS = st.sampled_from(
    [
        "SELECT",
        "FROM",
        "WHERE",
        "(",
        ")",
        ",",
        ";",
        "*",
        "=",
        "1",
        "'x'",
        "N'y'",
        "@a",
        "@@ROWCOUNT",
        "t",
        "a",
        "b",
        "INSERT",
        "INTO",
        "VALUES",
        "UPDATE",
        "SET",
        "DELETE",
        "BEGIN",
        "END",
        "TRY",
        "CATCH",
        "IF",
        "ELSE",
        "WHILE",
        "CASE",
        "WHEN",
        "THEN",
        "NULL",
        "AND",
        "OR",
        "NOT",
        "IN",
        "EXISTS",
        "LIKE",
        "BETWEEN",
        "JOIN",
        "ON",
        "GROUP",
        "BY",
        "ORDER",
        "HAVING",
        "UNION",
        "ALL",
        "TOP",
        "CREATE",
        "TABLE",
        "int",
        "DROP",
        "DECLARE",
        "COMMIT",
        "ROLLBACK",
        "TRAN",
        "EXEC",
        "PRINT",
        "RETURN",
        "BREAK",
        "[x]",
        '"y"',
        "0x0A",
        "1.5",
        "+",
        "-",
        "/",
        "AS",
        "COUNT",
    ]
)


@given(words=st.lists(WORDS, max_size=25))
@settings(max_examples=120)
def test_any_words_are_answered_or_refused(words: list[str]) -> None:
    session = new_session(new_instance())
    drive(session.batch("CREATE TABLE t (a int, b nvarchar(3)); INSERT t VALUES (1, 'x')"))
    text = " ".join(words)
    if "WHILE" in words:
        text = text.replace("WHILE", "IF")
    for event in drive(session.batch(text)):
        assert not isinstance(event, Said) or event.number != 3624, (text, event)

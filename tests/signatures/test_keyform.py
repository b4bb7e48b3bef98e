"""A record's key is the same key however the table, a file or a log writes it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql

from opsproof.signatures import simulate
from opsproof.signatures.database import Database, make_engine, reading
from opsproof.signatures.keyform import KeyForm
from opsproof.signatures.profile import Field, Profile, TableName

GUID = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
MIDNIGHT = datetime(2026, 1, 2)  # noqa: DTZ001 - as a driver gives it


def profile(*fields: Field) -> Profile:
    document = simulate.profile_document("rsa", "raw", "base64", "international")
    whole = msgspec.convert(document, Profile)
    return msgspec.structs.replace(
        whole, table=TableName(name="t"), key=("k",), fields=(*fields, *whole.fields[1:])
    )


def text(kind: Any, part: Any, *fields: Field) -> str:
    return KeyForm(profile(*fields), {"k": kind}).text([part])


PADDED = Field("k", "k", padded=True)
SAME: list[tuple[Any, tuple[Field, ...], list[Any]]] = [
    (sa.BigInteger(), (), [7, "7", "007", "+7", Decimal(7), 7.0]),
    (sa.BigInteger(), (Field("k", "k", "integer"),), [7, "7", "007"]),
    (sa.BigInteger(), (Field("k", "k"),), [7, "7", "007"]),
    (sa.Numeric(9, 2), (), [Decimal("7.50"), Decimal("7.5"), "7.50", "07.5", 7.5]),
    (sa.Text(), (Field("k", "k", "decimal", scale=2),), ["7.50", "7.5", Decimal("7.5")]),
    (sa.CHAR(6), (), ["ABC", "ABC   "]),
    (sa.NCHAR(6), (Field("k", "k"),), ["ABC", "ABC   "]),
    (sa.Text(), (PADDED,), ["ABC", "ABC   "]),
    (sa.Uuid(), (), [UUID(GUID), GUID, GUID.upper(), f"{{{GUID}}}"]),
    (mssql.UNIQUEIDENTIFIER(), (), [UUID(GUID), GUID.upper()]),
    (sa.Date(), (), [date(2026, 1, 2), "2026-01-02", "2026-01-02 00:00:00", MIDNIGHT]),
    (sa.DateTime(), (), [MIDNIGHT, "2026-01-02 00:00:00", "2026-01-02T00:00:00.000000"]),
    (sa.DateTime(), (Field("k", "k", "date"),), [MIDNIGHT, "2026-01-02", date(2026, 1, 2)]),
    (sa.Text(), (Field("k", "k", "datetime"),), ["2026-01-02 00:00:00", "2026-01-02T00:00:00"]),
    (
        sa.DateTime(timezone=True),
        (),
        [
            datetime(2026, 1, 1, 16, tzinfo=UTC),
            datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=8))),
            "2026-01-02 00:00:00+08:00",
        ],
    ),
]


@pytest.mark.parametrize(("kind", "fields", "ways"), SAME)
def test_one_key_has_one_form(kind: Any, fields: tuple[Field, ...], ways: list[Any]) -> None:
    assert len({text(kind, one, *fields) for one in ways}) == 1


OTHER: list[tuple[Any, tuple[Field, ...], list[Any]]] = [
    (sa.BigInteger(), (), [7, "7.5", 7.25, "x", "7 ", "7_0", 70, "٧", "9" * 5000]),
    (sa.BigInteger(), (Field("k", "k", "decimal", scale=1),), [7, "7.5"]),
    (sa.Numeric(9, 2), (), [0, 100, 10, "1_0", "NaN", "1e1"]),
    (sa.Text(), (), ["7", "007", "ABC", "abc", "ABC ", " ABC", GUID, GUID.upper()]),
    (sa.CHAR(6), (), ["ABC", " ABC", "ABC\t"]),
    (sa.Date(), (), ["2026-01-02", "2026-01-03", "2026-01-02 00:00:01", "2026-13-01"]),
    (sa.DateTime(), (), ["2026-01-02 00:00:00", "2026-01-02 00:00:00.5"]),
    (sa.DateTime(timezone=True), (), ["0001-01-01 00:00:00+08:00", "9999-12-31 23:59:59-08:00"]),
    (sa.Uuid(), (), [GUID, GUID[:-1] + "0", GUID[:-1]]),
]


@pytest.mark.parametrize(("kind", "fields", "others"), OTHER)
def test_other_keys_have_other_forms(
    kind: Any, fields: tuple[Field, ...], others: list[Any]
) -> None:
    assert len({text(kind, one, *fields) for one in others}) == len(others)


# The type, what is stored as literal, and how somebody else may write it, on each database.
TABLES: dict[str, list[tuple[str, str, str]]] = {
    "sqlite": [
        ("integer", "7", "007"),
        ("char(6)", "'ABC   '", "ABC"),
        ("char(6)", "'ABC'", "ABC   "),
        ("text", "'ABC   '", "ABC"),
        ("datetime", "'2026-01-02 00:00:00'", "2026-01-02T00:00:00"),
        ("datetime", "'2026-01-02 00:00:00.000000'", "2026-01-02 00:00:00"),
        ("date", "'2026-01-02'", "2026-01-02"),
    ],
    "postgresql": [
        ("integer", "7", "007"),
        ("char(6)", "'ABC'", "ABC"),
        ('char(6) collate "C"', "'ABC'", "ABC   "),
        ("numeric(9,2)", "7.50", "7.5"),
        ("timestamp", "'2026-01-02 00:00:00'", "2026-01-02T00:00:00"),
        ("uuid", f"'{GUID}'", GUID.upper()),
    ],
    "mssql": [
        ("int", "7", "007"),
        ("char(6)", "'ABC'", "ABC"),
        ("datetime", "'2026-01-02T00:00:00'", "2026-01-02 00:00:00"),
        ("uniqueidentifier", f"'{GUID}'", GUID.upper()),
    ],
}


def test_a_record_is_found_by_its_key_in_every_form(url: str) -> None:
    engine = make_engine(url)
    dialect = engine.dialect.name
    names = [one for one in profile().columns if one != "k"]
    for number, (kind, literal, way) in enumerate(TABLES[dialect]):
        table = f"t{number}"
        text_type = "varchar(40)" if dialect == "mssql" else "text"
        others = ", ".join(f"{name} {text_type}" for name in names)
        with engine.begin() as connection:
            connection.exec_driver_sql(
                f"CREATE TABLE {table} (k {kind} NOT NULL PRIMARY KEY, {others})"
            )
            connection.exec_driver_sql(f"INSERT INTO {table} (k, note) VALUES ({literal}, 'x')")  # noqa: S608 - of the test
        fields = (PADDED,) if kind == "text" else ()
        whole = msgspec.structs.replace(profile(*fields), table=TableName(name=table))
        database = Database(url, whole)
        assert database.may_name((way,))
        with reading(database.engine) as connection:
            [(key, cells)] = database.fetch(
                connection, [(way,), ("Z",)][: 1 + ("char" in kind)]
            ).items()
            stored = database.key_of(cells)
            assert list(database.fetch(connection, [stored])) == [stored]
            [told] = msgspec.json.decode(database.key_form.text([way]))
            assert list(database.fetch(connection, [(told,)])) == [(told,)]
        assert [row for batch in database.stream(end=stored, batch=1) for row in batch] == [cells]
        assert key == (way,)
        assert database.key_form.text(stored) == database.key_form.text([way])
        database.close()
    engine.dispose()

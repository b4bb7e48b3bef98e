"""The records' table through SQLAlchemy: SQLite, PostgreSQL and SQL Server.

Every name comes from the profile, must be one that the database itself lists, and is quoted by the
dialect; every value is a bound parameter. Nothing is ever concatenated into a statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql import quoted_name
from sqlalchemy.sql.elements import ColumnElement

from opsproof.signatures import conditions
from opsproof.signatures.dberrors import told
from opsproof.signatures.errors import ProfileError, SourceError
from opsproof.signatures.keyform import KeyForm, typed
from opsproof.signatures.model import key_text
from opsproof.signatures.profile import Profile

BATCH: Final = 2000
"""Rows read at a time: what bounds memory."""

_TEXT_IN_SQLITE: Final = (sa.DateTime, sa.Date, sa.Uuid)
_LONGEST_KEY: Final = 900
"""Characters: no database takes longer text into a key (SQL Server: 900 bytes)."""
_PORTS: Final = {"postgresql": 5432, "mssql": 1433}
_WHERE: Final = ("host", "hostaddr", "port", "dbname", "service")
"""Of libpq's connection parameters (PostgreSQL documentation, 34.1.2)."""


class Database:
    """One table. Connections are opened per operation and returned to a pool of one."""

    def __init__(self, url: str, profile: Profile) -> None:
        """Connect and hold the profile's names against what is there.

        Raises:
            SourceError: the database cannot be reached.
            ProfileError: it has no such table or column, or the key does not name one record.
        """
        self.profile = profile
        self.engine = make_engine(url)
        file = self.engine.url.database
        named = self.engine.dialect.name == "sqlite" and file and not file.startswith("file:")
        if named and not Path(str(file)).exists():
            # The driver would make an empty database of a name that was mistyped.
            raise SourceError("there is no such database file", where=self.label)
        self.dialect = self.engine.dialect.name
        try:
            self._types = self._check_names()
        except BaseException:
            self.engine.dispose()
            raise
        schema = profile.table.schema
        self.table = sa.table(
            _name(profile.table.name),
            *(sa.column(_name(one)) for one in profile.columns),
            schema=None if schema is None else _name(schema),
        )
        self.columns = [self.table.c[one] for one in profile.columns]
        self.key = [self.table.c[one] for one in profile.key]
        self._key_places = [profile.columns.index(one) for one in profile.key]
        self.key_form = KeyForm(profile, self._types)

    @property
    def label(self) -> str:
        """Where the table is, without a password."""
        return _shown(self.engine.url)

    @property
    def place(self) -> str:
        """Which database this is, by its URL: the same for every account and driver."""
        return _place(self.engine.url)

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    def count(self) -> int:
        """The number of records."""
        with reading(self.engine) as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(self.table)) or 0)

    def boundaries(self, size: int) -> Iterator[tuple[Any, ...]]:
        """The keys that end ranges of ``size`` records, in key order; the last range has none."""
        last: tuple[Any, ...] | None = None
        with reading(self.engine) as connection:
            while True:
                query = sa.select(*self.key).order_by(*self.key).offset(size - 1).limit(1)
                if last is not None:
                    query = query.where(after(self.key, last))
                row = connection.execute(query).first()
                if row is None:
                    return
                last = tuple(row)
                yield last

    def stream(
        self,
        begin: tuple[Any, ...] | None = None,
        end: tuple[Any, ...] | None = None,
        *,
        batch: int = BATCH,
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Batches of cells of ``profile.columns`` in key order: after ``begin``, up to ``end``."""
        last = begin
        with reading(self.engine) as connection:
            while True:
                query = sa.select(*self.columns).order_by(*self.key).limit(batch)
                if last is not None:
                    query = query.where(after(self.key, last))
                if end is not None:
                    query = query.where(sa.not_(after(self.key, end)))
                # The driver's own tuples: no column has a type here, so a Row would add nothing.
                cursor = connection.execute(query).cursor
                rows = [] if cursor is None else list(cursor.fetchall())
                if rows:
                    yield rows
                if len(rows) < batch:
                    return
                last = tuple(rows[-1][place] for place in self._key_places)

    def fetch(
        self, connection: Connection, keys: Sequence[Sequence[Any]], *, lock: bool = False
    ) -> dict[tuple[Any, ...], sa.Row[Any]]:
        """The cells of the records with these keys; ``lock`` holds them until the transaction ends.

        Found by the keys as given, in whichever form: a plan writes numbers from 2^53 up, dates and
        UUIDs as text, a log whatever it likes.
        """
        if len(self.key) == 1:
            [name] = self.profile.key
            exact: ColumnElement[bool] = self.key[0].in_(
                [self._key_part(name, key[0]) for key in keys]
            )
        else:
            exact = sa.or_(*(self._is(key) for key in keys))
        found = self._matched(connection, keys, exact, lock=lock)
        others = [self._alike(key) for key in keys if tuple(key) not in found]
        if alike := [one for one in others if one is not None]:
            found |= self._matched(connection, keys, sa.or_(*alike), lock=lock)
        return found

    def _matched(
        self,
        connection: Connection,
        keys: Sequence[Sequence[Any]],
        chosen: ColumnElement[bool],
        *,
        lock: bool,
    ) -> dict[tuple[Any, ...], sa.Row[Any]]:
        """Of the records that a condition finds those with these keys: the database is less exact."""
        query = sa.select(*self.columns).where(chosen)
        if lock and self.dialect == "postgresql":
            query = query.with_for_update()
        if lock and self.dialect == "mssql":
            query = query.with_hint(self.table, "WITH (UPDLOCK, ROWLOCK)", "mssql")
        rows = list(connection.execute(query))
        same = {self.key_form.text(self.key_of(row)): row for row in rows}
        same |= {key_text(self.key_of(row)): row for row in rows}
        wanted = {
            tuple(key): same.get(key_text(key), same.get(self.key_form.text(key))) for key in keys
        }
        return {key: row for key, row in wanted.items() if row is not None}

    def key_of(self, cells: Sequence[Any]) -> tuple[Any, ...]:
        """The key in a row of ``profile.columns``, as the driver gave it."""
        return tuple(cells[place] for place in self._key_places)

    def may_name(self, key: Sequence[str]) -> bool:
        """Whether texts that somebody else wrote can be a key here; others must not reach a driver.

        Integers are those of 64 bits, text has no NUL, which PostgreSQL refuses.
        """
        return len(key) == len(self.profile.key) and all(
            _fits(self._types[name], text, is_text=self._is_text(name))
            for name, text in zip(self.profile.key, key, strict=True)
        )

    def update(
        self,
        connection: Connection,
        key: Sequence[Any],
        before: Mapping[str, Any],
        changes: Mapping[str, Any],
    ) -> int:
        """Write ``changes`` to the record if it still holds ``before``; the number of rows changed.

        ``before`` are cells as the driver gave them; :mod:`conditions` says which cannot be asked for.
        """
        held = (
            conditions.holds(self.dialect, self.table.c[name], self._types[name], value)
            for name, value in before.items()
            if name not in self.profile.key
        )
        values = {self.table.c[name]: self.bound(name, value) for name, value in changes.items()}
        statement = (
            sa.update(self.table)
            .where(self._is(key), *(one for one in held if one is not None))
            .values(values)
        )
        return int(connection.execute(statement).rowcount)

    def bound(self, column: str, value: Any) -> Any:
        """A value as the driver wants it: times as such, except where the column holds text."""
        kind = self._types[column]
        temporal = isinstance(kind, sa.DateTime) and self.dialect != "sqlite"
        if not temporal or not isinstance(value, str):
            return value
        found = datetime.fromisoformat(value)
        signed_at = self.profile.signed_at
        if getattr(kind, "timezone", False) and found.tzinfo is None and signed_at is not None:
            found = found.replace(tzinfo=ZoneInfo(signed_at.zone))
        return found

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that commits at the end of the block and rolls back on any error."""
        with _connected(self.engine) as connection, connection.begin():
            if self.dialect == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def _is(self, key: Sequence[Any]) -> ColumnElement[bool]:
        parts = zip(self.profile.key, self.key, key, strict=True)
        return sa.and_(*(column == self._key_part(name, part) for name, column, part in parts))

    def _alike(self, key: Sequence[Any]) -> ColumnElement[bool] | None:
        """Where a column of text may write a key in another way; None if it can in one way only."""
        found: list[ColumnElement[bool]] = []
        several = False
        meant = self.key_form.parts(key)
        for name, column, part, value in zip(self.profile.key, self.key, key, meant, strict=True):
            if self._is_text(name) and isinstance(value, datetime):
                ways = (
                    value.isoformat(),
                    value.isoformat(" "),
                    value.isoformat(" ", "microseconds"),
                )
                found.append(column.in_(ways))
                several = True
            elif self.dialect == "sqlite" and self.key_form.is_padded(name):
                # An index helps with a range; of what follows a blank "!" is the first that matters.
                bare = str(part).rstrip(" ")
                found.append(sa.and_(column >= bare, column < bare + "!"))
                several = True
            else:
                found.append(column == self._key_part(name, part))
        return sa.and_(*found) if several else None

    def _key_part(self, column: str, value: Any) -> Any:
        """A part of a key as the driver wants it; text that is none stays text and finds nothing."""
        kind = self._types[column]
        if not isinstance(value, str):
            return value
        try:
            return value if self._is_text(column) else typed(kind, value)
        except (ValueError, ArithmeticError):
            return value

    def _is_text(self, column: str) -> bool:
        """Whether the driver takes and gives text, whatever SQLite's column is called."""
        kinds = (sa.String, *(_TEXT_IN_SQLITE if self.dialect == "sqlite" else ()))
        return isinstance(self._types[column], kinds)

    def _check_names(self) -> dict[str, Any]:
        profile, table = self.profile, self.profile.table
        try:
            inspector = sa.inspect(self.engine)
            names = inspector.get_table_names(schema=table.schema)
            names += inspector.get_view_names(schema=table.schema)
            if table.name not in names:
                raise ProfileError(
                    f"there is no table {table.name!r}",
                    where=self.label,
                    remedy="names are compared as they are, in the case that the database uses",
                )
            columns = inspector.get_columns(table.name, table.schema)
            found = {one["name"]: one["type"] for one in columns}
            missing = [one for one in profile.columns if one not in found]
            if missing:
                raise ProfileError(
                    f"the table {table.name!r} has no column {missing[0]!r}", where=self.label
                )
            self._check_key(inspector)
            self._check_null({one["name"] for one in columns if one.get("nullable", True)})
        except sa.exc.SQLAlchemyError as error:
            raise SourceError(told(error, connected=False), where=self.label) from error
        return found

    def _check_key(self, inspector: sa.Inspector) -> None:
        """A record must be one row: only a primary or unique key of the database proves it."""
        table = self.profile.table
        wanted = set(self.profile.key)
        unique = [inspector.get_pk_constraint(table.name, table.schema)["constrained_columns"]]
        if self.dialect != "mssql":  # its dialect lists them as indexes, and only there
            unique += [
                one["column_names"]
                for one in inspector.get_unique_constraints(table.name, table.schema)
            ]
        unique += [
            [name for name in one["column_names"] if name is not None]
            for one in inspector.get_indexes(table.name, table.schema)
            if one["unique"] and None not in one["column_names"] and not _is_partial(one)
        ]
        if not any(columns and set(columns) <= wanted for columns in unique):
            raise ProfileError(
                f"the key ({', '.join(self.profile.key)}) is not unique in {table.name!r}",
                where=self.label,
                remedy="name the primary key or the columns of a unique index",
            )

    def _check_null(self, nullable: set[str]) -> None:
        """Nothing comes after NULL and nothing equals it: such records would not be looked at."""
        table = self.profile.table
        parts = [sa.column(_name(one)).is_(None) for one in self.profile.key if one in nullable]
        if not parts:
            return
        schema = None if table.schema is None else _name(table.schema)
        named = sa.table(_name(table.name), schema=schema)
        query = sa.select(sa.literal(1)).select_from(named).where(sa.or_(*parts)).limit(1)
        with reading(self.engine) as connection:
            if connection.execute(query).first() is not None:
                raise ProfileError(
                    f"the table {table.name!r} has a record whose key is NULL",
                    where=self.label,
                    remedy="name a key that every record has",
                )


def make_engine(url: str) -> sa.Engine:
    """An engine for a SQLAlchemy URL. Raises :class:`SourceError` for one that is not understood."""
    try:
        parsed = sa.make_url(url)
        engine = sa.create_engine(parsed, pool_pre_ping=False, hide_parameters=True)
    except (sa.exc.SQLAlchemyError, ImportError, ValueError) as error:
        raise SourceError(
            "is no database URL such as postgresql+psycopg://user@host/name",
            where="--database",
        ) from error
    if engine.dialect.name == "sqlite":
        # The driver's own transactions begin late and not at all for reads: ours begin when told.
        sa.event.listen(engine, "connect", _sqlite_autocommit)
    return engine


@contextmanager
def reading(engine: sa.Engine) -> Iterator[Connection]:
    """A connection for queries; a driver's error becomes a :class:`SourceError`.

    The database itself keeps whatever is asked from writing where it can; nothing is committed.
    """
    with _connected(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(postgresql_readonly=True)
        sqlite = engine.dialect.name == "sqlite"
        if sqlite:
            connection.exec_driver_sql("PRAGMA query_only = 1")
        try:
            yield connection
        finally:
            if sqlite:
                connection.exec_driver_sql("PRAGMA query_only = 0")


@contextmanager
def _connected(engine: sa.Engine) -> Iterator[Connection]:
    """A connection; rows are also fetched past SQLAlchemy, so that errors may be the driver's own."""
    drivers = (sa.exc.StatementError, engine.dialect.loaded_dbapi.Error)
    connected = False
    try:
        with engine.connect() as connection:
            connected = True
            yield connection
    except drivers as error:
        raise SourceError(told(error, connected=connected), where=_shown(engine.url)) from error


def after(columns: Sequence[ColumnElement[Any]], key: Sequence[Any]) -> ColumnElement[bool]:
    """Whether a record's key comes after ``key`` (SQL Server has no row comparison)."""
    first, *rest = columns
    if not rest:
        return sa.and_(first > key[0])
    return sa.or_(first > key[0], sa.and_(first == key[0], after(rest, key[1:])))


def _is_partial(index: Mapping[str, Any]) -> bool:
    """Whether an index is over some records only: it says nothing about the others."""
    return any(name.endswith("_where") for name in index.get("dialect_options", ()))


def _fits(kind: Any, text: str, *, is_text: bool) -> bool:
    if is_text:
        return len(text) <= _LONGEST_KEY and "\0" not in text
    try:
        value = typed(kind, text)
    except (ValueError, ArithmeticError):
        return False
    if isinstance(value, int):
        return -(1 << 63) <= value < 1 << 63
    return not isinstance(value, str) or (len(text) <= _LONGEST_KEY and "\0" not in text)


def _name(name: str) -> quoted_name:
    return quoted_name(name, quote=True)


def _place(url: sa.URL) -> str:
    """Backend, server and database; of what a driver takes after "?" only what says where that is."""
    backend = url.get_backend_name()
    if backend == "sqlite":
        file = url.database or ":memory:"
        return f"sqlite:///{file if file.startswith('file:') else Path(file).resolve()}"
    place = sa.URL.create(
        backend,
        host=None if url.host is None else url.host.lower(),
        port=None if url.port == _PORTS.get(backend) else url.port,
        database=url.database,
        query={name: told for name, told in url.query.items() if name in _WHERE},
    )
    return place.render_as_string()


def _shown(url: sa.URL) -> str:
    """A URL without its password, and without what drivers take after "?", which may be one too."""
    return url.set(query={}).render_as_string(hide_password=True)


def _sqlite_autocommit(connection: Any, _: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout = 30000")

"""One connection's session: its variables, its transaction, and how its batches run.

Which errors end what: "TRY...CATCH", "SET XACT_ABORT" (Transact-SQL reference) and [MS-TDS]
2.2.7.10; where these are silent, "Error and Transaction Handling in SQL Server" by Erland
Sommarskog.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from winlab.sqlserver import actions as act
from winlab.sqlserver import infoviews as infoviews  # registers its views
from winlab.sqlserver import properties
from winlab.sqlserver.catalog import Table
from winlab.sqlserver.errors import NotModelledError, TsqlError
from winlab.sqlserver.events import Blocked, DatabaseChanged, Done, Event, Said, TransactionChanged
from winlab.sqlserver.flow import Flow
from winlab.sqlserver.scope import Output
from winlab.sqlserver.statements import parse
from winlab.sqlserver.sysviews import find as find_view
from winlab.sqlserver.types import INT, SqlType
from winlab.sqlserver.values import Cell

if TYPE_CHECKING:
    from winlab.sqlserver.database import Database
    from winlab.sqlserver.instance import Instance, Login

Run: TypeAlias = Generator[Event, bool | None, None]

_DIRTY = {"NOLOCK", "READUNCOMMITTED"}
_UPDATE_LOCKS = {"UPDLOCK", "XLOCK", "TABLOCKX", "HOLDLOCK", "SERIALIZABLE", "REPEATABLEREAD"}
_LEVELS = {
    "READ UNCOMMITTED": 1,
    "READ COMMITTED": 2,
    "REPEATABLE READ": 3,
    "SERIALIZABLE": 4,
    "SNAPSHOT": 5,
}
ISOLATIONS = {number: name for name, number in _LEVELS.items()}


@dataclass(frozen=True)
class Client:
    """Who is at the other end."""

    host: str = ""
    program: str = ""
    address: str = "<local machine>"


class Session:
    """A session; one batch runs at a time. Implements what statements see of it."""

    def __init__(
        self, instance: Instance, login: Login, database: Database, client: Client, spid: int
    ) -> None:
        """As a new connection is."""
        self.instance = instance
        self.login = login
        self.database = database
        self.client = client
        self.spid = spid
        self.closed = False
        self.trancount = 0
        self.transaction = 0
        self.doomed = False
        self.held: list[Database] = []
        self.waiting_for: Session | None = None
        self.rowcount = 0
        self.error = 0
        self.identity: int | None = None
        self.caught: TsqlError | None = None
        self.tables: dict[str, Table] = {}
        self._variables: dict[str, tuple[SqlType, Cell]] = {}
        self.reads: set[int] = set()
        self.locks_reads = False
        self.made = 0
        self.reset()

    def reset(self) -> None:
        """What sp_reset_connection does: options and temporary tables as new, no transaction."""
        if self.trancount:
            for _ in self.end_transaction(keep=False):
                pass
        for name in list(self.tables):
            self.drop_temporary(name)
        self.nocount = False
        self.xact_abort = False
        self.lock_timeout = -1
        self.isolation = "READ COMMITTED"
        self.quoted_identifiers = True
        self.implicit = False
        self.identity_insert = ""

    def close(self) -> None:
        """The connection is gone: the open transaction is rolled back."""
        if not self.closed:
            self.reset()
            self.closed = True
            self.instance.sessions.pop(self.spid, None)

    # -- batches -----------------------------------------------------------------------------

    def batch(
        self, text: str, parameters: Sequence[tuple[str, SqlType, Cell]] = (), *, depth: int = 0
    ) -> Run:
        """Run a batch; ``parameters`` are variables that it finds declared."""
        outer = self._variables
        temporary = set(self.tables)
        self._variables = {name.lower(): (kind, cell) for name, kind, cell in parameters}
        try:
            try:
                statements = parse(
                    text, self.instance.product.major, quoted_identifiers=self.quoted_identifiers
                )
            except TsqlError as error:
                yield from self.tell(error)
                return
            before = self.trancount
            yield from Flow(self, depth).run(statements)
            if self.doomed and depth == 0:
                yield from self.end_transaction(keep=False)
                yield from self.tell(TsqlError(3998))
            elif depth and self.trancount != before:
                yield from self.tell(TsqlError(266, before, self.trancount, state=2))
        finally:
            self._variables = outer
            for name in [
                one for one in self.tables if one.startswith("@") and one not in temporary
            ]:
                self.drop_temporary(name)

    def tell(self, error: TsqlError) -> Run:
        """Give an error to the client and remember its number."""
        self.error = error.number
        if isinstance(error, NotModelledError):
            self.instance.not_modelled(f"SQL Server: {error.what}")
        yield Said(
            error.number,
            error.severity,
            error.state,
            error.text,
            max(error.line, 1),
            error.procedure,
        )

    # -- variables ---------------------------------------------------------------------------

    def declare(self, name: str, kind: SqlType, cell: Cell) -> None:
        """A new variable. Raises :class:`TsqlError` 134."""
        if name in self._variables:
            raise TsqlError(134, name)
        self._variables[name] = (kind, cell)

    def assign(self, name: str, cell: Cell) -> None:
        """Set a variable that is declared."""
        kind, _ = self.variable(name)
        self._variables[name] = (kind, cell)

    def variable(self, name: str) -> tuple[SqlType, Cell]:
        """A variable's type and value. Raises :class:`TsqlError` 137."""
        if name not in self._variables:
            raise TsqlError(137, name, state=2)
        return self._variables[name]

    def global_value(self, name: str) -> tuple[SqlType, Cell]:
        """What a @@ name gives."""
        match name:
            case "@@ROWCOUNT":
                return INT, self.rowcount
            case "@@TRANCOUNT":
                return INT, self.trancount
            case "@@ERROR":
                return INT, self.error
            case _:
                return properties.global_value(self, name)

    # -- what functions ask --------------------------------------------------------------------

    @property
    def collation(self) -> str:
        """The database's collation: that of constants and variables."""
        return self.database.collation

    @property
    def major(self) -> int:
        """The product's version."""
        return self.instance.product.major

    @property
    def isolation_number(self) -> int:
        """As sys.dm_exec_sessions gives it."""
        return _LEVELS[self.isolation]

    def now(self) -> datetime:
        """The host's local time."""
        return self.instance.now()

    def utc_now(self) -> datetime:
        """The host's time in UTC."""
        return self.instance.utc_now()

    def new_guid(self) -> str:
        """A GUID in upper case."""
        return self.instance.new_guid()

    def ask(self, what: str, *cells: Cell) -> Cell:
        """What depends on the session."""
        return properties.ask(self, what, *cells)

    def next_identity(self, table: int) -> int:
        """The next value of an IDENTITY column; never given back ("IDENTITY")."""
        found = self.database.catalog.by_id(table) or next(
            one for one in self.tables.values() if one.id == table
        )
        column = found.identity
        assert column is not None
        assert column.identity is not None
        seed, step = column.identity
        last = self.database.identities.get(table)
        value = seed if last is None else last + step
        self.database.identities[table] = value
        self.identity = value
        return value

    # -- objects -----------------------------------------------------------------------------

    def table(self, parts: tuple[str, ...], hints: tuple[str, ...] = ()) -> Table:
        """A table that is read. Raises :class:`TsqlError` 208 or 229."""
        found = self.find_table(parts)
        if found.place.startswith("temp."):
            return found
        self.permit("SELECT", found)
        dirty = self.isolation == "READ UNCOMMITTED" or _DIRTY & set(hints)
        if found.query is None and not dirty:
            self.reads.add(found.id)
        if _UPDATE_LOCKS & set(hints) or self.isolation_number >= 3:
            self.locks_reads = True
        return found

    def find_table(self, parts: tuple[str, ...]) -> Table:
        """A table, view or table variable by name. Raises :class:`TsqlError` 208 or 1087."""
        name = parts[-1]
        if name.startswith(("@", "#")):
            found = self.tables.get(name.lower())
            if found is None:
                if name.startswith("@"):
                    raise TsqlError(1087, text=f'Must declare the table variable "{name}".')
                raise TsqlError(208, name, state=0)
            return found
        schema = self.schema_of(parts)
        found = self.database.catalog.find(schema, name)
        if found is None:
            raise TsqlError(208, ".".join(parts))
        return found

    def schema_of(self, parts: tuple[str, ...]) -> str:
        """The schema that a name is in, dbo by default; other databases and servers are not modelled."""
        if len(parts) > 3:
            raise NotModelledError("linked servers")
        if len(parts) == 3 and parts[0].lower() != self.database.name.lower():
            raise NotModelledError(f"objects of another database ({'.'.join(parts)})")
        return (parts[-2] if len(parts) > 1 else "") or "dbo"

    def system_rows(
        self, parts: tuple[str, ...]
    ) -> tuple[tuple[Output, ...], list[tuple[Cell, ...]]] | None:
        """A catalogue view's columns and rows now; None for any other name."""
        if len(parts) < 2:
            found = find_view(parts[0].lower()) if parts[0].endswith("()") else None
        else:
            found = find_view(f"{parts[-2]}.{parts[-1]}".lower())
            if found is None and parts[-2].lower() in {"sys", "information_schema"}:
                raise NotModelledError(f"the view {parts[-2]}.{parts[-1]}")
        if found is None:
            return None
        columns, rows = found
        if len(parts) == 3 and parts[0].lower() != self.database.name.lower():
            own = self.database
            self.database = self.instance.find(parts[0])
            try:
                return columns, list(rows(self))
            finally:
                self.database = own
        return columns, list(rows(self))

    def json_of(self, rows: list[tuple[Cell, ...]]) -> str:
        """Rows as JSON."""
        return json.dumps(rows, ensure_ascii=False)

    def permit(self, what: str, table: Table) -> None:
        """Raises :class:`TsqlError` 229 when the login may not."""
        if not self.login.may(self.database.name, what):
            raise TsqlError(229, what, table.name, self.database.name, table.schema, state=5)

    def drop_temporary(self, name: str) -> None:
        """Remove a table variable or a temporary table."""
        table = self.tables.pop(name)
        for database in self.instance.databases.values():
            if table.place in database.volatile:
                database.storage.run(f"DROP TABLE IF EXISTS {table.place}")
                del database.volatile[table.place]
            database.identities.pop(table.id, None)

    # -- locks and transactions --------------------------------------------------------------

    def run(self, sql: str, bound: dict[str, Cell]) -> sqlite3.Cursor:
        """Run one statement of SQLite in the current database."""
        self.database.storage.session = self
        return self.database.storage.run(sql, bound)

    def fetch(self, sql: str, bound: dict[str, Cell]) -> list[tuple[Cell, ...]]:
        """Run one query of SQLite in the current database."""
        self.database.storage.session = self
        return self.database.storage.fetch(sql, bound)

    def lock(
        self, *, write: bool, writes: Table | None = None
    ) -> Generator[Event, bool | None, bool]:
        """Wait until this statement may run, then hold what its transaction must hold; whether it waited.

        Raises:
            TsqlError: 1205, 1222 or 3930.
        """
        if write and self.doomed:
            raise TsqlError(3930)
        if write and self.implicit and not self.trancount:
            yield from self.begin()
        keeps = self.trancount > 0 and (write or self.locks_reads)
        database = self.database
        waited = False
        while True:
            owner = database.owner
            if owner is None or owner is self:
                break
            if not write and not keeps and not (self.reads & database.touched):
                break
            yield from self._wait(database, owner)
            waited = True
        if keeps:
            database.own(self)
            if database not in self.held:
                self.held.append(database)
        if write and writes is not None and database.owner is self:
            database.touched.add(writes.id)
        return waited

    def _wait(self, database: Database, owner: Session) -> Run:
        other: Session | None = owner
        while other is not None:
            if other is self:
                raise TsqlError(1205, self.spid, "lock", state=45)
            other = other.waiting_for
        self.waiting_for = owner
        try:
            again = yield Blocked(self.lock_timeout, database.watch)
        finally:
            self.waiting_for = None
        if not again:
            raise TsqlError(1222, state=45)

    def begin(self) -> Run:
        """BEGIN TRANSACTION."""
        self.trancount += 1
        if self.trancount == 1:
            self.instance.transactions += 1
            self.transaction = self.instance.transactions
            yield TransactionChanged("begin", self.transaction)

    def end_transaction(self, *, keep: bool) -> Run:
        """Commit or roll back, whatever @@TRANCOUNT is."""
        for database in self.held:
            if keep:
                database.commit()
            else:
                places = {
                    place
                    for place in database.volatile
                    if not any(
                        one.place == place and name.startswith("#")
                        for name, one in self.tables.items()
                    )
                }
                database.roll_back(places)
        if not keep:
            self._forget_undone()
        self.held.clear()
        number, self.transaction = self.transaction, 0
        self.trancount = 0
        self.doomed = False
        yield TransactionChanged("commit" if keep else "rollback", number)

    def _forget_undone(self) -> None:
        """Temporary tables that the transaction had made are gone with it."""
        for name in [one for one in self.tables if one.startswith("#")]:
            place = self.tables[name].place
            for database in self.held:
                if place in database.volatile and not database.has(place):
                    del database.volatile[place]
                    del self.tables[name]

    def use(self, name: str) -> Run:
        """USE. Raises :class:`TsqlError` 911, 916 or 942."""
        found = self.instance.find(name)
        if not self.login.enters(found.name):
            raise TsqlError(916, self.login.name, found.name)
        old, self.database = self.database, found
        yield DatabaseChanged(found.name, old.name)
        yield Said(5701, 0, 2, f"Changed database context to '{found.name}'.")
        yield Done()

    def option(self, option: act.SetOption) -> None:
        """SET. Raises :class:`NotModelledError`, :class:`TsqlError` 195."""
        properties.set_option(self, option)

    def __repr__(self) -> str:
        """For people."""
        return f"Session({self.spid}, {self.login.name!r}, {self.database.name!r})"


def drive(run: Run) -> list[Any]:
    """Run without waiting: a lock that somebody holds is error 1222 at once. For callers without time."""
    found: list[Any] = []
    answer: bool | None = None
    while True:
        try:
            event = run.send(answer)
        except StopIteration:
            return found
        answer = None
        if isinstance(event, Blocked):
            answer = False
        else:
            found.append(event)

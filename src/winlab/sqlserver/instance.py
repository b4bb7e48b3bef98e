"""One instance of SQL Server: its databases, logins and sessions. No I/O and no clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from winlab.sqlserver.database import Database, DatabaseState
from winlab.sqlserver.errors import TsqlError
from winlab.sqlserver.product import Product, dotted
from winlab.sqlserver.session import Client, Session
from winlab.sqlserver.types import DEFAULT_COLLATION

SYSTEM_DATABASES = ("master", "tempdb", "model", "msdb")
_FIRST_SPID = 51


@dataclass(frozen=True)
class Login:
    """A SQL Server login. ``roles`` are a fixed role by lower-case database: reader, writer, owner."""

    name: str
    password: str | None = field(default=None, repr=False)
    sysadmin: bool = False
    roles: Mapping[str, str] = field(default_factory=dict)
    default_database: str = "master"
    disabled: bool = False
    windows: bool = False

    def may(self, database: str, what: str) -> bool:
        """Whether the login may SELECT, INSERT, UPDATE, DELETE or change definitions ("ALTER")."""
        if self.sysadmin:
            return True
        role = self.roles.get(database.lower(), "")
        allowed = {
            "reader": {"SELECT"},
            "writer": {"SELECT", "INSERT", "UPDATE", "DELETE"},
            "owner": {"SELECT", "INSERT", "UPDATE", "DELETE", "ALTER"},
        }
        return what in allowed.get(role, set())

    def enters(self, database: str) -> bool:
        """Whether the login has a user in the database; everybody has in the system's own."""
        low = database.lower()
        return self.sysadmin or low in self.roles or low in {"master", "tempdb", "msdb"}


@dataclass(frozen=True)
class LoginFailed:
    """A refused login as the error log and the Application log tell it (event 18456)."""

    user: str
    reason: str
    client: str


class Instance:
    """A running or stopped instance. ``computer`` is the host's name, ``name`` MSSQLSERVER or another."""

    def __init__(
        self,
        product: Product,
        computer: str,
        *,
        name: str = "MSSQLSERVER",
        edition: str = "Standard Edition (64-bit)",
        collation: str = DEFAULT_COLLATION,
        now: Callable[[], datetime],
        utc_now: Callable[[], datetime],
        new_guid: Callable[[], str],
        windows_login: Callable[[str], Login | None] = lambda _: None,
        not_modelled: Callable[[str], None] = lambda _: None,
        login_failed: Callable[[LoginFailed], None] = lambda _: None,
        wrote: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``now`` is the host's local time, naive. Only the system's databases are there."""
        self.product = product
        self.computer = computer
        self.name = name
        self.edition = edition
        self.collation = collation
        self.now = now
        self.utc_now = utc_now
        self.new_guid = new_guid
        self.windows_login = windows_login
        self.not_modelled = not_modelled
        self.login_failed = login_failed
        self.wrote = wrote
        self.mixed_mode = True
        self.databases: dict[str, Database] = {}
        self.logins: dict[str, Login] = {}
        self.sessions: dict[int, Session] = {}
        self.transactions = 0
        for one in SYSTEM_DATABASES:
            self.attach(one)

    @property
    def server_name(self) -> str:
        """@@SERVERNAME."""
        return self.computer if self.name == "MSSQLSERVER" else f"{self.computer}\\{self.name}"

    @property
    def banner(self) -> str:
        """@@VERSION."""
        product = self.product
        return (
            f"Microsoft SQL Server {product.banner} - {dotted(product.build)} (X64) \n"
            f"\tCopyright (c) Microsoft Corporation\n\t{self.edition}\n"
        )

    def attach(self, name: str, *, collation: str | None = None, online: bool = True) -> Database:
        """Create a database. Raises :class:`TsqlError` 1801."""
        if name.lower() in self.databases:
            raise TsqlError(1801, name, state=3)
        number = max((one.id for one in self.databases.values()), default=0) + 1
        found = Database(
            name, number, created=self.now(), collation=collation or self.collation, online=online
        )
        self.databases[name.lower()] = found
        return found

    def find(self, name: str) -> Database:
        """A database that can be used. Raises :class:`TsqlError` 911 or 942."""
        found = self.databases.get(name.lower())
        if found is None:
            raise TsqlError(911, name)
        if not found.online:
            raise TsqlError(942, name, state=4)
        return found

    def log_in(self, user: str, password: str, database: str, client: Client) -> Session:
        """A session for a SQL Server login.

        Raises:
            TsqlError: 18456 without a reason, which only the log gets; 4060 when the database
            cannot be opened.
        """
        login = self.logins.get(user.lower())
        reason = None
        if not self.mixed_mode:
            reason = (
                "An attempt to login using SQL authentication failed. Server is configured for Windows "
                "authentication only."
            )
        elif login is None or login.windows:
            reason = "Could not find a login matching the name provided."
        elif login.password != password:
            reason = "Password did not match that for the login provided."
        elif login.disabled:
            reason = "The account is disabled."
        if reason is not None or login is None:
            raise self._refused(user, reason or "", client)
        return self.log_in_as(login, database, client)

    def trusted(self, account: str, database: str, client: Client) -> Session:
        """A session for a Windows account. Raises :class:`TsqlError` as :meth:`log_in`."""
        login = self.windows_login(account)
        if login is None:
            raise self._refused(
                account, "Could not find a login matching the name provided.", client
            )
        return self.log_in_as(login, database, client)

    def _refused(self, user: str, reason: str, client: Client) -> TsqlError:
        self.login_failed(LoginFailed(user, reason, client.address))
        return TsqlError(18456, user)

    def log_in_as(self, login: Login, database: str, client: Client) -> Session:
        """A session for a login that has proven itself. Raises :class:`TsqlError` 4060."""
        wanted = database or login.default_database
        try:
            found = self.find(wanted)
            if not login.enters(found.name):
                raise TsqlError(916, login.name, found.name)
        except TsqlError as error:
            reason = f"Failed to open the explicitly specified database '{wanted}'."
            self.login_failed(LoginFailed(login.name, reason, client.address))
            raise TsqlError(4060, wanted) from error
        spid = _FIRST_SPID
        while spid in self.sessions:
            spid += 1
        session = Session(self, login, found, client, spid)
        self.sessions[spid] = session
        return session

    @property
    def busy(self) -> str | None:
        """The name of a database with an open transaction; None when there is none."""
        return next((one.name for one in self.databases.values() if one.owner is not None), None)

    def stop(self) -> None:
        """End every session; what was open is rolled back, as recovery does at the next start."""
        for session in list(self.sessions.values()):
            session.close()

    # -- state -------------------------------------------------------------------------------

    def save(self) -> Any:
        """The state for `load`: databases at rest and logins. Sessions are not part of it."""
        return (
            tuple(one.save() for one in self.databases.values()),
            dict(self.logins),
            self.mixed_mode,
        )

    def load(self, state: Any) -> None:
        """Go back to a saved state; sessions end."""
        self.stop()
        databases, logins, self.mixed_mode = state
        found: tuple[DatabaseState, ...] = databases
        self.databases = {one.name.lower(): Database.load(one) for one in found}
        self.logins = dict(logins)

    def dump(self) -> dict[str, Any]:
        """Databases with their tables' row counts, logins without passwords."""
        return {
            "name": self.name,
            "version": dotted(self.product.build),
            "databases": {
                one.name: {
                    "online": one.online,
                    "tables": {
                        f"{table.schema}.{table.name}": one.storage.fetch(
                            f"SELECT COUNT(*) FROM {table.place}"  # noqa: S608 - our own names
                        )[0][0]
                        for table in one.catalog.tables.values()
                        if table.query is None
                    },
                }
                for one in self.databases.values()
            },
            "logins": sorted(one.name for one in self.logins.values()),
            "sessions": len(self.sessions),
        }

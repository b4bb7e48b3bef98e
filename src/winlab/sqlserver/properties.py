"""What functions and @@ names tell of the session, its database and its server; the options of SET.

Sources: "SERVERPROPERTY", "Configuration functions", "System functions", "SET statements"
(Transact-SQL reference).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from winlab.sqlserver import actions as act
from winlab.sqlserver.errors import NotModelledError, TsqlError
from winlab.sqlserver.product import dotted
from winlab.sqlserver.sysviews import SYSTEM_TYPES, length_of
from winlab.sqlserver.types import INT, SqlType, decimal, nvarchar
from winlab.sqlserver.values import Cell

if TYPE_CHECKING:
    from winlab.sqlserver.catalog import Table
    from winlab.sqlserver.session import Session

# What changes nothing that the lab models, and what it can only be.
_ACCEPTED = {
    "ARITHABORT": None,
    "ANSI_NULLS": {"ON"},
    "ANSI_NULL_DFLT_ON": {"ON"},
    "ANSI_PADDING": {"ON"},
    "ANSI_WARNINGS": {"ON"},
    "ANSI_DEFAULTS": {"ON"},
    "CONCAT_NULL_YIELDS_NULL": {"ON"},
    "CURSOR_CLOSE_ON_COMMIT": None,
    "NUMERIC_ROUNDABORT": {"OFF"},
    "TEXTSIZE": None,
    "LANGUAGE": {"US_ENGLISH", "ENGLISH"},
    # Both read a text that begins with the year alike, and only such texts are modelled.
    "DATEFORMAT": {"MDY", "YMD"},
    "DATEFIRST": {"7"},
    "DEADLOCK_PRIORITY": None,
    "ROWCOUNT": {"0"},
    "FMTONLY": {"OFF"},
    "NOEXEC": {"OFF"},
    "PARSEONLY": {"OFF"},
    "STATISTICS IO": {"OFF"},
    "STATISTICS TIME": {"OFF"},
    "NO_BROWSETABLE": None,
    "CONTEXT_INFO": None,
}


def set_option(session: Session, option: act.SetOption) -> None:
    """SET. Raises :class:`TsqlError` 195 for a stranger, :class:`NotModelledError` for other values."""
    if option.names[0] == "ISOLATION":
        if option.value not in {
            "READ UNCOMMITTED",
            "READ COMMITTED",
            "REPEATABLE READ",
            "SERIALIZABLE",
        }:
            raise NotModelledError(f"SET TRANSACTION ISOLATION LEVEL {option.value}")
        session.isolation = option.value
        return
    if option.names[0] == "IDENTITY_INSERT":
        table = session.find_table(tuple(option.names[1].split(".")))
        session.identity_insert = (
            f"{table.schema}.{table.name}".lower() if option.value == "ON" else ""
        )
        return
    for name in option.names:
        _set(session, name, option.value)


def _set(session: Session, name: str, value: str) -> None:
    match name:
        case "NOCOUNT":
            session.nocount = value == "ON"
        case "XACT_ABORT":
            session.xact_abort = value == "ON"
        case "LOCK_TIMEOUT":
            session.lock_timeout = int(value)
        case "QUOTED_IDENTIFIER":
            session.quoted_identifiers = value == "ON"
        case "IMPLICIT_TRANSACTIONS":
            session.implicit = value == "ON"
        case _:
            if name not in _ACCEPTED:
                raise TsqlError(195, name, text=f"'{name}' is not a recognized SET option.")
            allowed = _ACCEPTED[name]
            if allowed is not None and value not in allowed:
                raise NotModelledError(f"SET {name} {value}")


def global_value(session: Session, name: str) -> tuple[SqlType, Cell]:
    """A @@ name. Raises :class:`NotModelledError`."""
    instance = session.instance
    product = instance.product
    values: dict[str, tuple[SqlType, Cell]] = {
        "@@SPID": (SqlType("smallint"), session.spid),
        "@@VERSION": (nvarchar(300), instance.banner),
        "@@SERVERNAME": (nvarchar(128), instance.server_name),
        "@@SERVICENAME": (nvarchar(128), instance.name),
        "@@IDENTITY": (decimal(38, 0), None if session.identity is None else str(session.identity)),
        "@@LANGUAGE": (nvarchar(128), "us_english"),
        "@@LANGID": (SqlType("smallint"), 0),
        "@@DATEFIRST": (SqlType("tinyint"), 7),
        "@@LOCK_TIMEOUT": (INT, session.lock_timeout),
        "@@MAX_PRECISION": (SqlType("tinyint"), 38),
        "@@TEXTSIZE": (INT, 2147483647),
        "@@NESTLEVEL": (INT, 0),
        "@@MICROSOFTVERSION": (
            INT,
            product.build[0] << 24 | product.build[1] << 16 | product.build[2],
        ),
    }
    if name not in values:
        raise NotModelledError(f"the function {name}")
    return values[name]


def ask(session: Session, what: str, *cells: Cell) -> Cell:
    """What a function gives. Raises :class:`NotModelledError` for a property that the lab lacks."""
    if what.startswith("error_"):
        return _caught(session, what)
    match what:
        case "major":
            return session.major
        case "serverproperty":
            return _server_property(session, str(cells[0]).lower())
        case "databasepropertyex":
            return _database_property(session, str(cells[0]), str(cells[1]).lower())
        case "connectionproperty":
            return _connection_property(session, str(cells[0]).lower())
        case "xact_state":
            return 0 if not session.trancount else -1 if session.doomed else 1
        case "scope_identity":
            return None if session.identity is None else str(session.identity)
        case "host_name":
            return session.client.host
        case "app_name":
            return session.client.program
        case _:
            return _name(session, what, *cells)


def _caught(session: Session, what: str) -> Cell:
    error = session.caught
    if error is None:
        return None
    values: dict[str, Cell] = {
        "error_number": error.number,
        "error_severity": error.severity,
        "error_state": error.state,
        "error_line": error.line,
        "error_procedure": error.procedure or None,
        "error_message": error.text,
    }
    return values[what]


def _name(session: Session, what: str, *cells: Cell) -> Cell:
    database, login = session.database, session.login
    given = cells[0] if cells else None
    match what:
        case "suser_sname" | "suser_name" | "system_user" | "original_login":
            if cells:
                raise NotModelledError(f"{what.upper()} of another login")
            return login.name
        case "user_name" | "current_user" | "user":
            return "dbo" if login.may(database.name, "ALTER") else login.name
        case "db_name":
            if not cells:
                return database.name
            return next(
                (d.name for d in session.instance.databases.values() if d.id == given), None
            )
        case "db_id":
            if not cells:
                return database.id
            found = session.instance.databases.get(str(given).lower())
            return None if found is None else found.id
        case "has_dbaccess":
            found = session.instance.databases.get(str(given).lower())
            return None if found is None else int(found.online and login.enters(found.name))
        case "schema_name":
            if not cells:
                return "dbo"
            schemas = database.catalog.schemas
            return next((name for name, number in schemas.items() if number == given), None)
        case "schema_id":
            return database.catalog.schemas.get(str(given) if cells else "dbo")
        case "is_srvrolemember":
            return int(login.sysadmin) if str(given).lower() in {"sysadmin", "public"} else 0
        case "is_member" | "is_rolemember":
            return int(str(given).lower() == "db_owner" and login.may(database.name, "ALTER"))
        case "type_name":
            return next((n for n, v in SYSTEM_TYPES.items() if v[0] == given), None)
        case _:
            return _object(session, what, *cells)


def _object(session: Session, what: str, *cells: Cell) -> Cell:
    given = cells[0]
    if given is None:
        return None
    if what in {"object_name", "object_schema_name"}:
        by_id = session.database.catalog.by_id(int(given))
        return None if by_id is None else by_id.name if what == "object_name" else by_id.schema
    table = _find(session, str(given))
    if what == "object_id":
        kind = str(cells[1]).strip().upper() if len(cells) > 1 else ""
        if table is None or (kind and kind != ("U" if table.query is None else "V")):
            return None
        return table.id
    if what == "ident_current":
        if table is None or table.identity is None or table.identity.identity is None:
            return None
        return str(session.database.identities.get(table.id, table.identity.identity[0]))
    if what == "col_length":
        column = None if table is None else table.column(str(cells[1]))
        return None if column is None else length_of(column.type)
    raise NotModelledError(f"the function {what.upper()}")


def _find(session: Session, text: str) -> Table | None:
    """A table or view by a text such as [dbo].[exam score]."""
    from winlab.sqlserver.cursor import Cursor

    try:
        parts = Cursor(text, session.major).names()
        return session.find_table(parts)
    except TsqlError:
        return None


def _server_property(session: Session, name: str) -> Cell:
    instance = session.instance
    product = instance.product
    values: dict[str, Cell] = {
        "productversion": dotted(product.build),
        "productlevel": product.level,
        "edition": instance.edition,
        "engineedition": 3 if instance.edition.startswith("Enterprise") else 2,
        "servername": instance.server_name,
        "machinename": instance.computer,
        "computernamephysicalnetbios": instance.computer,
        "instancename": None if instance.name == "MSSQLSERVER" else instance.name,
        "collation": instance.collation,
        "isclustered": 0,
        "isintegratedsecurityonly": int(not instance.mixed_mode),
        "issingleuser": 0,
        "isfulltextinstalled": 0,
    }
    if product.major >= 11:
        values |= {
            "productmajorversion": str(product.build[0]),
            "productminorversion": str(product.build[1]),
            "productbuild": str(product.build[2]),
            "ishadrenabled": 0,
        }
    return values.get(name)


def _database_property(session: Session, database: str, name: str) -> Cell:
    found = session.instance.databases.get(database.lower())
    if found is None:
        return None
    values: dict[str, Cell] = {
        "status": "ONLINE" if found.online else "OFFLINE",
        "collation": found.collation,
        "recovery": "FULL",
        "updateability": "READ_WRITE",
        "useraccess": "MULTI_USER",
    }
    return values.get(name)


def _connection_property(session: Session, name: str) -> Cell:
    values: dict[str, Cell] = {
        "net_transport": "TCP",
        "protocol_type": "TSQL",
        "auth_scheme": "NTLM" if session.login.windows else "SQL",
        "client_net_address": session.client.address,
    }
    return values.get(name)

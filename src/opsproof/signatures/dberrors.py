"""What is told of a database's error: a code, and never its own words where they may show data.

Servers repeat what they could not store or convert, in the language of the login. Their words are kept
while a connection is made, when nothing was asked for yet, and for codes that speak of objects, rights
or the server itself; the driver's are kept where they are about the connection. For all else there is
the code with a sentence of ours.

PostgreSQL 17, appendix A (codes) and 53.8 (fields of a message); SQL Server, "Database Engine events
and errors"; SQLite, "Result and Error Codes".
"""

from __future__ import annotations

from typing import Final

_UNFIT: Final = "a value does not fit where it should go, or cannot be converted"
_REFUSED: Final = "a constraint refuses a row"
_RAISED: Final = "a trigger or function of the database stopped it"
_LEFT_OUT: Final = "its own words may show data and are left out"

# Transactions, logins, names of databases and schemas, resources, locks, shutdowns, files.
_CLASSES: Final = ("08", "25", "28", "3D", "3F", "40", "53", "55", "57", "58")
# Rights, syntax, ambiguous and unknown names.
_STATES: Final = frozenset({"42501", "42601", "42702", "42703", "42883", "42P01"})
_OF_STATES: Final = {"22": _UNFIT, "23": _REFUSED, "44": _REFUSED, "P0": _RAISED}

# Syntax and names (102 to 209, 2812, 4104), types (306, 402), rights (229 to 300), NULL and foreign
# keys (515, 547), room and locks, databases and logins.
_NUMBERS: Final = frozenset(
    {102, 156, 195, 207, 208, 209, 2812, 4104, 306, 402, 229, 230, 262, 297, 300, 515, 547}
    | {701, 1105, 1204, 1205, 1222, 3906, 9002, 911, 916, 4060, 18452, 18456}
)
_DRIVER: Final = range(20_000, 21_000)
"""Errors of DB-Library, which pymssql is built on."""
_OF_NUMBERS: Final = {
    **dict.fromkeys((220, 232, 234, 241, 242, 244, 245, 248, 293, 295, 296, 517, 529), _UNFIT),
    **dict.fromkeys((2628, 8114, 8115, 8152, 8169), _UNFIT),
    **dict.fromkeys((2601, 2627), "another record has the value of a unique key already"),
}
_OWN_NUMBERS: Final = 50_000
"""From here on they are those of triggers and procedures (RAISERROR, THROW)."""

_NAMES: Final = frozenset(
    {
        "SQLITE_AUTH",
        "SQLITE_BUSY",
        "SQLITE_CANTOPEN",
        "SQLITE_CORRUPT",
        "SQLITE_FULL",
        "SQLITE_IOERR",
    }
    | {"SQLITE_LOCKED", "SQLITE_NOMEM", "SQLITE_NOTADB", "SQLITE_PERM", "SQLITE_READONLY"}
    | {"SQLITE_SCHEMA", "SQLITE_CONSTRAINT"}
)
# SQLite has one code for whatever a statement asks wrongly: these are said of its text alone.
_OF_STATEMENTS: Final = (
    "no such table: ",
    "no such column: ",
    "no such function: ",
    "ambiguous column name: ",
    "near ",
    "incomplete input",
)
_OF_NAMES: Final = {
    "SQLITE_CONSTRAINT_TRIGGER": _RAISED,
    "SQLITE_MISMATCH": _UNFIT,
    "SQLITE_TOOBIG": _UNFIT,
}

_OLD_TLS: Final = (
    "SQL Server 2008 without its TLS 1.2 update (Microsoft KB3135244) offers TLS 1.0 at most, which "
    "current OpenSSL refuses at its default security level; install the update, or write a script "
    "for the management host's sqlcmd: opsproof signatures apply --script FILE"
)


def told(error: Exception, *, connected: bool) -> str:
    """One line about a driver's error, or SQLAlchemy's for it; ``connected``: statements were run."""
    cause = getattr(error, "orig", None) or error
    words = " ".join(_words(cause).split())[:300]
    if not connected:
        statement = getattr(error, "statement", None) is not None
        old = _old_tls(cause, words, statement=statement)
        return old or f"the database answers: {words}"
    if _shows_no_data(cause, words):
        return f"the database answers: {words}"
    code, sentence = _own(cause)
    named = f"error {code}" if code else type(cause).__name__
    said = f"{named}: {sentence}" if sentence else named
    return f"the database answers: {said} ({_LEFT_OUT})"


def _words(cause: Exception) -> str:
    """Without statement and parameters, and without PostgreSQL's DETAIL, which is the row."""
    primary = getattr(getattr(cause, "diag", None), "message_primary", None)
    if primary:
        return str(primary)
    words = cause.args[-1] if cause.args else b""
    if isinstance(words, tuple) and words:  # pymssql while connecting: a number and all messages
        words = words[-1]
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(cause)


def _shows_no_data(cause: Exception, words: str) -> bool:
    """By its code; without one only what is about the connection."""
    state, number, name = _codes(cause)
    if state is not None:
        # What a function raises may have any code: then the words are its author's.
        raised = getattr(getattr(cause, "diag", None), "context", None)
        return not raised and (state[:2] in _CLASSES or state in _STATES)
    if number is not None:
        return number in _NUMBERS or (number in _DRIVER and words.startswith("DB-Lib error"))
    if name is not None:
        of_statement = name == "SQLITE_ERROR" and words.startswith(_OF_STATEMENTS)
        return of_statement or (name not in _OF_NAMES and _primary(name) in _NAMES)
    lost = type(cause).__name__ in ("OperationalError", "InterfaceError")
    return lost and not type(cause).__module__.startswith("sqlite3")


def _own(cause: Exception) -> tuple[str, str]:
    """The code and our sentence for it; either may be empty."""
    state, number, name = _codes(cause)
    if state is not None:
        diag = getattr(cause, "diag", None)
        parts = (getattr(diag, one, None) for one in ("constraint_name", "table_name"))
        named = " of ".join(repr(str(one)) for one in parts if one)
        sentence = _OF_STATES.get(state[:2], "")
        return state, f"{sentence}, {named}" if sentence and named else sentence
    if number is not None:
        return str(number), _RAISED if number >= _OWN_NUMBERS else _OF_NUMBERS.get(number, "")
    if name is None and _words(cause).startswith("Could not decode to UTF-8"):
        return "", "a text that it holds is not UTF-8"
    return name or "", _OF_NAMES.get(name or "", "")


def _codes(cause: Exception) -> tuple[str | None, int | None, str | None]:
    """SQLSTATE of PostgreSQL, number of SQL Server or its driver, name of SQLite's code: one or none."""
    state = getattr(cause, "sqlstate", None)
    number = cause.args[0] if cause.args and isinstance(cause.args[0], int) else None
    return state, None if state else number, getattr(cause, "sqlite_errorname", None)


def _primary(name: str) -> str:
    """Without what SQLite's extended codes add, as in ``SQLITE_CONSTRAINT_UNIQUE``."""
    return "_".join(name.split("_")[:2])


def _old_tls(cause: Exception, words: str, *, statement: bool) -> str:
    """What a server means that only knows TLS 1.0; empty if it is something else."""
    old = ["Adaptive Server connection failed", "DB-Lib error message 20002"]
    if not statement:  # later on, a server that stopped says so too
        old.append("Unexpected EOF")
    # 20018 says that the server itself answered, 20009 that nothing listens; a refused login has 20002 too.
    known = any(f"DB-Lib error message {one}" in words for one in (20009, 20018))
    driver = type(cause).__module__.startswith(("pymssql", "_mssql"))
    if not driver or known or not any(one in words for one in old):
        return ""
    return f"the server closed the connection while it was made: {_OLD_TLS}"

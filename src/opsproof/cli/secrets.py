"""Where the command line takes a database's URL from, which may hold a password.

Every user of a machine can read the words that a process was started with (``ps``, proc(5)); not so its
environment and a file of mode 0600.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from click.core import ParameterSource

from opsproof.errors import UsageError

_PASSWORDS = ("password", "pwd", "sslpassword")


def database_url(options: dict[str, Any], name: str, variable: str | None = None) -> str | None:
    """The URL of the option ``name`` or in the file of ``NAME_file``; None when there is neither.

    What stands on the command line goes before the environment, ``variable`` if the option has one.
    Says so when a password stood on the command line.

    Raises:
        UsageError: both stood there, or the file is not one line.
    """
    url, file = options.get(name), options.get(f"{name}_file")
    source = click.get_current_context().get_parameter_source
    typed, typed_file = (
        source(one) is ParameterSource.COMMANDLINE for one in (name, f"{name}_file")
    )
    option = f"--{name.replace('_', '-')}"
    if typed and typed_file:
        raise UsageError(f"give {option} or {option}-file, not both")
    if file is not None and not typed and (typed_file or url is None):
        return _line_of(file)
    if typed and _has_password(str(url)):
        better = f"set ${variable}, or " if variable else ""
        click.echo(
            f"opsproof: {option}: every user of this machine can read a password on the command line "
            f"({better}name a file with {option}-file)",
            err=True,
        )
    return None if url is None else str(url)


def _line_of(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8-sig").split()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise UsageError(f"cannot be read: {reason}", where=str(file)) from error
    if len(lines) != 1:
        raise UsageError("holds no database URL, or more than one", where=str(file))
    return lines[0]


def _has_password(url: str) -> bool:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        return False  # who opens it says what is wrong with it
    return bool(parsed.password) or any(name in parsed.query for name in _PASSWORDS)

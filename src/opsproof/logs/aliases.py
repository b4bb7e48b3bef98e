"""Computers that were renamed: the records of one count as those of the other.

Rules are evaluated on the names that records have; what groups, counts and looks for gaps sees the
name that was given. A hit keeps the record's own ``Computer`` among its fields.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from opsproof.errors import UsageError
from opsproof.logs.table import Column, Table

_FIELD = "computer"


def checked(aliases: Mapping[str, str]) -> dict[str, str]:
    """Old names, lower-cased, with the name that counts.

    Raises :class:`UsageError` where a name is empty, or the new name of one is the old of another.
    """
    known = {old.strip().lower(): new.strip() for old, new in aliases.items()}
    for old, new in known.items():
        if not old or not new:
            raise UsageError("an alias needs the old name and the new one", where=f"{old}={new}")
        if new.lower() in known:
            raise UsageError(
                f"{new} is itself an old name",
                where=f"{old}={new}",
                remedy="give every old name the name that the computer has now",
            )
    return known


def renamed(table: Table, aliases: Mapping[str, str]) -> Table:
    """The batch with the names that count; the same object where none of its computers has one."""
    if not aliases:
        return table
    column = table.columns.get(_FIELD)
    names = [] if column is None else column.names()
    if column is None or not any(name.lower() in aliases for name in names):
        own = aliases.get(table.computer.lower())
        return table if own is None else replace(table, computer=own)
    values: dict[str, int] = {}
    codes = [values.setdefault(aliases.get(one.lower(), one), len(values)) for one in names]
    changed = Column(
        values=values,
        rows=column.rows,
        codes=np.array(codes, dtype=np.int32)[column.code_array()],
    )
    return replace(table, columns=ChainMap({_FIELD: changed}, table.columns))  # type: ignore[arg-type]  # it is only read

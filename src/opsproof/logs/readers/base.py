"""What all readers share: what they are asked for and what they note on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from opsproof.logs.schema import Schema
from opsproof.logs.table import Table

MOST_DAMAGE = 1000
"""Places of damage that are listed for one file; all are counted."""

KIND = "_kind"
"""The pseudo field that says which kind of log a record is from."""

ANY_DATA = "data"
"""The kind of all data logs; that of one application's is ``data:`` and its product."""


def kinds_of(values: Iterable[str]) -> set[str]:
    """The kinds that rules are for, lower-cased, by the values that records have in :data:`KIND`."""
    kinds = {value.lower() for value in values}
    if any(kind.startswith(f"{ANY_DATA}:") for kind in kinds):
        kinds.add(ANY_DATA)
    return kinds


@dataclass(frozen=True, slots=True)
class Damage:
    """A place of one file that could not be read; the file itself is known to the caller."""

    what: str
    offset: int | None = None
    record: int | None = None
    records: int = 0


@dataclass(slots=True)
class Notes:
    """What a reader tells about one file apart from its records: damage, and other remarks.

    ``damage`` lists the first :data:`MOST_DAMAGE` places, ``more`` counts the others, and ``lost``
    the records of all. ``original``: the file is a log itself, not the result of a query, so no id
    may be missing.
    """

    damage: list[Damage] = field(default_factory=list)
    more: int = 0
    lost: int = 0
    remarks: list[str] = field(default_factory=list)
    original: bool = False

    def damaged(self, damage: Damage) -> None:
        """One more place. A file of nothing else must not fill the memory."""
        self.lost += damage.records
        if len(self.damage) < MOST_DAMAGE:
            self.damage.append(damage)
        else:
            self.more += 1

    def merge(self, other: Notes) -> None:
        """Take what a later part of the same file had to say."""
        places = [*self.damage, *other.damage]
        self.damage = places[:MOST_DAMAGE]
        self.more += other.more + len(places) - len(self.damage)
        self.lost += other.lost
        self.remarks += [one for one in other.remarks if one not in self.remarks]
        self.original = self.original and other.original


@dataclass(frozen=True, slots=True)
class Cut:
    """A place at which a file may be cut: the byte, and in text logs what a reader must know there.

    ``line`` is the number of the line that begins there, ``names`` and ``date`` what the directives
    before it said.
    """

    offset: int = 0
    line: int = 1
    names: tuple[str, ...] = ()
    date: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """A log file to read: where it is, what reports call it, its number in this audit.

    ``zone`` is that of local times in logs that do not say; ``schema`` tells what a data log means.
    Where only a part is to be read, it goes from ``begin`` to the byte ``end`` (None: the file's).
    """

    path: Path
    name: str
    source: int = 0
    zone: tzinfo = UTC
    schema: Schema | None = None
    begin: Cut = Cut()
    end: int | None = None


Fields: TypeAlias = frozenset[str] | None
"""Lower-cased names of the fields that an audit looks at; None means all of them."""


Kept: TypeAlias = dict[type, Any]
"""What readers remember from one part to the next, by its own type. It makes them faster; what they
say of a part never depends on it, as other processes have seen other parts.
"""


class Reader(Protocol):
    """Reads one kind of log file."""

    def __call__(
        self, log: Log, wanted: Fields, notes: Notes, kept: Kept | None = None, /
    ) -> Iterator[Table]:
        """Batches of records with the ``wanted`` fields as columns, damage into ``notes``."""

"""What names mean inside a query."""

from __future__ import annotations

from dataclasses import dataclass, field

from winlab.sqlserver.errors import TsqlError
from winlab.sqlserver.types import SqlType

COERCIBLE, IMPLICIT, EXPLICIT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Typed:
    """SQLite's text of an expression with its type in Transact-SQL; None is an untyped NULL.

    ``label`` says how strong its collation is ("Collation precedence").
    """

    sql: str
    type: SqlType | None
    label: int = COERCIBLE


@dataclass(frozen=True, slots=True)
class Output:
    """A column of a result."""

    name: str
    type: SqlType
    label: int = COERCIBLE
    nullable: bool = True
    identity: bool = False


@dataclass(frozen=True)
class Named:
    """One source of FROM: ``alias`` is its name in SQLite, ``parts`` what may stand before a column."""

    alias: str
    parts: tuple[str, ...]
    columns: tuple[Output, ...]
    cells: tuple[str, ...]

    def place(self, cell: str) -> str:
        """SQLite's text of one of its columns."""
        return f"{self.alias}.{cell}" if self.alias else cell

    def answers(self, prefix: tuple[str, ...]) -> bool:
        """Whether ``prefix`` means this source."""
        own = self.parts[-len(prefix) :]
        if len(prefix) > len(self.parts):
            own, prefix = self.parts, prefix[-len(self.parts) :]
        return tuple(map(str.lower, own)) == tuple(map(str.lower, prefix))


@dataclass
class Scope:
    """Sources of one SELECT; ``grouped`` are the texts of GROUP BY once aggregates make rows one."""

    sources: list[Named] = field(default_factory=list)
    parent: Scope | None = None
    grouped: set[str] | None = None
    in_aggregate: bool = False

    def find(self, parts: tuple[str, ...]) -> Typed:
        """A column. Raises :class:`TsqlError` 207, 209, 4104 or 8120."""
        *prefix, name = parts
        low = name.lower()
        found: list[Typed] = []
        for source in self.sources:
            if prefix and not source.answers(tuple(prefix)):
                continue
            for column, cell in zip(source.columns, source.cells, strict=True):
                if column.name.lower() == low:
                    label = IMPLICIT if column.label < EXPLICIT else column.label
                    found.append(Typed(source.place(cell), column.type, label))
        if len(found) > 1:
            raise TsqlError(209, name)
        if not found:
            if self.parent is not None:
                return self.parent.find(parts)
            if prefix and not any(one.answers(tuple(prefix)) for one in self.sources):
                raise TsqlError(4104, ".".join(parts))
            raise TsqlError(207, name)
        [one] = found
        if self.grouped is not None and not self.in_aggregate and one.sql not in self.grouped:
            raise TsqlError(8120, ".".join(parts))
        return one

    def star(self, prefix: tuple[str, ...]) -> list[tuple[Output, Typed]]:
        """The columns of ``*``. Raises :class:`TsqlError` 4104."""
        chosen = [one for one in self.sources if not prefix or one.answers(prefix)]
        if not chosen:
            raise TsqlError(4104, ".".join(prefix))
        return [
            (column, Typed(source.place(cell), column.type, IMPLICIT))
            for source in chosen
            for column, cell in zip(source.columns, source.cells, strict=True)
        ]

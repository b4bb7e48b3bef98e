"""Base data: the records as the business system delivers them, as CSV, XLSX, JSON lines or a query.

A row that is not right is named with file and line and is never guessed at.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from opsproof.errors import UsageError
from opsproof.signatures import sheets
from opsproof.signatures.database import make_engine, reading
from opsproof.signatures.errors import DeliveryError, SourceError
from opsproof.signatures.model import BaseRecord
from opsproof.signatures.profile import Field, Profile
from opsproof.signatures.values import ValueProblemError, normalise


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was not taken. ``where`` is ``file:line``; ``what`` never shows a value."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """A row that was taken; ``key`` are the values of the profile's key columns."""

    where: str
    key: tuple[Any, ...]
    record: BaseRecord


Line: TypeAlias = tuple[int, Mapping[str, Any] | list[str] | str]
"""Line and cells by column, or what is wrong with it; a list are the columns that all rows have."""

_QUERY: Final = "the query for base data"
_MOST_NAMED: Final = 30
_MOST_SEEN: Final = 10_000
"""Names of columns kept for an error: JSON lines may have others in every line."""


def read(
    path: Path, profile: Profile, *, encoding: str = "utf-8-sig", sheet: str | None = None
) -> Iterator[Delivered | BadRow]:
    """All rows of a file; its suffix says what it is (.csv .xlsx .jsonl).

    ``sheet`` names the one of a workbook; without it the profile does, else there must be only one.

    Raises:
        SourceError: the file cannot be read.
        DeliveryError: it lacks a column that is needed, or does not say which sheet is meant.
    """
    readers: dict[str, Callable[[], Iterator[Line]]] = {
        ".csv": lambda: _csv(path, encoding),
        ".jsonl": lambda: _json_lines(path, encoding),
        ".xlsx": lambda: sheets.rows(path, sheet or profile.base.sheet),
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise SourceError("base data is .csv, .jsonl or .xlsx", where=str(path))
    try:
        codecs.lookup(encoding)
        yield from _rows(profile, reader(), path.name, str(path))
    except LookupError as error:
        raise DeliveryError(f"there is no code page {encoding!r}", where=str(path)) from error
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}", where=str(path)) from error


def load_query(path: Path) -> str:
    """The SELECT that a file holds.

    Raises:
        UsageError: it holds none, or is not text in UTF-8.
        OSError: it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError("is not text in UTF-8", where=str(path)) from error
    if not text.strip():
        raise UsageError("holds no query", where=str(path))
    return text


def query(url: str, statement: str, profile: Profile) -> Iterator[Delivered | BadRow]:
    """All rows of a SELECT in a database of the business system.

    Raises:
        SourceError: the database does not answer it.
        DeliveryError: it lacks a column that is needed, or gives no rows at all.
    """
    engine = make_engine(url)
    try:
        with reading(engine) as connection:
            as_it_is = sa.text(statement.replace(":", "\\:"))  # ":name" would be a parameter
            result = connection.execution_options(yield_per=2000).execute(as_it_is)
            if not result.returns_rows:
                raise DeliveryError("is no SELECT: it gives no rows", where=_QUERY)
            rows = ((number, dict(row)) for number, row in enumerate(result.mappings(), 1))
            lines: Iterator[Line] = chain([(0, list(result.keys()))], rows)
            yield from _rows(profile, lines, "query", _QUERY)
    finally:
        engine.dispose()


class _Names:
    """Which column of the delivery holds what."""

    def __init__(self, profile: Profile) -> None:
        base = profile.base
        self.fields = [(one, base.columns.get(one.name, one.name)) for one in profile.fields]
        by_column = {field.column: (field, name) for field, name in self.fields}
        self.key: list[tuple[Field | None, str]] = [
            by_column.get(column, (None, base.columns.get(column, column)))
            for column in profile.key
        ]
        self.needed = [name for _, name in (*self.fields, *self.key)]
        given = (base.signature, base.certificate, base.signed_at)
        self.used = [*self.needed, *(name for name in given if name)]
        self.base = base


def _rows(
    profile: Profile, lines: Iterable[Line], origin: str, source: str
) -> Iterator[Delivered | BadRow]:
    names = _Names(profile)
    never, seen = set(names.needed), set[str]()
    for line, cells in lines:
        where = f"{origin}:{line}"
        if isinstance(cells, str):
            yield BadRow(where, cells)
            continue
        if never:  # until each was there once
            if len(seen) < _MOST_SEEN:
                seen.update(cells)
            never.difference_update(cells)
        if isinstance(cells, list):
            if never:
                raise _lacking(names, never, cells, f"{source}:{line}" if line else source)
            continue
        missing = [name for name in names.needed if name not in cells]
        if missing:
            yield BadRow(where, f"there is no column {missing[0]!r}")
            continue
        try:
            yield Delivered(where, *_record(names, cells))
        except ValueProblemError as error:
            yield BadRow(where, str(error))
    if never and seen:
        raise _lacking(names, never, sorted(seen), source)


def _lacking(names: _Names, never: set[str], there: Sequence[str], where: str) -> DeliveryError:
    missing = ", ".join(repr(name) for name in dict.fromkeys(names.needed) if name in never)
    shown = ", ".join(repr(name) for name in there[:_MOST_NAMED])
    more = f" and {len(there) - _MOST_NAMED} more" if len(there) > _MOST_NAMED else ""
    return DeliveryError(
        f"there is no column {missing}",
        where=where,
        remedy=f"its columns are {shown}{more}; base.columns of the profile names them",
    )


def _record(names: _Names, cells: Mapping[str, Any]) -> tuple[tuple[Any, ...], BaseRecord]:
    empty = names.base.empty
    for name in names.used:
        cell = cells.get(name)
        if isinstance(cell, sheets.Fault):
            raise ValueProblemError(f"{name} {cell.what}")
    values = tuple(
        normalise(field, _cell(field, cells[name], empty)) for field, name in names.fields
    )
    parts = []
    for field, name in names.key:
        part = cells[name] if field is None else normalise(field, _cell(field, cells[name], empty))
        if part is None or part == "":
            raise ValueProblemError(f"the key {name} is empty")
        parts.append(part)
    base = names.base
    signature = cells.get(base.signature) if base.signature else None
    if isinstance(signature, memoryview):  # as a driver gives bytes
        signature = bytes(signature)
    if signature is not None and not isinstance(signature, (str, bytes)):
        raise ValueProblemError(f"{base.signature} is not of type text")
    return tuple(parts), BaseRecord(
        values=values,
        signature=signature or None,
        reference=_text(cells, base.certificate),
        signed_at=_moment(cells, base.signed_at),
    )


def _cell(field: Field, value: Any, empty: str) -> Any:
    """An empty cell of a file is NULL, except for text, where the profile says what it is."""
    return None if value == "" and (field.type != "text" or empty == "null") else value


def _text(cells: Mapping[str, Any], name: str | None) -> str | None:
    """What names a certificate; a number with a fraction or an exponent has lost what it was."""
    value = cells.get(name) if name else None
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueProblemError(f"{name} is not of type text")
    return str(value)


def _moment(cells: Mapping[str, Any], name: str | None) -> str | None:
    value = cells.get(name) if name else None
    if value is None or value == "":
        return None
    try:
        datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ValueProblemError(f"{name} is no time") from error
    return str(value)


def _csv(path: Path, encoding: str) -> Iterator[Line]:
    with path.open(encoding=encoding, errors="strict", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        try:
            header = next(reader)
        except StopIteration:
            raise DeliveryError("is empty: it has no header", where=str(path)) from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise SourceError(f"is not CSV in {encoding}: {error}", where=f"{path}:1") from error
        if len(set(header)) != len(header):
            raise SourceError("a column name is there twice", where=f"{path}:1")
        yield 1, header
        while True:
            line = reader.line_num + 1  # where a row begins: its cells may hold line breaks
            try:
                cells = next(reader)
            except StopIteration:
                return
            except UnicodeDecodeError as error:
                raise SourceError(
                    f"is not text in {encoding} after line {reader.line_num}",
                    where=str(path),
                    remedy="name the code page with --base-encoding",
                ) from error
            except csv.Error as error:
                yield line, f"is not CSV: {error}"
                continue
            if not cells:  # a blank line, as editors leave one at the end
                continue
            if len(cells) != len(header):
                yield line, f"has {len(cells)} cells instead of {len(header)}"
            else:
                yield line, dict(zip(header, cells, strict=True))


def _json_lines(path: Path, encoding: str) -> Iterator[Line]:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line.decode(encoding), parse_float=str, object_pairs_hook=_once)
            except ValueError:
                yield number, "is not one JSON object"
                continue
            yield number, value if isinstance(value, dict) else "is not one JSON object"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found

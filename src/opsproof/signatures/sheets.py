"""XLSX as base data: what a cell says is taken, what Excel made of it is not guessed at.

Source: ECMA-376-1, 18.3.1 (cells, formulas, merged cells). Excel keeps 15 significant digits of a
number ("Excel specifications and limits"), so longer ones are not what was typed; the value kept beside
a formula is that of the last calculation, whenever that was; merged cells have one value, in the first.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.parsers import expat

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter, range_boundaries
from openpyxl.utils.exceptions import InvalidFileException

from opsproof.signatures.errors import DeliveryError, SourceError

_MERGE: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main mergeCell"
_EXACT: Final = 10**15


@dataclass(frozen=True, slots=True)
class Fault:
    """A cell that cannot be taken; ``what`` follows its column's name."""

    what: str


_FORMULA: Final = Fault("is a formula: deliver its value")
_ERROR: Final = Fault("is an error value")
_LONG: Final = Fault(
    "is a number of more than 15 digits, which a sheet does not keep: format it as text"
)


def rows(
    path: Path, wanted: str | None = None
) -> Iterator[tuple[int, Mapping[str, Any] | list[str] | str]]:
    """The header of a sheet, then its rows: number and cells by column, or what is wrong.

    The sheet is the one of the name ``wanted``, else the only one that is not empty.

    Raises:
        SourceError: it is no workbook, or its header is not one name a column.
        DeliveryError: it does not say which sheet is meant.
    """
    try:
        book = load_workbook(path, read_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise SourceError("is not an XLSX workbook", where=str(path)) from error
    try:
        sheet = _chosen(book.worksheets, wanted, path)
        part = sheet._worksheet_path  # noqa: SLF001 - the reader that streams does not tell of merged cells
        try:
            merged = _merged_rows(path, part)
        except (expat.ExpatError, KeyError, ValueError) as error:
            raise SourceError("is not an XLSX workbook", where=str(path)) from error
        if 1 in merged:
            raise SourceError("the header has merged cells", where=f"{path}:1")
        cells = iter(sheet.iter_rows())
        header = _header([cell.value for cell in next(cells, ())], path)
        yield 1, header
        for number, row in enumerate(cells, 2):
            found = [_content(cell) for cell in row]
            while found and found[-1] == "":
                found.pop()
            if number in merged:
                yield number, "has merged cells"
            elif len(found) > len(header):
                yield number, f"has {len(found)} cells instead of {len(header)}"
            elif found:
                found += [""] * (len(header) - len(found))
                yield number, dict(zip(header, found, strict=True))
    finally:
        book.close()


def _chosen(there: Sequence[Any], wanted: str | None, path: Path) -> Any:
    """Of several sheets, hidden ones too, nobody guesses which was delivered; empty ones do not count."""
    if not there:
        raise SourceError("has no sheet", where=str(path))
    named = [sheet for sheet in there if sheet.title == wanted]
    found = named if wanted is not None else list(filter(_filled, there))
    if len(found) == 1:
        return found[0]
    titles = ", ".join(repr(sheet.title) for sheet in there)
    if wanted is not None:
        raise DeliveryError(
            f"there is no sheet {wanted!r}", where=str(path), remedy=f"its sheets are {titles}"
        )
    if not found:
        raise DeliveryError("is empty: it has no header", where=str(path))
    raise DeliveryError(
        f"has {len(found)} sheets with content",
        where=str(path),
        remedy=f"name one of {titles} with --base-sheet, or as base.sheet in the profile",
    )


def _filled(sheet: Any) -> bool:
    return any(cell is not None for row in sheet.iter_rows(values_only=True) for cell in row)


def _header(names: list[Any], path: Path) -> list[str]:
    while names and names[-1] is None:
        names.pop()
    if None in names:
        letter = get_column_letter(names.index(None) + 1)
        raise SourceError(f"column {letter} has no name", where=f"{path}:1")
    header = [str(name) for name in names]
    if len(set(header)) != len(header):
        raise SourceError("a column name is there twice", where=f"{path}:1")
    return header


def _content(cell: Any) -> Any:
    """A sheet has doubles only: one that is whole is an integer. An empty cell is as in CSV."""
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "f":
        return _FORMULA
    if cell.data_type == "e":
        return _ERROR
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) >= _EXACT:
        return _LONG
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _merged_rows(path: Path, part: str) -> set[int]:
    """Rows with merged cells: the list of them comes after all rows of the sheet."""
    found: set[int] = set()

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        if tag == _MERGE:
            _, first, _, last = range_boundaries(attributes.get("ref", ""))
            found.update(range(first or 1, (last or 0) + 1))

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    with zipfile.ZipFile(path) as archive, archive.open(part) as stream:
        parser.ParseFile(stream)
    return found

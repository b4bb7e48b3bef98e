"""Right records that a signature cannot tell from others, because a text holds what separates the fields.

``Li|59`` and ``100`` are the same bytes as ``Li`` and ``59|100``: whoever may choose a text could move a
number of a record that somebody signed. Only base data tells such records apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from opsproof.signatures.profile import Profile, Serialisation
from opsproof.signatures.serialise import text_of, written_fields
from opsproof.signatures.values import ValueProblemError, reader

Look: TypeAlias = Callable[[Sequence[Sequence[Any]]], list[int]]
"""Cells of many records, one sequence each of ``profile.columns``, to the places of such records."""
_Holds: TypeAlias = Callable[[Any], bool]


def compile_look(profile: Profile) -> Look:
    """The look of one profile: seldom more than one search a column and batch."""
    spec = profile.serialisation
    written = [field for _, field in written_fields(profile.fields, spec)]
    if spec.layout == "json" or len(written) < 2:  # JSON quotes what it writes
        return lambda _columns: []
    is_within = _within(spec, [field.name for field in written])
    texts: list[tuple[int, _Holds]] = []
    for field in written:
        if field.type == "text":
            read, write = reader(field), text_of(field, spec)
            place = profile.columns.index(field.column)
            texts.append((place, _cell(read, write, is_within)))
    # What a setting makes of other characters is not in the cells; all else only takes away.
    as_stored = spec.width == spec.unicode == spec.line_ends == "keep" and not spec.pad
    signs = set(spec.separator) if spec.layout == "values" else {spec.separator}

    def look(columns: Sequence[Sequence[Any]]) -> list[int]:
        found: set[int] = set()
        for place, holds in texts:
            column = columns[place]
            if not as_stored or _any(signs, column):
                found.update(number for number, cell in enumerate(column) if holds(cell))
        return sorted(found)

    return look


def _any(signs: set[str], column: Sequence[Any]) -> bool:
    try:
        joined = "\0".join(column)
    except TypeError:
        joined = "\0".join(map(str, filter(None, column)))
    return any(sign in joined for sign in signs)


def _cell(
    read: Callable[[Any], Any], write: Callable[[Any], str], is_within: Callable[[str], bool]
) -> _Holds:
    def holds(cell: Any) -> bool:
        try:
            value = read(cell)
        except ValueProblemError:
            return False
        return value is not None and is_within(write(value))

    return holds


def _within(spec: Serialisation, names: Sequence[str]) -> Callable[[str], bool]:
    """Whether a text holds what comes between two fields, or makes it together with what is beside it."""
    separator = spec.separator
    if spec.layout == "pairs":
        marks = [f"{separator}{name}{spec.assign}" for name in names]
        return lambda text: any(mark in text for mark in marks)

    def is_within(text: str) -> bool:
        between = f"{separator}{text}{separator}"
        return text != "" and between.find(separator, 1) != len(separator) + len(text)

    return is_within

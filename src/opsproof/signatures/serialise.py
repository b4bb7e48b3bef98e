"""From field values to the bytes that are signed, and the other ways in which that was done.

A serialisation is compiled once into a function; tables have millions of rows.
"""

from __future__ import annotations

import codecs
import itertools
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec

from opsproof.signatures.profile import Field, Profile, Serialisation, replaced
from opsproof.signatures.values import Value, ValueProblemError, reader

Writer: TypeAlias = Callable[[Sequence[Value]], bytes]
"""Field values in the profile's order to bytes; UnicodeEncodeError where a code page lacks one."""

_TO_FULL: Final = {code: code + 0xFEE0 for code in range(0x21, 0x7F)} | {0x20: 0x3000}
_TO_HALF: Final = {full: half for half, full in _TO_FULL.items()}


@dataclass(frozen=True, slots=True)
class Variant:
    """Another serialisation of the same data, named by the settings that differ."""

    name: str
    write: Writer


def compile_writer(fields: Sequence[Field], serialisation: Serialisation) -> Writer:
    """The function that writes records down as a serialisation says."""
    chosen = written_fields(fields, serialisation)
    parts = [(place, text_of(field, serialisation)) for place, field in chosen]
    names = [field.name for _, field in chosen]
    encode = _encoder(serialisation.encoding)
    if serialisation.layout == "json":
        return _json_writer(parts, names, serialisation, encode)
    template, _ = _template(fields, serialisation)

    def write(values: Sequence[Value]) -> bytes:
        return encode(template % tuple([text(values[place]) for place, text in parts]))

    return write


Columns: TypeAlias = Callable[[Sequence[Sequence[Any]]], list[bytes | None]]
"""Cells of the fields, one sequence a field; None: look closer."""


def compile_columns(fields: Sequence[Field], serialisation: Serialisation) -> Columns:
    """What :func:`compile_writer` writes, from cells as the database gives them, many at a time."""
    write = compile_writer(fields, serialisation)
    readers = [reader(one) for one in fields]
    if serialisation.layout == "json":
        return lambda columns: [
            _slow(write, readers, cells) for cells in zip(*columns, strict=True)
        ]
    template, chosen = _template(fields, serialisation)
    texts = [(place, _column_text(field, serialisation)) for place, field in chosen]
    encode = _encoder(serialisation.encoding)

    def messages(columns: Sequence[Sequence[Any]]) -> list[bytes | None]:
        try:
            written = [text(columns[place]) for place, text in texts]
            return [encode(template % cells) for cells in zip(*written, strict=True)]
        except (ValueProblemError, UnicodeEncodeError, TypeError):
            return [_slow(write, readers, cells) for cells in zip(*columns, strict=True)]

    return messages


def variants(profile: Profile) -> Iterator[Variant]:
    """All other serialisations, those with the fewest differing settings first."""
    settings = sorted(profile.variants.settings.items())
    for together in range(1, profile.variants.together + 1):
        for group in itertools.combinations(settings, together):
            for values in itertools.product(*(choices for _, choices in group)):
                changed = {name: value for (name, _), value in zip(group, values, strict=True)}
                serialisation = replaced(profile.serialisation, changed)
                if serialisation != profile.serialisation:
                    yield Variant(_name(changed), compile_writer(profile.fields, serialisation))


def written_fields(
    fields: Sequence[Field], serialisation: Serialisation
) -> list[tuple[int, Field]]:
    """Which fields are written, in this order, and their places among the profile's."""
    by_name = {one.name: (place, one) for place, one in enumerate(fields)}
    return [by_name[name] for name in serialisation.fields or by_name]


def _template(
    fields: Sequence[Field], serialisation: Serialisation
) -> tuple[str, list[tuple[int, Field]]]:
    """A record with ``%s`` for every field's text."""
    chosen = written_fields(fields, serialisation)
    assign = serialisation.assign
    labels = [one.name + assign if serialisation.layout == "pairs" else "" for _, one in chosen]
    body = _escape(serialisation.separator).join(f"{_escape(label)}%s" for label in labels)
    return _escape(serialisation.prefix) + body + _escape(serialisation.suffix), chosen


def _slow(
    write: Writer, readers: Sequence[Callable[[Any], Value]], cells: Sequence[Any]
) -> bytes | None:
    try:
        return write([read(cell) for read, cell in zip(readers, cells, strict=True)])
    except (ValueProblemError, UnicodeEncodeError):
        return None


def _column_text(field: Field, spec: Serialisation) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Cells of a field to what ``%s`` writes. Raises as :func:`normalise` for the first bad cell."""
    read, text = reader(field), text_of(field, spec)

    def one(cell: Any) -> str:
        return text(read(cell))

    def each(cells: Sequence[Any]) -> list[str]:
        return [one(cell) for cell in cells]

    own = {"text": str, "integer": int}.get(field.type)
    untouched = own is not None and not field.padded and _text_change(field, spec) is None
    if untouched and (own is str or spec.width == "keep"):
        return lambda cells: cells if set(map(type, cells)) == {own} else each(cells)
    if field.type in ("date", "decimal"):
        kept = lru_cache(maxsize=4096, typed=True)(one)
        return lambda cells: list(map(kept, cells))
    return each


def _name(changed: dict[str, Any]) -> str:
    return ", ".join(f"{key}={_short(value)}" for key, value in changed.items())


def _short(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _escape(text: str) -> str:
    return text.replace("%", "%%")


def _encoder(name: str) -> Callable[[str], bytes]:
    if name == "utf-8":
        return str.encode
    encode = codecs.getencoder(name)
    if name == "utf-16":  # the platform's order must not matter: little endian with a BOM
        return lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le")
    return lambda text: encode(text)[0]


def _json_writer(
    parts: Sequence[tuple[int, Callable[[Value], str]]],
    names: Sequence[str],
    serialisation: Serialisation,
    encode: Callable[[str], bytes],
) -> Writer:
    """Numbers and booleans stay such in JSON; all else is text as the other layouts write it."""

    def write(values: Sequence[Value]) -> bytes:
        cells = []
        for name, (place, text) in zip(names, parts, strict=True):
            value = values[place]
            bare = isinstance(value, (bool, int, Decimal)) or value is None
            cell = _bare(value, text) if bare else json.dumps(text(value), ensure_ascii=False)
            cells.append(f"{json.dumps(name, ensure_ascii=False)}:{cell}")
        body = "{" + ",".join(cells) + "}"
        return encode(serialisation.prefix + body + serialisation.suffix)

    return write


def _bare(value: Value, text: Callable[[Value], str]) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else text(value)


def text_of(field: Field, spec: Serialisation) -> Callable[[Value], str]:
    """The function that writes one field."""
    change = _text_change(field, spec)
    null = spec.null
    kind = field.type
    if kind == "text" and change is None:
        return lambda value: null if value is None else value  # type: ignore[return-value]
    if kind == "integer" and spec.width == "keep":
        return lambda value: null if value is None else str(value)
    inner = _formatter(kind, spec)

    def text(value: Value) -> str:
        if value is None:
            return null
        return inner(value) if change is None else change(inner(value))

    return text


def _formatter(kind: str, spec: Serialisation) -> Callable[[Any], str]:
    if kind == "date":
        return lru_cache(maxsize=4096)(lambda value: _strftime(value, spec.dates))
    if kind == "datetime":
        return lambda value: _strftime(value, spec.datetimes)
    if kind == "boolean":
        return lambda value: spec.booleans[bool(value)]
    if kind == "decimal" and spec.decimals == "trimmed":
        return _trimmed
    return lambda value: format(value, "f") if isinstance(value, Decimal) else str(value)


def _strftime(value: date | datetime, pattern: str) -> str:
    """``%Y`` of years before 1000 has four digits here, whatever the C library does."""
    return value.strftime(pattern.replace("%Y", f"{value.year:04d}"))


def _trimmed(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _text_change(field: Field, spec: Serialisation) -> Callable[[str], str] | None:
    steps: list[Callable[[str], str]] = []
    if field.type == "text":
        if spec.blanks == "strip-trailing":
            steps.append(lambda text: text.rstrip(" \u3000"))
        elif spec.blanks == "strip":
            steps.append(lambda text: text.strip(" \u3000"))
        if spec.line_ends != "keep":
            end = "\n" if spec.line_ends == "lf" else "\r\n"
            steps.append(
                lambda text: text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", end)
            )
        if spec.unicode != "keep":
            form: Any = spec.unicode.upper()
            steps.append(lambda text: unicodedata.normalize(form, text))
    if spec.width != "keep":
        table = _TO_FULL if spec.width == "full" else _TO_HALF
        steps.append(lambda text: text.translate(table))
    if field.type == "text" and field.name in spec.pad:
        length = spec.pad[field.name]
        steps.append(lambda text: text.ljust(length))
    if not steps:
        return None

    def change(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return change

"""Data logs of the applications: CSV and JSON lines, told what they mean by a schema map."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from io import TextIOWrapper
from typing import Any, Final
from unicodedata import category
from zoneinfo import ZoneInfo

import msgspec

from opsproof.logs import times
from opsproof.logs.atoms import DIGITS
from opsproof.logs.readers.base import KIND, Damage, Fields, Kept, Log, Notes
from opsproof.logs.readers.undecoded import ERRORS, MARK, told
from opsproof.logs.schema import UNITS, Schema, Target
from opsproof.logs.table import Table, TableBuilder

_BATCH: Final = 50_000
_MOST: Final = 1 << 23
"""Characters of a batch: a line may be long, and a row go over many lines."""

_LONGEST: Final = 1 << 20
"""Characters of the longest field or line that is read."""

_TOLD: Final = 20
"""Values that the map does not name: so many are told of each column."""
_LONGEST_WORD: Final = 64
"""Characters of each of them."""
_MOST_UNKNOWN: Final = 1000
"""Values that are counted one by one; a column may have a new one in every record."""
_OTHERS: Final = ""


def read(log: Log, wanted: Fields, notes: Notes, _: Kept | None = None) -> Iterator[Table]:
    """Batches of the records of one data log; record ids are line numbers (header included).

    Columns that the map does not name are noted, and values of columns whose words it gives: a rule on
    them would be silent otherwise.
    """
    schema = log.schema
    assert schema is not None
    reader = _Reader(log, schema, wanted, notes)
    with log.path.open("rb") as binary:
        text = TextIOWrapper(binary, encoding=schema.encoding, errors=ERRORS, newline="")
        rows = _csv_rows(text, schema, notes) if schema.format == "csv" else _json_rows(text, notes)
        for number, row in rows:
            reader.add(number, row)
            if reader.full:
                yield reader.table()
    if len(reader.builder):
        yield reader.table()
    reader.finish()


def _csv_rows(
    text: TextIOWrapper, schema: Schema, notes: Notes
) -> Iterator[tuple[int, dict[str, str]]]:
    csv.field_size_limit(_LONGEST)
    lines = _Lines(_short(text, notes))
    rows = csv.reader(lines, delimiter=schema.delimiter)
    header: list[str] | None = None
    while True:
        lines.size = 0
        try:
            row = next(rows)
        except StopIteration:
            return
        except _EndlessError:
            # What stood open in the quotes is given up: a new row begins here.
            rows = csv.reader(lines, delimiter=schema.delimiter)
            what = f"a row is longer than {_MOST} characters"
            notes.damaged(Damage(what, record=lines.number, records=1))
            continue
        except csv.Error as error:
            what = f"a line is no CSV: {error}"
            notes.damaged(Damage(what, record=lines.number, records=1))
            continue
        if header is None:
            header = [name.strip().removeprefix("\ufeff") for name in row]
        elif len(row) == len(header):
            yield lines.number, dict(zip(header, row, strict=True))
        elif row:
            what = f"a line has {len(row)} values, not {len(header)}"
            notes.damaged(Damage(what, record=lines.number, records=1))


class _EndlessError(Exception):
    """A row does not end."""


class _Lines:
    """Lines without NUL bytes, for one row after another; ``number`` is that of the last one."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.number = self.size = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self.size > _MOST:
            raise _EndlessError
        line = next(self._lines)
        self.number += 1
        self.size += len(line)
        return line.replace("\0", "")


def _json_rows(text: TextIOWrapper, notes: Notes) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(_short(text, notes), 1):
        plain = line.replace("\0", "").strip().removeprefix("\ufeff")
        if not plain:
            continue
        try:
            row = msgspec.json.decode(plain)
            fields = dict(_flat(row)) if isinstance(row, dict) else None
        except (msgspec.DecodeError, ValueError) as error:
            notes.damaged(Damage(f"a line is no JSON: {error}", record=number, records=1))
            continue
        except RecursionError:
            notes.damaged(Damage("a line of JSON is nested too deeply", record=number, records=1))
            continue
        if fields is not None:
            yield number, fields
        else:
            notes.damaged(Damage("a line is no JSON object", record=number, records=1))


def _flat(row: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested objects by dotted names; lists as JSON."""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, str):
            yield prefix + name, value
        elif value is not None:
            yield prefix + name, msgspec.json.encode(value).decode()


def _short(text: TextIOWrapper, notes: Notes) -> Iterator[str]:
    """Lines; one that is too long is noted and skipped in pieces."""
    number = 0
    try:
        while line := text.readline(_LONGEST):
            number += 1
            if MARK in line:
                line = told(line, number, text.encoding, notes)
            if len(line) < _LONGEST or line.endswith("\n"):
                yield line
                continue
            notes.damaged(
                Damage(f"a line is longer than {_LONGEST} characters", record=number, records=1)
            )
            while line and not line.endswith("\n"):
                line = text.readline(_LONGEST)
            yield "\n"
    except UnicodeError as error:
        # As of a file without the mark that UTF-16 begins with: nothing behind it can be decoded.
        what = f"from here on it cannot be read as {text.encoding}: {error}"
        notes.damaged(Damage(what, record=number + 1, records=1))


class _Reader:
    """One file being read: names mapped, units converted, times read."""

    def __init__(self, log: Log, schema: Schema, wanted: Fields, notes: Notes) -> None:
        self._log, self._schema, self._wanted, self._notes = log, schema, wanted, notes
        self._zone = ZoneInfo(schema.zone)
        self._unmapped: dict[str, None] = {}
        self._unknown: dict[str, dict[str, int]] = {}
        self._declared: set[str] = set()
        self._new_batch()

    def _new_batch(self) -> None:
        self.builder = TableBuilder(self._log.source, self._wanted)
        self._kept: list[dict[str, str]] = []
        self._size = 0

    @property
    def full(self) -> bool:
        """Whether it is time for the next batch."""
        return len(self._kept) >= _BATCH or self._size > _MOST

    def table(self) -> Table:
        """The batch so far; a new one is begun."""
        kept = self._kept
        table = self.builder.build(lambda row: kept[row], self._schema.product)
        table.block, table.declared = int(table.record_ids[0]), frozenset(self._declared)
        self._new_batch()
        return table

    def add(self, number: int, row: dict[str, str]) -> None:
        """One record."""
        shown: dict[str, str] = {}
        for column, value in row.items():
            target = self._schema.target(column)
            if target is not None:
                plain = self._word(column, value, target) if target.values else value.strip()
                shown[target.name] = _converted(plain, target.unit)
            elif column != self._schema.time.column:
                self._unmapped.setdefault(column)
        moment, local = self._moment(row.get(self._schema.time.column, ""))
        fields = {name.lower(): value for name, value in shown.items()}
        if not fields.keys() <= self._declared:
            self._declared |= fields.keys()
        fields = {name: value for name, value in fields.items() if value}
        if local is not None:
            fields["local_hour"], fields["local_weekday"] = str(local.hour), str(local.isoweekday())
        fields[KIND] = f"data:{self._schema.product}"
        self.builder.add(moment, number, fields)
        self._kept.append(shown)
        self._size += sum(map(len, shown.values()))

    def _word(self, column: str, value: str, target: Target) -> str:
        """The rules' word for a value. One that the map does not give is counted.

        Characters that are not seen (Unicode category Cf, as U+200B) are no part of a word.
        """
        word = value.strip()
        if not word.isprintable():
            word = "".join(one for one in word if category(one) != "Cf").strip()
        known = target.values.get(word)
        if known is not None:
            return known
        if word and word not in target.values.values():
            unknown = self._unknown.setdefault(column, {})
            key = word if word in unknown or len(unknown) < _MOST_UNKNOWN else _OTHERS
            unknown[key] = unknown.get(key, 0) + 1
        return word

    def finish(self) -> None:
        """Note what the map did not cover."""
        for column, unknown in sorted(self._unknown.items()):
            others = unknown.pop(_OTHERS, 0)
            ordered = sorted(unknown.items(), key=lambda pair: (-pair[1], pair[0]))
            told = [f"{word[:_LONGEST_WORD]} ({count})" for word, count in ordered[:_TOLD]]
            others += sum(count for _, count in ordered[_TOLD:])
            more = f" and {others} records of other ones" if others else ""
            self._notes.remarks.append(
                f"values that the schema map does not name in {column}: {', '.join(told)}{more}"
            )
        if self._unmapped:
            names = ", ".join(sorted(self._unmapped)[:20])
            self._notes.remarks.append(f"columns that the schema map does not name: {names}")

    def _moment(self, text: str) -> tuple[int, datetime | None]:
        """The moment that a text means, and the same in the log's zone: none of years that no date has.

        An application that has no time writes its language's first, in .NET 0001-01-01, which is of
        the year before in UTC.
        """
        form = self._schema.time.format
        text = text.strip()
        try:
            if form in {"epoch", "epoch-ms"}:
                micros = _whole(Decimal(text) * (1_000_000 if form == "epoch" else 1000))
            else:
                # strptime gives no zone: the map's follows.
                moment = (
                    datetime.fromisoformat(text) if form == "iso" else datetime.strptime(text, form)  # noqa: DTZ007
                )
                zoned = moment if moment.tzinfo else moment.replace(tzinfo=self._zone)
                micros = times.micros(zoned)
            return micros, times.moment(micros).astimezone(self._zone)
        except (ValueError, ArithmeticError):
            return times.UNKNOWN, None


def _whole(value: Decimal) -> int:
    """The number without its fraction.

    Raises ``OverflowError`` for what is out of all measure: 1e999999 takes a megabyte to write down.
    """
    if value.is_finite() and value.adjusted() > DIGITS:
        raise OverflowError
    return int(value)


def _converted(value: str, unit: str) -> str:
    """A number in the rules' unit, rounded to a whole one; anything else as it stands."""
    if not unit:
        return value
    try:
        return str(_whole(Decimal(value.replace(",", "")) * UNITS[unit]))
    except (ValueError, ArithmeticError):
        return value

"""Schema maps: what the columns of an application's data log mean, as data.

A map is a YAML file beside the logs or given to the audit::

    product: sign-verify            # the rules' logsource.product, category data_log
    match: "sign_*.csv"             # file names this map is for
    encoding: gb18030               # utf-8 (default), utf-16, gb18030 …
    format: csv                     # csv or jsonl
    delimiter: ","                  # csv only; default: comma
    zone: Asia/Shanghai             # of times without an offset
    time: {column: 时间, format: "%Y-%m-%d %H:%M:%S"}   # format: strptime, iso, epoch or epoch-ms
    columns:
      操作: operation
      结果: {name: result, values: {成功: ok, 失败: failed}}
      文件大小: {name: size, unit: kb}     # unit b, kb, mb, gb (1024): the value becomes bytes
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Final, Literal

import msgspec

from opsproof.errors import UsageError
from opsproof.logs import times

UNITS: Final = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "ms": 1, "s": 1000}
"""Factors to the unit that rules use: bytes for sizes, milliseconds for durations."""


class Time(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the time stands and how it is written."""

    column: str
    format: str = "iso"


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules' name of a column, the unit its numbers are in, the rules' words for its values."""

    name: str
    unit: str = ""
    values: dict[str, str] = {}


class Schema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One schema map."""

    product: str
    match: str
    time: Time
    columns: dict[str, str | Target]
    format: Literal["csv", "jsonl"] = "csv"
    encoding: str = "utf-8"
    delimiter: str = ","
    zone: str = "Asia/Shanghai"

    def target(self, column: str) -> Target | None:
        """What a column of the file means; None where the map does not say."""
        found = self.columns.get(column)
        return Target(found) if isinstance(found, str) else found


def load_schemas(paths: Sequence[Path]) -> tuple[Schema, ...]:
    """The maps in these files and folders (``*.yml``), sorted by file name.

    Raises :class:`UsageError` naming file and fault.
    """
    files = [
        file for path in paths for file in (sorted(path.glob("*.yml")) if path.is_dir() else [path])
    ]
    return tuple(_load(file) for file in files)


def _load(file: Path) -> Schema:
    # Imported where a map is read: worker processes read none, and start sooner without it.
    from opsproof.controls.strict_yaml import parse

    try:
        document = parse(file.read_bytes(), str(file))
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(file)) from error
    try:
        schema = msgspec.convert(document.value, Schema)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        keys = [key for key in path.rstrip("`").split(".") if key]
        raise UsageError(f"this is no schema map: {what}", where=document.where(*keys)) from error
    if times.zone(schema.zone) is None:
        raise UsageError(
            f"{schema.zone!r} is no time zone such as Asia/Shanghai", where=document.where("zone")
        )
    try:
        "".encode(schema.encoding)
    except LookupError as error:
        raise UsageError(
            f"{schema.encoding!r} is no encoding such as gb18030", where=document.where("encoding")
        ) from error
    for column, target in schema.columns.items():
        if isinstance(target, Target) and target.unit and target.unit not in UNITS:
            raise UsageError(
                f"unknown unit {target.unit!r}; known are {', '.join(UNITS)}",
                where=document.where("columns", column, "unit"),
            )
    return schema


def schema_for(name: str, schemas: Sequence[Schema]) -> Schema | None:
    """The first map whose pattern fits a file's name."""
    plain = name.replace("\\", "/").replace("!", "/").rsplit("/", 1)[-1]
    return next((schema for schema in schemas if fnmatch(plain, schema.match)), None)

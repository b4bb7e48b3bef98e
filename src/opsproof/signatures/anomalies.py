"""Failed signings and verifications in the data logs, linked to the records they speak of (C-6).

How a log line looks is data: a pattern with the group ``key`` and, where the log has them,
``time`` and ``kind``. A line is linked when its key is that of a record that was diagnosed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import re2
import yaml

from opsproof.signatures.errors import ProfileError
from opsproof.signatures.model import RecordClass, key_digest, key_text
from opsproof.signatures.workbook import Workbook


class Pattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of line. ``kind`` is what it means: signing-failed, verification-failed ..."""

    kind: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Link:
    """One line of a log and what is known of its record.

    ``record_class`` None: it is not among the records that were found wrong; whether there is such a
    record at all, an analysis does not keep.
    """

    file: str
    line: int
    kind: str
    record: str
    record_class: RecordClass | None


def load_patterns(path: Path) -> list[Pattern]:
    """Patterns of a YAML list. Raises :class:`ProfileError` naming what is wrong."""
    try:
        found = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), list[Pattern])
        for one in found:
            if "key" not in _compiled(one.pattern).groupindex:
                raise ProfileError(f"{one.pattern!r} has no group (?P<key>...)", where=str(path))
    except (OSError, yaml.YAMLError, msgspec.ValidationError, re2.error) as error:
        raise ProfileError(" ".join(str(error).split()), where=str(path)) from error
    return found


def link(
    paths: Iterable[Path],
    patterns: Iterable[Pattern],
    workbook: Workbook,
    *,
    encoding: str = "utf-8",
) -> Iterator[Link]:
    """Every line of the logs that a pattern fits, with its record's class."""
    compiled = [(one.kind, _compiled(one.pattern)) for one in patterns]
    for path in paths:
        with path.open(encoding=encoding, errors="replace") as stream:
            for number, line in enumerate(stream, 1):
                for kind, pattern in compiled:
                    match = pattern.search(line)
                    if match is not None and match.group("key"):
                        key = (match.group("key"),)
                        found = workbook.found_by_text(key_text(key))
                        yield Link(
                            path.name,
                            number,
                            kind,
                            key_digest(found.key if found is not None else key),
                            None if found is None else found.record_class,
                        )
                        break


def _compiled(pattern: str) -> Any:
    """RE2: a log line that somebody else wrote costs linear time."""
    return re2.compile(pattern)

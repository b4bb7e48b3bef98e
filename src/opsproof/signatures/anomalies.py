"""Failed signings and verifications in the data logs of the interface (C-6), read line by line.

How a line looks is data: a list of patterns, each with a group for every key column and, where the
log has it, one for the time. Files of any size are read in bounded memory. What of a log could not be
read is counted, so that it never looks like a log without failures.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

import msgspec
import re2

from opsproof.errors import UsageError
from opsproof.evidence.ids import timestamp
from opsproof.signatures.errors import ProfileError, SourceError
from opsproof.yaml_file import parse_yaml

Kind: TypeAlias = Literal["verification-failed", "signing-failed", "other"]

LONGEST_LINE: Final = 1 << 16
"""Characters of a line that are looked at. A longer one is counted as unreadable."""

_LOST: Final = "\N{REPLACEMENT CHARACTER}"


class Pattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of line: a regular expression (RE2) and what it means; ``other`` is no failure.

    Where there are patterns of the kind ``other``, a line that fits none is as good as unread: the log
    is not written as it used to be.

    The group ``key`` is the value of a key of one column; a key of several has ``key1``, ``key2``
    ... in the profile's order, or groups named as the columns. ``time`` is how the group ``time``
    writes a time (strptime), in the zone ``zone`` unless it says its own.
    """

    kind: Kind
    pattern: str
    time: str = "%Y-%m-%d %H:%M:%S"
    zone: str = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Failure:
    """One line. ``key`` are texts in the order of the profile's key, empty where the line names no
    record; ``at`` is RFC 3339 in UTC.
    """

    kind: Kind
    key: tuple[str, ...]
    at: str | None
    file: str
    line: int


class Patterns:
    """Patterns of a file, compiled for a key of these columns."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Read a YAML list. Raises :class:`UsageError` naming what is wrong."""
        try:
            content = path.read_bytes()
            found = msgspec.convert(parse_yaml(content, str(path)), list[Pattern])
            self._matchers = [_Matcher(one, columns, str(path)) for one in found]
        except OSError as error:
            raise ProfileError(f"cannot be read: {error.strerror}", where=str(path)) from error
        except (ValueError, re2.error) as error:
            raise ProfileError(" ".join(str(error).split()), where=str(path)) from error
        if all(one.kind == "other" for one in found):
            raise ProfileError("holds no pattern of a failure", where=str(path))
        self.complete = any(one.kind == "other" for one in found)
        self.sha256 = hashlib.sha256(content).hexdigest()

    def match(self, text: str, file: str, line: int) -> Failure | None:
        """What the first pattern that fits says of a line; a key with an empty part is none."""
        for one in self._matchers:
            match = one.search(text)
            if match is not None:
                key = tuple([match.group(name) or "" for name in one.groups])
                at = one.time(match.group("time") or "") if one.timed else None
                return Failure(one.kind, key if all(key) else (), at, file, line)
        return None


class _Matcher:
    """One pattern, ready to be tried on every line."""

    def __init__(self, one: Pattern, columns: Sequence[str], where: str) -> None:
        # RE2: a log line that somebody else wrote costs linear time.
        pattern = re2.compile(one.pattern)
        names = set(pattern.groupindex)
        ways: list[tuple[str, ...]] = [("key",)] if len(columns) == 1 else []
        ways += [tuple(f"key{place}" for place in range(1, len(columns) + 1)), tuple(columns)]
        ways += [()] if one.kind == "other" else []
        groups = next((way for way in ways if set(way) <= names), None)
        if groups is None:
            wanted = ", ".join(f"(?P<{name}>...)" for name in ways[0])
            raise ProfileError(f"{one.pattern!r} lacks a group of the key: {wanted}", where=where)
        try:
            zone = ZoneInfo(one.zone)
        except (KeyError, OSError) as error:
            raise ProfileError(f"there is no time zone {one.zone!r}", where=where) from error
        self.kind = one.kind
        self.groups = groups
        self.timed = "time" in names
        self.search = pattern.search
        # Many lines have the same second.
        self.time = lru_cache(maxsize=1024)(lambda text: _time(text, one.time, zone))


class LogReader:
    """Reads logs once. ``files``, ``lines`` and ``unreadable`` (lines) count what was seen so far."""

    def __init__(self, logs: Sequence[Path], patterns: Patterns, encoding: str) -> None:
        """Find the files of ``logs``, in order of name.

        A folder stands for all files below it. A name with ``*``, ``?`` or ``[`` stands for the
        files that it fits, which may be none: a host may have had nothing new to hand over.

        Raises:
            UsageError: there is no such file or folder, or no such code page.
        """
        try:
            "".encode(encoding)  # of code pages only, not of all codecs
        except LookupError as error:
            raise UsageError("is no code page", where=encoding) from error
        self._files = [file for one in logs for file in _files(one)]
        self.patterns = patterns
        self._encoding = encoding
        self.files = self.lines = self.unreadable = 0

    def failures(self) -> Iterator[Failure]:
        """Every line that a pattern fits. Raises :class:`SourceError`: a file cannot be read."""
        for path in self._files:
            try:
                with path.open(encoding=self._encoding, errors="replace") as stream:
                    name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
                    yield from self._of(stream, name)
            except (OSError, UnicodeError) as error:
                # UTF-16 without its byte order mark is an error that nothing can be put in place of.
                reason = getattr(error, "strerror", None) or f"is not {self._encoding}"
                raise SourceError(f"cannot be read: {reason}", where=str(path)) from error
            self.files += 1

    def _of(self, stream: Any, name: str) -> Iterator[Failure]:
        number = 0
        while text := stream.readline(LONGEST_LINE):
            number += 1
            whole = len(text) < LONGEST_LINE or text.endswith("\n")
            found = self.patterns.match(text.rstrip("\n"), name, number)
            if found is None:
                known = not self.patterns.complete or text.isspace()
            else:
                known = True
                if found.kind != "other":
                    yield found
            self.unreadable += not (whole and known) or _LOST in text
            while not whole:
                rest = stream.readline(LONGEST_LINE)
                whole = not rest or rest.endswith("\n")
        self.lines += number


def _time(text: str, form: str, zone: ZoneInfo) -> str | None:
    """None for a time that is none: the line still says that something failed."""
    try:
        found = datetime.strptime(text, form)  # noqa: DTZ007 - the zone follows
        aware = found if found.tzinfo else found.replace(tzinfo=zone)
        return timestamp(aware.astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def _files(log: Path) -> list[Path]:
    if log.is_file():
        return [log]
    if not log.is_dir():
        if glob.has_magic(str(log)):
            root = Path(log.anchor)
            fitting = root.glob(str(log.relative_to(root)))
            return sorted(file for one in fitting for file in _files(one))
        raise UsageError("there is no such log", where=str(log))
    found = (Path(folder, name) for folder, _, names in os.walk(log) for name in names)
    return sorted(file for file in found if file.is_file())

"""registry.pol: registry-based policy.

Format: [MS-GPREG] 2.2.1 and "Registry Policy File Format" (Win32): ``PReg``, version 1, then
``[key;value;type;size;data]`` in UTF-16LE, key and value with a NUL. Values whose name begins with
two stars are instructions, not values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from opsproof.policy.damage import DamagedError
from opsproof.policy.registry import Data, DataError, RegistryType, decode, encode

_HEADER = b"PReg\x01\x00\x00\x00"
_SEPARATOR, _OPEN, _CLOSE, _NUL = b";\0", b"[\0", b"]\0", b"\0\0"


class Action(StrEnum):
    """What an entry asks for."""

    SET = "set"
    DELETE = "delete"
    DELETE_VALUES = "delete-values"
    DELETE_ALL_VALUES = "delete-all-values"
    DELETE_KEYS = "delete-keys"
    SECURE_KEY = "secure-key"
    CREATE_KEY = "create-key"
    SOFT = "soft"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it stands: ``type`` and ``data`` are raw, so that any file survives a round trip."""

    key: str
    value: str
    type: int
    data: bytes

    @property
    def action(self) -> Action:
        """What the entry asks for."""
        low = self.value.lower()
        if low.startswith("**del."):
            return Action.DELETE
        if low.startswith("**delvals"):
            return Action.DELETE_ALL_VALUES
        if low.startswith("**soft."):
            return Action.SOFT
        fixed = {
            "**deletevalues": Action.DELETE_VALUES,
            "**deletekeys": Action.DELETE_KEYS,
            "**securekey": Action.SECURE_KEY,
        }.get(low)
        if fixed:
            return fixed
        if not self.value and self.type == 0 and not self.data:
            return Action.CREATE_KEY
        return Action.SET

    @property
    def names(self) -> tuple[str, ...]:
        """The values or keys that it speaks of; empty for a whole key."""
        match self.action:
            case Action.DELETE | Action.SOFT:
                return (self.value.partition(".")[2],)
            case Action.DELETE_VALUES | Action.DELETE_KEYS:
                listed = self.data.decode("utf-16-le", "replace").rstrip("\0")
                return tuple(name for name in listed.split(";") if name)
            case Action.SET:
                return (self.value,)
            case _:
                return ()

    def content(self) -> Data:
        """The data by type. Raises :class:`DataError` when the bytes do not fit."""
        return decode(RegistryType(self.type), self.data)


def parse(data: bytes, *, name: str) -> tuple[Entry, ...]:
    """All entries of a file.

    Raises:
        DamagedError: with file and byte offset.
    """
    if not data.startswith(_HEADER):
        raise DamagedError("does not begin with PReg, version 1", name=name, offset=0)
    entries: list[Entry] = []
    at = len(_HEADER)
    while at < len(data):
        entry, after = _entry(data, at, name)
        entries.append(entry)
        at = after
    return tuple(entries)


def serialise(entries: Iterable[Entry]) -> bytes:
    """The file; :func:`parse` gives the same entries back."""
    return _HEADER + b"".join(
        _OPEN
        + entry.key.encode("utf-16-le")
        + _NUL
        + _SEPARATOR
        + entry.value.encode("utf-16-le")
        + _NUL
        + _SEPARATOR
        + entry.type.to_bytes(4, "little")
        + _SEPARATOR
        + len(entry.data).to_bytes(4, "little")
        + _SEPARATOR
        + entry.data
        + _CLOSE
        for entry in entries
    )


def setting(key: str, value: str, kind: RegistryType, data: Data) -> Entry:
    """An entry that sets a value."""
    return Entry(key, value, int(kind), encode(kind, data))


def _entry(data: bytes, at: int, name: str) -> tuple[Entry, int]:
    start = at
    at = _expect(data, at, _OPEN, "[", name)
    key, at = _text(data, at, name)
    at = _expect(data, at, _SEPARATOR, ";", name)
    value, at = _text(data, at, name)
    at = _expect(data, at, _SEPARATOR, ";", name)
    kind, at = _number(data, at, name)
    at = _expect(data, at, _SEPARATOR, ";", name)
    size, at = _number(data, at, name)
    at = _expect(data, at, _SEPARATOR, ";", name)
    if at + size > len(data):
        raise DamagedError(f"{size} bytes of data are not there", name=name, offset=at)
    content = data[at : at + size]
    after = _expect(data, at + size, _CLOSE, "]", name)
    if not key:
        raise DamagedError("an entry names no key", name=name, offset=start)
    if kind not in RegistryType.__members__.values():
        raise DamagedError(f"there is no registry type {kind}", name=name, offset=start)
    entry = Entry(key, value, kind, content)
    if entry.action is Action.SET:
        try:
            entry.content()
        except DataError as error:
            raise DamagedError(f"{key}\\{value}: {error}", name=name, offset=at) from error
    return entry, after


def _expect(data: bytes, at: int, mark: bytes, shown: str, name: str) -> int:
    if data[at : at + 2] != mark:
        raise DamagedError(f"{shown!r} should stand here", name=name, offset=at)
    return at + 2


def _number(data: bytes, at: int, name: str) -> tuple[int, int]:
    if at + 4 > len(data):
        raise DamagedError("ends within a number", name=name, offset=at)
    return int.from_bytes(data[at : at + 4], "little"), at + 4


def _text(data: bytes, at: int, name: str) -> tuple[str, int]:
    end = at
    while True:
        unit = data[end : end + 2]
        if len(unit) < 2:
            raise DamagedError("ends within a name", name=name, offset=at)
        if unit == _NUL:
            break
        end += 2
    try:
        return data[at:end].decode("utf-16-le"), end + 2
    except UnicodeDecodeError as error:
        raise DamagedError("a name is not UTF-16LE", name=name, offset=at) from error

"""LGPO text: registry policy in the form that Microsoft's LGPO.exe prints (/parse) and reads (/t).

Four lines an entry, separated by blank ones: ``Computer`` or ``User``, the key, the value's name
(``*`` where the action speaks of the whole key), and ``TYPE:data`` or an action. Source: LGPO.pdf in
the Security Compliance Toolkit; that BINARY and QWORD are written as hex and decimal is assumed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from opsproof.policy.damage import DamagedError, lines_of
from opsproof.policy.pol import Action, Entry, setting
from opsproof.policy.registry import DataError, RegistryType

_TYPES = {
    "SZ": RegistryType.SZ,
    "EXSZ": RegistryType.EXPAND_SZ,
    "MULTISZ": RegistryType.MULTI_SZ,
    "DWORD": RegistryType.DWORD,
    "QWORD": RegistryType.QWORD,
    "BINARY": RegistryType.BINARY,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}
_CONFIGURATION = re.compile(r"computer|user(:.+)?", re.IGNORECASE)
_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class LgpoEntry:
    """``configuration`` is Computer, User or User:NAME; ``entry`` as in registry.pol."""

    configuration: str
    entry: Entry


def parse(data: bytes, *, name: str) -> tuple[LgpoEntry, ...]:
    """All entries of a text; UTF-8 or UTF-16LE with a mark.

    Raises:
        DamagedError: with file and byte offset.
    """
    codec = "utf-16-le" if data.startswith(b"\xff\xfe") else "utf-8"
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        raise DamagedError(f"is not {codec} text", name=name, offset=error.start) from error
    entries: list[LgpoEntry] = []
    block: list[tuple[int, str]] = []
    for at, raw in lines_of(text, codec, 0):
        line = raw.strip("\r\n").removeprefix(_MARK)
        if not line.lstrip().startswith(";"):
            if line.strip():
                block.append((at, line))
            elif block and len(block) != 2:
                raise DamagedError("an entry has four lines", name=name, offset=block[0][0])
            elif len(block) == 2:
                # A value without a name is a blank third line.
                block.append((at, ""))
        if len(block) == 4:
            entries.append(_entry(block, name))
            block = []
    if block:
        raise DamagedError("an entry has four lines", name=name, offset=block[0][0])
    return tuple(entries)


def serialise(entries: Iterable[LgpoEntry]) -> bytes:
    """The text; :func:`parse` gives the same entries back. Raises :class:`DataError`."""
    blocks = []
    for item in entries:
        value, action = _shown(item.entry)
        blocks.append(f"{item.configuration}\r\n{item.entry.key}\r\n{value}\r\n{action}\r\n\r\n")
    return "".join(blocks).encode()


def _entry(block: list[tuple[int, str]], name: str) -> LgpoEntry:
    (at, configuration), (_, key), (_, value), (offset, action) = block
    if not _CONFIGURATION.fullmatch(configuration.strip()):
        raise DamagedError(f"{configuration!r} is neither Computer nor User", name=name, offset=at)
    word, colon, data = action.partition(":")
    upper = word.strip().upper()
    where = configuration.strip()
    if not colon:
        made = {
            "DELETE": Entry(key, f"**del.{value}", 1, " \0".encode("utf-16-le")),
            "DELETEALLVALUES": Entry(key, "**delvals.", 1, " \0".encode("utf-16-le")),
            "CREATEKEY": Entry(key, "", 0, b""),
        }.get(upper)
        if made is None:
            raise DamagedError(f"{action!r} is no action", name=name, offset=offset)
        return LgpoEntry(where, made)
    if upper not in _TYPES:
        raise DamagedError(f"{word!r} is no type", name=name, offset=offset)
    try:
        return LgpoEntry(where, setting(key, value, _TYPES[upper], _data(_TYPES[upper], data)))
    except (ValueError, DataError) as error:
        raise DamagedError(f"{data!r} is no {upper}", name=name, offset=offset) from error


def _data(kind: RegistryType, text: str) -> str | int | bytes | tuple[str, ...]:
    if kind in {RegistryType.DWORD, RegistryType.QWORD}:
        return int(text, 16) if text.lower().startswith("0x") else int(text)
    if kind is RegistryType.BINARY:
        return bytes.fromhex(text)
    if kind is RegistryType.MULTI_SZ:
        return tuple(text.split("\\0")) if text else ()
    return text


def _shown(entry: Entry) -> tuple[str, str]:
    match entry.action:
        case Action.DELETE:
            return entry.names[0], "DELETE"
        case Action.DELETE_ALL_VALUES:
            return "*", "DELETEALLVALUES"
        case Action.CREATE_KEY:
            return "*", "CREATEKEY"
        case Action.SET if RegistryType(entry.type) in _NAMES:
            content = entry.content()
            if isinstance(content, bytes):
                shown = content.hex()
            elif isinstance(content, tuple):
                shown = "\\0".join(content)
            else:
                shown = str(content)
            return entry.value, f"{_NAMES[RegistryType(entry.type)]}:{shown}"
        case _:
            raise DataError(f"{entry.value!r} cannot be said in LGPO text")

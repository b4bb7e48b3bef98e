"""Registry scripts (``reg export``), read exactly: names, types and data.

Source: "How to add, modify, or delete registry subkeys and values by using a .reg file" (Microsoft
Support): ``"name"="text"``, ``dword:hex``, ``hex(type):bytes``, ``@`` for the default value; a
backslash at a line's end continues it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from opsproof.errors import IncompleteError
from opsproof.policy.registry import (
    DataError,
    RegistryPath,
    RegistryType,
    RegistryValue,
    decode,
    encode,
)

_HEAD = "Windows Registry Editor Version 5.00"
_MACHINE = "HKEY_LOCAL_MACHINE"
_USER = re.compile(r"HKEY_USERS\\[^\\]+\\(.+)", re.DOTALL)


def values(text: str, *, name: str, user: bool = False) -> Iterator[RegistryValue]:
    """Every value below HKLM in an export; with ``user`` below a user's hive, named HKCU.

    Raises:
        IncompleteError: the text is no export, or a line of it cannot be read.
    """
    lines = [line.rstrip("\r") for line in text.lstrip("\ufeff\r\n ").split("\n")]
    if not lines or lines[0].strip() != _HEAD:
        raise IncompleteError("is no registry export", where=name, remedy="run the audit again")
    key = ""
    for line in _whole(lines[1:]):
        if line.startswith("[") and line.endswith("]"):
            key = line[1:-1]
        elif line.strip():
            hive, below = _below(key, user, name)
            yield _value(hive, below, line, name)


def _below(key: str, user: bool, name: str) -> tuple[str, str]:
    match = _USER.fullmatch(key) if user else None
    if match is not None:
        return "HKCU", match[1]
    if user or not key.startswith(f"{_MACHINE}\\"):
        raise IncompleteError(f"{key!r} is not below the hive that was asked for", where=name)
    return "HKLM", key.removeprefix(f"{_MACHINE}\\")


def script(
    values: Iterable[RegistryValue], gone: Iterable[RegistryPath], *, root: str = _MACHINE
) -> bytes:
    """A script for ``reg import`` that sets values and removes others, UTF-16LE with a mark.

    Data goes as bytes with its type, so that no text needs quoting.
    """
    lines = [_HEAD]
    for value in values:
        data = encode(value.type, value.data)
        kind = f"hex({value.type:x})"
        shown = ",".join(f"{byte:02x}" for byte in data)
        lines += ["", f"[{root}\\{value.path.key}]", f"{_name(value.path.name)}={kind}:{shown}"]
    for path in gone:
        lines += ["", f"[{root}\\{path.key}]", f"{_name(path.name)}=-"]
    text = "".join(f"{line}\r\n" for line in [*lines, ""])
    return b"\xff\xfe" + text.encode("utf-16-le")


def _name(name: str) -> str:
    if not name:
        return "@"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _whole(lines: list[str]) -> Iterator[str]:
    """Lines with those that continue them: after a backslash, or within a text's quotes."""
    held = ""
    for line in lines:
        held += line
        if held.startswith('"') and _end(held) is None:
            held += "\n"
            continue
        if held.startswith(('"', "@")) and _open_text(held):
            # A text may hold line breaks; reg writes them as they are.
            held += "\n"
            continue
        if held.endswith("\\") and "=hex" in held:
            held = held[:-1]
            continue
        yield held.lstrip() if held.startswith("  ") else held
        held = ""
    if held.strip():
        yield held


def _end(line: str) -> int | None:
    """Where the quoted text that a line begins with ends."""
    at = 1
    while at < len(line):
        if line[at] == "\\":
            at += 2
        elif line[at] == '"':
            return at
        else:
            at += 1
    return None


def _open_text(line: str) -> bool:
    _, rest = _split(line)
    return rest.startswith('"') and _end(rest) is None


def _split(line: str) -> tuple[str, str]:
    if line.startswith("@"):
        return "", line[1:].lstrip().removeprefix("=")
    end = _end(line)
    if end is None:
        return line, ""
    return _plain(line[: end + 1]), line[end + 1 :].lstrip().removeprefix("=")


def _plain(quoted: str) -> str:
    found: list[str] = []
    at = 1
    while at < len(quoted) - 1:
        if quoted[at] == "\\":
            at += 1
        found.append(quoted[at])
        at += 1
    return "".join(found)


def _value(hive: str, key: str, line: str, name: str) -> RegistryValue:
    value, rest = _split(line)
    path = RegistryPath(hive, key, value)
    try:
        if rest.startswith('"'):
            return RegistryValue(path, RegistryType.SZ, _plain(rest))
        if rest.startswith("dword:"):
            return RegistryValue(path, RegistryType.DWORD, int(rest[6:], 16))
        head, colon, body = rest.partition(":")
        if colon and head.startswith("hex"):
            kind = RegistryType(int(head[4:-1], 16)) if "(" in head else RegistryType.BINARY
            data = bytes(int(part, 16) for part in body.replace(" ", "").split(",") if part)
            return RegistryValue(path, kind, _decoded(kind, data))
    except ValueError:
        pass
    raise IncompleteError(f"{line[:60]!r} is no registry value", where=name)


def _decoded(kind: RegistryType, data: bytes) -> str | int | bytes | tuple[str, ...]:
    try:
        return decode(kind, data)
    except DataError:
        # The registry does not check data against types; such a value is what its bytes are.
        return data

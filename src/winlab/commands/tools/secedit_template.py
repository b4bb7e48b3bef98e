"""Security templates as secedit reads and applies them. Source: [MS-GPSB] 2.2.

What a database of secedit looks like is nobody's business but its own; the lab's keeps the
templates that were imported, in order.
"""

from __future__ import annotations

from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.host import Host
from winlab.host.registry import RegData, RegType

_SECTIONS = {"unicode", "version", "system access", "registry values", "privilege rights"}
_TEXT_KEYS = {"newadministratorname", "newguestname"}
_MARK = b"winlab security database\n"
_NEXT = b"\0"

Sections = dict[str, list[tuple[str, str]]]


class BadTemplateError(Exception):
    """The file is no security template."""


def decoded(data: bytes, ansi: str) -> str:
    """Text of a template: UTF-16LE with a mark, else the ANSI code page."""
    if data.startswith(b"\xff\xfe"):
        return data[2:].decode("utf-16-le", "replace")
    return data.decode(ansi, "replace")


def sections(text: str) -> Sections:
    """A template's lines by section, both in lower case and as they stand.

    Raises:
        BadTemplateError: it does not begin with a section or has not the signature.
        NotModelledError: it has a section that the lab does not apply.
    """
    found: Sections = {}
    current: list[tuple[str, str]] | None = None
    for raw in text.splitlines():
        line = raw.strip().rstrip("\0")
        if not line or line.startswith(";"):
            continue
        if line.startswith("[") and line.endswith("]"):
            current = found.setdefault(line[1:-1].lower(), [])
        elif current is None:
            raise BadTemplateError
        else:
            key, _, value = line.partition("=")
            current.append((key.strip(), value.strip()))
    if dict(found.get("version", [])).get("signature", "").strip('"') != "$CHICAGO$":
        raise BadTemplateError
    for section in found:
        if section not in _SECTIONS and found[section]:
            raise NotModelledError(f"the section [{section}] of a security template")
    return found


def merge(templates: list[Sections]) -> Sections:
    """Several templates as one: a later line of the same key replaces an earlier one."""
    merged: dict[str, dict[str, tuple[str, str]]] = {}
    for template in templates:
        for section, rows in template.items():
            merged.setdefault(section, {}).update(
                {key.lower(): (key, value) for key, value in rows}
            )
    return {section: list(rows.values()) for section, rows in merged.items()}


def database_of(templates: list[str]) -> bytes:
    """The bytes of a database that holds these templates."""
    return _MARK + _NEXT.join(text.encode() for text in templates)


def templates_in(data: bytes) -> list[str] | None:
    """The templates of a database, None when the file is none."""
    if not data.startswith(_MARK):
        return None
    return [part.decode() for part in data[len(_MARK) :].split(_NEXT)]


def access(rows: list[tuple[str, str]]) -> dict[str, int | str]:
    """[System Access] as account policy takes it (87 for what is no number)."""
    found: dict[str, int | str] = {}
    for key, value in rows:
        if key.lower() in _TEXT_KEYS:
            found[key] = value.strip('"')
        else:
            try:
                found[key] = int(value)
            except ValueError:
                raise WindowsError(87, key) from None
    return found


def set_registry(host: Host, full: str, value: str) -> None:
    """A line of [Registry Values] (13 for data that do not fit)."""
    key, _, name = full.rpartition("\\")
    hive, _, path = key.partition("\\")
    if hive.upper() != "MACHINE":
        raise NotModelledError(f"the registry hive {hive} in a security template")
    kind, *fields = _fields(value)
    if not kind.isdecimal():
        raise WindowsError(13, full)
    chosen, data = _data(int(kind), fields)
    found = host.registry.value(f"HKLM\\{path}", name)
    if found is None or (found.type, found.data) != (chosen, data):
        host.registry.set_value(f"HKLM\\{path}", name, data, chosen)


def set_right(host: Host, right: str, value: str) -> None:
    """A line of [Privilege Rights]: trustees that exist get it (1332 when one does not)."""
    sids, unknown = [], ""
    for one in (part.strip() for part in value.split(",")):
        if not one:
            continue
        try:
            sids.append(host.accounts.sid_of(one.removeprefix("*")))
        except WindowsError:
            unknown = one
    host.policy.set_right(right, tuple(sids))
    if unknown:
        raise WindowsError(1332, unknown)


def _fields(value: str) -> list[str]:
    """Split at commas outside quotes; a doubled quote inside quotes is one quote."""
    fields, current, quoted, at = [], "", False, 0
    while at < len(value):
        char = value[at]
        if quoted and value[at : at + 2] == '""':
            current += '"'
            at += 1
        elif char == '"':
            quoted = not quoted
        elif char == "," and not quoted:
            fields.append(current)
            current = ""
        else:
            current += char
        at += 1
    return [*fields, current]


def _data(kind: int, fields: list[str]) -> tuple[RegType, RegData]:
    try:
        match kind:
            case 4:
                return RegType.REG_DWORD, int(fields[0]) % 2**32
            case 3:
                return RegType.REG_BINARY, bytes(int(part) for part in fields if part)
            case 7:
                return RegType.REG_MULTI_SZ, tuple(fields)
            case 1 | 2:
                return RegType(kind), ",".join(fields)
    except (ValueError, IndexError):
        pass
    raise WindowsError(13, "Registry Values")

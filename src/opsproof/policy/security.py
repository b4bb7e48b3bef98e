"""What a security template says, typed: account policy, rights, registry values, audit, services.

Sources: [MS-GPSB] 2.2.1 to 2.2.9. Numbers stay numbers, SIDs lose the leading star, names stay
names; whatever else a template holds is kept as it stands, so that nothing is lost on the way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from opsproof.policy.damage import DamagedError
from opsproof.policy.inf import Inf, Line, parse, serialise
from opsproof.policy.registry import RegistryPath, RegistryType, RegistryValue

SID = re.compile(r"S-1-\d{1,15}(-\d{1,10}){1,15}", re.IGNORECASE | re.ASCII)
"""A security identifier in text ([MS-DTYP] 2.4.2.1)."""

RIGHT = re.compile(r"Se[A-Za-z]+(Privilege|Right)", re.IGNORECASE | re.ASCII)
"""The name of a right or privilege ("Privilege Constants" on Microsoft Learn)."""

_HEAD = {"unicode", "version"}
_KEYED = {"system access", "event audit", "kerberos policy", "registry values", "privilege rights"}
_ACCESS = "System Access"
_INF_TYPES = (1, 2, 3, 4, 7)


@dataclass(frozen=True, slots=True)
class ServiceSetting:
    """A line of [Service General Setting]: start mode 2 auto, 3 manual, 4 disabled; SDDL or ""."""

    name: str
    start: int
    sddl: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityTemplate:
    """A template's content. Keys keep their case; look-ups are the caller's to fold.

    ``rights`` maps a privilege to its trustees, sorted as written; ``rest`` are all other sections.
    """

    system_access: Mapping[str, int | str] = field(default_factory=dict)
    event_audit: Mapping[str, int] = field(default_factory=dict)
    kerberos: Mapping[str, int] = field(default_factory=dict)
    registry: tuple[RegistryValue, ...] = ()
    rights: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    services: tuple[ServiceSetting, ...] = ()
    rest: tuple[tuple[str, tuple[Line, ...]], ...] = ()


def read(data: bytes, *, name: str, code_page: str = "utf-8") -> SecurityTemplate:
    """Read a template's bytes.

    Raises:
        DamagedError: with file and byte offset.
    """
    return understand(parse(data, name=name, code_page=code_page))


def understand(inf: Inf) -> SecurityTemplate:
    """Type the lines of a parsed template.

    Raises:
        DamagedError: a line is not what its section holds.
    """
    name = inf.name
    signature = [line for line in inf.section("Version") if (line.key or "").lower() == "signature"]
    if not signature or signature[0].fields != ("$CHICAGO$",):
        raise DamagedError('lacks signature="$CHICAGO$"', name=name, offset=0)
    return SecurityTemplate(
        system_access={_key(n, name): _access(n, name) for n in inf.section(_ACCESS)},
        event_audit=_numbers(inf.section("Event Audit"), name),
        kerberos=_numbers(inf.section("Kerberos Policy"), name),
        registry=tuple(_registry(line, name) for line in inf.section("Registry Values")),
        rights={
            _right(line, name): tuple(trustee(text) for text in line.fields if text)
            for line in inf.section("Privilege Rights")
        },
        services=tuple(_service(n, name) for n in inf.section("Service General Setting")),
        rest=tuple(
            (title, lines)
            for title, lines in inf.sections
            if title.lower() not in _KEYED | _HEAD | {"service general setting"}
        ),
    )


def compose(template: SecurityTemplate) -> Inf:
    """The lines of a template, with the head that secedit wants; empty sections are left out."""
    sections: list[tuple[str, tuple[Line, ...]]] = [
        ("Unicode", (Line("Unicode", ("yes",)),)),
        (_ACCESS, _written(template.system_access)),
        ("Event Audit", _written(template.event_audit)),
        ("Kerberos Policy", _written(template.kerberos)),
        ("Registry Values", tuple(_registry_line(value) for value in template.registry)),
        (
            "Privilege Rights",
            tuple(
                Line(right, tuple(starred(one) for one in who))
                for right, who in template.rights.items()
            ),
        ),
        (
            "Service General Setting",
            tuple(Line(None, (s.name, str(s.start), s.sddl)) for s in template.services),
        ),
        *template.rest,
        ("Version", (Line("signature", ("$CHICAGO$",)), Line("Revision", ("1",)))),
    ]
    return Inf(tuple((title, lines) for title, lines in sections if lines))


def write(template: SecurityTemplate) -> bytes:
    """The file that ``secedit /configure`` and a GPO take, UTF-16LE with a mark."""
    return serialise(compose(template))


def trustee(text: str) -> str:
    """A trustee as we keep it: a SID in capitals without the star, or a name."""
    bare = text.strip().removeprefix("*")
    return bare.upper() if SID.fullmatch(bare) else text.strip()


def starred(text: str) -> str:
    """A trustee as a template has it: SIDs with a star."""
    return f"*{text}" if SID.fullmatch(text) else text


def _written(values: Mapping[str, int | str] | Mapping[str, int]) -> tuple[Line, ...]:
    return tuple(Line(key, (str(value),)) for key, value in values.items())


def _key(line: Line, name: str) -> str:
    if line.key is None:
        raise DamagedError("a line has no key", name=name, offset=line.offset)
    return line.key


def _right(line: Line, name: str) -> str:
    key = _key(line, name)
    if not RIGHT.fullmatch(key):
        raise DamagedError(f"{key!r} is not a user right", name=name, offset=line.offset)
    return key


def _access(line: Line, name: str) -> int | str:
    if len(line.fields) > 1:
        raise DamagedError(f"{line.key} has several values", name=name, offset=line.offset)
    text = line.fields[0] if line.fields else ""
    if line.key and line.key.lower() in {"newadministratorname", "newguestname"}:
        return text
    return _number(line, text, name)


def _number(line: Line, text: str, name: str) -> int:
    try:
        return int(text, 0) if text.lower().startswith("0x") else int(text)
    except ValueError:
        raise DamagedError(
            f"{line.key}: {text!r} is not a number", name=name, offset=line.offset
        ) from None


def _numbers(lines: Iterable[Line], name: str) -> dict[str, int]:
    return {_key(n, name): _number(n, n.fields[0] if n.fields else "", name) for n in lines}


def _registry(line: Line, name: str) -> RegistryValue:
    key = _key(line, name)
    hive, _, rest = key.partition("\\")
    path, _, value = rest.rpartition("\\")
    if hive.upper() not in {"MACHINE", "USERS"} or not path or not line.fields:
        raise DamagedError(f"{key!r} is not a registry value", name=name, offset=line.offset)
    kind = _number(line, line.fields[0], name)
    if kind not in _INF_TYPES:
        raise DamagedError(
            f"{key}: a template has no registry type {kind}", name=name, offset=line.offset
        )
    where = RegistryPath("HKLM" if hive.upper() == "MACHINE" else "HKU", path, value)
    return RegistryValue(where, RegistryType(kind), _data(line, RegistryType(kind), name))


def _data(line: Line, kind: RegistryType, name: str) -> str | int | bytes | tuple[str, ...]:
    fields = line.fields[1:]
    if kind is RegistryType.MULTI_SZ:
        return fields
    if kind is RegistryType.BINARY:
        numbers = [_number(line, text, name) for text in fields]
        if any(not 0 <= number <= 255 for number in numbers):
            raise DamagedError(f"{line.key}: not bytes", name=name, offset=line.offset)
        return bytes(numbers)
    if kind is RegistryType.DWORD:
        if len(fields) != 1:
            raise DamagedError(f"{line.key}: not one number", name=name, offset=line.offset)
        number = _number(line, fields[0], name)
        if not -(2**31) <= number < 2**32:
            raise DamagedError(
                f"{line.key}: {number} has no 32 bits", name=name, offset=line.offset
            )
        return number % 2**32
    # Text without quotes may hold commas; they belong to it.
    return ",".join(fields)


def _registry_line(value: RegistryValue) -> Line:
    hive = {"HKLM": "MACHINE", "HKU": "USERS"}[value.path.hive]
    key = f"{hive}\\{value.path.key}\\{value.path.name}"
    data = value.data
    if isinstance(data, bytes):
        fields: tuple[str, ...] = tuple(str(byte) for byte in data)
    elif isinstance(data, tuple):
        fields = data
    else:
        fields = (str(data),)
    return Line(key, (str(int(value.type)), *fields))


def _service(line: Line, name: str) -> ServiceSetting:
    if line.key is not None or len(line.fields) != 3 or line.fields[1] not in {"2", "3", "4"}:
        raise DamagedError(
            "a service has a name, a start mode (2, 3, 4) and a descriptor",
            name=name,
            offset=line.offset,
        )
    return ServiceSetting(line.fields[0], int(line.fields[1]), line.fields[2])

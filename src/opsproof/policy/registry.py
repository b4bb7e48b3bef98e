"""Registry values as policies speak of them: where, of which type, with which data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

Data: TypeAlias = "str | int | bytes | tuple[str, ...]"


class RegistryType(IntEnum):
    """Types of registry values (winnt.h, "Registry Value Types")."""

    NONE = 0
    SZ = 1
    EXPAND_SZ = 2
    BINARY = 3
    DWORD = 4
    DWORD_BE = 5
    LINK = 6
    MULTI_SZ = 7
    RESOURCE_LIST = 8
    FULL_RESOURCE_DESCRIPTOR = 9
    RESOURCE_REQUIREMENTS_LIST = 10
    QWORD = 11


@dataclass(frozen=True, slots=True)
class RegistryPath:
    """``hive`` is HKLM, HKU or HKCU (every user); ``name`` "" is the key's default value."""

    hive: str
    key: str
    name: str

    @property
    def folded(self) -> tuple[str, str, str]:
        """What tells it from others: the registry does not tell cases apart."""
        key = self.key.lower().replace("system\\controlset001\\", "system\\currentcontrolset\\")
        return (self.hive, key, self.name.lower())

    def __str__(self) -> str:
        """Hive, key and name with backslashes between."""
        return f"{self.hive}\\{self.key}\\{self.name}"


@dataclass(frozen=True, slots=True)
class RegistryValue:
    """``data``: text (SZ, EXPAND_SZ), a number (DWORD, QWORD), texts (MULTI_SZ), else bytes."""

    path: RegistryPath
    type: RegistryType
    data: Data


class DataError(ValueError):
    """Bytes are not data of their type."""


def decode(kind: RegistryType, data: bytes) -> Data:
    """Data from the bytes that the registry keeps.

    Raises:
        DataError: they do not fit the type.
    """
    if kind in {RegistryType.DWORD, RegistryType.DWORD_BE, RegistryType.QWORD}:
        size = 8 if kind is RegistryType.QWORD else 4
        if len(data) != size:
            raise DataError(f"{len(data)} bytes are no {kind.name}")
        return int.from_bytes(data, "big" if kind is RegistryType.DWORD_BE else "little")
    if kind in {RegistryType.SZ, RegistryType.EXPAND_SZ, RegistryType.MULTI_SZ}:
        if len(data) % 2:
            raise DataError("text ends within a character")
        try:
            text = data.decode("utf-16-le")
        except UnicodeDecodeError as error:
            raise DataError("text is not UTF-16LE") from error
        if kind is not RegistryType.MULTI_SZ:
            return text.removesuffix("\0")
        return (
            tuple(text.removesuffix("\0").removesuffix("\0").split("\0"))
            if text.strip("\0")
            else ()
        )
    return data


def encode(kind: RegistryType, data: Data) -> bytes:
    """The bytes that the registry keeps for data of a type.

    Raises:
        DataError: the value is not of that type.
    """
    match data:
        case bytes():
            return data
        case bool():
            raise DataError("true and false are no registry data")
        case int():
            if kind not in {RegistryType.DWORD, RegistryType.DWORD_BE, RegistryType.QWORD}:
                raise DataError(f"a number is no {kind.name}")
            size = 8 if kind is RegistryType.QWORD else 4
            if not 0 <= data < 2 ** (8 * size):
                raise DataError(f"{data} does not fit {kind.name}")
            return data.to_bytes(size, "big" if kind is RegistryType.DWORD_BE else "little")
        case tuple():
            return "".join(f"{text}\0" for text in (*data, "")).encode("utf-16-le")
        case _:
            return f"{data}\0".encode("utf-16-le")

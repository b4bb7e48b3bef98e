"""One host's registry: typed values in keys, over a shared base image.

Source: "Registry Value Types", "RegCreateKeyEx", "RegDeleteTree" on Microsoft Learn. Paths are
``HKLM\\...``; long hive names, PowerShell's colon form and CurrentControlSet's real name
(ControlSet001) all lead to the same key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol, TypeAlias

from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.tree import Image, LayeredTree, parent_of


class RegType(IntEnum):
    """Registry value types (winnt.h)."""

    REG_NONE = 0
    REG_SZ = 1
    REG_EXPAND_SZ = 2
    REG_BINARY = 3
    REG_DWORD = 4
    REG_DWORD_BIG_ENDIAN = 5
    REG_LINK = 6
    REG_MULTI_SZ = 7
    REG_QWORD = 11


RegData: TypeAlias = "str | int | bytes | tuple[str, ...]"


@dataclass(frozen=True, slots=True)
class RegValue:
    """One value. ``name`` "" is the key's default value.

    ``data``: str for SZ and EXPAND_SZ, int for DWORD and QWORD, tuple of str for MULTI_SZ, else bytes.
    """

    name: str
    type: RegType
    data: RegData


def value_of(name: str, data: RegData) -> RegValue:
    """Return a value with the type that ``data`` suggests (int DWORD, tuple MULTI_SZ ...)."""
    if isinstance(data, bytes):
        return RegValue(name, RegType.REG_BINARY, data)
    if isinstance(data, int):
        kind = RegType.REG_DWORD if 0 <= data < 2**32 else RegType.REG_QWORD
        return RegValue(name, kind, data)
    if isinstance(data, tuple):
        return RegValue(name, RegType.REG_MULTI_SZ, data)
    kind = RegType.REG_EXPAND_SZ if "%" in data else RegType.REG_SZ
    return RegValue(name, kind, data)


@dataclass(frozen=True, slots=True)
class RegKey:
    """A key's values by lower-case name, in the order they were made."""

    values: Mapping[str, RegValue] = field(default_factory=dict)


def key_of(**values: RegData) -> RegKey:
    """Return a key with these values; for image builders."""
    return RegKey({name.lower(): value_of(name, data) for name, data in values.items()})


def registry_image(entries: Iterable[tuple[str, Mapping[str, RegData]]]) -> Image[RegKey]:
    """Build a base image from (path, {name: data}) pairs; paths begin with a short hive name."""
    return Image(
        [
            (path, RegKey({name.lower(): value_of(name, data) for name, data in values.items()}))
            for path, values in entries
        ],
        RegKey,
    )


class RegistryView(Protocol):
    """Keys that mirror other state of the host (services, certificates), made when read."""

    def keys(self) -> Mapping[str, Mapping[str, RegData]]:
        """Return {path below the mount ("" = the mount itself): {value name: data}}."""

    def changed(self, path: str, name: str, data: RegData | None) -> None:
        """Take note of a value written (None: deleted) below the mount."""

    def removed(self, path: str) -> bool:
        """Remove what the key at ``path`` mirrors; False when that cannot be done this way."""


_HIVES = {
    "hklm": "HKLM",
    "hkey_local_machine": "HKLM",
    "hku": "HKU",
    "hkey_users": "HKU",
    "hkcu": "HKCU",
    "hkey_current_user": "HKCU",
    "hkcr": "HKCR",
    "hkey_classes_root": "HKCR",
    "hkcc": "HKCC",
    "hkey_current_config": "HKCC",
}
LONG_HIVES = {
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKU": "HKEY_USERS",
    "HKCU": "HKEY_CURRENT_USER",
    "HKCR": "HKEY_CLASSES_ROOT",
    "HKCC": "HKEY_CURRENT_CONFIG",
}


class Registry:
    """The registry of one host. Errors: 2 no such key or value, 87 bad path, 5 refused.

    Deleting what a view shows deletes what it mirrors (a service, a certificate), or else raises
    `NotModelledError`: a key never comes back after a deletion that seemed to work.
    """

    __slots__ = ("_tree", "_views", "_write")

    def __init__(self, image: Image[RegKey], write: Callable[[str], None]) -> None:
        """``write`` is told of every change before it happens."""
        self._tree = LayeredTree(image)
        self._views: dict[str, RegistryView] = {}
        self._write = write

    def mount(self, path: str, view: RegistryView) -> None:
        """Show ``view`` below ``path``; values written there lie over what the view shows."""
        self._views[self.normalise(path).lower()] = view

    @staticmethod
    def normalise(path: str, user_sid: str = "S-1-5-18") -> str:
        """Return the path with a short hive name; HKCU becomes HKU\\SID, HKCR the classes key.

        Raises:
            WindowsError: 87 when the hive is unknown.
        """
        text = path.strip().replace("/", "\\") if "\\" not in path else path.strip()
        hive, _, rest = text.strip("\\").partition("\\")
        short = _HIVES.get(hive.rstrip(":").lower())
        if short is None:
            raise WindowsError(87, path)
        rest = rest.strip("\\")
        if short == "HKCU":
            short = f"HKU\\{user_sid}"
        elif short == "HKCR":
            short = "HKLM\\SOFTWARE\\Classes"
        elif short == "HKCC":
            short = "HKLM\\SYSTEM\\CurrentControlSet\\Hardware Profiles\\Current"
        full = f"{short}\\{rest}" if rest else short
        real = "hklm\\system\\controlset001"
        if full.lower() == real or full.lower().startswith(real + "\\"):
            full = "HKLM\\SYSTEM\\CurrentControlSet" + full[len(real) :]
        return full

    def _mounted(self, key: str) -> tuple[str, RegistryView] | None:
        at = key
        while at:
            if at in self._views:
                return at, self._views[at]
            at = parent_of(at)
        return None

    def _viewed(self, path: str) -> tuple[dict[str, str], RegKey | None]:
        """Return the children and the key that a view shows at ``path``."""
        key = path.lower()
        found = self._mounted(key)
        if found is None:
            return {}, None
        prefix, view = found
        below = key[len(prefix) + 1 :]
        names: dict[str, str] = {}
        here: RegKey | None = None
        lead = below + "\\" if below else ""
        for sub, values in view.keys().items():
            low = sub.lower()
            if low == below:
                here = RegKey({n.lower(): value_of(n, d) for n, d in values.items()})
            elif low.startswith(lead):
                name = sub[len(lead) :].partition("\\")[0]
                names.setdefault(name.lower(), name)
        if here is None and (names or not below):
            here = RegKey()
        return names, here

    def _get(self, path: str) -> RegKey | None:
        stored = self._tree.get(path)
        _, shown = self._viewed(path)
        if stored is None or shown is None:
            return stored or shown
        return RegKey({**shown.values, **stored.values})

    def exists(self, path: str, user_sid: str = "S-1-5-18") -> bool:
        """Whether the key is there."""
        return self._get(self.normalise(path, user_sid)) is not None

    def values(self, path: str, user_sid: str = "S-1-5-18") -> list[RegValue]:
        """Return a key's values in the order they were made (2 when there is no key)."""
        key = self._get(self.normalise(path, user_sid))
        if key is None:
            raise WindowsError(2, path)
        return list(key.values.values())

    def value(self, path: str, name: str, user_sid: str = "S-1-5-18") -> RegValue | None:
        """Return one value, or None when key or value is absent."""
        key = self._get(self.normalise(path, user_sid))
        return None if key is None else key.values.get(name.lower())

    def subkeys(self, path: str, user_sid: str = "S-1-5-18") -> list[str]:
        """Return the names of the keys below (2 when there is no key)."""
        full = self.normalise(path, user_sid)
        if self._get(full) is None:
            raise WindowsError(2, path)
        names = {name.lower(): name for name in self._tree.children(full)}
        for low, name in self._viewed(full)[0].items():
            names.setdefault(low, name)
        return [names[low] for low in sorted(names)]

    def display(self, path: str, user_sid: str = "S-1-5-18") -> str:
        """Return the full path, long hive name first, names in the case they were made with."""
        full = self.normalise(path, user_sid)
        hive, _, rest = self._tree.display(full).partition("\\")
        return LONG_HIVES[hive.upper()] + ("\\" + rest if rest else "")

    def create_key(self, path: str, user_sid: str = "S-1-5-18") -> bool:
        """Make a key and those above it; return False when it was there."""
        full = self.normalise(path, user_sid)
        if self._get(full) is not None:
            return False
        parts = full.split("\\")
        if len(parts) < 2 or parts[0] not in {"HKLM", "HKU"}:
            raise WindowsError(5, path)
        self._write(f"registry {full}")
        self._materialise(full)
        return True

    def _materialise(self, full: str) -> None:
        parts = full.split("\\")
        for depth in range(1, len(parts) + 1):
            above = "\\".join(parts[:depth])
            if self._tree.get(above) is None:
                self._tree.put(above, RegKey())

    def set_value(
        self,
        path: str,
        name: str,
        data: RegData,
        kind: RegType | None = None,
        user_sid: str = "S-1-5-18",
    ) -> None:
        """Write a value, making the key; ``kind`` defaults to what ``data`` suggests."""
        full = self.normalise(path, user_sid)
        self._write(f"registry {full} [{name}]")
        self._materialise(full)
        stored = self._tree.get(full) or RegKey()
        value = value_of(name, data) if kind is None else RegValue(name, kind, data)
        self._tree.put(full, RegKey({**stored.values, name.lower(): value}))
        self._tell(full, name, data)

    def _tell(self, full: str, name: str, data: RegData | None) -> None:
        found = self._mounted(full.lower())
        if found is not None:
            found[1].changed(full[len(found[0]) + 1 :], name, data)

    def delete_value(self, path: str, name: str, user_sid: str = "S-1-5-18") -> None:
        """Delete a value (2 when it is not there)."""
        full = self.normalise(path, user_sid)
        stored = self._tree.get(full)
        shown = self._get(full)
        if shown is None or name.lower() not in shown.values:
            raise WindowsError(2, path)
        self._write(f"registry {full} [{name}]")
        if stored is not None:
            self._tree.put(
                full, RegKey({k: v for k, v in stored.values.items() if k != name.lower()})
            )
        self._tell(full, name, None)
        left = self._get(full)
        if left is not None and name.lower() in left.values:
            raise NotModelledError(f"deleting the registry value {full} [{name}]")

    def delete_key(self, path: str, user_sid: str = "S-1-5-18", *, recurse: bool = True) -> None:
        """Delete a key with all below it (2 when absent; 5 with subkeys unless ``recurse``)."""
        full = self.normalise(path, user_sid)
        if self._get(full) is None:
            raise WindowsError(2, path)
        if full.count("\\") == 0 or (not recurse and self.subkeys(full)):
            raise WindowsError(5, path)
        self._write(f"registry {full}")
        mounted = self._mounted(full.lower())
        if self._viewed(full)[1] is not None and (
            mounted is None or not mounted[1].removed(full[len(mounted[0]) + 1 :])
        ):
            raise NotModelledError(f"deleting the registry key {full}")
        self._tree.remove(full)

    def save(self) -> Any:
        """Return the state for `load`."""
        return self._tree.save()

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        self._tree.load(state)

    def dump(self) -> dict[str, Any]:
        """Return what differs from the base image: {key: {value: [type, data]}}, None if gone."""
        found: dict[str, Any] = {}
        for path, key in self._tree.changed():
            found[path] = (
                None
                if key is None
                else {
                    v.name: [v.type.name, v.data.hex() if isinstance(v.data, bytes) else v.data]
                    for v in key.values.values()
                }
            )
        return found

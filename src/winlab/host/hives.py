"""Hives of users: HKU\\SID while somebody is logged on, NTUSER.DAT of the profile otherwise.

Sources: "Registry hives", "RegLoadKey", "RegUnLoadKey" (Microsoft Learn): a hive that is loaded holds
its file, and unloading writes it back. The built-in administrator is who logs on to the lab, so its
hive is always loaded.

assumed: the bytes of a hive are the lab's own after the signature "regf"; loading alone changes no
file, though Windows writes the hive's log.
"""

from __future__ import annotations

import json
from typing import Any

from winlab.host.errors import WindowsError
from winlab.host.files import Attributes, FileSystem
from winlab.host.guard import WriteGuard
from winlab.host.image.files import EMPTY_HIVE
from winlab.host.registry import RegData, Registry, RegType

PROFILES = "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList"
_SIGNATURE = b"regf"
_CORRUPT, _IN_USE, _INVALID = 1009, 32, 87


class Hives:
    """Which hives are loaded from which files. Errors: 2 no such file, 32 in use, 87, 1009 no hive."""

    __slots__ = ("_files", "_guard", "_loaded", "_registry")

    def __init__(self, registry: Registry, files: FileSystem, guard: WriteGuard) -> None:
        """Nothing is loaded."""
        self._registry, self._files, self._guard = registry, files, guard
        self._loaded: dict[str, str] = {}

    def add_profile(self, sid: str, folder: str, *, logged_on: bool) -> None:
        """Give a user a profile; whoever is logged on has the hive loaded."""
        self._registry.set_value(
            f"{PROFILES}\\{sid}", "ProfileImagePath", folder, RegType.REG_EXPAND_SZ
        )
        self.add_file(folder)
        if logged_on:
            self.attach(f"HKU\\{sid}", f"{folder}\\NTUSER.DAT")

    def add_file(self, folder: str) -> None:
        """Make a hive without values of interest, unless there is one."""
        path = f"{folder}\\NTUSER.DAT"
        if self._files.exists(path):
            return
        self._files.ensure_folder(folder)
        self._files.write(path, EMPTY_HIVE)
        self._files.set_attributes(path, Attributes.HIDDEN | Attributes.ARCHIVE)

    def attach(self, key: str, file: str) -> None:
        """``reg load``: show a file's keys below ``key`` (HKU or HKLM and a name)."""
        if key.count("\\") != 1 or self._registry.exists(key):
            raise WindowsError(_INVALID, key)
        if self._files.locked(file) is not None:
            raise WindowsError(_IN_USE, file)
        keys = _unpacked(self._files.read(file))
        with self._guard.exempt():
            self._registry.create_key(key)
            for below, values in keys.items():
                path = f"{key}\\{below}" if below else key
                self._registry.create_key(path)
                for name, kind, data in values:
                    self._registry.set_value(path, name, _data(data), RegType(kind))
        self._files.hold(file, "System", share_read=False)
        self._loaded[key.lower()] = file

    def detach(self, key: str) -> None:
        """``reg unload``: write the keys back into their file, when they changed, and let it go."""
        file = self._loaded.pop(key.lower(), None)
        if file is None:
            raise WindowsError(_INVALID, key)
        self._files.release(file)
        data = _packed(self._keys(key))
        if data != self._files.read(file):
            self._files.write(file, data)
        with self._guard.exempt():
            self._registry.delete_key(key)

    def _keys(self, root: str) -> dict[str, list[list[Any]]]:
        found: dict[str, list[list[Any]]] = {}

        def visit(path: str) -> None:
            found[path[len(root) + 1 :]] = [
                [v.name, int(v.type), v.data.hex() if isinstance(v.data, bytes) else v.data]
                for v in self._registry.values(path)
            ]
            for name in self._registry.subkeys(path):
                visit(f"{path}\\{name}")

        visit(root)
        return found

    def save(self) -> Any:
        """Return the state for `load`."""
        return dict(self._loaded)

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        self._loaded = dict(state)


def _packed(keys: dict[str, list[list[Any]]]) -> bytes:
    return _SIGNATURE + json.dumps(keys, ensure_ascii=False).encode()


def _unpacked(data: bytes) -> dict[str, list[list[Any]]]:
    if not data.startswith(_SIGNATURE):
        raise WindowsError(_CORRUPT, "hive")
    try:
        found = json.loads(data[len(_SIGNATURE) :])
    except ValueError:
        raise WindowsError(_CORRUPT, "hive") from None
    assert isinstance(found, dict)
    return found


def _data(data: Any) -> RegData:
    return tuple(data) if isinstance(data, list) else data

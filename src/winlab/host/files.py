"""One host's files: an NTFS-like tree on drives with sizes, attributes, times, owners and locks.

Sources: "File Attribute Constants", "Creating and Opening Files" (sharing), "DeleteFile", "MoveFile"
on Microsoft Learn for which error each operation gives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

from winlab.host import paths
from winlab.host.errors import WindowsError
from winlab.host.fileentries import (
    ADMINISTRATORS,
    SYSTEM,
    TRUSTED_INSTALLER,
    Attributes,
    Drive,
    Entry,
    FileStat,
    Lock,
)
from winlab.host.tree import Image, LayeredTree

__all__ = [
    "ADMINISTRATORS",
    "SYSTEM",
    "TRUSTED_INSTALLER",
    "Attributes",
    "Drive",
    "Entry",
    "FileStat",
    "FileSystem",
    "Lock",
]


Found: TypeAlias = "list[FileStat]"


class FileSystem:
    """The files of one host. Paths are full or relative to ``cwd``; case does not matter.

    Every method raises `WindowsError` with the code Windows gives: 2 no such file, 3 no such
    folder, 5 refused, 32 in use, 80 or 183 exists, 112 disk full, 123 bad name, 145 not empty.
    """

    __slots__ = ("_clock", "_delta", "_locks", "_tree", "_write", "drives")

    def __init__(
        self,
        image: Image[Entry],
        drives: dict[str, Drive],
        clock: Callable[[], datetime],
        write: Callable[[str], None],
    ) -> None:
        """``write`` is told of every change before it happens."""
        self._tree = LayeredTree(image)
        self._clock = clock
        self._write = write
        self._locks: dict[str, Lock] = {}
        self._delta: dict[str, int] = {}
        self.drives = dict(drives)

    # -- looking ---------------------------------------------------------------------------------

    def _key(self, path: str, cwd: str = "C:\\") -> str:
        return paths.normalise(path, cwd).rstrip("\\")

    def _find(self, path: str, cwd: str = "C:\\") -> tuple[str, Entry]:
        key = self._key(path, cwd)
        entry = self._tree.get(key)
        if entry is None:
            if key[:2] not in self.drives:
                raise WindowsError(3, path)
            folder = paths.split(key)[0].rstrip("\\")
            above = self._tree.get(folder)
            raise WindowsError(2 if above is not None and above.is_folder else 3, path)
        return key, entry

    def exists(self, path: str, cwd: str = "C:\\") -> bool:
        """Whether a file or folder is there; False for names Windows would refuse."""
        try:
            self._find(path, cwd)
        except WindowsError:
            return False
        return True

    def is_folder(self, path: str, cwd: str = "C:\\") -> bool:
        """Whether a folder is there."""
        try:
            return self._find(path, cwd)[1].is_folder
        except WindowsError:
            return False

    def is_file(self, path: str, cwd: str = "C:\\") -> bool:
        """Whether a file is there."""
        try:
            return not self._find(path, cwd)[1].is_folder
        except WindowsError:
            return False

    def stat(self, path: str, cwd: str = "C:\\") -> FileStat:
        """Return what is known of a file or folder."""
        key, entry = self._find(path, cwd)
        shown = self._tree.display(key)
        full = shown + "\\" if shown.endswith(":") else shown
        return FileStat(path=full, name=paths.split(shown)[1] or full, entry=entry)

    def read(self, path: str, cwd: str = "C:\\") -> bytes:
        """Return a file's bytes (5 for a folder, 32 when held without shared reading)."""
        key, entry = self._find(path, cwd)
        if entry.content is None:
            raise WindowsError(5, path)
        lock = self._locks.get(key.lower())
        if lock is not None and not lock.share_read:
            raise WindowsError(32, path)
        return entry.content

    def sha1(self, path: str, cwd: str = "C:\\") -> str:
        """Return the SHA-1 of a file's bytes in lower-case hex."""
        return hashlib.sha1(self.read(path, cwd), usedforsecurity=False).hexdigest()

    def list(self, path: str, cwd: str = "C:\\") -> Found:
        """Return what a folder holds, by name (267 when it is a file)."""
        key, entry = self._find(path, cwd)
        if not entry.is_folder:
            raise WindowsError(267, path)
        shown = self._tree.display(key)
        found = []
        for name in self._tree.children(key):
            child = self._tree.get(f"{key}\\{name}")
            if child is not None:
                found.append(FileStat(path=f"{shown}\\{name}", name=name, entry=child))
        return found

    def walk(self, path: str, cwd: str = "C:\\") -> Iterator[FileStat]:
        """Yield everything below a folder, the folder itself not included, parents first."""
        for item in self.list(path, cwd):
            yield item
            if item.is_folder and not item.attributes & Attributes.REPARSE_POINT:
                yield from self.walk(item.path)

    def glob(self, pattern: str, cwd: str = "C:\\") -> Found:
        """Return matches of a pattern with wildcards in its last name, as FindFirstFile does."""
        text = pattern.strip().strip('"').replace("/", "\\")
        folder, slash, last = text.rpartition("\\")
        if not slash and len(text) > 1 and text[1] == ":":
            folder, last = text[:2], text[2:]
        if not any(c in last for c in "*?"):
            return [self.stat(text, cwd)] if self.exists(text, cwd) else []
        where = folder + "\\" if slash else (folder or ".")
        if not self.is_folder(where, cwd):
            return []
        return [item for item in self.list(where, cwd) if paths.matches(item.name, last)]

    def free(self, letter: str) -> int:
        """Return the free bytes of a drive ("C" or "C:"); 15 when there is none."""
        drive = self.drive(letter)
        return max(0, drive.size - drive.used - self._delta.get(drive.letter, 0))

    def drive(self, letter: str) -> Drive:
        """Return a drive by its letter; 15 when there is none."""
        found = self.drives.get(letter[:1].upper() + ":")
        if found is None:
            raise WindowsError(15, letter)
        return found

    def locked(self, path: str, cwd: str = "C:\\") -> Lock | None:
        """Return who has the file open, if anyone."""
        return self._locks.get(self._key(path, cwd).lower())

    # -- changing --------------------------------------------------------------------------------

    def hold(self, path: str, holder: str, *, share_read: bool = True) -> None:
        """Keep a file open: writing and deleting give 32; reading too unless ``share_read``."""
        key, _ = self._find(path)
        self._locks[key.lower()] = Lock(holder, share_read)

    def release(self, path: str) -> None:
        """Close a held file; nothing happens when it was not held."""
        self._locks.pop(self._key(path).lower(), None)

    def _writable(self, key: str, path: str) -> None:
        if key.lower() in self._locks:
            raise WindowsError(32, path)

    def _account(self, key: str, grown: int) -> None:
        letter = key[:2].upper()
        if grown > 0 and grown > self.free(letter):
            raise WindowsError(112, key)
        self._delta[letter] = self._delta.get(letter, 0) + grown

    def write(
        self,
        path: str,
        data: bytes,
        *,
        append: bool = False,
        cwd: str = "C:\\",
        by_holder: str | None = None,
        owner: str = ADMINISTRATORS,
    ) -> None:
        """Write a file whole, or at its end. ``by_holder`` lets the lock's own holder write."""
        key = self._key(path, cwd)
        old = self._tree.get(key)
        lock = self._locks.get(key.lower())
        if lock is not None and lock.holder != by_holder:
            raise WindowsError(32, path)
        if old is not None and (old.content is None or old.attributes & Attributes.READONLY):
            raise WindowsError(5, path)
        above = self._tree.get(paths.split(key)[0].rstrip("\\"))
        if key[:2] not in self.drives or above is None or not above.is_folder:
            raise WindowsError(3, path)
        self._write(f"file {key}")
        content = (old.content or b"") + data if append and old is not None else data
        self._account(key, len(content) - (old.length if old else 0))
        now = self._clock()
        if old is None:
            entry = Entry(
                content=content,
                attributes=Attributes.ARCHIVE,
                created=now,
                modified=now,
                accessed=now,
                owner=owner,
            )
        else:
            entry = replace(
                old,
                content=content,
                size=-1,
                modified=now,
                accessed=now,
                attributes=(old.attributes & ~Attributes.NORMAL) | Attributes.ARCHIVE,
            )
        self._tree.put(key, entry)

    def mkdir(self, path: str, cwd: str = "C:\\", *, parents: bool = True) -> None:
        """Make a folder, with those above it when ``parents``; 183 when it is there already."""
        key = self._key(path, cwd)
        if key[:2] not in self.drives:
            raise WindowsError(3, path)
        if self._tree.get(key) is not None:
            raise WindowsError(183, path)
        folder = paths.split(key)[0].rstrip("\\")
        above = self._tree.get(folder)
        if above is None:
            if not parents:
                raise WindowsError(3, path)
            self.mkdir(folder)
        elif not above.is_folder:
            raise WindowsError(3, path)
        self._write(f"folder {key}")
        now = self._clock()
        self._tree.put(
            key,
            Entry(
                content=None,
                attributes=Attributes.DIRECTORY,
                created=now,
                modified=now,
                accessed=now,
            ),
        )

    def add_root(self, letter: str) -> None:
        """Make the root folder of a drive that the base image does not have."""
        if self._tree.get(letter) is None:
            now = self._clock()
            attributes = Attributes.DIRECTORY | Attributes.HIDDEN | Attributes.SYSTEM
            root = Entry(
                content=None, attributes=attributes, created=now, modified=now, accessed=now
            )
            self._tree.put(letter, root)

    def ensure_folder(self, path: str) -> None:
        """Make a folder unless it is there."""
        if not self.is_folder(path):
            self.mkdir(path)

    def remove(self, path: str, cwd: str = "C:\\", *, force: bool = False) -> None:
        """Delete a file; 5 for a folder or a read-only file unless ``force``."""
        key, entry = self._find(path, cwd)
        if entry.is_folder or (entry.attributes & Attributes.READONLY and not force):
            raise WindowsError(5, path)
        self._writable(key, path)
        self._write(f"file {key}")
        self._account(key, -entry.length)
        self._tree.remove(key)

    def rmdir(self, path: str, cwd: str = "C:\\") -> None:
        """Remove an empty folder; 145 when it is not, 267 for a file."""
        key, entry = self._find(path, cwd)
        if not entry.is_folder:
            raise WindowsError(267, path)
        if self._tree.children(key):
            raise WindowsError(145, path)
        self._write(f"folder {key}")
        self._tree.remove(key)

    def rmtree(self, path: str, cwd: str = "C:\\") -> None:
        """Remove a folder with all it holds; 32 and nothing removed when a file in it is held."""
        key, entry = self._find(path, cwd)
        if not entry.is_folder:
            raise WindowsError(267, path)
        prefix = key.lower() + "\\"
        held = [name for name in self._locks if name.startswith(prefix)]
        if held:
            raise WindowsError(32, held[0])
        gone = sum(item.size for item in self.walk(key))
        self._write(f"folder {key}")
        self._account(key, -gone)
        self._tree.remove(key)

    def move(
        self, source: str, target: str, cwd: str = "C:\\", *, replace_old: bool = True
    ) -> None:
        """Move a file or folder; 183 when the target is there and not to be replaced."""
        key, entry = self._find(source, cwd)
        goal = self._key(target, cwd)
        if self._tree.get(goal) is not None and goal.lower() != key.lower():
            if not replace_old or entry.is_folder:
                raise WindowsError(183, target)
            self.remove(goal)
        self._writable(key, source)
        above = self._tree.get(paths.split(goal)[0].rstrip("\\"))
        if above is None or not above.is_folder:
            raise WindowsError(3, target)
        self._write(f"file {key}")
        self._write(f"file {goal}")
        moved = list(self._tree.walk(key))
        self._tree.remove(key)
        for path, value in moved:
            self._tree.put(goal + path[len(key) :], value)
            if key[:2].upper() != goal[:2].upper():
                self._account(goal, value.length)
                self._account(key, -value.length)

    def set_attributes(self, path: str, attributes: Attributes) -> None:
        """Set the attribute bits of a file or folder; the folder bit stays as it is."""
        key, entry = self._find(path)
        self._write(f"attributes {key}")
        keep = entry.attributes & Attributes.DIRECTORY
        self._tree.put(key, replace(entry, attributes=keep | (attributes & ~Attributes.DIRECTORY)))

    def set_times(
        self,
        path: str,
        *,
        created: datetime | None = None,
        modified: datetime | None = None,
        accessed: datetime | None = None,
    ) -> None:
        """Set the times given, each an aware UTC datetime."""
        key, entry = self._find(path)
        self._write(f"times {key}")
        self._tree.put(
            key,
            replace(
                entry,
                created=created or entry.created,
                modified=modified or entry.modified,
                accessed=accessed or entry.accessed,
            ),
        )

    def set_owner(self, path: str, sid: str) -> None:
        """Set the owner's SID."""
        key, entry = self._find(path)
        self._write(f"owner {key}")
        self._tree.put(key, replace(entry, owner=sid))

    # -- state -----------------------------------------------------------------------------------

    def save(self) -> Any:
        """Return the state for `load`; it shares file contents."""
        return self._tree.save(), dict(self._locks), dict(self._delta), dict(self.drives)

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        tree, locks, delta, drives = state
        self._tree.load(tree)
        self._locks, self._delta, self.drives = dict(locks), dict(delta), dict(drives)

    def dump(self) -> dict[str, Any]:
        """Return drives, and what differs from the base image: sizes and SHA-256, no contents."""
        changed: dict[str, Any] = {}
        for key, entry in self._tree.changed():
            if entry is None:
                changed[key] = None
            elif entry.is_folder:
                changed[key] = {"folder": True, "attributes": int(entry.attributes)}
            else:
                changed[key] = {
                    "size": entry.length,
                    "sha256": hashlib.sha256(entry.content or b"").hexdigest(),
                    "attributes": int(entry.attributes),
                    "modified": entry.modified.isoformat(),
                }
        return {
            "drives": {
                d.letter: {"size": d.size, "free": self.free(d.letter), "label": d.label}
                for d in self.drives.values()
            },
            "changed": changed,
            "held": {key: lock.holder for key, lock in sorted(self._locks.items())},
        }

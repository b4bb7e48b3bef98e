"""What a file, a folder and a volume are made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag


class Attributes(IntFlag):
    """File attribute bits (winnt.h, FILE_ATTRIBUTE_*)."""

    READONLY = 0x1
    HIDDEN = 0x2
    SYSTEM = 0x4
    DIRECTORY = 0x10
    ARCHIVE = 0x20
    NORMAL = 0x80
    REPARSE_POINT = 0x400
    NOT_CONTENT_INDEXED = 0x2000


ADMINISTRATORS = "S-1-5-32-544"
SYSTEM = "S-1-5-18"
TRUSTED_INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file's or folder's data. ``content`` is None for folders; times are aware UTC.

    ``size`` stands for files whose bytes the lab does not hold (pagefile.sys): ``content`` is then
    empty and ``size`` what the folder listing shows.
    """

    content: bytes | None
    attributes: Attributes
    created: datetime
    modified: datetime
    accessed: datetime
    owner: str = ADMINISTRATORS
    size: int = -1
    target: str | None = None

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder."""
        return self.content is None

    @property
    def length(self) -> int:
        """Size in bytes as a listing shows it; 0 for a folder."""
        return self.size if self.size >= 0 else len(self.content or b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStat:
    """What `FileSystem.stat` returns: an entry and where it is. ``path`` has its display case."""

    path: str
    name: str
    entry: Entry

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder."""
        return self.entry.is_folder

    @property
    def size(self) -> int:
        """Size in bytes; 0 for a folder."""
        return self.entry.length

    @property
    def attributes(self) -> Attributes:
        """Attribute bits."""
        return self.entry.attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """A volume. ``size`` and ``used`` are bytes; ``used`` counts what the tree does not hold.

    ``kind`` is Win32_LogicalDisk.DriveType: 2 removable, 3 local disk, 5 CD-ROM.
    """

    letter: str
    size: int
    used: int
    label: str = ""
    filesystem: str = "NTFS"
    kind: int = 3
    serial: int = 0x1A2B3C4D


@dataclass(frozen=True, slots=True)
class Lock:
    """Someone has the file open; ``share_read`` says whether others may read it meanwhile."""

    holder: str
    share_read: bool = True

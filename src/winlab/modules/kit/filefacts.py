"""Facts about files as win_stat and win_find word them (System.IO.FileSystemInfo)."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from winlab.host import paths
from winlab.host.errors import WindowsError
from winlab.host.files import Attributes, FileStat
from winlab.host.host import Host

CHECKSUMS = ("md5", "sha1", "sha256", "sha384", "sha512")
_NAMES = (
    (0x1, "ReadOnly"),
    (0x2, "Hidden"),
    (0x4, "System"),
    (0x10, "Directory"),
    (0x20, "Archive"),
    (0x80, "Normal"),
    (0x100, "Temporary"),
    (0x200, "SparseFile"),
    (0x400, "ReparsePoint"),
    (0x800, "Compressed"),
    (0x1000, "Offline"),
    (0x2000, "NotContentIndexed"),
    (0x4000, "Encrypted"),
)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  naive on purpose: subtracted from naive times


def attribute_text(attributes: Attributes) -> str:
    """FileAttributes.ToString(): names in the order of their bits."""
    bits = int(attributes) or int(Attributes.NORMAL)
    return ", ".join(name for bit, name in _NAMES if bits & bit)


def seconds(moment: datetime) -> float:
    """Seconds from 1970-01-01 of the clock reading ``moment`` shows, whatever its zone."""
    return (moment.replace(tzinfo=None) - _EPOCH).total_seconds()


def owner_name(host: Host, sid: str) -> str:
    """The owner as DOMAIN\\name, or its SID when nobody has it."""
    try:
        return host.accounts.name_of(sid)
    except WindowsError:
        return sid


def digest(content: bytes, algorithm: str) -> str:
    """Lower-case hex digest."""
    return hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()


def flags(stat: FileStat) -> dict[str, Any]:
    """What both modules say of the attributes."""
    bits = stat.attributes
    return {
        "attributes": attribute_text(bits),
        "isarchive": bool(bits & Attributes.ARCHIVE),
        "isdir": stat.is_folder,
        "ishidden": bool(bits & Attributes.HIDDEN),
        "isreadonly": bool(bits & Attributes.READONLY),
        "isshared": False,
    }


def link_facts(stat: FileStat) -> dict[str, Any]:
    """What both modules say of a link; empty when it is none.

    assumed: a folder that is a reparse point is a junction, a file one a symbolic link.
    """
    target = stat.entry.target
    if target is None or not stat.attributes & Attributes.REPARSE_POINT:
        return {}
    kind = "isjunction" if stat.is_folder else "islnk"
    return {kind: True, "isreg": False, "lnk_target": target, "lnk_source": target}


def extension(name: str) -> str:
    """FileInfo.Extension."""
    return paths.suffix(name)

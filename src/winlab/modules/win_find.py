"""ansible.windows.win_find (win_find.ps1, ansible.windows 3.3.0).

Times in its answer are seconds since 1970 on the host's local clock, as the script computes them
(win_stat gives UTC).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import translate
from typing import Any

from winlab.host import paths
from winlab.host.errors import WindowsError
from winlab.host.files import Attributes, FileStat
from winlab.modules.kit import filefacts
from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.registry import Registered

_AGE = re.compile(r"(-?\d+)(s|m|h|d|w)?", re.IGNORECASE)
_SIZE = re.compile(r"(-?\d+)(b|k|m|g|t)?", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_BYTES = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_STAMPS = {"mtime": "modified", "ctime": "created", "atime": "accessed"}


@dataclass(frozen=True)
class _Search:
    module: BasicModule
    limit: datetime | None
    newer: bool
    size: int | None
    seen: set[str]

    def wanted(self, item: FileStat) -> bool:
        params = self.module.params
        if self.limit is not None:
            stamp: datetime = getattr(item.entry, _STAMPS[params["age_stamp"].lower()])
            if not (stamp >= self.limit if self.newer else stamp <= self.limit):
                return False
        kind = params["file_type"].lower()
        if kind != "any" and (kind == "directory") != item.is_folder:
            return False
        if item.attributes & Attributes.HIDDEN and not params["hidden"]:
            return False
        if params["patterns"] is not None and not self._named(item.name):
            return False
        if self.size is not None:
            return item.size >= self.size if self.size >= 0 else item.size <= -self.size
        return True

    def _named(self, name: str) -> bool:
        params = self.module.params
        case = 0 if params["use_regex"] and params["case_sensitive"] else re.IGNORECASE
        for pattern in params["patterns"]:
            if params["use_regex"]:
                if re.search(pattern, name, case):
                    return True
            elif re.match(translate(pattern), name, case):
                return True
        return False


def run(module: BasicModule) -> None:
    """List what matches below the given folders, sorted by path."""
    module.result.update(examined=0, files=[], matched=0)
    limit, newer = _age(module)
    search = _Search(module, limit, newer, _size(module), set())
    found: list[dict[str, Any]] = []
    for path in module.params["paths"]:
        full = paths.normalise(path, module.context.working_directory)
        found.extend(_below(search, full, module.params["depth"] or 0))
    module.result["files"] = sorted(found, key=lambda item: item["path"].lower())
    module.exit()


def _below(search: _Search, path: str, depth: int) -> Iterator[dict[str, Any]]:
    module, files = search.module, search.module.host.files
    try:
        stat = files.stat(path)
    except WindowsError:
        module.warn(f"Argument path '{path}' does not exist or is not accessible, skipping")
        return
    if not stat.is_folder:
        module.warn(f"Argument path '{path}' is a file not a directory, skipping")
        return
    for item in files.list(path):
        full = paths.join(path, item.name)
        if item.is_folder and module.params["recurse"] and depth != 1:
            link = item.attributes & Attributes.REPARSE_POINT
            if module.params["follow"] or not link:
                yield from _below(search, full, depth - 1)
        if full.lower() in search.seen:
            continue
        search.seen.add(full.lower())
        module.result["examined"] += 1
        if search.wanted(item):
            module.result["matched"] += 1
            yield _describe(module, item, full)


def _describe(module: BasicModule, item: FileStat, full: str) -> dict[str, Any]:
    host, entry = module.host, item.entry
    facts: dict[str, Any] = {
        **filefacts.flags(item),
        "checksum": None,
        "creationtime": filefacts.seconds(host.clock.local(entry.created)),
        "exists": True,
        "extension": None,
        "filename": item.name,
        "isreg": False,
        "lastaccesstime": filefacts.seconds(host.clock.local(entry.accessed)),
        "lastwritetime": filefacts.seconds(host.clock.local(entry.modified)),
        "owner": filefacts.owner_name(host, entry.owner),
        "path": full,
        "sharename": None,
        "size": None,
    }
    if not item.is_folder:
        facts.update(extension=filefacts.extension(item.name), isreg=True, size=item.size)
        if module.params["get_checksum"]:
            facts["checksum"] = _checksum(module, full)
    no_link = {"isjunction": False, "islnk": False, "nlink": 1, "lnk_source": None}
    return {
        **facts,
        **no_link,
        "lnk_target": None,
        "hlnk_targets": [],
        **filefacts.link_facts(item),
    }


def _checksum(module: BasicModule, path: str) -> str | None:
    try:
        content = module.host.files.read(path)
    except WindowsError:
        return None
    return filefacts.digest(content, module.params["checksum_algorithm"].lower())


def _age(module: BasicModule) -> tuple[datetime | None, bool]:
    text = module.params["age"]
    if text is None:
        return None, False
    parsed = _AGE.fullmatch(text)
    if parsed is None:
        module.fail("Invalid age pattern specified")
    length = int(parsed[1]) * _SECONDS[(parsed[2] or "s").lower()]
    return module.host.now() - timedelta(seconds=abs(length)), length < 0


def _size(module: BasicModule) -> int | None:
    text = module.params["size"]
    if text is None:
        return None
    parsed = _SIZE.fullmatch(text)
    if parsed is None:
        module.fail("Invalid size pattern specified")
    return int(parsed[1]) * _BYTES[(parsed[2] or "b").lower()]


MODULE = Registered("win_find", basic=run)

"""What robocopy and xcopy share: walking a tree and copying what is newer."""

from __future__ import annotations

from dataclasses import dataclass

from winlab.host import paths
from winlab.host.files import FileStat, FileSystem


@dataclass(frozen=True, slots=True)
class Item:
    """One file to consider: where it is, and its path below the source folder."""

    stat: FileStat
    relative: str


def files_below(files: FileSystem, root: str, patterns: list[str], *, deep: bool) -> list[Item]:
    """Return the files of a folder (with ``deep`` of all below it) that match a pattern."""
    source = files.walk(root) if deep else iter(files.list(root))
    base = files.stat(root).path.rstrip("\\")
    return [
        Item(item, item.path[len(base) + 1 :])
        for item in source
        if not item.is_folder and any(paths.matches(item.name, p) for p in patterns)
    ]


def copy_file(files: FileSystem, item: Item, target: str) -> None:
    """Copy one file with its times and attributes, making the folders above it."""
    goal = paths.join(target, item.relative)
    files.ensure_folder(paths.split(goal)[0])
    files.write(goal, files.read(item.stat.path))
    entry = item.stat.entry
    files.set_times(goal, created=entry.created, modified=entry.modified, accessed=entry.accessed)
    files.set_attributes(goal, entry.attributes)


def same(files: FileSystem, item: Item, target: str) -> bool:
    """Whether the target has a file of the same size and time."""
    goal = paths.join(target, item.relative)
    if not files.is_file(goal):
        return False
    there = files.stat(goal)
    return (there.size, there.entry.modified) == (item.stat.size, item.stat.entry.modified)

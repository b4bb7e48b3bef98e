"""ansible.windows.win_copy (win_copy.ps1, ansible.windows 3.3.0).

The action plugin drives it: ``query`` asks what differs, ``single`` and ``explode`` put what was
sent in place, ``remote`` copies on the host.
"""

from __future__ import annotations

import base64
import io
import zipfile
from dataclasses import dataclass
from typing import Any

from winlab.host import paths
from winlab.host.errors import WindowsError
from winlab.host.files import FileSystem
from winlab.modules.kit.dotnet import ModuleCrash, io_message
from winlab.modules.kit.legacy import LegacyModule
from winlab.modules.kit.registry import Registered
from winlab.modules.kit.spec import Option

_MODES = ("explode", "query", "remote", "single")
_ABSENT = "1"


@dataclass(frozen=True)
class _Copy:
    module: LegacyModule
    source: str
    dest: str
    backup: bool
    force: bool

    @property
    def files(self) -> FileSystem:
        return self.module.host.files

    def mkdir(self, path: str) -> None:
        if not self.module.check_mode:
            self.guarded(path, lambda: self.files.mkdir(path))

    def guarded(self, path: str, action: Any) -> None:
        try:
            action()
        except WindowsError as error:
            text = io_message(error, path, self.module.host.locale.name)
            raise ModuleCrash(text) from error

    def copy_content(self, source: str, dest: str) -> None:
        self.guarded(dest, lambda: self.files.write(dest, self.files.read(source)))
        stat = self.files.stat(source)
        self.files.set_times(dest, modified=stat.entry.modified)

    def back_up(self, path: str) -> str | None:
        if not self.files.is_file(path):
            return None
        host = self.module.host
        stamp = host.clock.local().strftime("%Y%m%d-%H%M%S")
        place = f"{path}.{4 * (250 + host.ids.integer(2000))}.{stamp}.bak"
        if not self.module.check_mode:
            self.copy_content(path, place)
        return place


def run(module: LegacyModule) -> None:
    """Run one of the four modes."""
    mode = str(module.get("_copy_mode", kind="str", default="single", choices=_MODES)).lower()
    source = module.get("src", kind="path", required=mode in {"explode", "single"})
    dest = module.get("dest", kind="path", required=True)
    copy = _Copy(
        module=module,
        source=source,
        dest=dest,
        backup=module.get("backup", kind="bool", default=False),
        force=module.get("force", kind="bool", default=True),
    )
    if module.diff_mode:
        module.result["diff"] = {}
    if mode == "query":
        _query(copy)
    elif mode == "explode":
        _explode(copy)
    elif mode == "remote":
        _remote(copy)
    else:
        _single(copy)
    module.exit()


def _parent(path: str) -> str:
    return paths.split(path.replace("/", "\\").rstrip("\\"))[0]


def _checksum(files: FileSystem, path: str) -> str:
    if files.is_file(path):
        return files.sha1(path)
    return "3" if files.is_folder(path) else _ABSENT


def _join(copy: _Copy, folder: str, name: str) -> str:
    folder = folder.replace("/", "\\")
    if folder[1:2] == ":" and folder[:2].upper() not in copy.files.drives:
        raise ModuleCrash(f"Cannot find drive. A drive with the name '{folder[0]}' does not exist.")
    return paths.join(folder, name.replace("/", "\\").lstrip("\\"))


def _query(copy: _Copy) -> None:
    module, files = copy.module, copy.files
    wanted_files, wanted_folders = [], []
    for item in module.get("files", kind="list") or []:
        place = _join(copy, copy.dest, item["dest"])
        if files.is_folder(place):
            name = str(item["src"]).replace("\\", "/").rpartition("/")[2]
            place = paths.join(place, name)
        if files.is_file(place):
            if copy.force and files.sha1(place) != item["checksum"]:
                wanted_files.append(item)
        elif files.is_folder(place):
            module.fail(
                f"cannot copy file to dest '{place}': object at path is already a directory"
            )
        else:
            wanted_files.append(item)
    for item in module.get("directories", kind="list") or []:
        place = _join(copy, copy.dest, item["dest"])
        start = f"cannot copy folder to dest '{place}': object at"
        if files.is_file(_parent(place)):
            module.fail(f"{start} parent directory path is already a file")
        if files.is_file(place):
            module.fail(f"{start} path is already a file")
        if not files.is_folder(place):
            wanted_folders.append(item)
    module.result.update(files=wanted_files, directories=wanted_folders, symlinks=[])


def _need_source(copy: _Copy, action: str) -> None:
    if not copy.files.is_file(copy.source):
        copy.module.fail(f"Cannot {action}: '{copy.source}' as it does not exist")


def _single(copy: _Copy) -> None:
    module, files = copy.module, copy.files
    _need_source(copy, "copy src file")
    place = copy.dest
    if place.endswith(("/", "\\")) or files.is_folder(place):
        place = _join(copy, place, module.get("_original_basename", kind="str") or "")
    _need_parent(copy, place)
    if copy.backup:
        module.result["backup_file"] = copy.back_up(place)
    copy.copy_content(copy.source, place)
    module.result["changed"] = True


def _need_parent(copy: _Copy, place: str) -> None:
    parent = _parent(place)
    if copy.files.is_file(parent):
        copy.module.fail(f"object at destination parent dir '{parent}' is currently a file")
    if not copy.files.is_folder(parent):
        if copy.dest == place:
            copy.module.fail(f"Destination directory '{parent}' does not exist")
        copy.mkdir(parent)


def _explode(copy: _Copy) -> None:
    _need_source(copy, "expand src zip file")
    with zipfile.ZipFile(io.BytesIO(copy.files.read(copy.source))) as archive:
        for entry in archive.infolist():
            name, is_folder = _decoded(entry.filename)
            place = _join(copy, copy.dest, name)
            folder = place if is_folder else _parent(place)
            if not copy.files.exists(folder):
                copy.mkdir(folder)
            if not is_folder and not copy.module.check_mode:
                content = archive.read(entry)
                copy.guarded(place, lambda p=place, c=content: copy.files.write(p, c))
    copy.module.result["changed"] = True


def _decoded(name: str) -> tuple[str, bool]:
    is_folder = len(name) % 4 == 1
    if is_folder and not name.endswith(("/", "\\")):
        raise ModuleCrash(f"invalid base64 archive name '{name}'")
    if len(name) % 4 > 1:
        raise ModuleCrash(f"invalid base64 length '{name}'")
    return base64.b64decode(name[:-1] if is_folder else name).decode(), is_folder


def _remote(copy: _Copy) -> None:
    module, files, result = copy.module, copy.files, copy.module.result
    result.update(src=copy.source, dest=copy.dest)
    if copy.source is None or not files.exists(copy.source):
        module.fail(f"Cannot copy src file: '{copy.source}' as it does not exist")
    place = copy.dest
    if files.is_folder(copy.source):
        result["operation"] = "folder_copy"
        if copy.source.endswith(("/", "\\")):
            diff = _copy_children(copy, copy.source, place)
        else:
            place = _join(copy, copy.dest, files.stat(copy.source).name)
            result["dest"] = place
            diff = _copy_folder(copy, copy.source, place)
    else:
        result["operation"] = "file_copy"
        name = files.stat(copy.source).name
        result["original_basename"] = name
        if place.endswith(("/", "\\")) or files.is_folder(place):
            place = _join(copy, place, name)
        result["dest"] = place
        _need_parent(copy, place)
        diff, result["checksum"] = _copy_file(copy, copy.source, place)
    shown = not module.check_mode or files.is_file(place)
    result["size"] = _size(files, place) if shown else None
    if module.diff_mode:
        result["diff"]["prepared"] = diff


def _size(files: FileSystem, path: str) -> int:
    stat = files.stat(path)
    if not stat.is_folder:
        return stat.size
    return sum(item.size for item in files.walk(path) if not item.is_folder)


def _copy_children(copy: _Copy, source: str, dest: str) -> str:
    diff = ""
    for child in copy.files.list(source):
        place = paths.join(dest, child.name)
        if child.is_folder:
            diff += _copy_folder(copy, child.path, place)
        else:
            diff += _copy_file(copy, child.path, place)[0]
    return diff


def _copy_folder(copy: _Copy, source: str, dest: str) -> str:
    diff = ""
    if not copy.files.is_folder(dest):
        start = f"cannot copy {{}} from '{source}' to '{dest}': "
        if copy.files.is_file(_parent(dest)):
            copy.module.fail(start.format("file") + "object at dest parent dir is not a folder")
        if copy.files.is_file(dest):
            copy.module.fail(start.format("folder") + "dest is already a file")
        copy.mkdir(dest)
        diff = f"+{dest}\\\n"
        copy.module.result["changed"] = True
    return diff + _copy_children(copy, source, dest)


def _copy_file(copy: _Copy, source: str, dest: str) -> tuple[str, str | None]:
    files, module = copy.files, copy.module
    checksum = _checksum(files, source) if copy.force else None
    start = f"cannot copy file from '{source}' to '{dest}': "
    if files.is_folder(dest):
        module.fail(f"{start}dest is already a folder")
    present = files.is_file(dest)
    if present and (not copy.force or checksum == files.sha1(dest)):
        return "", checksum
    diff, parent = "", _parent(dest)
    if files.is_file(parent):
        module.fail(f"{start}object at dest parent dir is not a folder")
    if not files.exists(parent):
        copy.mkdir(parent)
        diff += f"+{parent}\\\n"
    if copy.backup:
        module.result["backup_file"] = copy.back_up(dest)
    if present:
        diff += f"-{dest}\n"
        if not module.check_mode:
            copy.guarded(dest, lambda: files.remove(dest, force=True))
    if not module.check_mode:
        copy.copy_content(source, dest)
    module.result["changed"] = True
    return f"{diff}+{dest}\n", checksum


MODULE = Registered(
    "win_copy",
    legacy=run,
    internal={
        "_copy_mode": Option(),
        "_original_basename": Option(),
        "files": Option(type="list"),
        "directories": Option(type="list"),
        "symlinks": Option(type="list"),
    },
)

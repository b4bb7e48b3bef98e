"""ansible.windows.win_stat (win_stat.ps1, ansible.windows 3.3.0)."""

from __future__ import annotations

from typing import Any

from winlab.host import paths
from winlab.host.errors import WindowsError
from winlab.host.files import FileStat
from winlab.modules.kit import filefacts
from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.dotnet import calling, io_message
from winlab.modules.kit.registry import Registered


def run(module: BasicModule) -> None:
    """Describe one file or folder; times are seconds since 1970 in UTC."""
    path, cwd = module.params["path"], module.context.working_directory
    stat = _look(module, path, cwd)
    if stat is None:
        module.result["stat"] = {"exists": False}
        module.exit()
    shown = _full_name(path, cwd) if stat.path == _look_path(module, path, cwd) else stat.path
    module.result["stat"] = {"exists": True, **_describe(module, stat, shown)}
    module.exit()


def _look_path(module: BasicModule, path: str, cwd: str) -> str:
    return module.host.files.stat(path, cwd).path


def _full_name(path: str, cwd: str) -> str:
    full = paths.normalise(path, cwd)
    ended = path.rstrip().endswith(("\\", "/")) and not full.endswith("\\")
    return full + "\\" if ended else full


def _look(module: BasicModule, path: str, cwd: str) -> FileStat | None:
    files = module.host.files
    try:
        stat = files.stat(path, cwd)
        for _ in range(32):
            if not (module.params["follow"] and filefacts.link_facts(stat)):
                break
            stat = files.stat(stat.entry.target or "", cwd)
    except WindowsError:
        return None
    return stat


def _describe(module: BasicModule, stat: FileStat, shown: str) -> dict[str, Any]:
    entry = stat.entry
    facts: dict[str, Any] = {
        **filefacts.flags(stat),
        "isjunction": False,
        "islnk": False,
        "isreg": not stat.is_folder,
        "nlink": 1,
        "hlnk_targets": [],
        "creationtime": filefacts.seconds(entry.created),
        "lastaccesstime": filefacts.seconds(entry.accessed),
        "lastwritetime": filefacts.seconds(entry.modified),
        "path": shown,
        "filename": paths.split(shown.rstrip("\\"))[1] or shown,
        "owner": filefacts.owner_name(module.host, entry.owner),
    }
    if stat.is_folder:
        if module.params["get_size"]:
            below = module.host.files.walk(stat.path)
            facts["size"] = sum(item.size for item in below if not item.is_folder)
    else:
        facts["extension"] = filefacts.extension(facts["filename"])
        if module.params["get_checksum"]:
            facts["checksum"] = _checksum(module, stat)
        if module.params["get_size"]:
            facts["size"] = stat.size
    return {**facts, **filefacts.link_facts(stat)}


def _checksum(module: BasicModule, stat: FileStat) -> str:
    try:
        content = module.host.files.read(stat.path)
    except WindowsError as error:
        locale = module.host.locale.name
        text = calling("Open", 4, io_message(error, stat.path, locale), locale)
        module.fail(
            f"Failed to get hash of file, set get_checksum to False to ignore this error: {text}"
        )
    return filefacts.digest(content, module.params["checksum_algorithm"].lower())


MODULE = Registered("win_stat", basic=run)

"""ansible.windows.win_file (win_file.ps1, ansible.windows 3.3.0)."""

from __future__ import annotations

from winlab.host import paths
from winlab.host.errors import WindowsError
from winlab.host.files import FileStat
from winlab.modules.kit.dotnet import ModuleCrash, io_message
from winlab.modules.kit.legacy import LegacyModule
from winlab.modules.kit.registry import Registered
from winlab.modules.kit.spec import Option


def run(module: LegacyModule) -> None:
    """Bring a path into the wanted state: absent, directory, file or touch."""
    path = module.get("path", kind="path", required=True, aliases=["dest", "name"])
    state = module.get("state", kind="str", choices=["absent", "directory", "file", "touch"])
    state = state.lower() if state else None
    basename = module.get("_original_basename", kind="str")
    files = module.host.files
    if basename is not None and files.is_folder(path):
        path = paths.join(path, basename)
    if state == "touch":
        _touch(module, path)
    if files.exists(path):
        _existing(module, path, state)
    else:
        _missing(module, path, state)
    module.exit()


def _touch(module: LegacyModule, path: str) -> None:
    files = module.host.files
    module.result["changed"] = True
    if module.check_mode:
        return
    if not files.exists(path):
        try:
            files.write(path, b"")
        except WindowsError as error:
            raise ModuleCrash(io_message(error, path, module.host.locale.name)) from error
        return
    # Get-ChildItem of a folder gives its children: PowerShell then sets the time of an only child,
    # and finds no such property on none or several.
    targets = files.list(path) if files.is_folder(path) else [files.stat(path)]
    if len(targets) != 1:
        raise ModuleCrash(
            "The property 'LastWriteTime' cannot be found on this object. "
            "Verify that the property exists and can be set."
        )
    files.set_times(targets[0].path, modified=module.host.now())


def _existing(module: LegacyModule, path: str, state: str | None) -> None:
    stat = module.host.files.stat(path)
    if state == "absent":
        _remove(module, stat)
        module.result["changed"] = True
    elif state == "directory" and not stat.is_folder:
        module.fail(f"path {path} is not a directory")
    elif state == "file" and stat.is_folder:
        module.fail(f"path {path} is not a file")


def _remove(module: LegacyModule, stat: FileStat) -> None:
    if module.check_mode:
        return
    files = module.host.files
    try:
        if stat.is_folder:
            files.rmtree(stat.path)
        else:
            files.remove(stat.path, force=True)
    except WindowsError as error:
        text = io_message(error, error.subject or stat.path, module.host.locale.name)
        module.fail(f"Failed to delete {stat.path}: {text}")


def _missing(module: LegacyModule, path: str, state: str | None) -> None:
    if state is None:
        state = "directory" if path.endswith(("\\", "/")) else "file"
    if state == "directory":
        if not module.check_mode:
            try:
                module.host.files.mkdir(path)
            except WindowsError as error:
                module.fail(_mkdir_text(module, path, error))
        module.result["changed"] = True
    elif state == "file":
        module.fail(f"path {path} will not be created")


def _mkdir_text(module: LegacyModule, path: str, error: WindowsError) -> str:
    drive = path[:2]
    if drive[1:] == ":" and drive.upper() not in module.host.files.drives:
        return f"Cannot find drive. A drive with the name '{drive[0]}' does not exist."
    return io_message(error, path, module.host.locale.name)


MODULE = Registered("win_file", legacy=run, internal={"_original_basename": Option()})

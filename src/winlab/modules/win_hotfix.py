"""ansible.windows.win_hotfix (win_hotfix.ps1, ansible.windows 3.3.0).

Absent, it removes a package by its name, or by a KB number when the package's name holds that number: a
search in package descriptions follows in the original, whose result is then dropped. Present, it
unpacks the .msu into a temporary folder (in check mode too) and adds its packages. With the two packages
of a combined update ``-ne`` and ``-eq`` filter lists, as PowerShell's do: any package of another
name refuses the identifier, any that is not installed means work.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

from winlab.host import msu, paths
from winlab.host.errors import WindowsError
from winlab.host.updates import Package, UpdateError
from winlab.modules.kit.legacy import LegacyModule
from winlab.modules.kit.registry import Registered

# Get-WindowsPackage's words for what DISM prints.
_STATES = {
    "Installed": "Installed",
    "Install Pending": "InstallPending",
    "Not Present": "NotPresent",
    "Uninstall Pending": "UninstallPending",
}


class _Hotfix(NamedTuple):
    """What the original knows of one package."""

    name: str
    state: str
    kb: str


def run(module: LegacyModule) -> None:
    """Add the packages of an update file, or remove a package."""
    kb = module.get("hotfix_kb", kind="str")
    identifier = module.get("hotfix_identifier", kind="str")
    state = module.get("state", kind="str", default="present", choices=("absent", "present"))
    source = module.get("source", kind="path")
    module.result["reboot_required"] = False
    if state.lower() == "absent":
        _absent(module, identifier, kb)
    else:
        _present(module, source, identifier, kb)
    module.exit()


def _absent(module: LegacyModule, identifier: str | None, kb: str | None) -> None:
    if identifier is not None:
        found = _named(module, identifier)
    elif kb is not None:
        found = _numbered(module, kb)
    else:
        module.fail("either hotfix_identifier or hotfix_kb needs to be set when state=absent")
    if found.state in ("UninstallPending", "Installed"):
        module.result.update(identifier=found.name, kb=found.kb)
    if found.state == "UninstallPending":
        module.result["reboot_required"] = True
    elif found.state == "Installed":
        if not module.check_mode:
            try:
                module.result["reboot_required"] = module.host.updates.remove(found.name)
            except UpdateError as error:
                module.fail(
                    f"failed to remove package {found.name}: Remove-WindowsPackage failed. "
                    f"Error code = 0x{error.hresult:08x}"
                )
        module.result["changed"] = True


def _named(module: LegacyModule, name: str) -> _Hotfix:
    package = module.host.updates.package(name)
    if package is None or package.state == "Not Present":
        return _Hotfix(name, "NotPresent", "UNKNOWN")
    number = f"KB{package.update.kb[0]}" if package.update.kb else "UNKNOWN"
    return _Hotfix(name, _STATES[package.state], number)


def _numbered(module: LegacyModule, kb: str) -> _Hotfix:
    """The package of a KB that Get-Hotfix knows; several that hold the number are none."""
    updates = module.host.updates
    known = {f"KB{number}".lower() for update, _ in updates.installed() for number in update.kb}
    if kb.lower() not in known:
        return _Hotfix("", "NotPresent", "")
    named: list[Package] = [
        package
        for package in updates.packages()
        if fnmatchcase(package.name.lower(), f"*{kb.lower()}*")
    ]
    if not named:
        module.fail(
            "failed to get DISM package from KB, to continue specify hotfix_identifier instead"
        )
    return _named(module, named[0].name) if len(named) == 1 else _Hotfix("", "NotPresent", "")


def _present(
    module: LegacyModule, source: str | None, identifier: str | None, kb: str | None
) -> None:
    if source is None:
        module.fail("source must be set when state=present")
    folder = _unpacked(module, source)
    try:
        found = _in_folder(module, folder)
        _must_match(module, found, identifier, kb)
        module.result.update(
            identifiers=[item.name for item in found],
            identifier=found[0].name,
            kbs=[item.kb for item in found],
            kb=found[0].kb,
        )
        states = {item.state for item in found}
        if "InstallPending" in states:
            module.result["reboot_required"] = True
        elif states != {"Installed"}:
            if not module.check_mode:
                module.result["reboot_required"] = _add(module, folder, found)
            module.result["changed"] = True
    finally:
        module.host.files.rmtree(folder)


def _unpacked(module: LegacyModule, source: str) -> str:
    files = module.host.files
    temp = module.context.environment.get("TEMP", "C:\\Windows\\Temp")
    folder = paths.join(temp, module.host.ids.guid())
    try:
        data = files.read(source)
    except WindowsError:
        module.fail(f"the path set for source {source} does not exist or is not a file")
    files.ensure_folder(folder)
    try:
        for name, content in msu.members(data).items():
            files.write(paths.join(folder, name), content)
    except msu.MsuError:
        module.fail(f"failed to run expand.exe {source} {folder} -F:*: RC = 1")
    return folder


def _in_folder(module: LegacyModule, folder: str) -> list[_Hotfix]:
    files = module.host.files
    held = {item.name: files.read(item.path) for item in files.list(folder)}
    description = next((data for name, data in held.items() if name.endswith(".xml")), None)
    if description is None:
        module.fail(
            "failed to get metadata xml inside MSU file, cannot get hotfix metadata required for "
            "this task"
        )
    number = msu.number_in(held)
    found = []
    for cabinet in msu.cabinets_in(description):
        try:
            name = msu.package_in(held[cabinet])
        except (KeyError, msu.MsuError) as error:
            module.fail(f"failed to get DISM package metadata from path {folder}: {error}")
        package = module.host.updates.package(name)
        if package is None:
            module.fail("hotfix package is not applicable for this server")
        found.append(_Hotfix(name, _STATES[package.state], f"KB{number}" if number else "UNKNOWN"))
    return found


def _must_match(
    module: LegacyModule, found: list[_Hotfix], identifier: str | None, kb: str | None
) -> None:
    for what, given, given_here in (
        ("identifier", identifier, [item.name for item in found]),
        ("KB", kb, [item.kb for item in found]),
    ):
        if given is not None and any(one.lower() != given.lower() for one in given_here):
            module.fail(
                f"the hotfix {what} {given} does not match with the source msu {what} "
                f"{' '.join(given_here)}, please omit or specify the correct {what} to continue"
            )


def _add(module: LegacyModule, folder: str, found: list[_Hotfix]) -> bool:
    due = []
    for item in found:
        try:
            due.append(module.host.updates.add(item.name))
        except UpdateError as error:
            module.fail(
                f"failed to add windows package from path {folder}: Add-WindowsPackage failed. "
                f"Error code = 0x{error.hresult:08x}"
            )
    return any(due)


MODULE = Registered("win_hotfix", legacy=run)

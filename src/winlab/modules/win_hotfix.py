"""ansible.windows.win_hotfix with state absent (win_hotfix.ps1, ansible.windows 3.3.0).

It removes a package by its name, or by a KB number when the package's name holds that number: a
search in package descriptions follows in the original, whose result is then dropped.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from winlab.host.errors import NotModelledError
from winlab.host.updates import UpdateError
from winlab.modules.kit.legacy import LegacyModule
from winlab.modules.kit.registry import Registered

# Get-WindowsPackage's words for what DISM prints.
_STATES = {"Installed": "Installed", "Uninstall Pending": "UninstallPending"}


def run(module: LegacyModule) -> None:
    """Remove a package."""
    kb = module.get("hotfix_kb", kind="str")
    identifier = module.get("hotfix_identifier", kind="str")
    state = module.get("state", kind="str", default="present", choices=("absent", "present"))
    module.result["reboot_required"] = False
    if state.lower() == "present":
        raise NotModelledError("ansible.windows.win_hotfix with state present")
    if identifier is None and kb is None:
        module.fail("either hotfix_identifier or hotfix_kb needs to be set when state=absent")
    package = identifier if identifier is not None else _package_of(module, kb)
    states = {update.package: (update, word) for update, word in module.host.updates.packages()}
    update, found = states.get(package or "", (None, ""))
    word = _STATES.get(found, found)
    if update is not None and word in _STATES.values():
        module.result.update(identifier=package, kb=f"KB{update.kb[0]}" if update.kb else "UNKNOWN")
    if word == "UninstallPending":
        module.result["reboot_required"] = True
    elif word == "Installed":
        if not module.check_mode:
            try:
                module.result["reboot_required"] = module.host.updates.remove(package or "")
            except UpdateError as error:
                module.fail(
                    f"failed to remove package {package}: Remove-WindowsPackage failed. "
                    f"Error code = 0x{error.hresult:08x}"
                )
        module.result["changed"] = True
    module.exit()


def _package_of(module: LegacyModule, kb: str) -> str | None:
    """The package of a KB that Get-Hotfix knows; None when it does not."""
    updates = module.host.updates
    known = {f"KB{number}".lower() for update, _ in updates.installed() for number in update.kb}
    if kb.lower() not in known:
        return None
    named = [
        update.package
        for update, _ in updates.packages()
        if fnmatchcase(update.package.lower(), f"*{kb.lower()}*")
    ]
    if named:
        return named[0]
    return module.fail(
        "failed to get DISM package from KB, to continue specify hotfix_identifier instead"
    )


MODULE = Registered("win_hotfix", legacy=run)

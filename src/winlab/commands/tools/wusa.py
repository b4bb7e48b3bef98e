"""wusa.exe: update files put in, as far as nobody has to click.

Sources: "Description of the Windows Update Standalone Installer in Windows" (KB934307) for the
switches; KB949545 for 0x240006 and 0x80240017; "WUSA returns 0x5 ERROR_ACCESS_DENIED when deploying
.msu files through WinRM and Windows Remote Shell" (KB2773898); "Deprecated features in Windows": from
Windows 10 on /uninstall with /quiet fails; Wuerror.h for 0x240007. assumed: that failure is 87; the
servicing stack of a combined update answers /uninstall with CBS_E_CANNOT_UNINSTALL.
"""

from __future__ import annotations

from winlab.commands.call import Call, program
from winlab.host import msu
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.power import Shutdown
from winlab.host.updates import CBS_E_CANNOT_UNINSTALL, Update, UpdateError

ACCESS_DENIED, INVALID_DATA, INVALID_PARAMETER = 5, 13, 87
RESTART_MADE, RESTART_DUE = 1641, 3010
ALREADY_INSTALLED, ALREADY_UNINSTALLED = 0x240006, 0x240007
NOT_APPLICABLE = 0x80240017
_WINDOWS_10 = 10240


@program("wusa")
def wusa(call: Call) -> int:
    """Install or remove an update."""
    switches = [word.lower() for word in call.args if word.startswith("/")]
    files = [word for word in call.args if not word.startswith("/")]
    numbers = [word.partition(":")[2].removeprefix("kb") for word in switches if "/kb:" in word]
    plain = {word for word in switches if not word.startswith(("/kb:", "/log:"))}
    if plain - {"/quiet", "/norestart", "/uninstall"}:
        raise NotModelledError(f"wusa {' '.join(sorted(plain))}")
    if "/quiet" not in plain:
        raise NotModelledError("wusa without /quiet")
    removing = "/uninstall" in plain
    if len(files) + len(numbers) != 1 or (numbers and not removing):
        return INVALID_PARAMETER
    if removing and call.host.os.build >= _WINDOWS_10:
        return INVALID_PARAMETER
    if not call.admin or (call.console.remote and not _is_system(call)):
        return ACCESS_DENIED
    try:
        brought = msu.read(call.host.files.read(files[0], call.cwd)) if files else None
    except WindowsError as error:
        return error.code
    except msu.MsuError:
        return INVALID_DATA
    try:
        if removing:
            due = _remove(call, brought.kb if brought else numbers[0])
        else:
            assert brought is not None
            due = _install(call, brought)
    except UpdateError as error:
        return error.hresult - 2**32 if error.hresult >= 2**31 else error.hresult
    if not due or "/norestart" in plain:
        return RESTART_DUE if due else 0
    call.host.power.schedule(Shutdown(kind="reboot", at=call.host.now()))
    return RESTART_MADE


def _is_system(call: Call) -> bool:
    """Whether this is no network logon although it came over WinRM: become SYSTEM."""
    return call.host.accounts.sid_of(call.user) == "S-1-5-18"


def _install(call: Call, brought: msu.Msu) -> bool:
    agent = call.host.updates
    known = [agent.package(name) for name in brought.packages]
    if not known or None in known:
        raise UpdateError(NOT_APPLICABLE)
    if all(package.state == "Installed" for package in known if package):
        raise UpdateError(ALREADY_INSTALLED)
    due = [agent.add(name) for name in brought.packages]
    return any(due)


def _remove(call: Call, number: str) -> bool:
    there: list[Update] = [u for u, _ in call.host.updates.installed() if number in u.kb]
    if not there:
        raise UpdateError(ALREADY_UNINSTALLED)
    if there[0].stack:
        raise UpdateError(CBS_E_CANNOT_UNINSTALL)
    return call.host.updates.remove(there[0].package)

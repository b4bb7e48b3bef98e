"""The wrappers of ansible-core's exec manifest, registered by script name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from winlab.exec.actions import asynchronous, become, files, folders, module
from winlab.exec.actions.chain import Chain
from winlab.exec.outcome import Outcome

ACTIONS: Mapping[str, Callable[[Chain], Outcome]] = {
    "async_wrapper.ps1": asynchronous.start,
    "become_wrapper.ps1": become.run,
    "module_wrapper.ps1": module.run,
    "powershell_expand_user.ps1": folders.expand_user,
    "powershell_mkdtemp.ps1": folders.make_temporary,
    "psrp_fetch_file.ps1": files.fetch_whole,
    "psrp_put_file.ps1": files.put,
    "winrm_fetch_file.ps1": files.fetch_range,
    "winrm_put_file.ps1": files.put,
}

"""ansible.windows.win_ping (win_ping.ps1, ansible.windows 3.3.0)."""

from __future__ import annotations

from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.dotnet import ModuleCrash
from winlab.modules.kit.registry import Registered


def run(module: BasicModule) -> None:
    """Answer with ``data``; "crash" throws, as documented."""
    data = module.params["data"]
    if data.lower() == "crash":
        raise ModuleCrash("boom")
    module.result["ping"] = data
    module.exit()


MODULE = Registered("win_ping", basic=run)

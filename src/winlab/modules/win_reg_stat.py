"""ansible.windows.win_reg_stat (win_reg_stat.ps1, ansible.windows 3.3.0)."""

from __future__ import annotations

import re
from typing import Any

from winlab.host.registry import RegType, RegValue
from winlab.modules.kit.legacy import LegacyModule
from winlab.modules.kit.registry import Registered
from winlab.modules.kit.values import expand_variables

PATH = re.compile(r"HK(CC|CR|CU|LM|U):\\", re.IGNORECASE)


def run(module: LegacyModule) -> None:
    """Report a key with its values and subkeys, or one value."""
    path = module.get("path", kind="str", required=True, aliases=["key"])
    name = module.get("name", kind="str", aliases=["entry", "value"])
    if not PATH.match(path):
        module.fail(
            f"path: {path} is not a valid registry path, see module documentation for examples."
        )
    registry, sid = module.host.registry, module.context.user_sid
    if not registry.exists(path, sid):
        module.result["exists"] = False
    elif name is None:
        module.result["exists"] = True
        module.result["properties"] = {
            value.name: _describe(module, value) for value in registry.values(path, sid)
        }
        module.result["sub_keys"] = registry.subkeys(path, sid)
    else:
        found = registry.value(path, name, sid)
        module.result["exists"] = found is not None
        if found is not None:
            module.result.update(_describe(module, found))
    module.exit()


def _describe(module: LegacyModule, value: RegValue) -> dict[str, Any]:
    data: Any = list(value.data) if isinstance(value.data, (tuple, bytes)) else value.data
    raw = data
    if value.type in (RegType.REG_BINARY, RegType.REG_NONE):
        raw = [f"0x{byte:02x}" for byte in data]
    elif value.type is RegType.REG_EXPAND_SZ:
        data = expand_variables(str(data), module.context.environment)
    named = (
        value.type.name
        if value.type <= RegType.REG_DWORD
        or value.type
        in (
            RegType.REG_QWORD,
            RegType.REG_MULTI_SZ,
        )
        else "Unknown - Unknown"
    )
    return {"type": named, "value": data, "raw_value": raw}


MODULE = Registered("win_reg_stat", legacy=run)

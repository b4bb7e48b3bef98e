"""ansible.windows.win_regedit (win_regedit.ps1, ansible.windows 3.3.0)."""

from __future__ import annotations

import re
from typing import Any

from winlab.host.errors import WindowsError
from winlab.host.registry import RegData, RegType, RegValue
from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.dotnet import ModuleCrash
from winlab.modules.kit.registry import Registered
from winlab.modules.kit.values import to_str
from winlab.modules.win_reg_stat import PATH

_TYPES = {
    "none": (RegType.REG_NONE, "None"),
    "binary": (RegType.REG_BINARY, "Binary"),
    "dword": (RegType.REG_DWORD, "DWord"),
    "expandstring": (RegType.REG_EXPAND_SZ, "ExpandString"),
    "multistring": (RegType.REG_MULTI_SZ, "MultiString"),
    "string": (RegType.REG_SZ, "String"),
    "qword": (RegType.REG_QWORD, "QWord"),
}
_KIND_NAMES = dict(_TYPES.values())
_BITS = {"dword": 32, "qword": 64}


def run(module: BasicModule) -> None:
    """Bring one key or value into the wanted state."""
    params = module.params
    path, name, kind = params["path"], params["name"], params["type"].lower()
    module.result.update(data_changed=False, data_type_changed=False)
    module.diff.update(before="", after="")
    if name is None and kind != "string":
        module.warn(
            "the data type when name is not specified can only be 'string', the type has "
            "automatically been converted"
        )
        kind = "string"
    if not PATH.match(path):
        module.fail(
            f"path: {path} is not a valid powershell path, see module documentation for examples."
        )
    name = name or None
    data = _data(module, params["data"], kind, name)
    if params["state"].lower() == "present":
        _present(module, path, name or "", data, kind)
    else:
        _absent(module, path, name or "")
    module.exit()


def _data(module: BasicModule, data: Any, kind: str, name: str | None) -> RegData | None:
    if kind in {"binary", "none"}:
        return _bytes(module, "" if data is None else data)
    if kind in _BITS:
        return _integer(module, 0 if data is None else data, kind)
    if kind == "multistring":
        items = data if isinstance(data, list) else [] if data is None else [data]
        return tuple(to_str(item) for item in items)
    if data is None:
        return "" if name else None
    return to_str(data)


def _bytes(module: BasicModule, data: Any) -> bytes:
    if isinstance(data, str):
        return _hex(data)
    if isinstance(data, int):
        if data > 255:
            module.fail(
                f"cannot convert binary data '{data}' to byte array, please specify this value as "
                "a yaml byte array or a comma separated hex value string"
            )
        return bytes([data])
    try:
        return bytes(int(to_str(item), 0) for item in data)
    except ValueError as error:
        raise ModuleCrash('Cannot convert value to type "System.Byte".') from error


def _hex(text: str) -> bytes:
    text = re.sub(r"^hex:", "", text.lower())
    text = re.sub(r"[^a-f0-9\\,x\-:]", "", text).replace(",", ":")
    if not text:
        return b""
    try:
        if len(text) == 1 or ":" in text:
            return bytes(int(part, 16) for part in re.split(":+", text))
        return bytes.fromhex(text) if len(text) % 2 == 0 else b""
    except ValueError as error:
        raise ModuleCrash(
            'Exception calling "ToByte" with "2" argument(s): "Could not find any recognizable '
            'digits."'
        ) from error


def _integer(module: BasicModule, data: Any, kind: str) -> int:
    if isinstance(data, float):
        if data % 1:
            module.fail(
                f"data '{data}' cannot be a decimal or float value with a remainder when type is "
                "dword or qword"
            )
        data = int(data)
    try:
        number = int(data if isinstance(data, int) else int(to_str(data), 0))
    except ValueError as error:
        raise ModuleCrash(
            f'Cannot convert value "{to_str(data)}" to type "System.UInt64". Error: "Input string '
            'was not in a correct format."'
        ) from error
    bits = _BITS[kind]
    if number >= 2**bits:
        module.fail(f"data cannot be larger than 0x{'f' * (bits // 4)} when type is {kind}")
    return int(number % 2**bits)


def _shown(kind: RegType, data: RegData) -> dict[str, Any]:
    value: Any = data
    if isinstance(data, bytes):
        value = [f"0x{byte:02x}" for byte in data]
    elif isinstance(data, tuple):
        value = list(data)
    elif isinstance(data, int):
        value = f"0x{data:016x}" if kind is RegType.REG_QWORD else f"0x{data:08x}"
    return {"type": _KIND_NAMES.get(kind, "Unknown"), "value": value}


def _differs(old: RegData, new: RegData) -> bool:
    """PowerShell's -cne: the right side takes the type of the left."""
    if isinstance(old, str):
        return old != (" ".join(map(str, new)) if isinstance(new, tuple) else to_str(new))
    if isinstance(old, int) and isinstance(new, str):
        try:
            return old != int(new, 0)
        except ValueError:
            return True
    return old != new


def _present(module: BasicModule, path: str, name: str, data: RegData | None, kind: str) -> None:
    registry, sid = module.host.registry, module.context.user_sid
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    if registry.exists(path, sid):
        module.diff.update(before={path: before}, after={path: after})
    else:
        if not module.check_mode:
            try:
                registry.create_key(path, sid)
            except WindowsError as error:
                module.fail(f"failed to create registry key at {path}: {_text(module, error)}")
        module.result["changed"] = True
        module.diff.update(before={}, after={path: after})
        if module.check_mode:
            return
    if data is None:
        return
    wanted = _TYPES[kind][0]
    old = registry.value(path, name, sid)
    after[name] = _shown(wanted, data)
    if old is not None:
        before[name] = _shown(old.type, old.data)
        if not _note_change(module, old, wanted, data):
            return
    if not module.check_mode:
        registry.set_value(path, name, data, wanted, sid)
    module.result["changed"] = True


def _note_change(module: BasicModule, old: RegValue, wanted: RegType, data: RegData) -> bool:
    module.result["data_type_changed"] = old.type is not wanted
    module.result["data_changed"] = _differs(old.data, data)
    return bool(module.result["data_type_changed"] or module.result["data_changed"])


def _absent(module: BasicModule, path: str, name: str) -> None:
    registry, sid = module.host.registry, module.context.user_sid
    if not registry.exists(path, sid):
        return
    if module.params["delete_key"] and not name:
        if not module.check_mode:
            try:
                registry.delete_key(path, sid)
            except WindowsError as error:
                module.fail(f"failed to delete registry key at {path}: {_text(module, error)}")
        module.diff.update(before={path: {}}, after={})
    else:
        old = registry.value(path, name, sid)
        if old is None:
            return
        if not module.check_mode:
            registry.delete_value(path, name, sid)
        module.diff.update(before={path: {name: _shown(old.type, old.data)}}, after={path: {}})
    module.result["changed"] = True


def _text(module: BasicModule, error: WindowsError) -> str:
    if error.code == 5:
        return "Requested registry access is not allowed."
    return error.text(module.host.locale.name)


MODULE = Registered("win_regedit", basic=run, not_modelled=("hive",))

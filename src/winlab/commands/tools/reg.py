"""reg.exe. Source: "reg query", "reg add", "reg delete", "reg load", "reg unload" (Microsoft Learn)."""

from __future__ import annotations

from winlab.commands.call import Call, program
from winlab.commands.tools.regfile import export_lines, import_text
from winlab.host import paths
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.registry import LONG_HIVES, Registry, RegType, RegValue

_TYPES = {
    kind.name: kind
    for kind in RegType
    if kind
    in {
        RegType.REG_SZ,
        RegType.REG_MULTI_SZ,
        RegType.REG_EXPAND_SZ,
        RegType.REG_DWORD,
        RegType.REG_QWORD,
        RegType.REG_BINARY,
        RegType.REG_NONE,
    }
}


def _fail(call: Call, english: str, chinese: str) -> int:
    call.error(call.text(f"ERROR: {english}", f"错误: {chinese}"))
    return 1


def _syntax(call: Call, verb: str) -> int:
    return _fail(
        call,
        f'Invalid syntax.\r\nType "REG {verb} /?" for usage.',
        f'无效语法。\r\n键入 "REG {verb} /?" 以了解用法。',
    )


def _not_found(call: Call) -> int:
    return _fail(
        call,
        "The system was unable to find the specified registry key or value.",
        "系统找不到指定的注册表项或值。",
    )


def _sid(call: Call) -> str:
    try:
        return call.host.accounts.sid_of(call.user)
    except WindowsError:
        return "S-1-5-18"


def _done(call: Call) -> int:
    call.line(call.text("The operation completed successfully.", "操作成功完成。"))
    return 0


def show(value: RegValue) -> str:
    """Return a value's data as reg query prints it."""
    if isinstance(value.data, bytes):
        return value.data.hex().upper()
    if isinstance(value.data, tuple):
        return "\\0".join(value.data)
    if isinstance(value.data, int):
        return f"0x{value.data:x}"
    return value.data


def _long(path: str) -> str:
    hive, _, rest = path.partition("\\")
    full = LONG_HIVES.get(hive.upper(), hive.upper())
    return full + ("\\" + rest if rest else "")


def _print_key(call: Call, shown: str, values: list[RegValue]) -> None:
    call.line(shown)
    default = call.text("(Default)", "(默认)")
    for value in values:
        call.line(f"    {value.name or default}    {value.type.name}    {show(value)}")
    call.line()


def _query(call: Call, args: list[str]) -> int:
    registry, sid = call.host.registry, _sid(call)
    key, name, below, search = "", None, False, None
    index = 0
    while index < len(args):
        option = args[index].lower()
        if option == "/v" and index + 1 < len(args):
            index += 1
            name = args[index]
        elif option == "/ve":
            name = ""
        elif option == "/s":
            below = True
        elif option in {"/reg:64", "/reg:32"}:
            pass
        elif option == "/f" and index + 1 < len(args):
            index += 1
            search = args[index].lower()
        elif option in {"/k", "/d", "/c", "/e", "/t", "/z", "/se"}:
            raise NotModelledError(f"reg query {option}")
        elif option.startswith("/") or key:
            return _syntax(call, "QUERY")
        else:
            key = args[index]
        index += 1
    if not key:
        return _syntax(call, "QUERY")
    if key.startswith("\\\\"):
        raise NotModelledError("reg query of another machine")
    try:
        if not registry.exists(key, sid):
            return _not_found(call)
    except WindowsError:
        return _fail(call, "Invalid key name.", "无效项名称。")
    call.line()
    if name is not None or search is not None:
        return _matches(call, registry, key, sid, name, search, below=below)
    _walk(call, registry, key, sid, below=below)
    return 0


def _walk(call: Call, registry: Registry, key: str, sid: str, *, below: bool) -> None:
    """Print a key, then its subkeys' names, or all of them with their values."""
    shown = (
        registry.display(key, sid) if not key.upper().startswith("HK") else _shown(call, key, sid)
    )
    values = registry.values(key, sid)
    if values:
        _print_key(call, shown, values)
    for name in registry.subkeys(key, sid):
        if below:
            _walk(call, registry, f"{key}\\{name}", sid, below=True)
        else:
            call.line(f"{shown}\\{name}")


def _shown(call: Call, key: str, sid: str) -> str:
    """Return a key as reg prints it: long hive, names in their own case, HKCU kept."""
    hive = key.partition("\\")[0].upper()
    if hive in {"HKCU", "HKEY_CURRENT_USER", "HKCR", "HKEY_CLASSES_ROOT"}:
        return _long(key)
    return call.host.registry.display(key, sid)


def _matches(
    call: Call,
    registry: Registry,
    key: str,
    sid: str,
    name: str | None,
    search: str | None,
    *,
    below: bool,
) -> int:
    found = 0
    keys = [key]
    while keys:
        at = keys.pop(0)
        values = [
            v
            for v in registry.values(at, sid)
            if (name is None or v.name.lower() == name.lower())
            and (search is None or search in v.name.lower() or search in show(v).lower())
        ]
        if values:
            _print_key(call, _shown(call, at, sid), values)
            found += len(values)
        if below:
            keys = [f"{at}\\{sub}" for sub in registry.subkeys(at, sid)] + keys
    if not below and search is None:
        return 0 if found else _not_found(call)
    call.line(
        call.text(f"End of search: {found} match(es) found.", f"搜索结束: 找到 {found} 条匹配项。")
    )
    return 0 if found else 1


def _parse(text: str, kind: RegType, separator: str) -> str | int | bytes | tuple[str, ...] | None:
    if kind in {RegType.REG_SZ, RegType.REG_EXPAND_SZ}:
        return text
    if kind is RegType.REG_MULTI_SZ:
        return tuple(text.split(separator)) if text else ()
    try:
        if kind in {RegType.REG_DWORD, RegType.REG_QWORD}:
            number = int(text or "0", 0)
            bits = 32 if kind is RegType.REG_DWORD else 64
            return number if 0 <= number < 2**bits else None
        return bytes.fromhex(text)
    except ValueError:
        return None


def _add(call: Call, args: list[str]) -> int:
    key, name, kind, data, separator, force = "", None, "REG_SZ", "", "\\0", False
    index = 0
    while index < len(args):
        option = args[index].lower()
        follows = args[index + 1] if index + 1 < len(args) else None
        if option in {"/v", "/t", "/d", "/s"} and follows is not None:
            index += 1
            if option == "/v":
                name = follows
            elif option == "/t":
                kind = follows.upper()
            elif option == "/d":
                data = follows
            else:
                separator = follows
        elif option == "/ve":
            name = ""
        elif option == "/f":
            force = True
        elif option in {"/reg:64", "/reg:32"}:
            pass
        elif option.startswith("/") or key:
            return _syntax(call, "ADD")
        else:
            key = args[index]
        index += 1
    if not key or kind not in _TYPES:
        return _syntax(call, "ADD")
    registry, sid = call.host.registry, _sid(call)
    try:
        full = registry.normalise(key, sid)
    except WindowsError:
        return _fail(call, "Invalid key name.", "无效项名称。")
    if not call.admin and full.startswith("HKLM"):
        return _fail(call, "Access is denied.", "拒绝访问。")
    if name is None:
        registry.create_key(full)
        return _done(call)
    value = _parse(data, _TYPES[kind], separator)
    if value is None:
        return _syntax(call, "ADD")
    if registry.value(full, name) is not None and not force:
        prompt = f"Value {name} exists, overwrite(Yes/No)? "
        call.write(call.text(prompt, f"值 {name} 已存在，要覆盖吗(Yes/No)? "))
        if not call.input_text().strip().lower().startswith("y"):
            call.line(call.text("The operation was canceled by user.", "用户取消了此操作。"))
            return 0
    registry.set_value(full, name, value, _TYPES[kind])
    return _done(call)


def _delete(call: Call, args: list[str]) -> int:
    key, name, everything, force = "", None, False, False
    index = 0
    while index < len(args):
        option = args[index].lower()
        if option == "/v" and index + 1 < len(args):
            index += 1
            name = args[index]
        elif option == "/ve":
            name = ""
        elif option == "/va":
            everything = True
        elif option == "/f":
            force = True
        elif option in {"/reg:64", "/reg:32"}:
            pass
        elif option.startswith("/") or key:
            return _syntax(call, "DELETE")
        else:
            key = args[index]
        index += 1
    if not key:
        return _syntax(call, "DELETE")
    registry, sid = call.host.registry, _sid(call)
    if not registry.exists(key, sid):
        return _not_found(call)
    if not call.admin and registry.normalise(key, sid).startswith("HKLM"):
        return _fail(call, "Access is denied.", "拒绝访问。")
    if not force and not call.input_text().strip().lower().startswith("y"):
        call.line(call.text("The operation was canceled by user.", "用户取消了此操作。"))
        return 0
    try:
        if everything:
            for value in registry.values(key, sid):
                registry.delete_value(key, value.name, sid)
        elif name is not None:
            registry.delete_value(key, name, sid)
        else:
            registry.delete_key(key, sid)
    except WindowsError as exc:
        return (
            _not_found(call) if exc.code == 2 else _fail(call, exc.text("en-US"), exc.text("zh-CN"))
        )
    return _done(call)


def _export(call: Call, args: list[str]) -> int:
    names = [a for a in args if not a.startswith("/")]
    if len(names) != 2:
        return _syntax(call, "EXPORT")
    registry, sid = call.host.registry, _sid(call)
    if not registry.exists(names[0], sid):
        return _not_found(call)
    target = paths.normalise(names[1], call.cwd)
    if call.host.files.exists(target) and "/y" not in {a.lower() for a in args}:
        return _fail(call, "Unable to write to the file.", "无法写入该文件。")
    text = "\r\n".join(export_lines(registry, names[0], sid)) + "\r\n"
    call.host.files.write(target, b"\xff\xfe" + text.encode("utf-16-le"))
    return _done(call)


def _import(call: Call, args: list[str]) -> int:
    if len(args) != 1:
        return _syntax(call, "IMPORT")
    data = call.host.files.read(args[0], call.cwd)
    text = (
        data[2:].decode("utf-16-le", "replace")
        if data.startswith(b"\xff\xfe")
        else data.decode("utf-8", "replace")
    )
    if not import_text(call.host.registry, text, _sid(call)):
        return _fail(
            call,
            "The specified file is not a registry script.",
            "指定的文件不是注册脚本。",
        )
    return _done(call)


def _load(call: Call, args: list[str]) -> int:
    if len(args) != 2:
        return _syntax(call, "LOAD")
    return _hive(call, args[0], paths.normalise(args[1], call.cwd))


def _unload(call: Call, args: list[str]) -> int:
    return _hive(call, args[0], None) if len(args) == 1 else _syntax(call, "UNLOAD")


def _hive(call: Call, key: str, file: str | None) -> int:
    if not call.admin:
        text = ("A required privilege is not held by the client.", "客户端没有所需的特权。")
        return _fail(call, *text)
    hives = call.host.hives
    try:
        full = call.host.registry.normalise(key)
        if file is None:
            hives.detach(full)
        else:
            hives.attach(full, file)
    except WindowsError as exc:
        return _fail(call, exc.text("en-US"), exc.text("zh-CN"))
    return _done(call)


_VERBS = {
    "query": _query,
    "add": _add,
    "delete": _delete,
    "export": _export,
    "import": _import,
    "load": _load,
    "unload": _unload,
}


@program("reg")
def reg(call: Call) -> int:
    """Read and change the registry."""
    if not call.args:
        return _fail(
            call,
            'Invalid syntax.\r\nType "REG /?" for usage.',
            '无效语法。\r\n键入 "REG /?" 以了解用法。',
        )
    verb = _VERBS.get(call.args[0].lower())
    if verb is None:
        if call.args[0].lower() in {
            "copy",
            "save",
            "restore",
            "compare",
            "flags",
        }:
            raise NotModelledError(f"reg {call.args[0].lower()}")
        return _fail(
            call,
            f"Invalid Argument/Option - '{call.args[0]}'.\r\nType \"REG /?\" for usage.",
            f"无效的参数/选项 - '{call.args[0]}'。\r\n键入 \"REG /?\" 以了解用法。",
        )
    return verb(call, call.args[1:])

"""auditpol.exe: get, set, backup, restore. Sources: "auditpol" (Microsoft Learn), [MS-GPAC] 2.2.1.

A backup has translated names and one language-free GUID and number a line; the file is ANSI.
"""

from __future__ import annotations

import csv
import io

from winlab.commands.call import Call, codec, program
from winlab.host import paths
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.policy import SUBCATEGORIES, guid_of

_WORDS = (
    ("No Auditing", "无审核"),
    ("Success", "成功"),
    ("Failure", "失败"),
    ("Success and Failure", "成功和失败"),
)
_HEAD = (
    "Machine Name,Policy Target,Subcategory,Subcategory GUID,"
    "Inclusion Setting,Exclusion Setting,Setting Value",
    "计算机名称,策略目标,子类别,子类别 GUID,包含设置,排除设置,设置值",
)


def _error(call: Call, code: int) -> int:
    word = call.text("Error", "错误")
    call.error(f"{word} 0x{code:08X} {call.text('occurred:', '发生:')}\r\n{call.message(code)}\r\n")
    return code


def _guids(call: Call, wanted: str) -> list[str]:
    """Return the subcategories that a list of names or GUIDs, or ``*``, stands for."""
    found = []
    for one in (part.strip().strip('"') for part in wanted.split(",")):
        if one == "*":
            return [guid_of(n) for n in range(len(SUBCATEGORIES))]
        if one.startswith("{"):
            if one.lower() not in call.host.policy.audit:
                raise WindowsError(87, one)
            found.append(one.lower())
            continue
        column = 1 if call.host.locale.chinese else 0
        names = [names[column].lower() for names in SUBCATEGORIES]
        if one.lower() not in names:
            raise WindowsError(87, one)
        found.append(guid_of(names.index(one.lower())))
    return found


def _pairs(call: Call) -> dict[str, str]:
    found = {}
    for word in call.args[1:]:
        name, _, value = word.lstrip("/").partition(":")
        found[name.lower()] = value
    return found


def _rows(call: Call) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    chinese = call.host.locale.chinese
    for number, names in enumerate(SUBCATEGORIES):
        flags = call.host.policy.audit[guid_of(number)]
        writer.writerow(
            (
                call.host.name,
                "系统" if chinese else "System",
                names[chinese],
                guid_of(number).upper(),
                _WORDS[flags][chinese],
                "",
                flags,
            )
        )
    return f"{_HEAD[chinese]}\r\n{out.getvalue()}"


def _ansi(call: Call) -> str:
    return codec(936 if call.host.locale.chinese else 1252)


def _backup(call: Call, options: dict[str, str]) -> int:
    if "file" not in options:
        return _error(call, 87)
    target = paths.normalise(options["file"].strip('"'), call.cwd)
    call.host.files.write(target, _rows(call).encode(_ansi(call), "replace"))
    call.line(call.text("The command was successfully executed.", "成功执行了命令。"))
    return 0


def _restore(call: Call, options: dict[str, str]) -> int:
    data = call.host.files.read(options.get("file", "").strip('"'), call.cwd)
    _, *rows = csv.reader(io.StringIO(data.decode(_ansi(call), "replace")))
    for row in rows:
        if len(row) == 7 and row[3] and not row[1].upper().startswith("S-1-"):
            call.host.policy.set_audit(row[3], int(row[6]))
    call.line(call.text("The command was successfully executed.", "成功执行了命令。"))
    return 0


def _set(call: Call, options: dict[str, str]) -> int:
    if set(options) - {"subcategory", "success", "failure"} or "subcategory" not in options:
        raise NotModelledError(f"auditpol /set {' '.join(sorted(options))}")
    for guid in _guids(call, options["subcategory"]):
        flags = call.host.policy.audit[guid]
        for bit, name in ((1, "success"), (2, "failure")):
            told = options.get(name, "").lower()
            if told not in {"", "enable", "disable"}:
                return _error(call, 87)
            if told:
                flags = flags | bit if told == "enable" else flags & ~bit
        # Without either word success is meant ("auditpol set").
        if "success" not in options and "failure" not in options:
            flags |= 1
        call.host.policy.set_audit(guid, flags)
    call.line(call.text("The command was successfully executed.", "成功执行了命令。"))
    return 0


def _get(call: Call, options: dict[str, str]) -> int:
    if "r" in options:
        call.write(_rows(call))
        return 0
    wanted = options.get("subcategory") or ("*" if options.get("category") == "*" else "")
    if not wanted:
        raise NotModelledError("auditpol /get without /subcategory or /category:*")
    chinese = call.chinese
    call.line(call.text("System audit policy", "系统审核策略"))
    call.line(
        call.text("Category/Subcategory                      Setting", "类别/子类别      设置")
    )
    for guid in _guids(call, wanted):
        names = SUBCATEGORIES[int(guid[5:9], 16) - 0x9210]
        call.line(f"  {names[chinese]:<40}{_WORDS[call.host.policy.audit[guid]][chinese]}")
    return 0


_VERBS = {"/backup": _backup, "/restore": _restore, "/set": _set, "/get": _get}


@program("auditpol")
def auditpol(call: Call) -> int:
    """Read and change the audit policy."""
    verb = call.args[0].lower() if call.args else ""
    if verb not in _VERBS:
        raise NotModelledError(f"auditpol {verb}".strip())
    if not call.admin:
        return _error(call, 1314)
    try:
        return _VERBS[verb](call, _pairs(call))
    except WindowsError as exc:
        return _error(call, exc.code)

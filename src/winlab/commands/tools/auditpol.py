"""auditpol.exe: get, set, list, backup, restore, clear. Sources: "auditpol" (Microsoft Learn), the
command's own help, [MS-GPAC] 2.2.1, ntsecapi.h for the GUIDs of categories.

A backup has translated names and one language-free GUID and number a line; a report of /get /r has
no number. The file is ANSI. Windows' own error code is the exit code; in which order a list stands
is assumed. What speaks of single users or of global SACLs is not modelled.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from winlab.commands.call import Call, codec, program
from winlab.host import paths
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.policy import CATEGORIES, SUBCATEGORIES, category_guid_of, guid_of

_WORDS = (
    ("No Auditing", "无审核"),
    ("Success", "成功"),
    ("Failure", "失败"),
    ("Success and Failure", "成功和失败"),
)
_REPORT = (
    "Machine Name,Policy Target,Subcategory,Subcategory GUID,Inclusion Setting,Exclusion Setting",
    "计算机名称,策略目标,子类别,子类别 GUID,包含设置,排除设置",
)
_VALUE = (",Setting Value", ",设置值")
_SWITCH = {"", "enable", "disable"}
_OPTIONS = ("CrashOnAuditFail", "FullPrivilegeAuditing", "AuditBaseObjects", "AuditBaseDirectories")
_LSA = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa"


def _error(call: Call, code: int) -> int:
    word = call.text("Error", "错误")
    call.error(f"{word} 0x{code:08X} {call.text('occurred:', '发生:')}\r\n{call.message(code)}\r\n")
    return code


def _done(call: Call) -> int:
    call.line(call.text("The command was successfully executed.", "成功执行了命令。"))
    return 0


def _parts(wanted: str) -> Iterator[str]:
    return (part.strip().strip('"') for part in wanted.split(","))


def _subcategories(call: Call, wanted: str) -> list[int]:
    """Return the places that a list of names or GUIDs of subcategories, or ``*``, stands for."""
    names = [pair[call.host.locale.chinese].lower() for pair in SUBCATEGORIES]
    guids = [guid_of(number) for number in range(len(SUBCATEGORIES))]
    return _chosen(wanted, names, guids)


def _of_categories(call: Call, wanted: str) -> list[int]:
    """Return the places of the subcategories of these categories."""
    return [place for number in _categories(call, wanted) for place in CATEGORIES[number][2]]


def _categories(call: Call, wanted: str) -> list[int]:
    chinese = call.host.locale.chinese
    names = [(zh if chinese else en).lower() for en, zh, _ in CATEGORIES]
    guids = [category_guid_of(number) for number in range(len(CATEGORIES))]
    return _chosen(wanted, names, guids)


def _chosen(wanted: str, names: list[str], guids: list[str]) -> list[int]:
    found = []
    for one in _parts(wanted):
        if one == "*":
            return list(range(len(names)))
        known = guids if one.startswith("{") else names
        if one.lower() not in known:
            raise WindowsError(87, one)
        found.append(known.index(one.lower()))
    return found


def _pairs(call: Call) -> dict[str, str]:
    found = {}
    for word in call.args[1:]:
        if not word.startswith(("/", "-")):
            raise WindowsError(87, word)
        name, _, value = word[1:].partition(":")
        found[name.lower()] = value
    return found


def _known(options: dict[str, str], *names: str) -> None:
    unknown = sorted(options.keys() - set(names))
    if unknown:
        raise NotModelledError(f"auditpol /{unknown[0]}")


def _rows(call: Call, places: Iterable[int], *, values: bool) -> Iterator[tuple[object, ...]]:
    chinese = call.host.locale.chinese
    for place in places:
        flags = call.host.policy.audit[guid_of(place)]
        target = "系统" if chinese else "System"
        guid = guid_of(place).upper()
        words = (SUBCATEGORIES[place][chinese], guid, _WORDS[flags][chinese], "")
        yield (call.host.name, target, *words, *((flags,) if values else ()))


def _option(call: Call, name: str) -> bool:
    found = call.host.registry.value(_LSA, name)
    data = found.data if found is not None else 0
    return data not in (0, b"\0")


def _csv(head: str, rows: Iterable[tuple[object, ...]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return f"{head}\r\n{out.getvalue()}"


def _ansi(call: Call) -> str:
    return codec(936 if call.host.locale.chinese else 1252)


def _backup(call: Call, options: dict[str, str]) -> int:
    _known(options, "file")
    if not options.get("file"):
        return _error(call, 87)
    chinese, name = call.host.locale.chinese, call.host.name
    rows = list(_rows(call, range(len(SUBCATEGORIES)), values=True))
    for option in _OPTIONS:
        on = _option(call, option)
        word = ("已启用" if on else "已禁用") if chinese else ("Enabled" if on else "Disabled")
        rows.append((name, "", f"Option:{option}", "", word, "", int(on)))
    rows += [(name, "", sacl, "", "", "", "") for sacl in ("FileGlobalSacl", "RegistryGlobalSacl")]
    text = _csv(_REPORT[chinese] + _VALUE[chinese], rows)
    target = paths.normalise(options["file"].strip('"'), call.cwd)
    call.host.files.write(target, text.encode(_ansi(call), "replace"))
    return _done(call)


def _restore(call: Call, options: dict[str, str]) -> int:
    _known(options, "file")
    data = call.host.files.read(options.get("file", "").strip('"'), call.cwd)
    _, *rows = csv.reader(io.StringIO(data.decode(_ansi(call), "replace")))
    wanted: dict[str, int] = {}
    for row in rows:
        if len(row) == 7 and row[3] and not row[1].upper().startswith("S-1-"):
            if not row[6].isdecimal():
                return _error(call, 13)
            wanted[row[3]] = int(row[6])
    for guid, flags in wanted.items():
        call.host.policy.set_audit(guid, flags)
    return _done(call)


def _set(call: Call, options: dict[str, str]) -> int:
    _known(options, "category", "subcategory", "success", "failure")
    places = _places(call, options)
    if {options.get(name, "").lower() for name in ("success", "failure")} - _SWITCH:
        return _error(call, 87)
    for place in places:
        flags = call.host.policy.audit[guid_of(place)]
        for bit, name in ((1, "success"), (2, "failure")):
            told = options.get(name, "").lower()
            if told:
                flags = flags | bit if told == "enable" else flags & ~bit
        # Without either word success is meant ("auditpol set").
        if "success" not in options and "failure" not in options:
            flags |= 1
        call.host.policy.set_audit(guid_of(place), flags)
    return _done(call)


def _places(call: Call, options: dict[str, str]) -> list[int]:
    if options.get("subcategory"):
        return _subcategories(call, options["subcategory"])
    if options.get("category"):
        return _of_categories(call, options["category"])
    raise WindowsError(87, "category")


def _get(call: Call, options: dict[str, str]) -> int:
    if "option" in options:
        return _get_option(call, options["option"])
    _known(options, "category", "subcategory", "r")
    places = _places(call, options)
    if "r" in options:
        call.write(_csv(_REPORT[call.chinese], _rows(call, places, values=False)))
        return 0
    call.line(call.text("System audit policy", "系统审核策略"))
    _row(call, call.text("Category/Subcategory", "类别/子类别"), call.text("Setting", "设置"), 0)
    for *names, members in CATEGORIES:
        inside = [place for place in members if place in places]
        if inside:
            call.line(names[call.chinese])
        for place in inside:
            flags = call.host.policy.audit[guid_of(place)]
            _row(call, SUBCATEGORIES[place][call.chinese], _WORDS[flags][call.chinese], 2)
    return 0


def _row(call: Call, name: str, setting: str, indent: int) -> None:
    wide = sum(1 for char in name if ord(char) > 0x2E80)
    call.line(f"{' ' * indent}{name:<{42 - indent - wide}}{setting}")


def _get_option(call: Call, name: str) -> int:
    found = next((option for option in _OPTIONS if option.lower() == name.lower()), None)
    if found is None:
        return _error(call, 87)
    on = _option(call, found)
    call.line(call.text("Option Name: ", "选项名: ") + found)
    word = call.text("Enabled", "已启用") if on else call.text("Disabled", "已禁用")
    call.line(call.text("Value: ", "值: ") + word)
    return 0


def _list(call: Call, options: dict[str, str]) -> int:
    _known(options, "category", "subcategory", "v", "r")
    chinese, verbose = call.chinese, "v" in options
    if "subcategory" not in options and "category" not in options:
        return _error(call, 87)
    wanted = options.get("subcategory")
    head = call.text("Category/Subcategory", "类别/子类别")
    report = "r" in options
    call.line(f"{head},GUID" if report else head + (" " * 22 + "GUID" if verbose else ""))
    for number in range(len(CATEGORIES)) if wanted is None else _categories(call, wanted):
        *names, members = CATEGORIES[number]
        _listed(call, names[chinese], category_guid_of(number), 0, report=report, verbose=verbose)
        for place in members if wanted is not None else ():
            name, guid = SUBCATEGORIES[place][chinese], guid_of(place)
            _listed(call, name, guid, 2, report=report, verbose=verbose)
    return 0


def _listed(call: Call, name: str, guid: str, indent: int, *, report: bool, verbose: bool) -> None:
    if report:
        call.line(f"{' ' * indent}{name},{guid.upper()}")
    elif verbose:
        _row(call, name, guid.upper(), indent)
    else:
        call.line(f"{' ' * indent}{name}")


def _clear(call: Call, options: dict[str, str]) -> int:
    _known(options, "y")
    if "y" not in options:
        raise NotModelledError("auditpol /clear without /y")
    for place in range(len(SUBCATEGORIES)):
        call.host.policy.set_audit(guid_of(place), 0)
    return _done(call)


_VERBS = {
    "/backup": _backup,
    "/restore": _restore,
    "/set": _set,
    "/get": _get,
    "/list": _list,
    "/clear": _clear,
}


@program("auditpol")
def auditpol(call: Call) -> int:
    """Read and change the audit policy."""
    verb = call.args[0].lower() if call.args else ""
    if verb not in _VERBS:
        raise NotModelledError(f"auditpol {verb}".strip())
    if not call.admin and verb != "/list":
        return _error(call, 1314)
    try:
        return _VERBS[verb](call, _pairs(call))
    except WindowsError as exc:
        return _error(call, exc.code)

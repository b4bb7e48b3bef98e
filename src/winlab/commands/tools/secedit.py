"""secedit.exe: export and configure. Sources: "secedit" (Microsoft Learn), [MS-GPSB] 2.2.

An export holds what is in force; with /mergedpolicy it holds what GPOs deliver and nothing else, on a
host without a domain nothing, and without an elevated token secedit ends with 740 and writes no file
(tomstryhn/RemoteSecEdit, read on Windows Server 2016 to 2025). An export into a new file is UTF-16
with a mark, into an existing one without a mark ANSI (ansible.windows win_security_policy.ps1
relies on it). A part that Windows refuses leaves the
others applied ("The task has completed with an error": dsccommunity/SecurityPolicyDsc#121); that
the exit code is 3 then, and 1 when nothing was begun, is assumed. Databases hold what was imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from winlab.commands.call import Call, codec, program
from winlab.commands.tools.secedit_template import (
    BadTemplateError,
    access,
    database_of,
    decoded,
    merge,
    sections,
    set_registry,
    set_right,
    templates_in,
)
from winlab.host import paths
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.grouppolicy import Gpo, template_lines

_AREAS = {"securitypolicy", "group_mgmt", "user_rights", "regkeys", "filestore", "services"}
_NOT_ELEVATED = 740

# What an export shows of the registry: values that sceregvl.inf registers, when they are there.
_SHOWN = (
    "Software\\Microsoft\\Windows\\CurrentVersion\\Policies\\System\\EnableLUA",
    "Software\\Microsoft\\Windows\\CurrentVersion\\Policies\\System\\FilterAdministratorToken",
    "System\\CurrentControlSet\\Control\\Lsa\\LmCompatibilityLevel",
    "System\\CurrentControlSet\\Control\\Lsa\\NoLMHash",
    "System\\CurrentControlSet\\Control\\Lsa\\RestrictAnonymous",
    "System\\CurrentControlSet\\Control\\Lsa\\RestrictAnonymousSAM",
    "System\\CurrentControlSet\\Services\\LanManServer\\Parameters\\RequireSecuritySignature",
)


def _see_log(call: Call) -> str:
    log = "%windir%\\security\\logs\\scesrv.log"
    return call.text(f"See log {log} for detail info.", f"有关详细信息，请参阅日志 {log}。")


def _done(call: Call) -> None:
    call.line()
    call.line(call.text("The task has completed successfully.", "任务成功结束。"))
    call.line(_see_log(call))


def _usage(call: Call) -> int:
    call.line(call.text("The command-line syntax is not right.", "命令行语法不正确。"))
    return 1


def _options(call: Call) -> dict[str, list[str]] | None:
    found: dict[str, list[str]] = {}
    name = ""
    for word in call.args[1:]:
        if word.startswith("/"):
            name = word[1:].lower()
            found[name] = []
        elif name:
            found[name].append(word)
        else:
            return None
    return found


def _areas(options: dict[str, list[str]]) -> set[str]:
    chosen = {area.lower() for area in options.get("areas", [])} or _AREAS
    if chosen - _AREAS:
        raise NotModelledError(f"secedit area {min(chosen - _AREAS)}")
    return chosen


def _export(call: Call, options: dict[str, list[str]]) -> int:
    if not options.get("cfg") or set(options) - {"cfg", "areas", "log", "quiet", "mergedpolicy"}:
        if "db" in options:
            raise NotModelledError("secedit /export /db")
        return _usage(call)
    if not call.admin:
        return _NOT_ELEVATED
    areas = _areas(options)
    lines = _merged(call, areas) if "mergedpolicy" in options else _in_force(call, areas)
    text = "".join(f"{line}\r\n" for line in lines)
    target = paths.normalise(options["cfg"][0], call.cwd)
    files = call.host.files
    ansi = files.exists(target) and not files.read(target).startswith(b"\xff\xfe")
    ansi_codec = codec(936 if call.host.locale.chinese else 1252)
    data = text.encode(ansi_codec, "replace") if ansi else b"\xff\xfe" + text.encode("utf-16-le")
    files.write(target, data)
    if "quiet" not in options:
        _done(call)
    return 0


def _in_force(call: Call, areas: set[str]) -> Iterator[str]:
    policy = call.host.policy
    yield from ("[Unicode]", "Unicode=yes")
    if "securitypolicy" in areas:
        yield "[System Access]"
        for key, value in policy.account_policy().items():
            yield f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
        yield "[Registry Values]"
        yield from _registry_lines(call)
    if "user_rights" in areas:
        yield "[Privilege Rights]"
        for right, sids in policy.rights.items():
            if sids:
                yield f"{right} = {','.join(f'*{sid}' for sid in sids)}"
    yield from ("[Version]", 'signature="$CHICAGO$"', "Revision=1")


def _merged(call: Call, areas: set[str]) -> Iterator[str]:
    policy, security = call.host.group_policy, "securitypolicy" in areas
    yield from template_lines(
        Gpo(
            name="",
            guid="",
            domain="",
            access=policy.access() if security else {},
            security_values=tuple(policy.security_values().values()) if security else (),
            rights=policy.rights() if "user_rights" in areas else {},
            services=policy.services() if "services" in areas else {},
        )
    )


def _registry_lines(call: Call) -> list[str]:
    found = []
    for full in _SHOWN:
        key, _, name = full.rpartition("\\")
        value = call.host.registry.value(f"HKLM\\{key}", name)
        if value is not None and isinstance(value.data, int):
            found.append(f"MACHINE\\{full}=4,{value.data}")
    return found


def _read_template(call: Call, name: str) -> str:
    """A template's text, when it is one; `BadTemplateError` otherwise."""
    data = call.host.files.read(name, call.cwd)
    text = decoded(data, codec(936 if call.host.locale.chinese else 1252))
    sections(text)
    return text


def _import(call: Call, options: dict[str, list[str]]) -> list[str] | int:
    """Put the template of /cfg into the database of /db; return all that stand there, oldest first.

    Without /overwrite a template is appended to what the database has ("secedit /configure").
    """
    files, database = call.host.files, paths.normalise(options["db"][0], call.cwd)
    stored: list[str] = []
    if files.exists(database):
        kept = templates_in(files.read(database))
        if kept is None:
            return _failed(call, 13)
        stored = kept
    if not options.get("cfg"):
        # A database without a template needs one named.
        return stored or _failed(call, 87)
    try:
        text = _read_template(call, options["cfg"][0])
    except BadTemplateError:
        return _failed(call, 13)
    except WindowsError as error:
        return _failed(call, error.code)
    stored = [text] if "overwrite" in options else [*stored, text]
    files.write(database, database_of(stored))
    return stored


def _prepared(call: Call, options: dict[str, list[str]], allowed: set[str]) -> list[str] | int:
    if not options.get("db") or options.keys() - allowed:
        return _usage(call)
    if not call.admin:
        return _NOT_ELEVATED
    return _import(call, options)


def _only_import(call: Call, options: dict[str, list[str]]) -> int:
    if not options.get("cfg"):
        return _usage(call)
    stored = _prepared(call, options, {"db", "cfg", "areas", "overwrite", "log", "quiet"})
    return stored if isinstance(stored, int) else _ended(call, options, 0)


def _configure(call: Call, options: dict[str, list[str]]) -> int:
    areas = _areas(options)
    stored = _prepared(call, options, {"db", "cfg", "areas", "overwrite", "log", "quiet"})
    if isinstance(stored, int):
        return stored
    merged = merge([sections(text) for text in stored])
    problems = list(_apply(call, merged, areas))
    return _ended(call, options, problems[0] if problems else 0)


def _apply(
    call: Call, template: dict[str, list[tuple[str, str]]], areas: set[str]
) -> Iterator[int]:
    """Do what the areas hold, each on its own; yield the Win32 errors of those that failed."""
    policy = call.host.policy
    steps: list[Callable[[], None]] = []
    if "securitypolicy" in areas:
        steps.append(lambda: policy.set_access(access(template.get("system access", []))))
        rows = template.get("registry values", [])
        steps += [partial(set_registry, call.host, full, value) for full, value in rows]
    if "user_rights" in areas:
        rows = template.get("privilege rights", [])
        steps += [partial(set_right, call.host, right, value) for right, value in rows]
    for do in steps:
        try:
            do()
        except WindowsError as error:
            yield error.code


def _ended(call: Call, options: dict[str, list[str]], code: int) -> int:
    if "quiet" not in options:
        if code:
            _failed(call, code)
        else:
            _done(call)
    return 3 if code else 0


def _failed(call: Call, code: int) -> int:
    call.line()
    call.line(call.message(code))
    call.line()
    call.line(call.text("The task has completed with an error.", "任务已完成，但出现错误。"))
    call.line(_see_log(call))
    return 1


def _validate(call: Call) -> int:
    names = [word for word in call.args[1:] if not word.startswith("/")]
    if len(names) != 1:
        return _usage(call)
    try:
        _read_template(call, names[0])
    except BadTemplateError:
        return _failed(call, 13)
    except WindowsError as error:
        return _failed(call, error.code)
    _done(call)
    return 0


@program("secedit")
def secedit(call: Call) -> int:
    """Export policy to a template, import one into a database, configure from it, check one."""
    verb = call.args[0].lower() if call.args else ""
    if verb == "/validate":
        return _validate(call)
    options = _options(call)
    if options is None:
        return _usage(call)
    if verb == "/import":
        return _only_import(call, options)
    if verb == "/export":
        return _export(call, options)
    if verb == "/configure":
        return _configure(call, options)
    raise NotModelledError(f"secedit {verb}".strip())

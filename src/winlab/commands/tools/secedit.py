"""secedit.exe: export and configure. Sources: "secedit" (Microsoft Learn), [MS-GPSB] 2.2.

An export holds what is in force; with /mergedpolicy it holds what GPOs deliver and nothing else, on a
host without a domain nothing, and without an elevated token secedit ends with 740 and writes no file
(tomstryhn/RemoteSecEdit, read on Windows Server 2016 to 2025). An export into a new file is UTF-16
with a mark, into an existing one without a mark ANSI (ansible.windows win_security_policy.ps1
relies on it). A section that Windows refuses leaves the
others applied and ends with 3; that 3 also stands for SIDs of nobody is assumed.
"""

from __future__ import annotations

from collections.abc import Iterator

from winlab.commands.call import Call, codec, program
from winlab.host import paths
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.grouppolicy import Gpo, template_lines
from winlab.host.registry import RegData, RegType

_AREAS = {"securitypolicy", "group_mgmt", "user_rights", "regkeys", "filestore", "services"}
_SECTIONS = {"unicode", "version", "system access", "registry values", "privilege rights"}
_NOT_ELEVATED = 740
_TEXT_KEYS = {"newadministratorname", "newguestname"}

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


class _BadTemplateError(Exception):
    """The template cannot be imported."""


def _done(call: Call) -> None:
    call.line()
    call.line(call.text("The task has completed successfully.", "任务成功结束。"))
    log = "%windir%\\security\\logs\\scesrv.log"
    call.line(call.text(f"See log {log} for detail info.", f"有关详细信息，请参阅日志 {log}。"))


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


def _template(call: Call, name: str) -> dict[str, list[tuple[str, str]]]:
    data = call.host.files.read(name, call.cwd)
    if data.startswith(b"\xff\xfe"):
        text = data[2:].decode("utf-16-le", "replace")
    else:
        text = data.decode(codec(936 if call.host.locale.chinese else 1252), "replace")
    sections: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] | None = None
    for raw in text.splitlines():
        line = raw.strip().rstrip("\0")
        if not line or line.startswith(";"):
            continue
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1].lower(), [])
        elif current is None:
            raise _BadTemplateError
        else:
            key, _, value = line.partition("=")
            current.append((key.strip(), value.strip()))
    signature = dict(sections.get("version", [])).get("signature", "").strip('"')
    if signature != "$CHICAGO$":
        raise _BadTemplateError
    for section in sections:
        if section not in _SECTIONS and sections[section]:
            raise NotModelledError(f"the section [{section}] of a security template")
    return sections


def _fields(value: str) -> list[str]:
    """Split at commas outside quotes; a doubled quote inside quotes is one quote."""
    fields, current, quoted, at = [], "", False, 0
    while at < len(value):
        char = value[at]
        if quoted and value[at : at + 2] == '""':
            current += '"'
            at += 1
        elif char == '"':
            quoted = not quoted
        elif char == "," and not quoted:
            fields.append(current)
            current = ""
        else:
            current += char
        at += 1
    return [*fields, current]


def _data(kind: int, fields: list[str]) -> tuple[RegType, RegData]:
    try:
        match kind:
            case 4:
                return RegType.REG_DWORD, int(fields[0]) % 2**32
            case 3:
                return RegType.REG_BINARY, bytes(int(part) for part in fields if part)
            case 7:
                return RegType.REG_MULTI_SZ, tuple(fields)
            case 1 | 2:
                return RegType(kind), ",".join(fields)
    except (ValueError, IndexError):
        pass
    raise WindowsError(13, "Registry Values")


def _set_registry(call: Call, rows: list[tuple[str, str]]) -> None:
    for full, value in rows:
        key, _, name = full.rpartition("\\")
        hive, _, path = key.partition("\\")
        if hive.upper() != "MACHINE":
            raise NotModelledError(f"the registry hive {hive} in a security template")
        kind, *fields = _fields(value)
        if not kind.isdecimal():
            raise WindowsError(13, full)
        chosen, data = _data(int(kind), fields)
        found = call.host.registry.value(f"HKLM\\{path}", name)
        if found is None or (found.type, found.data) != (chosen, data):
            call.host.registry.set_value(f"HKLM\\{path}", name, data, chosen)


def _set_rights(call: Call, rows: list[tuple[str, str]]) -> bool:
    good = True
    for right, value in rows:
        sids = []
        for one in (part.strip() for part in value.split(",")):
            if not one:
                continue
            try:
                sids.append(call.host.accounts.sid_of(one.removeprefix("*")))
            except WindowsError:
                good = False
        call.host.policy.set_right(right, tuple(sids))
    return good


def _access(rows: list[tuple[str, str]]) -> dict[str, int | str]:
    found: dict[str, int | str] = {}
    for key, value in rows:
        if key.lower() in _TEXT_KEYS:
            found[key] = value.strip('"')
        else:
            try:
                found[key] = int(value)
            except ValueError:
                raise WindowsError(87, key) from None
    return found


def _configure(call: Call, options: dict[str, list[str]]) -> int:
    if not options.get("db") or not options.get("cfg"):
        return _usage(call)
    if set(options) - {"db", "cfg", "areas", "overwrite", "log", "quiet"}:
        return _usage(call)
    if not call.admin:
        call.line(call.message(5))
        return 1
    areas = _areas(options)
    database = paths.normalise(options["db"][0], call.cwd)
    if call.host.files.exists(database) and "overwrite" not in options:
        raise NotModelledError("secedit /configure with a database that is there")
    try:
        sections = _template(call, options["cfg"][0])
    except (_BadTemplateError, WindowsError):
        call.line(call.message(13))
        return 1
    call.host.files.write(database, b"\0" * 4096)
    good = True
    try:
        if "securitypolicy" in areas:
            good &= _section(
                lambda: call.host.policy.set_access(_access(sections.get("system access", [])))
            )
            good &= _section(lambda: _set_registry(call, sections.get("registry values", [])))
        if "user_rights" in areas:
            good &= _set_rights(call, sections.get("privilege rights", []))
    except NotModelledError:
        raise
    if "quiet" not in options:
        _done(call)
    return 0 if good else 3


def _section(change: object) -> bool:
    assert callable(change)
    try:
        change()
    except WindowsError:
        return False
    return True


@program("secedit")
def secedit(call: Call) -> int:
    """Export the local policy to a template, or configure it from one."""
    verb = call.args[0].lower() if call.args else ""
    options = _options(call)
    if options is None:
        return _usage(call)
    if verb == "/export":
        return _export(call, options)
    if verb == "/configure":
        return _configure(call, options)
    raise NotModelledError(f"secedit {verb}".strip())

"""What is copied to a host to apply a plan: one cabinet with its stages, and the way back from each.

A template holds what it can (account policy, rights, registry values), a registry script the odd
values and those to remove, native commands the rest (audit, services, the local firewall). The scheduled
reverts and the restore playbook run the same commands from the state that was observed. The files of
stage N are ``N.*``, those of its way back ``N-back.*``, its task ``N.xml``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cabarchive import CabArchive, CabFile, CorruptionError, NotSupportedError

from opsproof.errors import UsageError
from opsproof.inspection.command import MARKER, MAX_LINE, step
from opsproof.policy import regtext, security
from opsproof.policy.command import CABINET, FOLDER, REVERT_TASK
from opsproof.policy.observed import Observed, firewall_path
from opsproof.policy.plan import Change, Plan
from opsproof.policy.registry import Data, RegistryPath, RegistryType, RegistryValue
from opsproof.policy.targets import (
    Audit,
    Firewall,
    FirewallProperty,
    Profile,
    Registry,
    Right,
    Service,
    SystemAccess,
    Target,
    Value,
)
from opsproof.policy.users import HIVE as USER_HIVE
from opsproof.policy.users import UserWrite, user_files, user_lines

_INF_TYPES = {
    RegistryType.SZ,
    RegistryType.EXPAND_SZ,
    RegistryType.BINARY,
    RegistryType.DWORD,
    RegistryType.MULTI_SZ,
}
_NETSH = {
    FirewallProperty.ENABLED: "state {}",
    FirewallProperty.UNICAST: "settings unicastresponsetomulticast {}",
    FirewallProperty.LOG_SIZE: "logging maxfilesize {}",
    FirewallProperty.LOG_DROPPED: "logging droppedconnections {}",
    FirewallProperty.LOG_ALLOWED: "logging allowedconnections {}",
}


_TOUCHED = "settings.txt"

# One word of netsh says all three.
_POLICY_WORD = {FirewallProperty.INBOUND, FirewallProperty.OUTBOUND, FirewallProperty.SHIELDS}


@dataclass(frozen=True, slots=True)
class Write:
    """One target and what is to stand there; None removes it. ``kind`` is for registry values."""

    target: Target
    value: Value | None
    exact: RegistryValue | None = None


def forward(changes: Iterable[Change], observed: Observed) -> list[Write]:
    """What changes write."""
    found = [Write(change.setting.target, change.after) for change in changes]
    return found + [one for one in _shields(found, observed) if one.value is not None]


def backward(changes: Iterable[Change], observed: Observed) -> list[Write]:
    """What puts back every value that changes touch, registry values with their own type."""
    found = []
    for change in changes:
        target = change.setting.target
        path = target.path if isinstance(target, Registry) else None
        path = firewall_path(target) if isinstance(target, Firewall) else path
        exact = None if path is None else observed.registry.get(path.folded)
        found.append(Write(target, change.before, exact))
    return found + _shields(found, observed)


def _shields(writes: Sequence[Write], observed: Observed) -> list[Write]:
    """What netsh would change along with a profile's policy: whether any exception counts."""
    named = {write.target for write in writes}
    profiles = {
        target.profile
        for target in named
        if isinstance(target, Firewall) and target.name in _POLICY_WORD
    }
    targets = [Firewall(profile, FirewallProperty.SHIELDS) for profile in sorted(profiles)]
    local = {one: observed.registry.get(firewall_path(one).folded) for one in targets}
    return [
        Write(one, value.data if value is not None and isinstance(value.data, int) else None, value)
        for one, value in local.items()
        if one not in named
    ]


def template(writes: Iterable[Write]) -> security.SecurityTemplate:
    """The part of the writes that a security template can express."""
    access: dict[str, int | str] = {}
    rights: dict[str, tuple[str, ...]] = {}
    registry: list[RegistryValue] = []
    for write in writes:
        match write.target:
            case SystemAccess(key) if isinstance(write.value, (int, str)):
                access[key] = write.value
            case Right(name) if isinstance(write.value, tuple):
                rights[name] = write.value
            case Registry() if not _of_users(write):
                value = _registry(write)
                if value is not None and _in_template(value):
                    registry.append(value)
    return security.SecurityTemplate(system_access=access, rights=rights, registry=tuple(registry))


def commands(writes: Sequence[Write]) -> list[str]:
    """Native command lines for what a template cannot express.

    Raises:
        UsageError: a value cannot stand in a command line.
    """
    lines = [line for write in writes for line in _commands(write)]
    lines += _firewall_policies(writes)
    for line in lines:
        if len(line) > MAX_LINE or any(char in line for char in "\r\n"):
            raise UsageError(f"{line[:60]!r} cannot stand in a command file")
    return lines


def cabinet(plan: Plan, observed: Observed, *, revert_after: timedelta) -> bytes:
    """The one file for a host. The same plan and state give the same bytes."""
    files: dict[str, bytes] = {}
    for number, changes in enumerate(plan.stages, start=1):
        there, back = forward(changes, observed), backward(changes, observed)
        users = _user_writes(there, observed, back=False)
        files |= _files(str(number), there, users)
        users = _user_writes(back, observed, back=True)
        files |= _files(f"{number}-back", back, users, final=True)
        files[f"{number}.xml"] = _task(number, revert_after)
    return _packed(files)


def restore_cabinet(changes: Iterable[Change], observed: Observed) -> bytes:
    """The file with which the restore playbook puts a host back: it names what it touches, too."""
    changes = tuple(changes)
    back = backward(changes, observed)
    ids = "".join(f"{change.setting.id}\n" for change in changes)
    files = _files("1", back, _user_writes(back, observed, back=True))
    return _packed(files | {_TOUCHED: ids.encode()})


def touched(data: bytes) -> frozenset[str] | None:
    """Ids of the settings that a restore cabinet puts back; None where it does not name them.

    Raises:
        UsageError: it is no whole cabinet.
    """
    try:
        # An empty file is a cabinet to the library.
        found = CabArchive(data or b"-").get(_TOUCHED)
    except (CorruptionError, NotSupportedError) as e:
        raise UsageError(f"it is no whole cabinet: {e}") from e
    return None if found is None else frozenset((found.buf or b"").decode().split())


def _files(
    name: str, writes: Sequence[Write], users: Sequence[UserWrite], *, final: bool = False
) -> dict[str, bytes]:
    files = {
        f"{name}.inf": security.write(template(writes)),
        f"{name}.cmd": command_file(name, writes, users, final=final),
        **user_files(name, users),
    }
    registry = script(writes)
    return files if registry is None else files | {f"{name}.reg": registry}


def _packed(files: dict[str, bytes]) -> bytes:
    archive = CabArchive()
    for name, data in files.items():
        archive[name] = CabFile(data)
    packed: Any = archive.save(compress=True)
    return bytes(packed)


def apply_command(*, stage: int, scheduled: bool = True) -> str:
    """The line for ``cmd.exe /c`` that runs a stage of the cabinet, its revert scheduled first.

    The first stage unpacks the cabinet. A later one is sent over a new session, which confirms the
    one before: its revert takes the place of the earlier one, which must still be there.
    """
    steps = []
    if stage == 1:
        steps = [
            f'(if exist "{FOLDER}" rd /s /q "{FOLDER}")',
            f'mkdir "{FOLDER}"',
            f'cd /d "{FOLDER}"',
            step("unpack", f'expand -F:* "{CABINET}" . >nul'),
        ]
    else:
        steps = [f'cd /d "{FOLDER}"']
    run = f"call {stage}.cmd"
    if scheduled:
        # Nothing is written unless the way back stands.
        waits = f"schtasks /query /tn {REVERT_TASK} >nul && " if stage > 1 else ""
        create = f"{waits}schtasks /create /tn {REVERT_TASK} /xml {stage}.xml /f >nul"
        run = (
            f"echo {MARKER}begin schedule & {create} "
            f"&& (echo {MARKER}end ok & {run}) || echo {MARKER}end failed"
        )
    return " & ".join((*steps, run, "exit 0"))


def command_file(
    name: str, writes: Sequence[Write], users: Sequence[UserWrite], *, final: bool = False
) -> bytes:
    """``N.cmd``: imports the template beside it, runs the commands, says how they ended.

    With ``final`` it then removes the scheduled task that runs it.
    """
    lines = ["@echo off", f'cd /d "{FOLDER}"']
    if template(writes) != security.SecurityTemplate():
        lines += [
            f"echo {MARKER}begin secedit",
            # secedit refuses to import into a database that is there.
            f"if exist {name}.sdb del {name}.sdb",
            f"secedit /configure /db {name}.sdb /cfg {name}.inf "
            "/areas SECURITYPOLICY USER_RIGHTS /quiet",
            # 3 is "finished with warnings"; the verifying read tells what they were worth.
            f"if %errorlevel%==0 (echo {MARKER}end ok) else if %errorlevel%==3 "
            f"(echo {MARKER}end ok) else (echo {MARKER}end failed)",
        ]
    for number, line in enumerate(commands(writes), start=1):
        lines.append(step(f"command {number}", f"{line} >nul 2>nul"))
    # Last: it removes what a command of netsh had to name along with something else.
    if script(writes) is not None:
        lines.append(step("registry", f"reg import {name}.reg >nul 2>nul"))
    lines += user_lines(name, users)
    if final:
        lines.append(f"schtasks /delete /tn {REVERT_TASK} /f >nul 2>nul")
    lines += [f"echo {MARKER}begin done", f"echo {MARKER}end ok", "exit /b 0"]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _registry(write: Write) -> RegistryValue | None:
    """The registry value to write; None to remove it."""
    assert isinstance(write.target, Registry)
    if write.exact is not None:
        return write.exact
    if write.value is None:
        return None
    data: Data = write.value
    if write.target.type is RegistryType.BINARY and isinstance(data, str):
        data = bytes.fromhex(data)
    return RegistryValue(write.target.path, write.target.type, data)


def _of_users(write: Write) -> bool:
    return isinstance(write.target, Registry) and write.target.path.hive == USER_HIVE


def _user_writes(
    writes: Iterable[Write], observed: Observed, *, back: bool
) -> tuple[UserWrite, ...]:
    """What each hive needs, hives that need nothing left out. ``back``: what stands there now."""
    chosen = [write for write in writes if _of_users(write)]
    found = []
    for user in observed.users:
        values: list[RegistryValue] = []
        gone: list[RegistryPath] = []
        for write in chosen:
            path = _path(write.target)
            assert path is not None
            now = user.values.get(path.folded)
            wanted = now if back else _registry(write)
            if not back and wanted == now:
                continue
            if wanted is None:
                gone.append(path)
            else:
                values.append(wanted)
        if values or gone:
            found.append(UserWrite(user.name, tuple(values), tuple(gone)))
    return tuple(found)


def _in_template(value: RegistryValue) -> bool:
    """Whether a template says it beyond doubt.

    There the last backslash ends the key, ``=`` the name and a comma a list's member, a line is a
    line, and how secedit reads a quote within quotes is written nowhere.
    """
    path, data = value.path, value.data
    plain = bool(path.name) and not any(char in path.name for char in "\\=") and "=" not in path.key
    texts = data if isinstance(data, tuple) else (data,)
    clean = all(
        not isinstance(text, str) or (text.isprintable() and '"' not in text) for text in texts
    )
    lists = not isinstance(data, tuple) or all(text and "," not in text for text in data)
    return value.type in _INF_TYPES and plain and clean and lists


def script(writes: Iterable[Write]) -> bytes | None:
    """The registry script with what a template cannot say: odd values, and values to remove."""
    values: list[RegistryValue] = []
    gone: list[RegistryPath] = []
    for write in writes:
        path = _path(write.target)
        if path is None or _of_users(write):
            continue
        if write.value is None:
            gone.append(path)
        elif isinstance(write.target, Registry):
            value = _registry(write)
            if value is not None and not _in_template(value):
                values.append(value)
    return regtext.script(values, gone) if values or gone else None


def _path(target: Target) -> RegistryPath | None:
    match target:
        case Registry(path):
            return path
        case Firewall():
            return firewall_path(target)
        case _:
            return None


def _commands(write: Write) -> list[str]:
    match write.target:
        case Audit(guid) if isinstance(write.value, int):
            success = "enable" if write.value & 1 else "disable"
            failure = "enable" if write.value & 2 else "disable"
            return [f"auditpol /set /subcategory:{guid} /success:{success} /failure:{failure}"]
        case Service(name) if isinstance(write.value, str):
            return [f'sc config "{_safe(name)}" start= {write.value}']
        case Firewall() as target:
            return _firewall(write, target)
        case _:
            return []


def _firewall(write: Write, target: Firewall) -> list[str]:
    # What was not configured goes back by the registry script: netsh knows no such word.
    if write.value is None or target.name not in _NETSH:
        return []
    number = int(write.value) if isinstance(write.value, int) else 0
    word = {FirewallProperty.ENABLED: ("off", "on")}.get(target.name, ("disable", "enable"))
    if target.name is FirewallProperty.LOG_SIZE:
        told = str(number)
    elif target.name is FirewallProperty.UNICAST:
        # The registry says what is disabled, netsh what is enabled.
        told = word[1 - min(number, 1)]
    else:
        told = word[min(number, 1)]
    return [f"netsh advfirewall set {target.profile}profile {_NETSH[target.name].format(told)}"]


def _firewall_policies(writes: Iterable[Write]) -> list[str]:
    """netsh sets both directions together, so they are joined; "notconfigured" is not a state."""
    asked: dict[Profile, dict[FirewallProperty, int]] = {}
    for write in writes:
        if isinstance(write.target, Firewall) and isinstance(write.value, int):
            asked.setdefault(write.target.profile, {})[write.target.name] = write.value
    lines = []
    for profile, values in asked.items():
        if values.keys() & _POLICY_WORD:
            # Windows' own defaults stand in for a direction that is not asked for.
            inbound = "blockinbound" if values.get(FirewallProperty.INBOUND, 1) else "allowinbound"
            if values.get(FirewallProperty.SHIELDS):
                inbound = "blockinboundalways"
            outbound = (
                "blockoutbound" if values.get(FirewallProperty.OUTBOUND, 0) else "allowoutbound"
            )
            lines.append(
                f"netsh advfirewall set {profile}profile firewallpolicy {inbound},{outbound}"
            )
    return lines


def _safe(text: str) -> str:
    if any(char in text for char in '"%\r\n'):
        raise UsageError(f"{text!r} cannot stand in a command line")
    return text


def _task(stage: int, after: timedelta) -> bytes:
    """A task that runs the way back as SYSTEM, a while after it was made ([MS-TSCH] 2.5).

    A registration trigger needs neither the host's clock nor its date format.
    """
    seconds = int(after.total_seconds())
    text = f"""<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers><RegistrationTrigger><Delay>PT{seconds}S</Delay></RegistrationTrigger></Triggers>
  <Principals><Principal id="Author"><UserId>S-1-5-18</UserId>
    <RunLevel>HighestAvailable</RunLevel></Principal></Principals>
  <Settings><DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable></Settings>
  <Actions Context="Author"><Exec><Command>%SystemRoot%\\System32\\cmd.exe</Command>
    <Arguments>/c "{FOLDER}\\{stage}-back.cmd"</Arguments></Exec></Actions>
</Task>
"""
    return b"\xff\xfe" + text.replace("\n", "\r\n").encode("utf-16-le")

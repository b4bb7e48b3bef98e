"""sc.exe. Source: "sc query", "sc config", "sc qc" (Microsoft Learn); \\\\SERVER as first argument."""

from __future__ import annotations

from typing import Any

from winlab.commands.call import Call, program
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.host import Host
from winlab.host.services import Service, StartMode

_STATES = {
    "stopped": (1, "STOPPED"),
    "start_pending": (2, "START_PENDING"),
    "stop_pending": (3, "STOP_PENDING"),
    "started": (4, "RUNNING"),
    "continue_pending": (5, "CONTINUE_PENDING"),
    "pause_pending": (6, "PAUSE_PENDING"),
    "paused": (7, "PAUSED"),
}
_TYPES = {
    "kernel_driver": (1, "KERNEL_DRIVER"),
    "file_system_driver": (2, "FILE_SYSTEM_DRIVER"),
    "win32_own_process": (0x10, "WIN32_OWN_PROCESS"),
    "win32_share_process": (0x20, "WIN32_SHARE_PROCESS"),
}
_STARTS = {
    "boot": (0, "BOOT_START"),
    "system": (1, "SYSTEM_START"),
    "auto": (2, "AUTO_START"),
    "delayed": (2, "AUTO_START  (DELAYED)"),
    "manual": (3, "DEMAND_START"),
    "disabled": (4, "DISABLED"),
}
_MODES: dict[str, StartMode] = {
    "boot": "boot",
    "system": "system",
    "auto": "auto",
    "demand": "manual",
    "disabled": "disabled",
    "delayed-auto": "delayed",
}
_ERRORS = {"ignore": (0, "IGNORE"), "normal": (1, "NORMAL"), "severe": (2, "SEVERE")}
_ERRORS["critical"] = (3, "CRITICAL")


def _failed(call: Call, function: str, code: int) -> int:
    word = call.text("FAILED", "失败")
    call.line(f"[SC] {function} {word} {code}:")
    call.line()
    call.line(call.message(code))
    call.line()
    return code


def _success(call: Call, function: str) -> int:
    call.line(f"[SC] {function} {call.text('SUCCESS', '成功')}")
    return 0


def _status(call: Call, service: Service, *, extended: bool, listed: bool) -> None:
    number, kind = _TYPES.get(service.service_type, (0x10, "WIN32_OWN_PROCESS"))
    state, name = _STATES[service.state]
    accepted = service.controls_accepted if service.state != "stopped" else ()
    call.line()
    call.line(f"SERVICE_NAME: {service.name} ")
    if listed:
        call.line(f"DISPLAY_NAME: {service.display_name}")
    call.line(f"        TYPE               : {number:x}  {kind}  ")
    call.line(f"        STATE              : {state}  {name} ")
    if service.state != "stopped":
        words = (
            "STOPPABLE" if "stop" in accepted else "NOT_STOPPABLE",
            "PAUSABLE" if "pause_continue" in accepted else "NOT_PAUSABLE",
            "ACCEPTS_SHUTDOWN" if "shutdown" in accepted else "IGNORES_SHUTDOWN",
        )
        call.line(f"                                ({', '.join(words)})")
    call.line(f"        WIN32_EXIT_CODE    : {service.exit_code}  (0x{service.exit_code:x})")
    code = service.service_exit_code
    call.line(f"        SERVICE_EXIT_CODE  : {code}  (0x{code:x})")
    call.line("        CHECKPOINT         : 0x0")
    call.line("        WAIT_HINT          : 0x0")
    if extended:
        call.line(f"        PID                : {service.process_id}")
        call.line("        FLAGS              : ")


def _pairs(args: list[str]) -> dict[str, str]:
    """Return ``name= value`` pairs; sc wants the blank after the equals sign."""
    found: dict[str, str] = {}
    index = 0
    while index < len(args):
        key = args[index].lower()
        if key.endswith("=") and index + 1 < len(args):
            found[key[:-1]] = args[index + 1]
            index += 2
        elif "=" in key[:-1]:
            raise WindowsError(1639, args[index])
        else:
            raise NotModelledError(f"sc argument {args[index]}")
    return found


def _query(call: Call, host: Host, args: list[str], *, extended: bool) -> int:
    if args and not args[0].endswith("="):
        service = host.services.find(args[0])
        if service is None:
            return _failed(call, "EnumQueryServicesStatus:OpenService", 1060)
        _status(call, service, extended=extended, listed=False)
        return 0
    options = _pairs(args)
    kind = options.get("type", "service").lower()
    state = options.get("state", "active").lower()
    for name in options:
        if name not in {"type", "state", "bufsize"}:
            raise NotModelledError(f"sc query {name}=")
    if kind not in {"service", "driver", "all"}:
        raise NotModelledError(f"sc query type= {kind}")
    if state not in {"active", "inactive", "all"}:
        raise NotModelledError(f"sc query state= {state}")
    for service in host.services.all():
        if kind != "all" and service.kernel != (kind == "driver"):
            continue
        stopped = service.state == "stopped"
        if state == "all" or (state == "inactive") == stopped:
            _status(call, service, extended=extended, listed=True)
    return 0


def _qc(call: Call, host: Host, args: list[str]) -> int:
    service = host.services.find(args[0]) if args else None
    if service is None:
        return _failed(call, "OpenService", 1060)
    number, kind = _TYPES.get(service.service_type, (0x10, "WIN32_OWN_PROCESS"))
    start, start_name = _STARTS[service.start_mode]
    error, error_name = _ERRORS[service.error_control]
    _success(call, "QueryServiceConfig")
    call.line()
    call.line(f"SERVICE_NAME: {service.name}")
    call.line(f"        TYPE               : {number:x}  {kind} ")
    call.line(f"        START_TYPE         : {start}   {start_name}")
    call.line(f"        ERROR_CONTROL      : {error}   {error_name}")
    call.line(f"        BINARY_PATH_NAME   : {service.path}")
    call.line(f"        LOAD_ORDER_GROUP   : {service.load_order_group}")
    call.line("        TAG                : 0")
    call.line(f"        DISPLAY_NAME       : {service.display_name}")
    first, *more = service.dependencies or ("",)
    call.line(f"        DEPENDENCIES       : {first}")
    for name in more:
        call.line(f"                           : {name}")
    account = {"NT AUTHORITY\\SYSTEM": "LocalSystem"}.get(service.account or "", service.account)
    call.line(f"        SERVICE_START_NAME : {account or ''}")
    return 0


def _config(call: Call, host: Host, args: list[str]) -> int:
    if not args:
        raise NotModelledError("sc config's help")
    if host.services.find(args[0]) is None:
        return _failed(call, "OpenService", 1060)
    changes: dict[str, Any] = {}
    for name, value in _pairs(args[1:]).items():
        if name == "start":
            mode = _MODES.get(value.lower())
            if mode is None:
                return _failed(call, "ChangeServiceConfig", 87)
            changes["start_mode"] = mode
        elif name == "displayname":
            changes["display_name"] = value
        elif name == "binpath":
            changes["path"] = value
        elif name == "obj":
            changes["account"] = "NT AUTHORITY\\SYSTEM" if value.lower() == "localsystem" else value
        elif name == "depend":
            changes["dependencies"] = tuple(d for d in value.split("/") if d)
        elif name != "password":
            raise NotModelledError(f"sc config {name}=")
    host.services.configure(args[0], **changes)
    return _success(call, "ChangeServiceConfig")


def _control(call: Call, host: Host, verb: str, args: list[str]) -> int:
    if not args or host.services.find(args[0]) is None:
        function = "StartService: OpenService" if verb == "start" else "OpenService"
        return _failed(call, function, 1060)
    services = host.services
    try:
        if verb == "start":
            service = services.start(args[0])
        elif verb == "stop":
            service = services.stop(args[0])
        elif verb == "pause":
            service = services.pause(args[0])
        else:
            service = services.resume(args[0])
    except WindowsError as exc:
        return _failed(call, "StartService" if verb == "start" else "ControlService", exc.code)
    _status(call, service, extended=verb == "start", listed=False)
    return 0


@program("sc")
def sc(call: Call) -> int:
    """Query and steer services, here or on a peer."""
    args = list(call.args)
    host = call.host
    if args and args[0].startswith("\\\\"):
        name = args.pop(0)
        if name.strip("\\").lower() != call.host.name.lower():
            peer = call.host.network.peer(name)
            if peer is None:
                return _failed(call, "OpenSCManager", 1722)
            host = peer
    if not args:
        raise NotModelledError("sc's help")
    verb = args.pop(0).lower()
    writes = {"config", "start", "stop", "pause", "continue", "delete"}
    if verb in writes and not call.admin:
        return _failed(call, "OpenService", 5)
    if verb in {"query", "queryex"}:
        return _query(call, host, args, extended=verb == "queryex")
    if verb == "qc":
        return _qc(call, host, args)
    if verb == "config":
        return _config(call, host, args)
    if verb in {"start", "stop", "pause", "continue"}:
        return _control(call, host, verb, args)
    if verb == "delete":
        if not args or host.services.find(args[0]) is None:
            return _failed(call, "OpenService", 1060)
        host.services.delete(args[0])
        return _success(call, "DeleteService")
    if verb == "qdescription":
        service = host.services.find(args[0]) if args else None
        if service is None:
            return _failed(call, "OpenService", 1060)
        _success(call, "QueryServiceConfig2")
        call.line()
        call.line(f"SERVICE_NAME: {service.name}")
        call.line(call.text("DESCRIPTION:  ", "描述:  ") + service.description)
        return 0
    raise NotModelledError(f"sc {verb}")

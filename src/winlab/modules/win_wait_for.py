"""ansible.windows.win_wait_for (win_wait_for.ps1, ansible.windows 3.3.0).

assumed: nothing else changes the host while the module waits, so that it looks once, and either
succeeds or lets the whole time-out pass.
"""

from __future__ import annotations

import re

from winlab.host.errors import WindowsError
from winlab.modules.kit.legacy import LegacyModule
from winlab.modules.kit.registry import Registered

_STATES = ("present", "started", "stopped", "absent", "drained")
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0"})  # noqa: S104  a modelled address


def run(module: LegacyModule) -> None:
    """Wait for a port, a file or some text in a file."""
    delay = module.get("delay", kind="int") or 0
    excluded = module.get("exclude_hosts", kind="list")
    hostname = module.get("host", kind="str", default="127.0.0.1")
    path = module.get("path", kind="path")
    port = module.get("port", kind="int")
    regex = module.get("regex", kind="str", aliases=["search_regex", "regexp"])
    pause = module.get("sleep", kind="int", default=1)
    state = module.get("state", kind="str", default="started", choices=_STATES).lower()
    timeout = module.get("timeout", kind="int", default=300)
    module.result["elapsed"] = 0
    _check(module, path, port, regex, state, excluded)
    if path is None and port is None and state != "drained":
        _end(module, delay + timeout, 0)
    if path is not None:
        met, text = _file(module, path, regex, wanted=state in {"present", "started"})
    elif port is not None:
        met, text = _port(module, hostname, port, state, excluded)
    else:
        met, text = True, ""
    if met:
        _end(module, delay, 1 if path is not None or port is not None else 0)
    module.context.duration += delay + timeout
    module.result["elapsed"] = delay + timeout
    module.result["wait_attempts"] = max(1, timeout // max(pause, 1))
    module.fail(text)


def _check(
    module: LegacyModule,
    path: str | None,
    port: int | None,
    regex: str | None,
    state: str,
    excluded: list[str] | None,
) -> None:
    if port is not None and path is not None:
        module.fail("port and path parameter can not both be passed to win_wait_for")
    if excluded is not None and state != "drained":
        module.fail("exclude_hosts should only be with state=drained")
    if path is not None and state in {"stopped", "drained"}:
        module.fail(
            f"state={state} should only be used for checking a port in the win_wait_for module"
        )
    if port is not None and regex is not None:
        module.fail(
            "regex should by used when checking a string in a file in the win_wait_for module"
        )


def _end(module: LegacyModule, elapsed: float, attempts: int) -> None:
    module.context.duration += elapsed
    module.result["elapsed"] = elapsed
    module.result["wait_attempts"] = attempts
    module.exit()


def _file(module: LegacyModule, path: str, regex: str | None, *, wanted: bool) -> tuple[bool, str]:
    there = module.host.files.exists(path, module.context.working_directory)
    if regex is None:
        word = "present" if wanted else "absent"
        return there is wanted, f"timeout while waiting for file {path} to be {word}"
    text = f"timeout while waiting for string regex {regex} in file {path} to "
    matches = there and _contains(module, path, regex)
    if wanted:
        return matches, f"{text}match"
    return not matches, f"{text}not match"


def _contains(module: LegacyModule, path: str, regex: str) -> bool:
    try:
        content = module.host.files.read(path, module.context.working_directory)
    except WindowsError:
        return False
    return re.search(regex, content.decode("utf-8", "replace"), re.IGNORECASE) is not None


def _port(
    module: LegacyModule, hostname: str, port: int, state: str, excluded: list[str] | None
) -> tuple[bool, str]:
    place = f"timeout while waiting for {hostname}:{port} to"
    if state == "drained":
        ignored = set(excluded or ())
        busy = [
            connection
            for connection in module.host.network.connections
            if connection.local.rpartition(":")[2] == str(port)
            and connection.remote.rpartition(":")[0] not in ignored
        ]
        return not busy, f"{place} drain"
    listens = _listens(module, hostname, port)
    if state in {"started", "present"}:
        return listens, f"{place} start listening"
    return not listens, f"{place} stop listening"


def _listens(module: LegacyModule, hostname: str, port: int) -> bool:
    host = module.host
    own = {adapter.address for adapter in host.network.adapters} | {host.name.lower()} | _LOCAL
    if hostname.lower() in own:
        return host.network.listening(port)
    peer = host.network.peer(hostname)
    return peer is not None and peer.network.listening(port)


MODULE = Registered("win_wait_for", legacy=run)

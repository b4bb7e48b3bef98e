"""What a module runs in: the host, the user, the user's environment, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from winlab.host.errors import WindowsError
from winlab.host.host import Host


@dataclass(frozen=True)
class ScriptOutput:
    """What one of the few PowerShell scripts that the lab models has written."""

    stdout: str = ""
    stderr: str = ""
    rc: int = 0


@dataclass(kw_only=True)
class RunContext:
    """One run on one host.

    ``environment`` has upper-case names and holds ``extra_environment``, what a task added.
    ``powershell`` runs a script when the lab models it, and gives None when it does not.
    ``duration`` (seconds of host time) and ``goes_down_after`` (seconds, None = stays up) grow as
    the run goes on. ``console`` is the shell's code page number.
    """

    host: Host
    user: str
    environment: Mapping[str, str]
    working_directory: str
    extra_environment: Mapping[str, str] = field(default_factory=dict)
    powershell: Callable[[RunContext, str], ScriptOutput | None] | None = None
    console: int = 65001
    psrp: bool = False
    duration: float = 0.0
    goes_down_after: float | None = None

    @property
    def user_sid(self) -> str:
        """The SID of the user, for HKCU; SYSTEM's when nobody has the name."""
        try:
            return self.host.accounts.sid_of(self.user)
        except WindowsError:
            return "S-1-5-18"


def user_context(
    host: Host, user: str, like: RunContext | None = None, extra: Mapping[str, str] | None = None
) -> RunContext:
    """A context in which ``user`` starts, with what ``like`` has besides."""
    own = host.environment_of(user)
    added = dict(extra if extra is not None else (like.extra_environment if like else {}))
    environment = {name.upper(): value for name, value in {**own, **added}.items()}
    return RunContext(
        host=host,
        user=user,
        environment=environment,
        working_directory=own["USERPROFILE"],
        extra_environment=added,
        powershell=like.powershell if like else None,
        console=like.console if like else 65001,
        psrp=like.psrp if like else False,
    )


@dataclass(eq=False)
class ModuleEnd(Exception):  # noqa: N818  success ends a module in the same way
    """A module has finished: raised by exit and fail, caught where modules are run."""

    result: dict[str, Any] = field(default_factory=dict)
    rc: int = 0


def to_one_line(result: Mapping[str, Any]) -> str:
    """``ConvertTo-Json -Compress`` of Windows PowerShell 5.1.

    It writes ``<``, ``>``, ``&`` and ``'`` as escapes (JavaScriptSerializer), other text as it is.
    """
    text = msgspec.json.encode(result).decode()
    for character in "<>&'":
        if character in text:
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text

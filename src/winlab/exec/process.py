"""What a session hands down to be run, and what comes back up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Process:
    """One WinRS command or one PSRP pipeline, complete with its input.

    ``command_line`` is what the client asked to run, joined by spaces. ``console`` is the code page
    number of the shell (65001 = UTF-8). ``psrp`` is true when a PSRP pipeline runs it: then
    ``command_line`` is the pipeline's script text and ``stdin`` its input lines joined by newlines.
    """

    command_line: str
    user: str
    stdin: bytes = b""
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str | None = None
    console: int = 65001
    psrp: bool = False


@dataclass(frozen=True, kw_only=True)
class ProcessResult:
    """What the process wrote and returned.

    ``output_objects`` replaces ``stdout`` for a PSRP pipeline that writes objects (strings).
    ``duration`` is how many seconds of the host's time it took: the session waits as long before it
    reports the end. ``goes_down_after`` is None, or the seconds after which the host stops
    answering (a reboot or a shutdown that this process began). ``refused`` tells that the lab did
    not run it, because it does not model what was asked.
    """

    rc: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    output_objects: tuple[str, ...] | None = None
    duration: float = 0.0
    goes_down_after: float | None = None
    refused: bool = False

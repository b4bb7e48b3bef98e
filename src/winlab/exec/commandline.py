"""What a WinRS command line asks for: PowerShell with a script, or a line for cmd.exe."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from functools import lru_cache

_POWERSHELL = re.compile(
    r'^\s*"?(?:[a-z]:\\windows\\system32\\windowspowershell\\v1\.0\\)?powershell(?:\.exe)?"?(?=\s|$)',
    re.IGNORECASE,
)
_ENCODED = re.compile(r"\s[-/](?:e|ec|enc\w*)\s+\"?([A-Za-z0-9+/=]+)\"?\s*$", re.IGNORECASE)
_COMMAND = re.compile(r"\s[-/]c(?:ommand)?\s+(.+)$", re.IGNORECASE | re.DOTALL)
_TYPED = re.compile(
    r'^\s*type\s+("[^"]+"|\'[^\']+\'|\S+)\s*\|\s*(powershell.*)$', re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True)
class PowerShellRun:
    """PowerShell with the text it runs; ``piped_file`` feeds its stdin (``type FILE | ...``)."""

    script: str
    piped_file: str | None = None


@dataclass(frozen=True)
class CmdRun:
    """A line for cmd.exe."""

    line: str


def parse(line: str) -> PowerShellRun | CmdRun:
    """Tell PowerShell runs from cmd lines (about_PowerShell_exe: -EncodedCommand, -Command).

    An encoded command that is no base64 of UTF-16LE is passed on as its own text, so that it is
    refused by name later.
    """
    piped: str | None = None
    if typed := _TYPED.match(line):
        piped, line = typed[1].strip("\"'"), typed[2]
    start = _POWERSHELL.match(line)
    if start is None:
        return CmdRun(line)
    rest = line[start.end() :]
    if encoded := _ENCODED.search(rest):
        return PowerShellRun(_decode(encoded[1]), piped)
    if command := _COMMAND.search(rest):
        return PowerShellRun(_unquote(command[1].strip()), piped)
    return PowerShellRun(rest.strip(), piped)


@lru_cache(maxsize=64)
def _decode(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError):
        return encoded


def _unquote(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    return text

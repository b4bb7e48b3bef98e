"""Which executables the lab models: importing their files registers them."""

from __future__ import annotations

from importlib import import_module

MODULES = (
    "appcmd",
    "auditpol",
    "certutil",
    "chcp",
    "cmd",
    "dism",
    "expand",
    "find",
    "findstr",
    "fsutil",
    "gpresult",
    "gpupdate",
    "hostname",
    "ipconfig",
    "makecab",
    "more",
    "net",
    "netsh",
    "netstat",
    "ping",
    "reg",
    "robocopy",
    "sc",
    "schtasks",
    "secedit",
    "shutdown",
    "sort",
    "sqlcmd",
    "systeminfo",
    "tar",
    "tasklist",
    "timeout",
    "w32tm",
    "wevtutil",
    "where",
    "whoami",
    "wmic",
    "wusa",
    "xcopy",
)


def load() -> None:
    """Register every modelled executable; later calls do nothing."""
    for name in MODULES:
        import_module(f"winlab.commands.tools.{name}")

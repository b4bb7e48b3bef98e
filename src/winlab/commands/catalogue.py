"""Which executables the lab models: importing their files registers them."""

from __future__ import annotations

from importlib import import_module

MODULES = (
    "appcmd",
    "chcp",
    "cmd",
    "find",
    "findstr",
    "fsutil",
    "hostname",
    "makecab",
    "more",
    "netsh",
    "netstat",
    "ping",
    "reg",
    "sc",
    "shutdown",
    "sort",
    "timeout",
    "w32tm",
    "wevtutil",
    "where",
    "whoami",
    "wmic",
)


def load() -> None:
    """Register every modelled executable; later calls do nothing."""
    for name in MODULES:
        import_module(f"winlab.commands.tools.{name}")

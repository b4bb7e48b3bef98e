"""What an executable gets and gives: arguments and host in, bytes and an exit code out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from winlab.host.host import Host
from winlab.host.messages import system_message

CODECS = {65001: "utf-8", 936: "gbk", 437: "cp437", 1252: "cp1252", 850: "cp850", 20127: "ascii"}


def codec(codepage: int) -> str:
    """Return Python's name of a Windows code page; unknown ones are treated as UTF-8."""
    return CODECS.get(codepage, "utf-8")


class Environment(dict[str, str]):
    """Environment variables: names keep their case and are found in any."""

    def _real(self, name: str) -> str:
        low = name.lower()
        return next((key for key in self if key.lower() == low), name)

    def find(self, name: str) -> str | None:
        """Return a variable's value, or None."""
        return self.get(self._real(name))

    def put(self, name: str, value: str | None) -> None:
        """Set a variable; None removes it."""
        real = self._real(name)
        if value is None:
            self.pop(real, None)
        else:
            self[real] = value


@dataclass(kw_only=True)
class Console:
    """What processes on one console share: the code page, and what they asked of the host.

    ``duration`` is seconds of the host's time that passed; ``goes_down_after`` is set by shutdown;
    ``depth`` is how deep commands run inside commands, over all shells of the console. ``remote``: the
    processes have a network logon, which may not install updates.
    """

    codepage: int = 65001
    duration: float = 0.0
    goes_down_after: float | None = None
    depth: int = 0
    remote: bool = True
    admin: bool
    """Whether its processes have an administrator's token: it stays so when the account changes."""


@dataclass(kw_only=True)
class Call:
    """One start of an executable.

    ``args`` follow the C runtime's splitting rules, ``tail`` is the command line after the program's
    name as typed. ``out`` and ``err`` collect bytes.
    """

    host: Host
    user: str
    name: str
    args: list[str]
    tail: str
    cwd: str
    env: Environment
    console: Console
    stdin: bytes = b""
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)

    @property
    def chinese(self) -> bool:
        """Whether texts are in Chinese: the display language, unless the code page has none."""
        return self.host.locale.chinese and self.console.codepage in {936, 65001}

    def text(self, english: str, chinese: str) -> str:
        """Return the text in the language this console shows."""
        return chinese if self.chinese else english

    def message(self, code: int) -> str:
        """Return the system's text for a Win32 error."""
        return system_message(code, "zh-CN" if self.chinese else "en-US")

    def write(self, text: str) -> None:
        """Write text to stdout in the console's code page, newlines as they are."""
        self.out += text.encode(codec(self.console.codepage), "replace")

    def line(self, text: str = "") -> None:
        """Write a line to stdout."""
        self.write(text + "\r\n")

    def error(self, text: str = "") -> None:
        """Write a line to stderr."""
        self.err += (text + "\r\n").encode(codec(self.console.codepage), "replace")

    def input_text(self) -> str:
        """Return stdin as text by the console's code page."""
        return self.stdin.decode(codec(self.console.codepage), "replace")

    @property
    def admin(self) -> bool:
        """Whether the process has an administrator's token."""
        return self.console.admin


Program: TypeAlias = Callable[[Call], int]

_PROGRAMS: dict[str, Program] = {}


def program(*names: str) -> Callable[[Program], Program]:
    """Register an executable under its file names without ".exe"."""

    def register(function: Program) -> Program:
        for name in names:
            _PROGRAMS[name.lower()] = function
        return function

    return register


def registered() -> dict[str, Program]:
    """Return every modelled executable by lower-case name."""
    return dict(_PROGRAMS)


def find_program(name: str) -> Program | None:
    """Return a modelled executable by name, or None."""
    return _PROGRAMS.get(name.lower())


def split_arguments(tail: str) -> list[str]:
    """Split a command tail as the Microsoft C runtime does.

    Source: "Parsing C command-line arguments" (Microsoft Learn): backslashes count before a quote,
    a doubled quote inside quotes is one quote.
    """
    args: list[str] = []
    current: list[str] = []
    quoted = started = False
    at = 0
    while at < len(tail):
        char = tail[at]
        if char == "\\":
            end = at
            while end < len(tail) and tail[end] == "\\":
                end += 1
            count = end - at
            if end < len(tail) and tail[end] == '"':
                current.append("\\" * (count // 2))
                if count % 2:
                    current.append('"')
                    end += 1
            else:
                current.append("\\" * count)
            started = True
            at = end
            continue
        if char == '"':
            started = True
            if quoted and tail[at + 1 : at + 2] == '"':
                current.append('"')
                at += 1
            else:
                quoted = not quoted
        elif char in " \t" and not quoted:
            if started:
                args.append("".join(current))
                current, started = [], False
        else:
            current.append(char)
            started = True
        at += 1
    if started:
        args.append("".join(current))
    return args

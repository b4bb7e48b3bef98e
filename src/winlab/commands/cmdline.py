"""How cmd.exe reads its own options. Source: "cmd" (Microsoft Learn)."""

from __future__ import annotations

from collections.abc import Callable

Runs = Callable[[str], bool]


def cmd_arguments(tail: str, runs: Runs) -> tuple[str, bool]:
    """Return (command, delayed) from what follows ``cmd.exe``: options, then /c or /k.

    Source: "cmd" (Microsoft Learn): without /s, exactly two quotes around an executable's name are
    kept; otherwise the first quote and the last one go. ``runs`` tells whether a name is that of an
    executable.
    """
    delayed = False
    strip_always = False
    rest = tail.lstrip()
    while rest.startswith("/"):
        option = rest[1:2].lower()
        if option in {"c", "k", "r"}:
            return unquote(rest[2:].lstrip(), runs, always=strip_always), delayed
        word, _, rest = rest.partition(" ")
        low = word.lower()
        strip_always |= low == "/s"
        delayed |= low in {"/v:on", "/v"}
        rest = rest.lstrip()
    return "", delayed


def unquote(command: str, runs: Runs, *, always: bool = False) -> str:
    """Take the outer quotes off a /c command as cmd does; ``runs`` as in `cmd_arguments`."""
    if not command.startswith('"'):
        return command
    plain = command.count('"') == 2 and not set(command) & set("&<>()@^|") and command.endswith('"')
    if not always and plain and " " in command and runs(command[1:-1]):
        return command
    head, _, tail = command[1:].rpartition('"')
    return head + tail

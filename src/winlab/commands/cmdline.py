"""How cmd.exe reads its own options. Source: "cmd" (Microsoft Learn)."""

from __future__ import annotations


def cmd_arguments(tail: str) -> tuple[str, bool]:
    """Return (command, delayed) from what follows ``cmd.exe``: options, then /c or /k.

    Source: "cmd" (Microsoft Learn): without /s, exactly two quotes around an executable's name are
    kept; otherwise the first quote and the last one go.
    """
    delayed = False
    strip_always = False
    rest = tail.lstrip()
    while rest.startswith("/"):
        option = rest[1:2].lower()
        if option in {"c", "k", "r"}:
            return unquote(rest[2:].lstrip(), always=strip_always), delayed
        word, _, rest = rest.partition(" ")
        low = word.lower()
        strip_always |= low == "/s"
        delayed |= low in {"/v:on", "/v"}
        rest = rest.lstrip()
    return "", delayed


def unquote(command: str, *, always: bool = False) -> str:
    """Take the outer quotes off a /c command as cmd does."""
    if not command.startswith('"'):
        return command
    plain = command.count('"') == 2 and not set(command) & set("&<>()@^|") and command.endswith('"')
    if not always and plain and " " in command:
        return command
    head, _, tail = command[1:].rpartition('"')
    return head + tail

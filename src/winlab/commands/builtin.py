"""cmd.exe's own commands by name, and how a command's first word is told from the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from winlab.commands import builtin_files, builtin_folder, builtin_state
from winlab.commands.outcome import Builtin, Outcome, kept

if TYPE_CHECKING:
    from winlab.commands.shell import Shell
    from winlab.commands.streams import Streams

__all__ = ["Builtin", "Outcome", "find_builtin"]

Table: TypeAlias = "dict[str, Builtin]"


def _not_modelled(name: str) -> Builtin:
    def run(shell: Shell, _: str, streams: Streams) -> Outcome:
        shell.host.not_modelled(f"cmd {name}")
        shell.say(streams.err, f"winlab does not model cmd's {name}")
        return Outcome(1)

    return run


def _nothing(_shell: Shell, _rest: str, _streams: Streams) -> Outcome:
    return kept(0)


BUILTINS: Table = {
    **builtin_state.COMMANDS,
    **builtin_files.COMMANDS,
    **builtin_folder.COMMANDS,
    "rem": _nothing,
    "cls": _nothing,
    "title": _nothing,
    "color": _nothing,
    "prompt": _nothing,
    **{
        name: _not_modelled(name)
        for name in ("assoc", "ftype", "mklink", "pause", "start", "verify", "keys", "dpath")
    },
}
_ENDS = ".:/\\[]+(,;= \t"


def find_builtin(text: str) -> tuple[str, str, Builtin | None]:
    """Return (first word, rest, the built-in command or None) of a command's text."""
    end = 0
    while end < len(text) and text[end].isalpha():
        end += 1
    word = text[:end].lower()
    if word in BUILTINS and (end == len(text) or text[end] in _ENDS):
        return word, text[end:], BUILTINS[word]
    quoted = False
    for at, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif not quoted and (char in " \t,;=" or (char == "/" and at)):
            return text[:at], text[at:], None
    return text, "", None

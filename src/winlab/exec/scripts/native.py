"""One Windows executable called from PowerShell, with literal arguments: what ``raw`` is used for.

Only lines without PowerShell's own syntax are taken: no variables, pipes, separators, blocks or
subexpressions. Quoted literals are allowed.
"""

from __future__ import annotations

import re

from winlab.modules.kit.commands import run_executable
from winlab.modules.kit.context import RunContext, ScriptOutput

_WORD = r"(?:[^\s'\"$`@|;&(){}<>#,]|'[^'\"]*'|\"[^\"$`]*\")+"
_LINE = re.compile(rf"(?:& )?({_WORD})((?:[ \t]+{_WORD})*)")
_LITERAL = re.compile(r"'([^']*)'")
# Names that PowerShell has aliases or cmdlets for; cmd's program of that name is not run.
_ALIASES = frozenset({"dir", "echo", "type", "copy", "move", "del", "sort", "sc", "where", "set"})


def run(context: RunContext, script: str) -> ScriptOutput | None:
    """Run the executable through the lab's commands; None when the line is more than that."""
    found = _LINE.fullmatch(script)
    if found is None:
        return None
    if found[1].strip("'\"").lower() in _ALIASES:
        return None
    answer = run_executable(context, _LITERAL.sub(r'"\1"', found[1] + found[2]))
    if answer is None:
        return None
    return ScriptOutput(
        stdout=answer.stdout.decode("utf-8", "replace"),
        stderr=answer.stderr.decode("utf-8", "replace"),
        rc=answer.rc,
    )

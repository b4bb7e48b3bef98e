"""Removal of a file or folder, as action plugins clear their temporary folder.

Source: ansible-core 2.19 ``plugins/shell/powershell.py`` (remove): ``Remove-Item 'P' -Force
-Recurse;``; 2.21 leaves out the quotes where they are not needed.
"""

from __future__ import annotations

import re
from contextlib import nullcontext

from winlab.exec.literals import unquote
from winlab.host.errors import WindowsError
from winlab.modules.kit.context import RunContext, ScriptOutput
from winlab.modules.kit.dotnet import io_message

_REMOVE = re.compile(r"Remove-Item ('(?:[^']|'')+'|[^\s';$()|&]+) -Force( -Recurse)?\s*;?")
_TEMPORARY = "\\ansible-tmp-"


def run(context: RunContext, script: str) -> ScriptOutput | None:
    """Remove what the path names; the transport's own temporary folder is no guarded write."""
    found = _REMOVE.fullmatch(script)
    if found is None:
        return None
    path, files, cwd = unquote(found[1]), context.host.files, context.working_directory
    guard = context.host.guard
    if not files.exists(path, cwd):
        text = f"Remove-Item : Cannot find path '{path}' because it does not exist."
        return ScriptOutput(stderr=text, rc=1)
    try:
        with guard.exempt() if _TEMPORARY in path else nullcontext():
            if not files.is_folder(path, cwd):
                files.remove(path, cwd, force=True)
            elif found[2]:
                files.rmtree(path, cwd)
            else:
                files.rmdir(path, cwd)
    except WindowsError as error:
        text = io_message(error, path, context.host.locale.name)
        return ScriptOutput(stderr=f"Remove-Item : Cannot remove item {path}: {text}", rc=1)
    return ScriptOutput()

"""Interpreter discovery, which ansible-core sends to every kind of host.

Source: ansible-core 2.19 ``executor/interpreter_discovery.py``: ``echo FOUND; command -v 'NAME';
...; echo ENDFOUND``. Windows PowerShell prints the echoes and knows no ``command``.
"""

from __future__ import annotations

import re

from winlab.modules.kit.context import RunContext, ScriptOutput

_DISCOVERY = re.compile(r"echo FOUND(; command -v '[^']+')*; echo ENDFOUND")


def run(context: RunContext, script: str) -> ScriptOutput | None:
    """Find no Python, in PowerShell's words."""
    if _DISCOVERY.fullmatch(script) is None:
        return None
    text = context.host.text(
        "command : The term 'command' is not recognized as the name of a cmdlet, function, script "
        "file, or operable program. Check the spelling of the name, or if a path was included, "
        "verify that the path is correct and try again.",
        "command : 无法将“command”项识别为 cmdlet、函数、脚本文件或可运行程序的名称。"
        "请检查名称的拼写，如果包括路径，请确保路径正确，然后再试一次。",
    )
    errors = "\r\n".join([text] * script.count("command -v"))
    return ScriptOutput(stdout="FOUND\r\nENDFOUND\r\n", stderr=errors)

"""A PSRP pipeline as a process sees it: script text, input lines, output objects, errors.

Source: [MS-PSRP] 2.2.2.10 (CREATE_PIPELINE), 2.2.2.17 (PIPELINE_INPUT).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from winlab.exec.process import ProcessResult
from winlab.wire.xml import XmlError, parse

_CLIXML = b"#< CLIXML"
_ERROR = "{http://schemas.microsoft.com/powershell/2004/04}S"
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def script_of(pipeline: Any) -> str:
    """The pipeline as PowerShell text.

    A script without arguments stays as it is; with arguments it becomes ``& { script } 'a' 'b'``;
    cmdlets become ``Name -Parameter 'value'``, joined by ``|``.
    """
    return " | ".join(_command(command) for command in pipeline.commands)


def _command(command: Any) -> str:
    text = str(command.command_text)
    words = [
        word
        for name, value in command.parameters
        for word in ([f"-{name.strip('-:')}"] if name else []) + _words(value)
    ]
    if command.is_script:
        return f"& {{ {text} }} {' '.join(words)}" if words else text
    return " ".join([text, *words])


def _words(value: object) -> list[str]:
    """A parameter's value; a switch has none."""
    if value is None:
        return []
    if isinstance(value, bool):
        return [f"${str(value).lower()}"]
    if isinstance(value, int | float):
        return [str(value)]
    return ["'" + str(value).replace("'", "''") + "'"]


def input_lines(values: Iterable[object]) -> list[str]:
    """Input objects as lines. Clients send single lines, or lists of lines."""
    lines: list[str] = []
    for value in values:
        if isinstance(value, list | tuple):
            lines += input_lines(value)
        else:
            lines.append(str(value))
    return lines


def output_objects(result: ProcessResult) -> Iterator[str]:
    """The objects that the pipeline writes: given ones, else one string for each line."""
    if result.output_objects is not None:
        yield from result.output_objects
    else:
        yield from result.stdout.decode("utf-8", "replace").splitlines()


def error_texts(stderr: bytes) -> Iterator[str]:
    """The error records' texts: those in CLIXML, else all of it as one."""
    if not stderr:
        return
    if stderr.startswith(_CLIXML):
        try:
            root = parse(stderr[len(_CLIXML) :].strip())
        except XmlError:
            yield stderr.decode("utf-8", "replace")
            return
        text = "".join(
            node.raw_text for node in root.find_all(_ERROR) if node.attributes.get("S") == "Error"
        )
        if text:
            yield _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text).rstrip("\r\n")
        return
    yield stderr.decode("utf-8", "replace").rstrip("\r\n")

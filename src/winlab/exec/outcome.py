"""What a script or an action has written, before it takes the form of a transport."""

from __future__ import annotations

from dataclasses import dataclass

from winlab.exec.clixml import error_stream
from winlab.exec.process import ProcessResult
from winlab.modules.kit.context import RunContext


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Pipeline output (strings), lines on the error stream, exit code."""

    lines: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    rc: int = 0
    text: str = ""
    """Native output that is no pipeline object, as it came."""
    refused: bool = False
    """The lab does not model it and nothing ran."""


def to_result(outcome: Outcome, context: RunContext, *, progress: bool = False) -> ProcessResult:
    """The outcome as the bytes of a WinRS command or the objects of a PSRP pipeline.

    PSRP carries errors as text: the session makes records of them. ``progress`` adds the progress
    record that real hosts send now and then (WinRS only).
    """
    if context.psrp:
        objects = (*outcome.lines, *outcome.text.splitlines())
        stdout = "\r\n".join(objects).encode()
        stderr = "\r\n".join(outcome.errors).encode()
        return ProcessResult(
            rc=outcome.rc,
            stdout=stdout,
            stderr=stderr,
            output_objects=objects,
            duration=context.duration,
            goes_down_after=context.goes_down_after,
            refused=outcome.refused,
        )
    text = "".join(f"{line}\r\n" for line in outcome.lines) + outcome.text
    return ProcessResult(
        rc=outcome.rc,
        stdout=text.encode(),
        stderr=error_stream(outcome.errors, progress=progress),
        duration=context.duration,
        goes_down_after=context.goes_down_after,
        refused=outcome.refused,
    )

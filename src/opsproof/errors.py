"""The one exception base of the package and the exit codes of the command line.

A message says what is wrong, where, and what to do, in one line. Only the command line prints
errors or exits; everything below it raises.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What every verb of the command line ends with; the worst of several wins (:func:`worst`)."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    NOT_EVALUATED = 3
    REFUSED = 4
    TAMPERED = 5
    INCOMPLETE = 6
    INTERRUPTED = 130


_WORST_FIRST = (
    ExitCode.INTERRUPTED,
    ExitCode.USAGE,
    ExitCode.TAMPERED,
    ExitCode.INCOMPLETE,
    ExitCode.REFUSED,
    ExitCode.NOT_EVALUATED,
    ExitCode.FINDINGS,
    ExitCode.OK,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The code that a command with several outcomes ends with; ``OK`` for none."""
    found = set(codes)
    return next((code for code in _WORST_FIRST if code in found), ExitCode.OK)


class OpsproofError(Exception):
    """Base of every error that a user can cause or must act on.

    ``what`` is wrong, ``where`` (a file and line, a host, a record) and ``remedy``, what to do.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.NOT_EVALUATED

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        """Keep the parts; the text is composed from them."""
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        """WHERE: WHAT (REMEDY)."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.remedy})" if self.remedy else text


class UsageError(OpsproofError):
    """The command line, a configuration file or an input file is not what it must be."""

    exit_code = ExitCode.USAGE


class RefusedError(OpsproofError):
    """A gate or a lock does not allow it."""

    exit_code = ExitCode.REFUSED


class TamperedError(OpsproofError):
    """Something sealed is no longer what was sealed."""

    exit_code = ExitCode.TAMPERED


class IncompleteError(OpsproofError):
    """Something that must be there is missing."""

    exit_code = ExitCode.INCOMPLETE

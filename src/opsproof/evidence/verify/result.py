"""What checking found: problems by place, what was checked, and what was not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from opsproof.errors import ExitCode, worst

Verdict = Literal["tampered", "incomplete"]

_CODES: dict[Verdict, ExitCode] = {
    "tampered": ExitCode.TAMPERED,
    "incomplete": ExitCode.INCOMPLETE,
}


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong. ``where`` is a path below the checked folder, with a line if any."""

    where: str
    verdict: Verdict
    what: str


@dataclass
class Verification:
    """The outcome of one check, filled while it goes on.

    ``done`` counts checks by name; ``not_done`` says what was not checked, and why; ``notes`` is
    what a reader should know although nothing is wrong.
    """

    path: str
    head: str | None = None
    entries: int = 0
    problems: list[Problem] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    not_done: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> ExitCode:
        """The worst of what was found."""
        return worst(_CODES[problem.verdict] for problem in self.problems)

    def tampered(self, where: str, what: str) -> None:
        """Record that something is no longer what was sealed."""
        self.problems.append(Problem(_printable(where), "tampered", _printable(what)))

    def incomplete(self, where: str, what: str) -> None:
        """Record that something is missing."""
        self.problems.append(Problem(_printable(where), "incomplete", _printable(what)))

    def skip(self, what: str) -> None:
        """Record once what was not checked."""
        what = _printable(what)
        if what not in self.not_done:
            self.not_done.append(what)

    def note(self, what: str) -> None:
        """Record once what a reader should know."""
        what = _printable(what)
        if what not in self.notes:
            self.notes.append(what)


def _printable(text: str) -> str:
    """Text that cannot hide or colour a line: names in tampered folders are the attacker's."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

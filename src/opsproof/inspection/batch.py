"""Splits what an inspection command printed into its sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from opsproof.errors import IncompleteError
from opsproof.inspection.command import MARKER


@dataclass(frozen=True)
class Section:
    """What one step printed. ``ok`` is whether its command ended with exit code 0.

    ``code`` is the exit code where the step tells it, else None.
    """

    text: str
    ok: bool
    code: int | None = None


@dataclass(frozen=True)
class Batch:
    """All sections by name, the tools the host does not have, and the folder of the exports.

    ``asked_at`` is the controller's time that the command carried.
    """

    sections: Mapping[str, Section]
    absent: frozenset[str] = field(default_factory=frozenset)
    scratch: str | None = None
    asked_at: datetime | None = None

    def section(self, name: str) -> Section:
        """The section of that name; raises :class:`IncompleteError` when the host never printed it."""
        try:
            return self.sections[name]
        except KeyError:
            raise IncompleteError(
                f"the host's answer lacks the section {name!r}",
                remedy="run the inspection again; look for a cut connection",
            ) from None

    def named(self, prefix: str) -> dict[str, Section]:
        """Sections called ``prefix NAME``, by NAME."""
        begin = prefix + " "
        return {
            name.removeprefix(begin): section
            for name, section in self.sections.items()
            if name.startswith(begin)
        }


def split_batch(stdout: str) -> Batch:
    """Reads what a command printed whose steps stand between markers of :data:`MARKER`.

    A section without an end marker (the command was cut off) raises :class:`IncompleteError`.
    """
    sections: dict[str, Section] = {}
    absent: set[str] = set()
    scratch: str | None = None
    asked_at: datetime | None = None
    name: str | None = None
    lines: list[str] = []
    # wmic ends lines with CR CR LF, everything else with CR LF.
    for raw in stdout.replace("\r", "").split("\n"):
        line = raw.rstrip()
        if not line.startswith(MARKER):
            lines.append(raw)
            continue
        verb, _, rest = line.removeprefix(MARKER).partition(" ")
        match verb:
            case "begin":
                name, lines = rest, []
            case "end" if name is not None:
                sections[name] = _section(lines, rest)
                name = None
            case "absent":
                absent.add(rest)
            case "scratch":
                scratch = rest
            case "asked":
                asked_at = datetime.fromisoformat(rest)
    if name is not None:
        raise IncompleteError(
            f"the host's answer ends within the section {name!r}",
            remedy="run the inspection again; look for a cut connection",
        )
    return Batch(sections, frozenset(absent), scratch, asked_at)


def _section(lines: list[str], end: str) -> Section:
    code = int(end) if end.lstrip("-").isdecimal() else None
    return Section("\n".join(lines), end == "ok" or code == 0, code)

"""What a host was asked to do, counted: the numbers that round-trip budgets are written in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_NUMBERS = ("requests", "commands", "modules", "files", "bytes_in", "bytes_out")


@dataclass
class Counters:
    """Totals since the start or the last reset; bytes are those of HTTP bodies.

    ``commands`` are WinRS commands and PSRP pipelines, ``modules`` Ansible module runs (a poll of
    an async task is one), ``files`` what connections put or fetched. ``runs`` counts by what ran:
    "module win_ping", "put", "fetch", "script", "cmd", "refused", "sql login", "sql batch".
    """

    requests: int = 0
    commands: int = 0
    modules: int = 0
    files: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    runs: Counter[str] = field(default_factory=Counter)

    def saw(self, what: str) -> None:
        """Count one thing that `winlab.exec` reports to have run."""
        self.runs[what] += 1
        if what.startswith("module "):
            self.modules += 1
        elif what in {"put", "fetch"}:
            self.files += 1

    def saw_sql(self, what: str, bytes_in: int, bytes_out: int) -> None:
        """Count a TDS request, such as "sql batch"; bytes are those of its messages."""
        self.runs[what] += 1
        self.bytes_in += bytes_in
        self.bytes_out += bytes_out

    def add(self, other: Counters) -> None:
        """Add another host's totals."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.runs.update(other.runs)

    def as_dict(self) -> dict[str, Any]:
        """Return the totals by name, ``runs`` sorted."""
        numbers: dict[str, Any] = {name: getattr(self, name) for name in _NUMBERS}
        return {**numbers, "runs": dict(sorted(self.runs.items()))}

"""What the benchmarks of the lab share: a lab in a temporary folder and how to weigh a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system seconds that a process has used (proc(5): fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mb(pid: int, field: str = "VmHWM") -> float:
    """Peak (VmHWM) or present (VmRSS) resident memory in MB of 10^6 bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(field)


def winlab(folder: Path, *arguments: str) -> str:
    """Run the lab's command line with a state folder of its own and return what it prints."""
    command = [sys.executable, "-m", "winlab.cli", "--state", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def small_lab(hosts: int) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield (folder, state.json) of a running lab of equal small hosts."""
    with tempfile.TemporaryDirectory(prefix="winlab-bench-") as name:
        folder = Path(name)
        estate = folder / "estate.yml"
        estate.write_text(
            f"estate: 1\ngroups:\n  - {{prefix: bulk-, count: {hosts}, host: {{name: x}}}}\n"
        )
        state = folder / "state"
        winlab(state, "up", str(estate))
        try:
            yield folder, json.loads((state / "state.json").read_text())
        finally:
            winlab(state, "down")

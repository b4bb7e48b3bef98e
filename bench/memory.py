"""How much memory a process and its children take, looked at from outside."""

from __future__ import annotations

import itertools
import os
import threading
from pathlib import Path


class Memory:
    """What a process and all below it hold, looked at all the time; ``peak`` in MB.

    PSS: a page that several share counts once, a page of a file that is mapped too.
    """

    def __init__(self, process: int | None = None) -> None:
        """Not yet looking. ``process`` None: this one."""
        self._process = process or os.getpid()
        self.peak = 0.0
        self.processes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Memory:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """One last look."""
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            sizes = [_pss_kb(process) for process in _family(self._process)]
            self.peak = max(self.peak, sum(sizes) * 1024 / 1e6)
            self.processes = max(self.processes, len(sizes))


def _family(process: int) -> list[int]:
    """A process and all its descendants."""
    try:
        texts = [
            (task / "children").read_text() for task in Path(f"/proc/{process}/task").iterdir()
        ]
    except OSError:
        return [process]
    below = [int(word) for text in texts for word in text.split()]
    return [process, *itertools.chain.from_iterable(map(_family, below))]


def _pss_kb(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))

"""Progress with rate and time left on the standard error stream: a bar, or a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

EVERY = 30.0
"""Seconds between two lines where nobody looks at a terminal."""


class Bar:
    """Told what is done and what there is. Silent when asked to be."""

    def __init__(
        self, quiet: bool, what: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``what`` is counted; ``clock`` gives seconds."""
        console = Console(stderr=True)
        self._what, self._clock = what, clock
        self._begun = self._said = clock()
        self._lines = not quiet and not console.is_terminal
        self._bar = Progress(
            TextColumn(what),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}/s"),
            TimeRemainingColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task(what, total=None, rate="?")

    def __enter__(self) -> Callable[[int, int], None]:
        """Shown from the first word on: its thread must not run yet where worker processes are begun."""
        return self.told

    def __exit__(self, *_: object) -> None:
        """Show no more."""
        self._bar.stop()

    def told(self, done: int, total: int) -> None:
        """``done`` of ``total``."""
        self._bar.start()
        now = self._clock()
        rate = done / max(now - self._begun, 0.001)
        self._bar.update(self._task, completed=done, total=total, rate=f"{rate:,.0f}")
        if self._lines and now - self._said >= EVERY:
            self._said = now
            left = (total - done) / max(rate, 0.001)
            sys.stderr.write(
                f"{done:,} of {total:,} {self._what}, {rate:,.0f}/s, {left / 60:,.1f} min left\n"
            )

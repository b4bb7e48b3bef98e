"""What a person sees while a run goes on: a live table on a terminal, plain lines elsewhere.

Everything goes to stderr. Nothing here changes what the run does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from opsproof.run.events import HostTally, Tally
from opsproof.run.prepare import Plan

_ROWS = 20
"""Hosts shown at a time: those at work, then those in trouble."""

_QUIET_SECONDS = 10.0
"""Under the free strategy hosts are in different tasks, so the same names come again and again."""


class Screen(Console):
    """A console that falls silent when nobody reads it any more: the run goes on.

    Rich ends the process with status 1 in that case (``Console.on_broken_pipe``), which would say
    "findings" of a run that was never sealed.
    """

    def on_broken_pipe(self) -> None:
        """Called by rich when writing fails with EPIPE."""
        self.quiet = True


class Progress:
    """A ``perform.Watcher`` for people. Use as a context manager, so that the screen is restored."""

    def __init__(
        self, console: Console, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """``console`` writes to stderr; whether it is a terminal decides the form."""
        self._console = console
        self._now = now
        self._live: Live | None = None
        self._planned = 0
        self._title = ""
        self._begun = time.monotonic()
        self._tasks: set[str] = set()
        self._said_at = 0.0
        self._told: dict[str, int] = {}
        self._since: dict[str, float] = {}
        self._tally: Tally | None = None

    def __enter__(self) -> Progress:
        """Ready to be told."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Gives the screen back."""
        self.ends()

    def begins(self, run_id: str, plan: Plan) -> None:
        """Says what runs where, and opens the table on a terminal."""
        self._planned = len(plan.targets)
        self._begun = time.monotonic()
        self._title = f"{run_id}: {plan.playbook.name} on {plan.inventory_name}"
        mode = ", check mode" if plan.request.check else ""
        again = f", again after {plan.parent.id}" if plan.parent else ""
        hosts = "1 host" if self._planned == 1 else f"{self._planned} hosts"
        self.note(f"{self._title}: {hosts}{mode}{again}")
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
            self._live.update(_Screen(self))

    def event(self, tally: Tally, host: str | None) -> None:
        """Takes an event in."""
        self._tally = tally
        if host is not None:
            known = tally.hosts[host]
            if known.task:
                self._since.setdefault(f"{host}\0{known.task}", time.monotonic())
            self._trouble(known)
        if self._live is None and tally.task:
            self._line(tally.task)

    def note(self, text: str) -> None:
        """One line with the time in front."""
        stamp = f"{self._now().astimezone():%H:%M:%S}"
        self._console.print(Text(f"{stamp}  {text}"), soft_wrap=True)

    def ends(self) -> None:
        """Closes the table."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def counts(self) -> str:
        """``12/22 hosts seen, 7 handed over evidence, 1 failed, 1 unreachable``."""
        hosts = self._tally.hosts.values() if self._tally else ()
        numbers = {
            "handed over evidence": sum(1 for host in hosts if host.observations),
            "failed": sum(
                1 for host in hosts if host.failed > host.rescued or host.ignored or host.lost
            ),
            "unreachable": sum(1 for host in hosts if host.unreachable),
        }
        told = [f"{number} {word}" for word, number in numbers.items() if number]
        return ", ".join([f"{len(hosts)}/{self._planned} hosts seen", *told])

    def screen(self) -> Group:
        """The live view as it is now."""
        elapsed = round(time.monotonic() - self._begun)
        head = f"{self._title}   {elapsed // 60}:{elapsed % 60:02d}   {self.counts()}"
        return Group(Text(head, style="bold"), self.table())

    def table(self) -> Table:
        """Hosts at work and what they do, then hosts in trouble."""
        table = Table(box=None, caption_justify="left")
        table.add_column("host", no_wrap=True)
        table.add_column("now", no_wrap=True, overflow="ellipsis")
        table.add_column("for", justify="right", no_wrap=True)
        hosts = list(self._tally.hosts.values()) if self._tally else []
        busy = [host for host in hosts if host.task]
        bad = [host for host in hosts if not host.task and host.messages]
        for host in [*busy, *bad][:_ROWS]:
            table.add_row(host.name, *self._state(host))
        hidden = len(busy) + len(bad) - _ROWS
        if hidden > 0:
            table.caption = f"and {hidden} more"
        return table

    def _line(self, task: str) -> None:
        """A line for every task when it is first heard of, and now and then in between."""
        quiet = time.monotonic() - self._said_at
        if task in self._tasks and quiet < _QUIET_SECONDS:
            return
        self._tasks.add(task)
        self._said_at = time.monotonic()
        self.note(f"{self.counts()}  {task}")

    def _state(self, host: HostTally) -> tuple[Text, str]:
        if host.task:
            begun = self._since.get(f"{host.name}\0{host.task}", time.monotonic())
            return Text(host.task), f"{time.monotonic() - begun:.0f} s"
        word = "unreachable" if host.unreachable else "failed"
        return Text(f"{word}: {host.messages[-1]}", style="red"), ""

    def _trouble(self, host: HostTally) -> None:
        """Failures are told once, when they happen, in either form."""
        said = self._told.get(host.name, 0)
        for message in host.messages[said:]:
            self.note(f"{host.name}: {'unreachable' if host.unreachable else 'failed'}: {message}")
        self._told[host.name] = len(host.messages)


class _Screen:
    """Draws the table anew at every refresh, so that seconds count while nothing happens."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __rich__(self) -> Group:
        return self._progress.screen()

"""Scheduled tasks of one host: what is registered, and when it falls due.

Source: "Task Scheduler Schemas" (registration trigger with a delay), "schtasks" (Microsoft Learn).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from winlab.host.errors import WindowsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task that runs ``command`` as ``user`` once, at ``due`` (aware UTC; None: on demand)."""

    name: str
    command: str
    user: str
    due: datetime | None


class Tasks:
    """The tasks of one host. Errors: 2 no such task, 183 there is one of that name."""

    __slots__ = ("_tasks", "_write")

    def __init__(self, write: Callable[[str], None]) -> None:
        """Start without any; ``write`` is told of every change."""
        self._tasks: dict[str, Task] = {}
        self._write = write

    def create(self, task: Task, *, force: bool) -> None:
        """Register a task; ``force`` replaces one of the same name."""
        if task.name.lower() in self._tasks and not force:
            raise WindowsError(183, task.name)
        self._write(f"task {task.name}")
        self._tasks[task.name.lower()] = task

    def delete(self, name: str) -> None:
        """Remove a task (2 when there is none)."""
        if name.lower() not in self._tasks:
            raise WindowsError(2, name)
        self._write(f"task {name}")
        del self._tasks[name.lower()]

    def get(self, name: str) -> Task:
        """Return a task (2 when there is none)."""
        try:
            return self._tasks[name.lower()]
        except KeyError:
            raise WindowsError(2, name) from None

    def next_due(self) -> datetime | None:
        """When the next task is due; None when none is."""
        return min((task.due for task in self._tasks.values() if task.due), default=None)

    def take_due(self, now: datetime) -> list[Task]:
        """Return the tasks whose time has come; each comes once and stays registered."""
        due = [task for task in self._tasks.values() if task.due is not None and task.due <= now]
        for task in due:
            self._tasks[task.name.lower()] = Task(
                name=task.name, command=task.command, user=task.user, due=None
            )
        return due

    def save(self) -> Any:
        """Return the state for `load`."""
        return dict(self._tasks)

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        self._tasks = dict(state)

    def dump(self) -> list[dict[str, Any]]:
        """Return the tasks by name."""
        found = []
        for _, task in sorted(self._tasks.items()):
            shown = asdict(task)
            shown["due"] = task.due.isoformat() if task.due else None
            found.append(shown)
        return found

"""What a session says while a batch runs. A driver (the listener, sqlcmd) answers what waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from winlab.sqlserver.scope import Output


@dataclass(frozen=True)
class Result:
    """A result set: columns and rows of Python values."""

    columns: tuple[Output, ...]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Done:
    """A statement ended; ``count`` is None for one that counts no rows, or under SET NOCOUNT ON."""

    count: int | None = None


@dataclass(frozen=True)
class Said:
    """An error (severity above 10) or a message."""

    number: int
    severity: int
    state: int
    text: str
    line: int = 1
    procedure: str = ""


@dataclass(frozen=True)
class DatabaseChanged:
    """USE."""

    new: str
    old: str


@dataclass(frozen=True)
class TransactionChanged:
    """``kind`` is begin, commit or rollback."""

    kind: str
    number: int


@dataclass(frozen=True)
class Blocked:
    """The session waits for a lock. Answer True to let it look again, False when its time is over.

    ``timeout_ms`` is SET LOCK_TIMEOUT, -1 for ever. ``watch`` takes a function that is called once, when the
    holder lets go, and returns one that ends the watch.
    """

    timeout_ms: int
    watch: Callable[[Callable[[], None]], Callable[[], None]]


@dataclass(frozen=True)
class Pause:
    """WAITFOR DELAY, in seconds."""

    seconds: float


Event: TypeAlias = Result | Done | Said | DatabaseChanged | TransactionChanged | Blocked | Pause

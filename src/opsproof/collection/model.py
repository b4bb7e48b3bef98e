"""What the steps of a collection hand to each other."""

from __future__ import annotations

from enum import StrEnum

from opsproof.evidence.model import Record

GONE = 2
"""Win32: the system cannot find the file."""
DENIED = 5
LOCKED = 32
FULL = 112
NO_CHANNEL = 15007
DAMAGED = (1500, 1734, 15005)
"""Win32: the event log file is corrupted; the array bounds are invalid; the event data is damaged."""


class State(StrEnum):
    """What became of one log. Only ``collected`` and ``unchanged`` mean that nothing is missing."""

    COLLECTED = "collected"
    UNCHANGED = "unchanged"
    PLANNED = "planned"
    DISABLED = "disabled"
    ABSENT = "absent"
    DENIED = "denied"
    LOCKED = "locked"
    DAMAGED = "damaged"
    NO_SPACE = "no-space"
    TOO_LARGE = "too-large"
    NOT_TRANSFERRED = "not-transferred"
    FAILED = "failed"


def state_of(code: int) -> State:
    """The state that a Win32 code stands for, where something was not collected."""
    if code in DAMAGED:
        return State.DAMAGED
    known = {
        GONE: State.ABSENT,
        3: State.ABSENT,
        DENIED: State.DENIED,
        LOCKED: State.LOCKED,
        33: State.LOCKED,
        FULL: State.NO_SPACE,
        39: State.NO_SPACE,
        NO_CHANNEL: State.ABSENT,
    }
    return known.get(code, State.FAILED)


class Kind(StrEnum):
    """What kind of log an item is; the folder below the host's in which it is kept at home."""

    EVENTS = "events"
    ARCHIVE = "archive"
    IIS = "iis"
    HTTPERR = "httperr"
    DATA = "data"


class DataSource(Record, frozen=True, kw_only=True):
    """A folder of data logs as the inventory names it; ``pattern`` is a file name with * and ?."""

    name: str
    folder: str
    pattern: str = "*"
    schema: str = ""


class Item(Record, frozen=True, kw_only=True):
    """One log to bring home: a channel (``path`` is its name) or a file.

    ``size`` in bytes is exact for a file and an upper bound for the export of a channel. ``modified``
    is RFC 3339 in UTC, empty for a channel. Records from ``since`` on count; ``known`` is the
    SHA-256 of what is at home, where the host itself must say whether it changed.
    """

    kind: Kind
    path: str
    size: int
    since: str
    modified: str = ""
    source: str = ""
    known: str = ""


class SiteLogs(Record, frozen=True, kw_only=True):
    """The daily logs of one web site: ``folder`` is where they are kept below the host's folder.

    ``days`` has the bytes of each day's logs (``YYYY-MM-DD``), on the host or at home.
    """

    folder: str
    days: dict[str, int]


class Member(Record, frozen=True, kw_only=True):
    """One log in a part: ``file`` is its path below the host's folder at home."""

    item: Item
    file: str
    sha256: str
    bytes: int
    until: str


class Part(Record, frozen=True, kw_only=True):
    """One cabinet at home; ``run_started`` is when the run began that fetched it."""

    name: str
    sha256: str
    bytes: int
    run_started: str
    members: tuple[Member, ...]

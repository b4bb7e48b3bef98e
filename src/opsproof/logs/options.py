"""What an audit is asked for besides files and rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo

from opsproof import workers
from opsproof.cabinets import UNPACKED
from opsproof.logs import times
from opsproof.logs.habits import SiteDays
from opsproof.logs.schema import Schema
from opsproof.logs.suppress import Suppression

_MOST_PROCESSES = 4


def cores() -> int:
    """The cores this process may use, at most four: each worker wants memory of its own."""
    return min(_MOST_PROCESSES, workers.cores())


@dataclass(frozen=True, slots=True)
class Limits:
    """How much detail a report keeps. Everything beyond is counted, never lost from the counts."""

    hits_per_rule: int = 1000
    members: int = 20


@dataclass(frozen=True, slots=True)
class Options:
    """What an audit is asked for besides files and rules.

    Records from ``since`` (included) to ``until`` (excluded) count; a record without a time always
    does. ``schemas`` say what data logs mean, ``zone`` is that of local times in logs that do not
    say (IIS native). ``suppressions`` hold until they expire; ``today`` None: for ever.
    ``retained_since``: every log must reach back to it. ``processes`` read large logs side by side,
    in parts of ``part_bytes``; the report depends on neither. ``aliases`` are former names of
    computers (:func:`opsproof.logs.aliases.checked`). A cabinet may unpack to ``unpacked`` bytes; what
    is beyond is told as damage. ``sites`` are web sites of whose days more is known than the logs say.
    """

    since: datetime | None = None
    until: datetime | None = None
    limits: Limits = field(default_factory=Limits)
    schemas: tuple[Schema, ...] = ()
    zone: tzinfo = UTC
    suppressions: tuple[Suppression, ...] = ()
    today: date | None = None
    retained_since: datetime | None = None
    processes: int = field(default_factory=cores)
    part_bytes: int = 1 << 25
    unpacked: int = UNPACKED
    aliases: Mapping[str, str] = field(default_factory=dict)
    sites: tuple[SiteDays, ...] = ()

    @staticmethod
    def micros(moment: datetime | None) -> int | None:
        """A moment as the engine counts, None for none."""
        return None if moment is None else times.micros(moment)

"""The hardening part of a sheet as records."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from opsproof.evidence.model import Record
from opsproof.reports.asset import Asset, Bilingual


class ChangeKind(StrEnum):
    """What became of a setting, in the order in which a reader should meet them.

    ``new`` deviates and did not; ``other`` deviates as before, with another value; ``lost`` was
    judged and now is not; ``resolved`` deviated; ``value`` holds as before, with another value;
    ``back`` is judged again.
    """

    NEW = "new"
    OTHER = "other"
    LOST = "lost"
    RESOLVED = "resolved"
    VALUE = "value"
    BACK = "back"


class Since(Record, frozen=True, kw_only=True):
    """The run in which a deviation that still stands was first seen.

    ``or_earlier`` when the evidence that was looked at does not reach back to its beginning.
    """

    run: str
    at: str
    or_earlier: bool = False


class Change(Record, frozen=True, kw_only=True):
    """One change of one setting, the same on ``hosts``.

    ``was`` and ``now`` are what the findings observed, in words; ``by_run`` that a run of this sheet
    made it, ``demand`` that the baseline asks for something else than it did.
    """

    kind: ChangeKind
    control: str
    title: Bilingual
    severity: str
    was: Bilingual
    now: Bilingual
    since: Since | None
    gpo: str
    by_run: bool
    demand: bool
    hosts: tuple[str, ...]


class SettingsHost(Record, frozen=True, kw_only=True):
    """One host: its settings by state, where their findings stand, and what has changed.

    ``first_line`` and ``last_line`` enclose the host's lines in ``findings.jsonl`` of ``run``.
    ``compared_with`` is the earlier run, empty when there is none; ``unchanged`` and ``changes``
    are settings, ``not_compared`` those that no comparison was made of.
    """

    host: str
    asset: Asset
    run: str
    first_line: int
    last_line: int
    states: dict[str, int]
    compared_with: str = ""
    compared_at: str = ""
    unchanged: int = 0
    not_compared: int = 0
    changes: dict[str, int] = msgspec.field(default_factory=dict)


class UnseenHost(Record, frozen=True, kw_only=True):
    """A host that an earlier run saw and the runs of this sheet did not."""

    host: str
    asset: Asset
    run: str
    at: str
    planned: bool


class Settings(Record, frozen=True, kw_only=True):
    """The hardening part of a sheet."""

    hosts: tuple[SettingsHost, ...]
    changes: tuple[Change, ...]
    unseen: tuple[UnseenHost, ...]
    not_asked: int

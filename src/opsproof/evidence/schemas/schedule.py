"""Facts of the activity ``schedule``: what was due, and whether a sealed run has done it."""

from __future__ import annotations

from opsproof.evidence.model import Record


class DueItemFacts(Record, frozen=True, kw_only=True):
    """One item of the schedule for one period.

    ``due_from`` and ``due_until`` bound the period (RFC 3339, UTC); ``done_by`` is the id of the
    sealed run that satisfies it, None when there is none.
    """

    item: str
    playbook: str
    due_from: str
    due_until: str
    done: bool
    done_by: str | None

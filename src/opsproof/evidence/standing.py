"""What a sealed run counts for: one definition for the schedule, for reports and for retries."""

from __future__ import annotations

from opsproof.evidence.model import Outcome, Run

COMPLETED = "completed"
ABORTED = "aborted"
INTERRUPTED = "interrupted"
"""What ``status`` of a run may be: Ansible came to its end, died, was stopped by us."""


def is_whole(run: Run) -> bool:
    """Whether it was meant to do all that is due: no trial, no part of the hosts, no retry."""
    return not (run.check or run.limit is not None or run.retry_of is not None)


def has_reached(run: Run) -> bool:
    """Whether Ansible came to its end and at least one host answered."""
    return run.status == COMPLETED and any(
        host.seen and host.outcome is not Outcome.UNREACHABLE for host in run.hosts.values()
    )


def is_full(run: Run) -> bool:
    """Whether it can satisfy a due item: whole, and it reached somebody.

    A retry adds hosts to the evidence but is never needed here: its parent was a full run and has
    satisfied the item; the parent's hosts that could not be reached are findings of the parent.
    """
    return is_whole(run) and has_reached(run)

"""Facts of the activity ``signatures``: counts and hashes of one correction, no personal data."""

from __future__ import annotations

from opsproof.evidence.model import Record


class ClassCount(Record, frozen=True, kw_only=True):
    """How many records are in a class of diagnosis."""

    record_class: str
    records: int


class RecordSetFacts(Record, frozen=True, kw_only=True):
    """One table of one business system, and what a correction did to it.

    ``state``: analysed, planned, applied or rolled-back. ``left_alone`` counts records that had
    changed since the plan; ``before_sha256`` and ``after_sha256`` are digests over the planned
    records' images in plan order, None where nothing was written. ``wrong`` are the records that
    are not valid, ``to_write`` those for which the plan has a verified value, ``unsolved`` those that
    need the business system, the signer or the administrator.
    """

    profile: str
    profile_sha256: str
    state: str
    records: int
    valid: int
    wrong: int
    classes: tuple[ClassCount, ...]
    base_rows: int
    bad_base_rows: int
    table_sha256: str
    plan_sha256: str | None
    to_write: int
    unsolved: int
    ticket: str | None
    approver_sha256: str | None
    written: int
    already: int
    left_alone: int
    before_sha256: str | None
    after_sha256: str | None

"""What a sheet says of signature data: one record for every table that a run of the day looked at."""

from __future__ import annotations

from opsproof.evidence.model import Record


class Failures(Record, frozen=True, kw_only=True):
    """Failed signings or verifications in data logs: lines, records, and how these stand now.

    ``standing`` counts by right, wrong, absent, not_verifiable, and ``nameless`` lines; none is 0.
    """

    kind: str
    lines: int
    records: int
    standing: dict[str, int]
    first: str
    last: str


class InterfaceLogs(Record, frozen=True, kw_only=True):
    """What the data logs of the interface say of one table's records."""

    files: int
    lines: int
    unreadable: int
    failures: tuple[Failures, ...]


class CorrectedSet(Record, frozen=True, kw_only=True):
    """One table in one run, in counts and digests: a sheet has no word of a record's own.

    ``line`` is the observation's in the run's ``observations.jsonl``; ``classes`` are the records that
    are not right, by class.
    """

    run: str
    line: int
    at: str
    host: str
    profile: str
    state: str
    check: bool
    records: int
    wrong: int
    classes: dict[str, int]
    bad_base_rows: int
    to_write: int
    unsolved: int
    written: int
    already: int
    left_alone: int
    ticket: str
    plan_sha256: str
    table_sha256: str
    before_sha256: str
    after_sha256: str
    base_without_record: int = 0
    interface: InterfaceLogs | None = None

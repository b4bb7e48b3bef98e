"""Facts of the activity ``signatures``: counts and hashes of one correction, no personal data."""

from __future__ import annotations

from opsproof.evidence.model import Record


class ClassCount(Record, frozen=True, kw_only=True):
    """How many records are in a class of diagnosis."""

    record_class: str
    records: int


class LinkedRecord(Record, frozen=True, kw_only=True):
    """One record that data logs speak of and that is not right now, named by its key's digest.

    ``standing`` is wrong, absent (the table has no such record) or not-verifiable (a library is not
    installed). ``record_class`` is that of the last analysis, None where it found nothing wrong or
    there was none. ``lines`` say so, ``first`` to ``last`` (RFC 3339); one is ``file``:``line``.
    """

    kind: str
    record: str
    standing: str
    record_class: str | None
    lines: int
    first: str | None
    last: str | None
    file: str
    line: int


class FailureCounts(Record, frozen=True, kw_only=True):
    """Failures of one kind: ``lines``, the ``records`` they name, and how these stand now.

    ``nameless`` lines name no record. ``settled``: whether every record is right; None where that
    cannot be told, because a record is absent or cannot be verified, a line names none, not all of the
    logs could be read, or nothing was in them.
    """

    lines: int
    records: int
    right: int
    wrong: int
    absent: int
    not_verifiable: int
    nameless: int
    first: str | None
    last: str | None
    settled: bool | None


class InterfaceFacts(Record, frozen=True, kw_only=True):
    """What the data logs of the signing and verification interface say of the table's records.

    ``unreadable`` lines are not in the logs' code page, too long, or fit none of the patterns that
    know all lines. ``missing`` are the logs that did not come, as ``HOST: NAME``, the first 200. Of the
    records that are not right the first are in ``links`` and all are counted.
    """

    files: int
    lines: int
    unreadable: int
    patterns_sha256: str
    verification: FailureCounts
    signing: FailureCounts
    links: tuple[LinkedRecord, ...]
    missing: tuple[str, ...] = ()


class Trusted(Record, frozen=True, kw_only=True):
    """A certificate, CRL or OCSP response: SHA-256 of its DER, and whose it is (a list's with its time)."""

    sha256: str
    name: str


class TrustFacts(Record, frozen=True, kw_only=True):
    """What "valid" rests on: ``anchors`` are trusted of themselves, all else is believed through them.

    ``certificates`` at hand and ``revocations`` (CRLs and OCSP responses) are counted, of these the first
    are in ``revocation_sources``. ``allowed`` are the profile's words for what it takes though it is weak:
    ``any_of_ca``, ``weak_keys``, ``sha1``, purposes. ``sha256`` is over all of it, as the plan's header
    names it.
    """

    sha256: str
    anchors: tuple[Trusted, ...]
    certificates: int
    revocations: int
    revocation_sources: tuple[Trusted, ...]
    require_revocation: bool
    allowed: tuple[str, ...]


class RecordSetFacts(Record, frozen=True, kw_only=True):
    """One table of one business system, and what a correction did to it.

    ``state``: analysed, planned, applied or rolled-back. ``left_alone`` counts records that had
    changed since the plan; the first of them are in ``left``, named by their keys' digests.
    ``before_sha256`` and ``after_sha256`` are digests over the planned records' images in plan order as
    they were before the run and as it left them, None where nothing was written. ``wrong`` are the
    records that are not valid, ``to_write`` those for which the plan has a verified value, ``unsolved``
    those that need the business system, the signer or the administrator. ``base_without_record`` are
    delivered rows of which the table has no record. ``interface`` is None where no data logs were named.
    ``trust`` is that of the analysis or of the plan. ``ambiguous`` valid records have what separates fields
    in a text and no base data that says the same: other data would have the same signature. The first
    are named by their keys' digests.
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
    left: tuple[str, ...] = ()
    before_sha256: str | None
    after_sha256: str | None
    base_without_record: int = 0
    interface: InterfaceFacts | None = None
    trust: TrustFacts | None = None
    ambiguous: int = 0
    ambiguous_records: tuple[str, ...] = ()

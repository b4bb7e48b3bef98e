"""Making a plan: for every record that is not right what would be stored, and why that verifies.

Three sources of a new value, in this order: the stored signature repaired, the signature in the
base data, a fresh one from the signing service. Each is put before the strict check first.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from opsproof.evidence.canonical import canonical_line
from opsproof.evidence.files import replacing
from opsproof.evidence.ids import timestamp
from opsproof.signatures import encodings, forms, sm2
from opsproof.signatures.analyse import Analysis, Job
from opsproof.signatures.book import Standing
from opsproof.signatures.certificates import Certificate
from opsproof.signatures.check import Checker, Row, Verdict, reference_of
from opsproof.signatures.database import Database, reading
from opsproof.signatures.diagnose import Diagnoser
from opsproof.signatures.errors import MalformedError, SigningAnswerError, SourceError
from opsproof.signatures.forms import Raw
from opsproof.signatures.model import (
    Action,
    BaseRecord,
    Change,
    Diagnosis,
    Entry,
    RecordClass,
    Source,
    image_digest,
    packed,
)
from opsproof.signatures.plan import SCHEMA, Footer, Header, Plan, load_plan
from opsproof.signatures.signing import SigningService
from opsproof.signatures.trust import trust_of
from opsproof.signatures.workbook import Workbook

_BATCH: Final = 200


def make_plan(
    job: Job, analysis: Analysis, path: Path, *, service: SigningService | None, now: datetime
) -> Plan:
    """Write the plan of an analysis (mode 0600: it names records) and read it back.

    Raises:
        SourceError: the database or the signing service does not answer.
    """
    planner = _Planner(job, service, now)
    actions: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    header = Header(
        schema=SCHEMA,
        profile=job.profile.id,
        profile_sha256=job.profile.sha256,
        database=planner.database.place,
        trust=trust_of(planner.checker.book),
        created_at=timestamp(now),
        records=analysis.records,
        classes={name.value: count for name, count in analysis.classes.items()},
        base_rows=analysis.base_rows,
        base_without_record=analysis.base_without_record,
        bad_base_rows=analysis.bad_base_rows,
        bad_rows=tuple({"where": one.where, "what": one.what} for one in analysis.bad_rows),
        table_sha256=analysis.table_sha256,
        ambiguous=analysis.ambiguous,
        ambiguous_records=analysis.ambiguous_records,
    )
    try:
        with replacing(path, mode=0o600) as stream:
            stream.write(canonical_line(header))
            for entry in planner.entries():
                actions[entry.action] += 1
                if entry.source is not None:
                    sources[entry.source] += 1
                stream.write(canonical_line(entry))
            footer = Footer(
                entries=actions.total(),
                actions=dict(sorted(actions.items())),
                sources=dict(sorted(sources.items())),
            )
            stream.write(canonical_line(footer))
    finally:
        planner.close()
    return load_plan(path)


class _Planner:
    """Turns diagnoses into entries; the only place where a new value is decided on."""

    def __init__(self, job: Job, service: SigningService | None, now: datetime) -> None:
        self.job = job
        self.service = service
        self.now = now
        self.database = Database(job.url, job.profile)
        self.workbook = Workbook(job.workbook)
        self.diagnoser: Diagnoser = job.diagnoser()
        self.checker: Checker = self.diagnoser.checker

    def close(self) -> None:
        self.database.close()
        self.workbook.close()

    def entries(self) -> Iterator[Entry]:
        """In the order in which the records were found."""
        batch: list[Diagnosis] = []
        for one in self.workbook.found():
            batch.append(one)
            if len(batch) == _BATCH:
                yield from self._batch(batch)
                batch = []
        if batch:
            yield from self._batch(batch)

    def _batch(self, batch: list[Diagnosis]) -> list[Entry]:
        keys = [one.key for one in batch]
        with reading(self.database.engine) as connection:
            cells = self.database.fetch(connection, keys)
        form = self.database.key_form.text
        base = self.workbook.base([form(key) for key in keys]) if self.job.base_delivered else {}
        with sm2.quiet():
            return [
                self._entry(one, cells[one.key], base.get(form(one.key)))
                if one.key in cells
                else _gone(one)
                for one in batch
            ]

    def _entry(self, found: Diagnosis, cells: sa.Row[Any], base: BaseRecord | None) -> Entry:
        row = self.checker.row(cells)
        stored = dict(zip(self.job.profile.columns, cells, strict=True))
        blank = Entry(
            key=tuple(packed(part) for part in found.key),
            record_class=found.record_class,
            action="ask-signer",
            detail=found.detail,
            evidence=found.evidence,
            before=image_digest(stored),
        )
        asked = self._must_ask(found, row, base)
        if asked is not None:
            return msgspec.structs.replace(blank, action=asked[0], why=asked[1])
        for source, change in self._candidates(found, row, base):
            entry = self._accepted(blank, stored, row, source, change)
            if entry is not None:
                return entry
        return msgspec.structs.replace(
            blank, why="no source at hand has a signature that verifies over the data"
        )

    def _must_ask(
        self, found: Diagnosis, row: Row, base: BaseRecord | None
    ) -> tuple[Action, str] | None:
        if found.record_class is RecordClass.NOT_VERIFIABLE:
            return "ask-administrator", found.detail
        if row.values is None:
            return "ask-business-system", f"the data cannot be read: {row.problem}"
        if found.record_class is RecordClass.BASE_DIFFERS:
            return "ask-business-system", "stored data and base data differ"
        if self.job.base_delivered and base is None:
            return "ask-business-system", "no base data was delivered for the record"
        if base is not None and base.values != row.values:
            return "ask-business-system", "the record changed since it was analysed"
        return None

    def _candidates(
        self, found: Diagnosis, row: Row, base: BaseRecord | None
    ) -> Iterator[tuple[Source, Change]]:
        if found.repair is not None:
            yield "stored", found.repair
        if base is not None and base.signature is not None:
            change = self._from_base(row, base)
            if change is not None:
                yield "base", change
        if base is not None and self.service is not None:
            change = self._fresh(row, self.service)
            if change is not None:
                yield "fresh", change

    def _from_base(self, row: Row, base: BaseRecord) -> Change | None:
        """The base data's signature, as it is or repaired like a stored one."""
        assert base.signature is not None
        given = replace(row, signature=base.signature, reference=base.reference or row.reference)
        if base.signed_at is not None and self.job.profile.signed_at is not None:
            zone = ZoneInfo(self.job.profile.signed_at.zone)
            try:
                signed_at = datetime.fromisoformat(base.signed_at)
            except ValueError:
                return None
            aware = signed_at if signed_at.tzinfo else signed_at.replace(tzinfo=zone)
            given = replace(given, signed_at=aware)
        signed = base.signed_at if self.job.profile.signed_at is not None else None
        verdict = self.checker.check(given)
        if verdict.failed is None:
            return Change(base.signature, given.reference, signed)
        match = self.diagnoser.match(given)
        change = None if match is None else self.diagnoser.repair(given, match)
        return None if change is None else replace(change, signed_at=signed)

    def _fresh(self, row: Row, service: SigningService) -> Change | None:
        """A new signature over the data; its time is now where a column keeps the time."""
        message = self.checker.message(row.values)
        profile = self.job.profile
        if message is None:
            return None
        signed = service.sign(message, self.checker.algorithms, self.now)
        self._usable(signed.certificate)
        column = profile.signature
        try:
            data = forms.rewrap(
                Raw(signed.signature, "plain"),
                column,
                signed.algorithm,
                signed.certificate,
                message,
            )
        except MalformedError as error:
            raise SourceError(f"the signing service's answer does not fit: {error}") from error
        at = None
        if profile.signed_at is not None and profile.signed_at.column not in profile.data_columns:
            local = self.now.astimezone(ZoneInfo(profile.signed_at.zone))
            at = local.strftime("%Y-%m-%d %H:%M:%S")
        reference = reference_of(signed.certificate, profile.certificate)
        return Change(encodings.encode(data, column.encoding), reference, at)

    def _usable(self, certificate: Certificate) -> None:
        """A fresh signature that could not pass is the service's matter, not the record's."""
        if not self.checker.book.admits(certificate):
            raise SigningAnswerError(
                "the signing service signs with a certificate that is not at hand",
                where=f"serial {certificate.serial:x}",
                remedy="add it to the certificates: opsproof signatures certificate",
            )
        judgement = self.checker.book.judge(certificate, self.now)
        if judgement.standing is not Standing.GOOD:
            raise SigningAnswerError(
                f"the signing service's certificate is not good now: {judgement.detail}",
                where=f"serial {certificate.serial:x}",
            )

    def _accepted(
        self, blank: Entry, stored: dict[str, Any], row: Row, source: Source, change: Change
    ) -> Entry | None:
        """The entry if the changed record passes the strict check as a whole; else None."""
        changes = self._changes(stored, change)
        if not changes:
            return None
        after = stored | {name: self.database.bound(name, new) for name, new in changes.items()}
        changed = self.checker.row([after[name] for name in self.job.profile.columns])
        verdict = self.checker.check(changed)
        message = self.checker.message(row.values)
        if verdict.failed is not None or changed.values != row.values or message is None:
            return None
        return msgspec.structs.replace(
            blank,
            action="write",
            source=source,
            why=_why(verdict, changed, self.checker),
            after=image_digest(after),
            data=hashlib.sha256(message).hexdigest(),
            changes={name: packed(value) for name, value in changes.items()},
        )

    def _changes(self, stored: dict[str, Any], change: Change) -> dict[str, Any]:
        profile = self.job.profile
        wanted: dict[str, Any] = {profile.signature.column: change.signature}
        if profile.certificate.column is not None:
            wanted[profile.certificate.column] = change.reference
        if change.signed_at is not None and profile.signed_at is not None:
            wanted[profile.signed_at.column] = change.signed_at
        return {
            name: value
            for name, value in wanted.items()
            if packed(stored[name]) != packed(self.database.bound(name, value))
        }


def _gone(found: Diagnosis) -> Entry:
    return Entry(
        key=tuple(packed(part) for part in found.key),
        record_class=found.record_class,
        action="ask-business-system",
        detail=found.detail,
        evidence=found.evidence,
        why="the record is gone since it was analysed",
    )


def _why(verdict: Verdict, row: Row, checker: Checker) -> str:
    assert verdict.certificate is not None
    when = (
        "at the time in the message" if row.signed_at is None else f"at {timestamp(row.signed_at)}"
    )
    return (
        f"verifies over the data under certificate {verdict.certificate.serial:x} "
        f"({verdict.certificate.fingerprint[:16]}), which was good {when}"
        f" [{checker.profile.signature.form}]"
    )

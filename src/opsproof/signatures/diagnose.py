"""Diagnosis of one record by itself: exactly one class, and a repair where the stored value has one.

What needs other records (swapped, duplicated) is :mod:`opsproof.signatures.cross`'s; such records
come out of here as :data:`UNRESOLVED`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from opsproof.signatures import encodings, forms
from opsproof.signatures.algorithms import Algorithm
from opsproof.signatures.book import Standing
from opsproof.signatures.certificates import Certificate
from opsproof.signatures.check import Checker, Row, Verdict, reference_of
from opsproof.signatures.cms import SignedMessage
from opsproof.signatures.encodings import Reading
from opsproof.signatures.errors import MalformedError, NotVerifiableError
from opsproof.signatures.forms import Raw
from opsproof.signatures.model import BaseRecord, Change, Diagnosis, RecordClass
from opsproof.signatures.serialise import variants

UNRESOLVED: Final = "unresolved"
"""Detail of a record for which other records must be looked at."""

_STANDINGS: Final = {
    Standing.EXPIRED: RecordClass.EXPIRED,
    Standing.NOT_YET_VALID: RecordClass.NOT_YET_VALID,
    Standing.REVOKED: RecordClass.REVOKED,
    Standing.NOT_VERIFIABLE: RecordClass.NOT_VERIFIABLE,
}


@dataclass(frozen=True, slots=True)
class Match:
    """A reading of the stored value that holds over some bytes under some certificate."""

    reading: Reading
    found: Raw | SignedMessage
    certificate: Certificate
    algorithm: Algorithm
    variant: str = ""


class Diagnoser:
    """Diagnoses records of one profile. ``base_delivered`` says that base data came at all."""

    def __init__(self, checker: Checker, *, base_delivered: bool) -> None:
        """Compile the profile's other serialisations once."""
        self.checker = checker
        self.base_delivered = base_delivered
        self._variants = list(variants(checker.profile))
        self._recent: list[Certificate] = list(checker.book.signers())

    def diagnose(self, row: Row, base: BaseRecord | None) -> Diagnosis:
        """The record's class and evidence; ``base`` is None when it was not delivered."""
        if row.values is None:
            return Diagnosis(row.key, RecordClass.NOT_RECOVERABLE, row.problem)
        if base is not None and base.values != row.values:
            return self._base_differs(row, base)
        try:
            return self._diagnose(row)
        except NotVerifiableError as error:
            return Diagnosis(row.key, RecordClass.NOT_VERIFIABLE, str(error))

    def _diagnose(self, row: Row) -> Diagnosis:
        verdict = self.checker.check(row)
        if verdict.failed is None:
            return Diagnosis(row.key, RecordClass.VALID)
        if encodings.is_missing(row.signature):
            return Diagnosis(row.key, RecordClass.MISSING, "nothing is stored")
        if verdict.failed == "data":
            return Diagnosis(row.key, RecordClass.NOT_RECOVERABLE, verdict.detail)
        match = self.match(row)
        if verdict.failed == "standing" and (
            match is None or match.certificate == verdict.certificate
        ):
            return self._standing(row, verdict)
        if match is None:
            evidence = {"failed": verdict.failed, "reason": verdict.detail}
            return Diagnosis(row.key, RecordClass.NOT_RECOVERABLE, UNRESOLVED, evidence)
        return self._matched(row, match)

    def _standing(self, row: Row, verdict: Verdict) -> Diagnosis:
        judgement, certificate = verdict.judgement, verdict.certificate
        assert judgement is not None
        assert certificate is not None
        found = _STANDINGS.get(judgement.standing, RecordClass.UNTRUSTED)
        return Diagnosis(row.key, found, judgement.detail, {"certificate": certificate.fingerprint})

    def _base_differs(self, row: Row, base: BaseRecord) -> Diagnosis:
        assert row.values is not None
        names = [
            field.name
            for field, stored, given in zip(
                self.checker.profile.fields, row.values, base.values, strict=True
            )
            if stored != given
        ]
        return Diagnosis(
            row.key,
            RecordClass.BASE_DIFFERS,
            "other data was delivered",
            {"fields": ", ".join(names)},
        )

    def _matched(self, row: Row, match: Match) -> Diagnosis:
        """One class for what may be several faults: the one that needs the most doing."""
        judgement = self.checker.judge(match.certificate, row.signed_at, match.found)
        faults = self._faults(row, match)
        evidence = {"certificate": match.certificate.fingerprint, **faults}
        if match.variant:
            detail = f"signed over another serialisation: {match.variant}"
            return Diagnosis(row.key, RecordClass.OTHER_SERIALISATION, detail, evidence)
        if judgement.standing is not Standing.GOOD:
            found = _STANDINGS.get(judgement.standing, RecordClass.UNTRUSTED)
            return Diagnosis(row.key, found, judgement.detail, evidence)
        repair = self.repair(row, match)
        for name, record_class in (
            ("reference", RecordClass.WRONG_REFERENCE),
            ("container", RecordClass.WRONG_CONTAINER),
        ):
            if name in faults:
                return Diagnosis(row.key, record_class, faults[name], evidence, repair)
        detail = faults.get("encoding", "written in another way")
        return Diagnosis(row.key, RecordClass.ENCODING_DAMAGE, detail, evidence, repair)

    def _faults(self, row: Row, match: Match) -> dict[str, str]:
        column = self.checker.profile.signature
        faults: dict[str, str] = {}
        data = match.reading.data
        if row.signature != encodings.encode(data, column.encoding):
            faults["encoding"] = ", ".join(match.reading.damage) or f"not {column.encoding}"
        try:
            strict = forms.strict(data, column, match.certificate.key)
            fits = isinstance(strict, SignedMessage) or strict == match.found
        except MalformedError:
            fits = False
        if not fits:
            faults["container"] = f"{_kind(match.found)} instead of {column.form}"
        how = self.checker.profile.certificate
        if how.by != "embedded" and row.reference != reference_of(match.certificate, how):
            faults["reference"] = "the signature is that of another certificate"
        return faults

    def repair(self, row: Row, match: Match) -> Change | None:
        """The stored signature as the profile wants it, if it then passes the strict check."""
        message = self.checker.message(row.values)
        if message is None or match.variant:
            return None
        column = self.checker.profile.signature
        try:
            data = forms.rewrap(match.found, column, match.algorithm, match.certificate, message)
        except MalformedError:
            return None
        value = encodings.encode(data, column.encoding)
        reference = reference_of(match.certificate, self.checker.profile.certificate)
        verdict = self.checker.check_value(message, value, reference, row.signed_at)
        return Change(value, reference) if verdict.failed is None else None

    def match(self, row: Row) -> Match | None:
        """The least damaged reading of the stored value that holds over the record's data."""
        message = self.checker.message(row.values)
        if message is None or row.values is None:
            return None
        possible = list(self.possible(row))
        named = self.checker.referenced(row.reference)
        for reading, found in possible:
            for certificate in _first(named, found, []):
                algorithm = self.checker.holds(message, found, certificate)
                if algorithm is not None:
                    return Match(reading, found, self._in_time(row, found, certificate), algorithm)
        for reading, found in possible:
            match = self._other_certificate(row, reading, found, message, named)
            if match is not None:
                return match
        return self._other_serialisation(row, possible, named)

    def possible(self, row: Row) -> Iterator[tuple[Reading, Raw | SignedMessage]]:
        """Every reading of the stored value, in every container that it may be."""
        for reading in encodings.readings(row.signature):
            for found in forms.possible(reading.data):
                yield reading, found

    def candidates(self, found: Raw | SignedMessage, named: list[Certificate]) -> list[Certificate]:
        """Certificates that may have made this signature: those named, then all signers."""
        return _first(named, found, self._recent)

    def _in_time(
        self, row: Row, found: Raw | SignedMessage, certificate: Certificate
    ) -> Certificate:
        """Of a signer's certificates for the same key (it was renewed) the one that was good then.

        Not of one that was revoked, because that may be the key's fault; a message names its own.
        """

        def standing(one: Certificate) -> Standing:
            return self.checker.judge(one, row.signed_at, found).standing

        renewed = (Standing.EXPIRED, Standing.NOT_YET_VALID)
        if isinstance(found, SignedMessage) or standing(certificate) not in renewed:
            return certificate
        return next(
            (
                one
                for one in self._recent
                if one.spki == certificate.spki and standing(one) is Standing.GOOD
            ),
            certificate,
        )

    def _other_certificate(
        self,
        row: Row,
        reading: Reading,
        found: Raw | SignedMessage,
        message: bytes,
        named: list[Certificate],
    ) -> Match | None:
        if isinstance(found, SignedMessage) and found.certificates:
            return None
        for certificate in self._plausible(found):
            if certificate in named:
                continue
            algorithm = self.checker.holds(message, found, certificate)
            if algorithm is not None:
                self._recent.remove(certificate)
                self._recent.insert(0, certificate)
                return Match(reading, found, self._in_time(row, found, certificate), algorithm)
        return None

    def _plausible(self, found: Raw | SignedMessage) -> list[Certificate]:
        """Signers whose key has the right size for a raw signature; reading one costs nothing."""
        if isinstance(found, SignedMessage):
            return found.named(self._recent)
        fitting = []
        for certificate in self._recent:
            try:
                key = certificate.key
            except (MalformedError, NotVerifiableError):
                continue
            data = found.for_key(key)
            if data is not None and _fits(data, key.family, key.size):
                fitting.append(certificate)
        return fitting

    def _other_serialisation(
        self,
        row: Row,
        possible: list[tuple[Reading, Raw | SignedMessage]],
        named: list[Certificate],
    ) -> Match | None:
        written = self._written(row)
        if not written:
            return None
        for reading, found in possible:
            for certificate in _first(named, found, []):
                wanted = self._digest_of(found, certificate)
                for name, message in written:
                    if wanted is not None and wanted[1] != _digest(wanted[0], message):
                        continue
                    algorithm = self.checker.holds(message, found, certificate)
                    if algorithm is not None:
                        return Match(reading, found, certificate, algorithm, name)
        return None

    def _digest_of(
        self, found: Raw | SignedMessage, certificate: Certificate
    ) -> tuple[str, bytes] | None:
        """The digest that a signature is over, where it can be read off (RSA PKCS #1 v1.5)."""
        if isinstance(found, SignedMessage):
            return None
        try:
            key = certificate.key
        except MalformedError:
            return None
        for algorithm in self.checker.algorithms:
            digest = key.recover_digest(algorithm, found.data)
            if digest is not None:
                return algorithm.digest, digest
        return None

    def _written(self, row: Row) -> list[tuple[str, bytes]]:
        """The record in every other serialisation, each content once."""
        assert row.values is not None
        seen = {self.checker.message(row.values)}
        written = []
        for variant in self._variants:
            try:
                message = variant.write(row.values)
            except (UnicodeEncodeError, ValueError):
                continue
            if message not in seen:
                seen.add(message)
                written.append((variant.name, message))
        return written


def with_class(diagnosis: Diagnosis, found: RecordClass, detail: str, **evidence: str) -> Diagnosis:
    """The diagnosis after other records were looked at."""
    merged = {**diagnosis.evidence, **evidence}
    return replace(diagnosis, record_class=found, detail=detail, evidence=merged)


def _first(
    named: list[Certificate], found: Raw | SignedMessage, others: list[Certificate]
) -> list[Certificate]:
    """A signed message names its signer; only such certificates can be its."""
    pool: list[Any] = [*named, *others]
    if isinstance(found, SignedMessage):
        return found.named(pool)
    return list(dict.fromkeys(pool))


def _fits(data: bytes, family: str, size: int) -> bool:
    if family == "rsa":
        return len(data) == size
    return 8 <= len(data) <= 2 * size + 9 and data[:1] == b"\x30"


def _kind(found: Raw | SignedMessage) -> str:
    if isinstance(found, Raw):
        return "a raw signature" if found.kind == "plain" else f"a raw signature ({found.kind})"
    content = "attached" if found.content is not None else "detached"
    return f"a signed message ({found.flavour}, {content})"


def _digest(name: str, message: bytes) -> bytes:
    return hashlib.new(name, message, usedforsecurity=False).digest()

"""The one strict verifier. What it has not accepted is neither planned nor stored.

A record is right when the stored value is written exactly as the profile says, the certificate it
names is at hand, the signature holds over the record's data, and the certificate was good at the
moment of signing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

from opsproof.signatures import encodings, forms
from opsproof.signatures.algorithms import Algorithm, PublicKey
from opsproof.signatures.book import CertificateBook, Judgement, Standing, worse
from opsproof.signatures.certificates import Certificate
from opsproof.signatures.cms import SignedMessage, are_attributes
from opsproof.signatures.encodings import Stored
from opsproof.signatures.errors import MalformedError, NotVerifiableError
from opsproof.signatures.forms import Raw
from opsproof.signatures.profile import CertificateReference, Profile
from opsproof.signatures.quick import Quick, compile_quick
from opsproof.signatures.serialise import Writer, compile_writer
from opsproof.signatures.values import Value, ValueProblemError, moment, reader

Step: TypeAlias = Literal["data", "encoding", "container", "reference", "signature", "standing"]

_MOST_RESOLVED = 10_000
"""References kept with what they name: garbage in the column must not fill the memory."""

AHEAD: Final = timedelta(hours=1)
"""How far after now a moment of signing may be: clocks differ, and while a large table is looked at its
system signs on."""

_HEX_BASES: Final = {"sha1": "fingerprint", "sha256": "fingerprint"}


@dataclass(frozen=True, slots=True)
class Row:
    """One stored record. ``values`` are the fields in the profile's order, None if unreadable."""

    key: tuple[Any, ...]
    values: tuple[Value, ...] | None
    signature: Stored
    reference: Any
    signed_at: datetime | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``failed`` names the first step that did not hold; None says that the record is right."""

    failed: Step | None
    detail: str = ""
    certificate: Certificate | None = None
    judgement: Judgement | None = None


class Checker:
    """Checks records of one profile against one book of certificates.

    ``now`` stands for the moment of signing where neither the record nor the message has one; nothing
    was signed later (:data:`AHEAD`).
    """

    def __init__(self, profile: Profile, book: CertificateBook, now: datetime) -> None:
        """Compile what does not depend on a record."""
        self.profile = profile
        self.book = book
        self.now = now
        self.latest = now.astimezone(UTC) + AHEAD
        self.signer_id = profile.signer_id.encode()
        self.algorithms: tuple[Algorithm, ...] = profile.signature.algorithms
        self._write: Writer = compile_writer(profile.fields, profile.serialisation)
        self._zone = ZoneInfo(profile.signed_at.zone) if profile.signed_at else None
        places = {column: place for place, column in enumerate(profile.columns)}
        self._key = [places[column] for column in profile.key]
        self._fields = [(reader(one), places[one.column]) for one in profile.fields]
        self._resolved: dict[str, list[Certificate]] = {}
        self._signature = places[profile.signature.column]
        reference = profile.certificate.column
        self._reference = None if reference is None else places[reference]
        self._signed_at = None if profile.signed_at is None else places[profile.signed_at.column]

    def quick(self) -> Quick | None:
        """The short way for right records of this profile, if there is one."""
        return compile_quick(self.profile, self.book, self.referenced, self.latest)

    def values(self, cells: Sequence[Any]) -> tuple[Value, ...]:
        """The fields of a record from its cells. Raises :class:`ValueProblemError`."""
        return tuple([read(cells[place]) for read, place in self._fields])

    def row(self, cells: Sequence[Any]) -> Row:
        """A record from the cells of ``profile.columns``."""
        problem = ""
        values: tuple[Value, ...] | None = None
        signed_at = None
        try:
            values = self.values(cells)
            if self._signed_at is not None and self._zone is not None:
                signed_at = moment(cells[self._signed_at], self._zone)
        except ValueProblemError as error:
            problem, values = str(error), None
        signature = cells[self._signature]
        if isinstance(signature, (memoryview, bytearray)):
            signature = bytes(signature)
        if signature is not None and not isinstance(signature, (str, bytes)):
            signature = str(signature)
        return Row(
            key=tuple([cells[place] for place in self._key]),
            values=values,
            signature=signature,
            reference=None if self._reference is None else cells[self._reference],
            signed_at=signed_at,
            problem=problem,
        )

    def message(self, values: Sequence[Value] | None) -> bytes | None:
        """The bytes that are to be signed; None when the data cannot be written down so."""
        if values is None:
            return None
        try:
            return self._write(values)
        except UnicodeEncodeError:
            return None

    def referenced(self, reference: Any) -> list[Certificate]:
        """The certificates that a stored reference names; more than one if serials collide."""
        if not isinstance(reference, str):
            return resolve(self.book, self.profile.certificate, reference)
        found = self._resolved.get(reference)
        if found is None:
            found = resolve(self.book, self.profile.certificate, reference)
            if len(self._resolved) < _MOST_RESOLVED:
                self._resolved[reference] = found
        return found

    def judge(
        self, certificate: Certificate, signed_at: datetime | None, found: Raw | SignedMessage
    ) -> Judgement:
        """What the certificate was worth when it was signed with: by the record and by the message.

        Anybody who can write to the table can write the record's word; the message's is signed. Where
        there are both, the worse counts; where there is none, now does. One that is not at hand may come
        with a message from anybody whom the CA knows.
        """
        if not self.book.admits(certificate):
            return Judgement(Standing.UNTRUSTED, f"{certificate.name}: is not at hand")
        moments: list[datetime] = []
        if self._signed_at is not None and signed_at is not None:
            moments.append(signed_at)
        if isinstance(found, SignedMessage) and found.signing_time is not None:
            moments.append(found.signing_time)
        return worse(self._judged(certificate, one) for one in moments or [self.now])

    def _judged(self, certificate: Certificate, at: datetime) -> Judgement:
        judgement = self.book.judge(certificate, at)
        if judgement.standing is Standing.GOOD and at > self.latest:
            return Judgement(Standing.FUTURE, f"signed at {at}, which is not yet")
        return judgement

    def check(self, row: Row) -> Verdict:
        """Whether the record is right as it is stored.

        Raises:
            NotVerifiableError: a library that is needed is not installed.
        """
        message = self.message(row.values)
        if message is None:
            return Verdict("data", row.problem or "cannot be written in the profile's code page")
        return self.check_value(message, row.signature, row.reference, row.signed_at)

    def check_value(
        self, message: bytes, stored: Stored, reference: Any, signed_at: datetime | None
    ) -> Verdict:
        """Whether ``stored`` is a right signature over ``message``; raises as :meth:`check`."""
        column = self.profile.signature
        try:
            data = encodings.decode(stored, column.encoding)
        except MalformedError as error:
            return Verdict("encoding", str(error))
        embedded = self.profile.certificate.by == "embedded"
        candidates = [] if embedded else self.referenced(reference)
        if not candidates and not embedded:
            return Verdict("reference", "no certificate at hand has this reference")
        try:
            found = forms.strict(data, column, _key(candidates))
        except MalformedError as error:
            return Verdict("container", str(error))
        if isinstance(found, SignedMessage):
            named = found.named(candidates)
            if not named or (not embedded and named[0] not in candidates):
                return Verdict("reference", "the message names another certificate")
            candidates = [one for one in named if embedded or one in candidates]
        return self._signature_of(message, found, candidates, signed_at)

    def _signature_of(
        self,
        message: bytes,
        found: Raw | SignedMessage,
        candidates: Sequence[Certificate],
        signed_at: datetime | None,
    ) -> Verdict:
        for certificate in candidates:
            if self.holds(message, found, certificate) is not None:
                judgement = self.judge(certificate, signed_at, found)
                failed: Step | None = None
                if judgement.standing is not Standing.GOOD:
                    failed = "standing"
                return Verdict(failed, judgement.detail, certificate, judgement)
        return Verdict("signature", "the signature does not hold over the data")

    def holds(
        self, message: bytes, found: Raw | SignedMessage, certificate: Certificate
    ) -> Algorithm | None:
        """The algorithm under which the signature holds; None if it does not. Raises as check."""
        try:
            key = certificate.key
        except MalformedError:
            return None
        if isinstance(found, SignedMessage):
            if found.algorithm not in self.algorithms:
                return None
            return found.algorithm if found.holds(message, certificate, self.signer_id) else None
        data = found.for_key(key)
        if data is None or are_attributes(message):
            return None
        for algorithm in self.algorithms:
            if key.verify(algorithm, message, data, self.signer_id):
                return algorithm
        return None


def resolve(book: CertificateBook, how: CertificateReference, reference: Any) -> list[Certificate]:
    """The certificates that a reference names exactly as the profile writes it."""
    found: list[Certificate] = []
    text = str(reference) if reference is not None else ""
    if how.by in _HEX_BASES:
        one = book.by_fingerprint(text)
        found = [] if one is None else [one]
    elif text.isascii() and text.isalnum():
        try:
            found = book.by_serial(int(text, 10 if how.by == "serial-decimal" else 16))
        except ValueError:
            return []
    return [one for one in found if reference_of(one, how) == text]


def reference_of(certificate: Certificate, how: CertificateReference) -> str | None:
    """How a record names this certificate; None where the certificate is embedded."""
    if how.by == "embedded":
        return None
    if how.by == "serial-decimal":
        return str(certificate.serial)
    if how.by == "serial-hex":
        text = f"{certificate.serial:x}"
        text = text.zfill(len(text) + len(text) % 2)
    else:
        text = hashlib.new(how.by, certificate.der, usedforsecurity=False).hexdigest()
    return text.upper() if how.upper else text


def _key(candidates: Sequence[Certificate]) -> PublicKey | None:
    try:
        return candidates[0].key if candidates else None
    except (MalformedError, NotVerifiableError):
        return None

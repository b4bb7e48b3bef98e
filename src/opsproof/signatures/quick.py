"""The short way for a record that is right: what tables mostly hold.

:func:`compile_quick` makes one function for profiles of raw base64 signatures. It accepts only what
:class:`Checker` would accept, and says "look closer" (None) to everything else.
"""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from opsproof.signatures.algorithms import Algorithm
from opsproof.signatures.book import CertificateBook, Standing
from opsproof.signatures.certificates import Certificate
from opsproof.signatures.errors import MalformedError, NotVerifiableError
from opsproof.signatures.profile import Profile
from opsproof.signatures.serialise import Writer
from opsproof.signatures.values import Value, ValueProblemError, moment

Quick: TypeAlias = Callable[[Sequence[Any]], tuple[Value, ...] | None]
"""Cells of ``profile.columns`` to the field values of a right record, None for all others."""

_MOST_SIGNERS = 10_000


@dataclass(slots=True)
class _Signer:
    """A certificate with the span in which it was good; widened by nothing but the book."""

    certificate: Certificate
    verify: Callable[[bytes, bytes], bool]
    begin: datetime | None = None
    end: datetime | None = None
    good: bool = False

    def was_good(self, book: CertificateBook, at: datetime) -> bool:
        """The book's judgement, asked anew only when ``at`` leaves the span last asked about."""
        if not self.good or (self.begin and at < self.begin) or (self.end and at >= self.end):
            self.good = book.judge(self.certificate, at).standing is Standing.GOOD
            self.begin, self.end = book.span(self.certificate, at)
        return self.good


def compile_quick(
    profile: Profile,
    book: CertificateBook,
    write: Writer,
    readers: Sequence[tuple[Callable[[Any], Value], int]],
    resolve: Callable[[Any], list[Certificate]],
) -> Quick | None:
    """The function for this profile; None when its records always need the long way."""
    column, time = profile.signature, profile.signed_at
    simple = column.form == "raw" and column.encoding == "base64" and len(column.algorithms) == 1
    if not simple or time is None or profile.certificate.column is None:
        return None
    places = {name: place for place, name in enumerate(profile.columns)}
    signature, reference = places[column.column], places[profile.certificate.column]
    signed_at, zone = places[time.column], ZoneInfo(time.zone)
    algorithm, signer_id = column.algorithms[0], profile.signer_id.encode()
    signers: dict[str, _Signer | None] = {}

    def quick(cells: Sequence[Any]) -> tuple[Value, ...] | None:
        stored, name = cells[signature], cells[reference]
        if type(stored) is not str or type(name) is not str:
            return None
        if name not in signers and len(signers) < _MOST_SIGNERS:
            signers[name] = _signer(resolve(name), algorithm, signer_id)
        signer = signers.get(name)
        if signer is None:
            return None
        try:
            data = a2b_base64(stored)
            values = tuple([read(cells[place]) for read, place in readers])
            at = moment(cells[signed_at], zone)
            message = write(values)
        except (Error, ValueError, ValueProblemError):
            return None
        if not data or at is None or b2a_base64(data, newline=False).decode("ascii") != stored:
            return None
        if not signer.was_good(book, at):
            return None
        try:
            holds = signer.verify(message, data)
        except NotVerifiableError:
            return None
        return values if holds else None

    return quick


def _signer(found: list[Certificate], algorithm: Algorithm, signer_id: bytes) -> _Signer | None:
    """Only a reference that names one certificate; the long way tells several apart."""
    if len(found) != 1:
        return None
    try:
        key = found[0].key
    except (MalformedError, NotVerifiableError):
        return None
    if key.family != algorithm.family:
        return None
    return _Signer(found[0], key.verifier(algorithm, signer_id))

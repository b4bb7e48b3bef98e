"""The short way for records that are right: what tables mostly hold.

:class:`Quick` looks at a batch column by column, because a call a cell costs as much as half a
verification. It accepts only what :class:`Checker` would accept; of all other records it says "look
closer".
"""

from __future__ import annotations

from binascii import Error, a2b_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from opsproof.signatures import encodings
from opsproof.signatures.algorithms import Algorithm, PublicKey
from opsproof.signatures.book import CertificateBook, Standing
from opsproof.signatures.certificates import Certificate
from opsproof.signatures.cms import are_attributes
from opsproof.signatures.errors import MalformedError, NotVerifiableError
from opsproof.signatures.forms import Raw
from opsproof.signatures.profile import Profile, SignatureColumn
from opsproof.signatures.serialise import compile_columns
from opsproof.signatures.values import ValueProblemError, moment

Cells: TypeAlias = Sequence[Any]
"""One record: the cells of ``profile.columns``."""
Verify: TypeAlias = Callable[[bytes, bytes], bool]
Decode: TypeAlias = Callable[[Sequence[Any]], Sequence[bytes | None]]
"""Cells of the signature's column to bytes; None: look closer."""

_MOST_SIGNERS = 10_000
_DAY = timedelta(days=1)
_ENCODE = msgspec.json.Encoder().encode
_DECODE = msgspec.json.Decoder(list[bytes]).decode
_SET_OF = b"\x31"
"""What signed attributes begin with: a call for every record would cost a hundredth of it."""
_NO_SPARE_2 = "AEIMQUYcgkosw048"


@dataclass(slots=True)
class _Signer:
    """A certificate's key, and a span of naive local time in which it was good for certain.

    The span is a day smaller at both ends than the book's, so that no zone or clock change matters, and
    ends a day before what has not been yet.
    """

    certificate: Certificate
    verify: Verify
    begin: datetime = datetime(9999, 1, 1)  # noqa: DTZ001 - naive on purpose, see above
    end: datetime = datetime(1, 1, 1)  # noqa: DTZ001 - as above


class Quick:
    """The short way of one profile; made by :func:`compile_quick`."""

    def __init__(
        self,
        profile: Profile,
        book: CertificateBook,
        resolve: Callable[[Any], list[Certificate]],
        zone: ZoneInfo,
        latest: datetime,
    ) -> None:
        """``resolve`` gives the certificates that a stored reference names; see :class:`Checker`."""
        assert profile.signed_at is not None
        assert profile.certificate.column is not None
        places = {name: place for place, name in enumerate(profile.columns)}
        self._messages = compile_columns(profile.fields, profile.serialisation)
        self._fields = [places[one.column] for one in profile.fields]
        self._signature = places[profile.signature.column]
        self._reference = places[profile.certificate.column]
        self._signed_at = places[profile.signed_at.column]
        self._zone = zone
        self._latest = latest
        self._column = profile.signature
        self._signer_id = profile.signer_id.encode()
        self._book = book
        self._resolve = resolve
        self._decode = compile_decoder(profile.signature)
        self._signers: dict[str, _Signer | None] = {}

    def right(self, batch: Sequence[Cells]) -> list[bool]:
        """For every record whether it is right; False says only "look closer"."""
        if not batch:
            return []
        return self.right_columns(list(zip(*batch, strict=True)))

    def right_columns(self, columns: Sequence[Sequence[Any]]) -> list[bool]:
        """:meth:`right` of records that are given as one sequence of cells a column."""
        known, sure = self._signers, self._sure
        found = []
        for message, data, name, at in zip(
            self._messages([columns[place] for place in self._fields]),
            self._decode(columns[self._signature]),
            columns[self._reference],
            _moments(columns[self._signed_at], self._zone),
            strict=True,
        ):
            if message is None or data is None or at is None:
                found.append(False)
                continue
            signer = known.get(name) or self._signer(name)
            found.append(
                signer is not None
                and ((at.tzinfo is None and signer.begin < at < signer.end) or sure(signer, at))
                and signer.verify(message, data)
                and (message[:1] != _SET_OF or not are_attributes(message))
            )
        return found

    def _sure(self, signer: _Signer, at: datetime) -> bool:
        """The book's judgement at ``at`` (naive: in the profile's zone)."""
        aware = moment(at, self._zone)
        if (
            aware is None
            or aware > self._latest
            or self._book.judge(signer.certificate, aware).standing is not Standing.GOOD
        ):
            return False
        begin, end = self._book.span(signer.certificate, aware)
        if begin is not None and end is not None:
            signer.begin = begin.replace(tzinfo=None) + _DAY
            signer.end = min(end, self._latest).replace(tzinfo=None) - _DAY
        return True

    def _signer(self, name: Any) -> _Signer | None:
        """Only a reference that names one certificate; the long way tells several apart."""
        if type(name) is not str:
            return None
        if name in self._signers or len(self._signers) >= _MOST_SIGNERS:
            return self._signers.get(name)
        found = self._resolve(name)
        self._signers[name] = signer = self._made(found[0]) if len(found) == 1 else None
        return signer

    def _made(self, certificate: Certificate) -> _Signer | None:
        try:
            key = certificate.key
        except (MalformedError, NotVerifiableError):
            return None
        fitting = [one for one in self._column.algorithms if one.family == key.family]
        if len(fitting) != 1:
            return None
        return _Signer(certificate, _verifier(key, fitting[0], self._column, self._signer_id))


def compile_quick(
    profile: Profile,
    book: CertificateBook,
    resolve: Callable[[Any], list[Certificate]],
    latest: datetime,
) -> Quick | None:
    """The short way of this profile; None when its records always need the long way."""
    bare = profile.signature.form in ("raw", "rs")
    if not bare or profile.signed_at is None or profile.certificate.column is None:
        return None
    return Quick(profile, book, resolve, ZoneInfo(profile.signed_at.zone), latest)


def _moments(cells: Sequence[Any], zone: ZoneInfo) -> list[datetime | None]:
    """When each record was signed, naive where the cell names no zone; None: look closer."""
    if set(map(type, cells)) == {str}:
        try:
            return list(map(datetime.fromisoformat, cells))
        except ValueError:
            pass
    return [_moment(cell, zone) for cell in cells]


def _moment(cell: Any, zone: ZoneInfo) -> datetime | None:
    try:
        return moment(cell, zone)
    except (ValueProblemError, OverflowError):
        return None


def compile_decoder(column: SignatureColumn) -> Decode:
    """:func:`encodings.decode` of many cells, quick for base64."""
    encoding = column.encoding

    def other(stored: Any) -> bytes | None:
        if isinstance(stored, memoryview):
            stored = bytes(stored)
        try:
            return encodings.decode(stored, encoding)
        except MalformedError:
            return None

    return _base64 if encoding == "base64" else lambda cells: list(map(other, cells))


def _base64(cells: Sequence[Any]) -> Sequence[bytes | None]:
    if set(map(type, cells)) == {str}:
        try:
            # Three times as fast as binascii, and as strict about the alphabet.
            found = _DECODE(_ENCODE(cells))
        except (msgspec.MsgspecError, UnicodeEncodeError):
            pass
        else:
            # A column has few lengths and few ends.
            lengths, ends = set(map(len, cells)), {cell[-3:] for cell in cells}
            if all(_exact(length, end) for length in lengths for end in ends):
                return found
    return list(map(_base64_cell, cells))


def _base64_cell(stored: Any) -> bytes | None:
    if type(stored) is not str:
        return None
    try:
        data = a2b_base64(stored, strict_mode=True)
    except (Error, ValueError):
        return None
    return data if _exact(len(stored), stored[-3:]) else None


def _exact(length: int, end: str) -> bool:
    """Whether base64 of this length and with these last three characters is the only way to write it.

    Spare bits (RFC 4648 section 3.5) are another; Python 3.11's strict mode takes one "=" too many.
    """
    if length % 4 or len(end) < 3:
        return False
    if end[2] != "=":
        return True
    return end[0] in "AQgw" if end[1] == "=" else end[1] in _NO_SPARE_2


def _verifier(key: PublicKey, algorithm: Algorithm, column: SignatureColumn, own: bytes) -> Verify:
    verify = key.verifier(algorithm, own)
    if column.form != "rs":
        return verify

    def verify_numbers(message: bytes, data: bytes) -> bool:
        plain = Raw(data, "rs").for_key(key)
        return plain is not None and verify(message, plain)

    return verify_numbers

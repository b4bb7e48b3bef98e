"""Which lists and responses are believed: each is checked once, and the others are named.

A list counts under its issuer's *name* (RFC 5280 section 6.3.3, f): an authority with a new key signs
lists of what it issued with the old one. A response counts for the issuer that it names by name and
key; it is signed by that key, or by a responder that the key named (RFC 6960 section 4.2.2.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, TypeAlias

from opsproof.signatures.certificates import Certificate
from opsproof.signatures.errors import NotVerifiableError
from opsproof.signatures.revocation import (
    Response,
    RevocationList,
    Revocations,
    Revoked,
    Status,
    digest_of,
    holds,
)

_OCSP_SIGNING: Final = "1.3.6.1.5.5.7.3.9"
_STOLEN: Final = frozenset({"key_compromise", "ca_compromise"})

_Signers: TypeAlias = list[Certificate] | NotVerifiableError
_Owner: TypeAlias = tuple[bytes, bytes, int]
"""Name and key of an issuer, and the serial number of a certificate of it."""


class Believed:
    """What lists and responses say that trusted authorities signed.

    ``refused`` is where the others come from: they would say nothing, and what they revoke would pass
    for good. Those that need SM2, which is not installed, are not among them: :meth:`status` raises.
    """

    def __init__(
        self,
        read: Revocations,
        issuers: Iterable[Certificate],
        trusted: Callable[[Certificate], bool],
        signer_id: bytes,
        *,
        sha1: bool = False,
    ) -> None:
        """Check all of ``read``; ``trusted`` says whether a way leads from an issuer to an anchor.

        ``trusted`` may raise :class:`NotVerifiableError`. ``sha1``: see :class:`Allowed`.
        """
        self._sha1 = sha1
        self._issuers = list(issuers)
        self._trusted = trusted
        self._signer_id = signer_id
        self._lists: dict[bytes, list[tuple[RevocationList, _Signers]]] = {}
        self._answers: dict[_Owner, list[Status | NotVerifiableError]] = {}
        self.refused: list[str] = []
        for one in read.lists:
            if signers := self._signers(one):
                self._lists.setdefault(one.issuer, []).append((one, signers))
            else:
                self.refused.append(one.origin)
        for response in read.responses:  # lists first: they may revoke a responder
            heard = [self._hear(response, status) for status in response.statuses]
            if False in heard or True not in heard:
                self.refused.append(response.origin)

    def status(
        self, certificate: Certificate, issuer: Certificate
    ) -> tuple[Revoked | None, datetime | None]:
        """``(revoked, known until)``: the earliest revocation, and the newest trustworthy answer.

        ``known until`` is None when nothing at hand speaks of the certificate. A list tells that a
        certificate is not revoked only if whoever issued ``issuer`` issued its signer too: another
        authority of the same name may exist under another trusted one.

        Raises:
            NotVerifiableError: what speaks of it needs SM2, which is not installed.
        """
        found: list[Revoked] = []
        known: list[datetime] = []
        for one, signers in self._lists.get(issuer.subject, ()):
            if one.only_ca is not None and one.only_ca != certificate.is_ca:
                continue
            if isinstance(signers, NotVerifiableError):
                raise signers
            whole = one.points is None or one.points & certificate.crl_points
            if whole and any(signer.issuer == issuer.issuer for signer in signers):
                known.append(one.this_update)
            if certificate.serial in one.entries:
                found.append(one.entries[certificate.serial])
        for answer in self._answers.get((issuer.subject, issuer.spki, certificate.serial), ()):
            if isinstance(answer, NotVerifiableError):
                raise answer
            known.append(answer.this_update)
            if answer.revoked is not None:
                found.append(answer.revoked)
        earliest = min(found, key=lambda revoked: revoked.since, default=None)
        return earliest, max(known, default=None)

    def _signers(self, one: RevocationList) -> _Signers:
        """Who at hand signed a list; an error where that cannot be told without SM2."""
        found: list[Certificate] = []
        unknown: NotVerifiableError | None = None
        for issuer in self._issuers:
            if issuer.subject != one.issuer or not issuer.may_sign_crls:
                continue
            try:
                if self._holds(issuer, one) and self._trusted(issuer):
                    found.append(issuer)
            except NotVerifiableError as error:
                unknown = error
        return found or unknown or []

    def _hear(self, response: Response, status: Status) -> bool | None:
        """Whether an answer is signed as its issuer wants it; None: that one is not at hand.

        Nobody knows at ``producedAt`` how things stand at a later ``thisUpdate`` (RFC 6960 section 2.4).
        """
        if status.this_update > response.produced_at:
            return False
        heard: bool | None = None
        for issuer in self._issuers:
            owner = issuer.subject, issuer.spki, status.serial
            try:
                if not _names(status, issuer) or not self._trusted(issuer):
                    continue
                signed = self._signed(response, issuer)
            except NotVerifiableError as error:
                self._answers.setdefault(owner, []).append(error)
                signed = True
            else:
                if signed:
                    self._answers.setdefault(owner, []).append(status)
            heard = signed and heard is not False
        return heard

    def _signed(self, response: Response, issuer: Certificate) -> bool:
        """By the issuer, or by a responder that it named and had not revoked."""
        if self._holds(issuer, response):
            return True
        return any(
            _OCSP_SIGNING in (one.purposes or ())
            and one.may_sign
            and not one.faults
            and one.issuer == issuer.subject
            and one.not_before <= response.produced_at <= one.not_after
            and self._holds(issuer, one)
            and self._holds(one, response)
            and not self._listed(one, response.produced_at)
            for one in response.certificates
        )

    def _listed(self, responder: Certificate, at: datetime) -> bool:
        """Whether it was revoked then, or its key is somebody else's, who writes any time that he likes."""
        for one, signers in self._lists.get(responder.issuer, ()):
            if isinstance(signers, NotVerifiableError):
                raise signers
            entry = one.entries.get(responder.serial)
            if entry is not None and (entry.since <= at or entry.reason in _STOLEN):
                return True
        return False

    def _holds(self, signer: Certificate, one: Certificate | RevocationList | Response) -> bool:
        if signer.weak or (one.over_sha1 and not self._sha1):
            return False
        return holds(signer, one.algorithm, one.tbs, one.signature, self._signer_id)


def _names(status: Status, issuer: Certificate) -> bool:
    """RFC 6960 section 4.1.1: by the hash of its name and that of its key."""
    try:
        name = digest_of(status.hash_name, issuer.subject)
        key = digest_of(status.hash_name, issuer.public_key)
    except ValueError:
        return False
    return (name, key) == (status.issuer_name_hash, status.issuer_key_hash)

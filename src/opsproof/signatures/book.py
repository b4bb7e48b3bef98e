"""The certificates at hand: found by reference, and judged at the moment of signing.

A certificate's standing at a moment is worked out once as a list of spans and then only looked up:
tables of millions of records have some hundreds of signers.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import islice, pairwise
from typing import TypeAlias

from opsproof.signatures import sm2
from opsproof.signatures.believed import Believed
from opsproof.signatures.certificates import NOTHING_ELSE, Allowed, Certificate
from opsproof.signatures.errors import MalformedError, NotVerifiableError
from opsproof.signatures.revocation import Revocations, holds

_LONGEST_CHAIN = 8
_MOST_CHAINS = 16


class Standing(StrEnum):
    """What a signer's certificate was worth at a moment."""

    GOOD = "good"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    REVOKED = "revoked"
    UNTRUSTED = "untrusted"
    NOT_FOR_SIGNING = "not-for-signing"
    FUTURE = "future"
    REVOCATION_UNKNOWN = "revocation-unknown"
    NOT_VERIFIABLE = "not-verifiable"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A standing and its reason in one line."""

    standing: Standing
    detail: str = ""


_Revocation: TypeAlias = tuple[datetime | None, str, datetime | None]
"""Since when, why, and until when it is known."""


@dataclass(frozen=True, slots=True)
class _Way:
    """A chain up to a trusted certificate, and what is known of each below it."""

    chain: list[Certificate]
    revoked: list[_Revocation]

    def moments(self) -> set[datetime]:
        """When its standing can change."""
        found = {one.not_before for one in self.chain}
        found |= {_after(one.not_after) for one in self.chain}
        found |= {since for since, _, _ in self.revoked if since is not None}
        return found | {_after(until) for _, _, until in self.revoked if until is not None}


@dataclass
class CertificateBook:
    """Signers' certificates, their issuers, those trusted, and what is known of revocation.

    ``require_revocation``: a signing is good only if a CRL or an OCSP response at hand is at least
    as new as it (else "revocation-unknown").
    """

    certificates: list[Certificate]
    trusted: list[Certificate]
    revocations: Revocations = field(default_factory=Revocations)
    require_revocation: bool = False
    signer_id: bytes = sm2.DEFAULT_ID
    allowed: Allowed = NOTHING_ELSE

    def __post_init__(self) -> None:
        """Index everything once; the same certificate given twice counts once."""
        self.certificates = list(dict.fromkeys(self.certificates))
        self._at_hand = frozenset(self.certificates)
        self._anchors = {certificate.der for certificate in self.trusted}
        self._by_subject: dict[bytes, list[Certificate]] = {}
        for one in dict.fromkeys([*self.trusted, *self.certificates]):
            self._by_subject.setdefault(one.subject, []).append(one)
        self._by_serial: dict[int, list[Certificate]] = {}
        self._by_fingerprint: dict[str, Certificate] = {}
        for one in self.certificates:
            self._index(one)
        self._spans: dict[bytes, tuple[list[datetime], list[Judgement]]] = {}

    def _index(self, one: Certificate) -> None:
        self._by_serial.setdefault(one.serial, []).append(one)
        self._by_fingerprint[one.fingerprint] = one
        sha1 = hashlib.sha1(one.der, usedforsecurity=False).hexdigest()
        self._by_fingerprint[sha1] = one
        if sm2.available():
            self._by_fingerprint.setdefault(sm2.sm3(one.der).hex(), one)

    def admits(self, certificate: Certificate) -> bool:
        """Whether it is one of the signers' certificates given, or need not be."""
        return self.allowed.any_of_ca or certificate in self._at_hand

    def by_serial(self, serial: int) -> list[Certificate]:
        """Those with this serial number: several when different issuers gave it out."""
        return self._by_serial.get(serial, [])

    def by_fingerprint(self, text: str) -> Certificate | None:
        """By SHA-1, SHA-256 or SM3 in hex of either case, with or without ``:`` and blanks."""
        plain = "".join(text.split()).replace(":", "").lower()
        return self._by_fingerprint.get(plain)

    def signers(self) -> list[Certificate]:
        """All certificates whose key may sign data, in the order given."""
        return [one for one in self.certificates if one.may_sign and not one.is_ca]

    @cached_property
    def believed(self) -> Believed:
        """What trusted authorities say of revocation; all signatures of it are checked here."""
        known = dict.fromkeys([*self.trusted, *self.certificates])
        issuers = [one for one in known if one.may_issue or one.may_sign_crls]
        return Believed(
            self.revocations,
            issuers,
            self._leads_to_trust,
            self.signer_id,
            sha1=self.allowed.sha1,
        )

    def _leads_to_trust(self, certificate: Certificate) -> bool:
        return any(self._climb([certificate], []))

    def judge(self, certificate: Certificate, at: datetime) -> Judgement:
        """What the certificate was worth at ``at`` (aware)."""
        known = self._spans.get(certificate.der)
        if known is None:
            known = self._spans[certificate.der] = self._work_out(certificate)
        starts, judgements = known
        return judgements[bisect_right(starts, at)]

    def span(
        self, certificate: Certificate, at: datetime
    ) -> tuple[datetime | None, datetime | None]:
        """The span around ``at`` in which the judgement is the same: start included, end not."""
        self.judge(certificate, at)
        starts, _ = self._spans[certificate.der]
        place = bisect_right(starts, at)
        begin = starts[place - 1] if place else None
        return begin, starts[place] if place < len(starts) else None

    def _work_out(self, certificate: Certificate) -> tuple[list[datetime], list[Judgement]]:
        """Moments at which the standing can change, and the standing from each on.

        Of several chains (a CA that was renewed has two certificates for its key) one that holds will do.
        """
        try:
            chains = [_Way(chain, self._revoked(chain)) for chain in self._chains(certificate)]
        except NotVerifiableError as error:
            return [], [Judgement(Standing.NOT_VERIFIABLE, str(error))]
        except MalformedError as error:
            return [], [Judgement(Standing.UNTRUSTED, str(error))]
        if unfit := certificate.unfit(self.allowed.purposes):
            return [], [Judgement(Standing.NOT_FOR_SIGNING, f"{certificate.name}: {unfit}")]
        starts = sorted(set[datetime]().union(*(way.moments() for way in chains)))
        probes = [_before(starts[0]), *starts]
        return starts, [
            min((self._at(way, moment) for way in chains), key=_rank) for moment in probes
        ]

    def _at(self, way: _Way, moment: datetime) -> Judgement:
        for one in way.chain:
            if moment < one.not_before:
                return Judgement(
                    Standing.NOT_YET_VALID, f"{one.name}: valid only from {one.not_before}"
                )
            if moment > one.not_after:
                return Judgement(Standing.EXPIRED, f"{one.name}: expired at {one.not_after}")
        for one, (since, reason, _) in zip(way.chain, way.revoked, strict=False):
            if since is not None and moment >= since:
                return Judgement(Standing.REVOKED, f"{one.name}: revoked since {since} ({reason})")
        if self.require_revocation:
            for one, (_, _, until) in zip(way.chain, way.revoked, strict=False):
                if until is None or moment > until:
                    detail = f"{one.name}: no CRL or OCSP response is as new as the signing"
                    return Judgement(Standing.REVOCATION_UNKNOWN, detail)
        return Judgement(Standing.GOOD)

    def _revoked(self, chain: list[Certificate]) -> list[_Revocation]:
        found: list[_Revocation] = []
        for one, issuer in pairwise(chain):
            revoked, until = self.believed.status(one, issuer)
            since, reason = (None, "") if revoked is None else (revoked.since, revoked.reason)
            found.append((since, reason, until))
        return found

    def _chains(self, certificate: Certificate) -> list[list[Certificate]]:
        """From the certificate to trusted ones. Raises :class:`MalformedError`: there is no way."""
        missing: list[str] = []
        found = list(islice(self._climb([certificate], missing), _MOST_CHAINS))
        if not found:
            raise MalformedError(missing[0] if missing else "no way to a trusted certificate")
        return found

    def _climb(self, chain: list[Certificate], missing: list[str]) -> Iterator[list[Certificate]]:
        current = chain[-1]
        if current.faults:
            missing.append(f"{current.name}: {current.faults[0]}")
            return
        if current.weak and not self.allowed.weak_keys:
            missing.append(f"{current.name}: its RSA key is shorter than 2048 bits")
            return
        if current.der in self._anchors:
            yield chain
            return
        if current.over_sha1 and not self.allowed.sha1:
            missing.append(f"{current.name}: is signed over SHA-1")
            return
        if len(chain) >= _LONGEST_CHAIN:
            missing.append("the chain is too long")
            return
        for issuer in self._by_subject.get(current.issuer, ()):
            if issuer in chain or not issuer.may_issue or _too_deep(issuer, len(chain) - 1):
                continue
            if holds(issuer, current.algorithm, current.tbs, current.signature, self.signer_id):
                yield from self._climb([*chain, issuer], missing)
        missing.append(f"{current.name}: its issuer is not at hand or did not sign it")


def worse(judgements: Iterable[Judgement]) -> Judgement:
    """What counts where a signature was made at one of several moments: revoked before all else."""
    order = (Standing.REVOKED, Standing.EXPIRED)

    def rank(one: Judgement) -> int:
        if one.standing in order:
            return order.index(one.standing)
        return len(order) + (one.standing is Standing.GOOD)

    return min(judgements, key=rank)


def _rank(judgement: Judgement) -> int:
    """Which of several chains speaks: one that holds, else one whose certificates were all in time."""
    order = (Standing.GOOD, Standing.REVOKED, Standing.REVOCATION_UNKNOWN)
    return order.index(judgement.standing) if judgement.standing in order else len(order)


def _too_deep(issuer: Certificate, below: int) -> bool:
    """RFC 5280 section 4.2.1.9: how many intermediate certificates may follow an issuer."""
    return issuer.path_length is not None and below > issuer.path_length


def _after(moment: datetime) -> datetime:
    """The first moment after one that is still included; certificates count whole seconds."""
    return moment + timedelta(microseconds=1)


def _before(moment: datetime) -> datetime:
    return moment - timedelta(microseconds=1)

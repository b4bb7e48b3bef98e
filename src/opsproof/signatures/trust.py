"""Whom "valid" trusts: the certificates and the word on revocation that an analysis worked with.

A plan says it in its header, so that whoever approves the plan approves this too, and what is stored is
checked against the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import msgspec

from opsproof.evidence.canonical import canonical
from opsproof.evidence.schemas.signatures import Trusted, TrustFacts
from opsproof.signatures.book import CertificateBook
from opsproof.signatures.certificates import Certificate
from opsproof.signatures.model import SHOWN


class Trust(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every certificate, CRL and OCSP response by the SHA-256 of its DER, whatever file it was in.

    ``allowed`` is what the profile takes that is refused elsewhere, see
    :attr:`opsproof.signatures.certificates.Allowed.names`.
    """

    anchors: tuple[Trusted, ...]
    certificates: tuple[Trusted, ...]
    revocations: tuple[Trusted, ...]
    require_revocation: bool
    allowed: tuple[str, ...]

    def facts(self) -> TrustFacts:
        """What goes to evidence: signers are counted, not named."""
        return TrustFacts(
            sha256=hashlib.sha256(canonical(self)).hexdigest(),
            anchors=self.anchors,
            certificates=len(self.certificates),
            revocations=len(self.revocations),
            revocation_sources=self.revocations[:SHOWN],
            require_revocation=self.require_revocation,
            allowed=self.allowed,
        )

    def others(self, now: Trust) -> Iterator[str]:
        """How ``now`` is not this, a line each."""
        for kind, then, there in (
            ("trusted certificate", self.anchors, now.anchors),
            ("certificate", self.certificates, now.certificates),
            ("revocation", self.revocations, now.revocations),
        ):
            yield from (f"{kind} {_shown(one)} is not in the plan" for one in _without(there, then))
            yield from (f"{kind} {_shown(one)} is missing" for one in _without(then, there))
        if self.require_revocation != now.require_revocation:
            yield f"require-revocation was {'on' if self.require_revocation else 'off'}"


def trust_of(book: CertificateBook) -> Trust:
    """What a book of certificates holds; the order of files does not matter."""
    known = book.revocations
    said = [Trusted(sha256=one.sha256, name=one.name) for one in known.lists]
    said += [Trusted(sha256=one.sha256, name=one.name) for one in known.responses]
    return Trust(
        anchors=_sorted(map(_certificate, book.trusted)),
        certificates=_sorted(map(_certificate, book.certificates)),
        revocations=_sorted(said),
        require_revocation=book.require_revocation,
        allowed=book.allowed.names,
    )


def lines(trust: TrustFacts) -> list[str]:
    """For whoever approves a plan, a line each."""
    found = [f"trusted: {one.name}, SHA-256 {one.sha256}" for one in trust.anchors]
    unknown = "" if trust.require_revocation else "; where they say nothing, nothing is revoked"
    found.append(
        f"{trust.certificates} certificates at hand, "
        f"{trust.revocations} CRLs and OCSP responses{unknown}"
    )
    if trust.allowed:
        found.append(f"the profile also allows: {', '.join(trust.allowed)}")
    return found


def _certificate(one: Certificate) -> Trusted:
    return Trusted(sha256=one.fingerprint, name=one.name)


def _sorted(found: Iterable[Trusted]) -> tuple[Trusted, ...]:
    return tuple(sorted(set(found), key=lambda one: (one.name, one.sha256)))


def _without(some: Iterable[Trusted], others: Iterable[Trusted]) -> Iterator[Trusted]:
    known = {one.sha256 for one in others}
    return (one for one in some if one.sha256 not in known)


def _shown(one: Trusted) -> str:
    return f"{one.name!r} (SHA-256 {one.sha256[:16]})"

"""A list or a response either speaks of certificates or is refused: nothing is passed over in silence."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.signatures.conftest import NOW, Pki, pki

from opsproof.signatures import believed, lab
from opsproof.signatures.book import CertificateBook, Standing
from opsproof.signatures.certificates import Certificate
from opsproof.signatures.revocation import Revocations, holds

DAY = timedelta(days=1)


def book(
    signers: list[Certificate],
    trusted: list[lab.Signer],
    *files: bytes,
    folder: Path,
    required: bool = False,
) -> CertificateBook:
    revocations = Revocations()
    for number, data in enumerate(files):
        (folder / str(number)).write_bytes(data)
        revocations.add(folder / str(number))
    anchors = [one.certificate for one in trusted]
    return CertificateBook(signers, anchors, revocations, required)


def below(name: str, issuer: lab.Signer, serial: int, *, ca: bool = False) -> lab.Signer:
    key = lab.new_key(issuer.key.family)
    begin, end = NOW - 99 * DAY, NOW + 99 * DAY
    certificate = lab.issue(
        name, key, issuer, serial=serial, ca=ca, not_before=begin, not_after=end
    )
    return lab.Signer(key, certificate)


def standing(one: CertificateBook, signer: lab.Signer) -> Standing:
    return one.judge(signer.certificate, NOW).standing


@pytest.fixture
def rekeyed(any_pki: Pki) -> lab.Signer:
    """The authority with a new key, as it would have after some years."""
    return lab.authority(f"lab {any_pki.family} CA", any_pki.family, serial=2, at=NOW)


def test_an_authority_with_a_new_key_revokes_what_it_issued_with_the_old_one(
    any_pki: Pki, rekeyed: lab.Signer, tmp_path: Path
) -> None:
    signer, anchors = any_pki.signer, [any_pki.ca, rekeyed]
    for revoked, wanted in (
        ([(signer.certificate.serial, NOW)], Standing.REVOKED),
        ([(1, NOW)], Standing.GOOD),
    ):
        told = lab.issue_crl(rekeyed, revoked, this_update=NOW + DAY)
        one = book([signer.certificate], anchors, told, folder=tmp_path, required=True)
        assert one.believed.refused == []
        assert standing(one, signer) is wanted


def test_another_trusted_authority_of_the_name_revokes_but_does_not_vouch(tmp_path: Path) -> None:
    roots = [lab.authority(name, "ecdsa", serial=1, at=NOW) for name in ("root", "other")]
    first, second = (below("issuer", root, 5, ca=True) for root in roots)
    signer = below("signer", first, 9)
    given = [signer.certificate, first.certificate, second.certificate]
    ocsp = lab.issue_ocsp(roots[0], first.certificate, this_update=NOW + DAY)
    for revoked, wanted in (
        ([(9, NOW)], Standing.REVOKED),
        ([(1, NOW)], Standing.REVOCATION_UNKNOWN),
    ):
        told = lab.issue_crl(second, revoked, this_update=NOW + DAY)
        one = book(given, roots, told, ocsp, folder=tmp_path, required=True)
        assert one.believed.refused == []
        assert standing(one, signer) is wanted


def test_a_list_under_another_name_is_refused(any_pki: Pki, tmp_path: Path) -> None:
    """The key is the authority's, the name is not: it would be looked up for nobody."""
    other = lab.authority("other", any_pki.family, serial=3, at=NOW)
    named = dataclasses.replace(any_pki.ca.certificate, subject=other.certificate.subject)
    serial = any_pki.signer.certificate.serial
    told = lab.issue_crl(lab.Signer(any_pki.ca.key, named), [(serial, NOW)], this_update=NOW)
    for anchors in ([any_pki.ca], [any_pki.ca, other]):
        one = book([any_pki.signer.certificate], anchors, told, folder=tmp_path)
        assert one.believed.refused == ["0"]


def test_a_namesake_that_nobody_trusts_is_refused(
    any_pki: Pki, rekeyed: lab.Signer, tmp_path: Path
) -> None:
    """Its certificate is at hand beside the signers': that alone makes it no authority."""
    signer = any_pki.signer
    told = lab.issue_crl(rekeyed, [(signer.certificate.serial, NOW)], this_update=NOW + DAY)
    given = [signer.certificate, rekeyed.certificate]
    one = book(given, [any_pki.ca], told, folder=tmp_path, required=True)
    assert one.believed.refused == ["0"]
    assert standing(one, signer) is Standing.REVOCATION_UNKNOWN


def test_a_response_is_signed_by_the_key_that_issued(
    any_pki: Pki, rekeyed: lab.Signer, tmp_path: Path
) -> None:
    """RFC 6960 section 4.2.2.2: with the old key at hand, the new one's word is refused, not lost."""
    signer = any_pki.signer
    options: dict[str, Any] = {"this_update": NOW + DAY, "revoked_at": NOW}
    right = lab.issue_ocsp(any_pki.ca, signer.certificate, **options)
    by_new = lab.issue_ocsp(any_pki.ca, signer.certificate, responder=rekeyed, **options)
    of_nobody = lab.issue_ocsp(
        lab.Signer(any_pki.ca.key, any_pki.signer.certificate), signer.certificate, **options
    )
    one = book(
        [signer.certificate],
        [any_pki.ca, rekeyed],
        *(right, by_new, of_nobody),
        folder=tmp_path,
    )
    assert one.believed.refused == ["1", "2"]
    assert standing(one, signer) is Standing.REVOKED


def test_a_signature_is_checked_once_however_many_signers_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = pki("ecdsa")
    checked: list[Any] = []
    signers = [one.new_signer(2000 + number).certificate for number in range(5)]
    told = lab.issue_crl(one.ca, [(2000, NOW)], this_update=NOW)
    found = book(signers, [one.ca], told, folder=tmp_path)

    def counted(*words: Any) -> bool:
        checked.append(words)
        return holds(*words)

    monkeypatch.setattr(believed, "holds", counted)
    standings = [found.judge(signer, NOW).standing for signer in signers]
    assert standings == [Standing.REVOKED] + [Standing.GOOD] * 4
    assert found.believed.refused == []
    assert len(checked) == 1

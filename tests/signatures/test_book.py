"""What a certificate was worth at a moment: chain, validity, revocation, usage."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from tests.signatures.conftest import NOW, Pki, pki

from opsproof.signatures import lab, sm2
from opsproof.signatures.book import CertificateBook, Standing
from opsproof.signatures.certificates import Certificate
from opsproof.signatures.errors import CertificateError
from opsproof.signatures.revocation import Revocations

SECOND = timedelta(seconds=1)
THEN = NOW - timedelta(days=390)
"""Before any clock: `cryptography` writes the time at which a response is made, and it tells of before."""


def book_of(one: Pki, *certificates: Certificate, **options: object) -> CertificateBook:
    revocations = options.get("revocations", Revocations())
    assert isinstance(revocations, Revocations)
    return CertificateBook(
        list(certificates),
        [one.ca.certificate],
        revocations,
        require_revocation=bool(options.get("require", False)),
    )


def test_validity_at_signing_is_to_the_second(any_pki: Pki) -> None:
    certificate = any_pki.signer.certificate
    book = book_of(any_pki, certificate)
    assert book.judge(certificate, NOW).standing is Standing.GOOD
    assert book.judge(certificate, certificate.not_before).standing is Standing.GOOD
    assert book.judge(certificate, certificate.not_after).standing is Standing.GOOD
    early = book.judge(certificate, certificate.not_before - SECOND)
    assert early.standing is Standing.NOT_YET_VALID
    late = book.judge(certificate, certificate.not_after + SECOND)
    assert late.standing is Standing.EXPIRED


def test_revocation_counts_from_its_moment(any_pki: Pki, tmp_path: Path) -> None:
    certificate = any_pki.signer.certificate
    (tmp_path / "a.crl").write_bytes(
        lab.issue_crl(any_pki.ca, [(certificate.serial, NOW)], this_update=NOW + SECOND)
    )
    revocations = Revocations()
    revocations.add(tmp_path / "a.crl")
    book = book_of(any_pki, certificate, revocations=revocations)
    assert book.judge(certificate, NOW - SECOND).standing is Standing.GOOD
    assert book.judge(certificate, NOW).standing is Standing.REVOKED


def test_a_moment_has_one_standing_and_validity_comes_before_revocation(
    any_pki: Pki, tmp_path: Path
) -> None:
    """A certificate that was revoked and has run out as well: one word for each moment."""
    certificate = any_pki.signer.certificate
    since = certificate.not_before - SECOND
    (tmp_path / "a.crl").write_bytes(
        lab.issue_crl(any_pki.ca, [(certificate.serial, since)], this_update=NOW)
    )
    revocations = Revocations()
    revocations.add(tmp_path / "a.crl")
    book = book_of(any_pki, certificate, revocations=revocations, require=True)
    assert book.judge(certificate, since).standing is Standing.NOT_YET_VALID
    assert book.judge(certificate, NOW).standing is Standing.REVOKED
    assert book.judge(certificate, certificate.not_after).standing is Standing.REVOKED
    assert book.judge(certificate, certificate.not_after + SECOND).standing is Standing.EXPIRED


def test_a_list_that_its_issuer_did_not_sign_says_nothing(any_pki: Pki, tmp_path: Path) -> None:
    certificate = any_pki.signer.certificate
    forged = lab.Signer(lab.new_key(any_pki.family), any_pki.ca.certificate)
    (tmp_path / "a.crl").write_bytes(
        lab.issue_crl(forged, [(certificate.serial, NOW)], this_update=NOW)
    )
    revocations = Revocations()
    revocations.add(tmp_path / "a.crl")
    book = book_of(any_pki, certificate, revocations=revocations)
    with sm2.quiet():
        assert book.judge(certificate, NOW).standing is Standing.GOOD


def test_required_revocation_needs_an_answer_as_new_as_the_signing(tmp_path: Path) -> None:
    one = pki("rsa")
    certificate = one.signer.certificate
    (tmp_path / "a.crl").write_bytes(lab.issue_crl(one.ca, [], this_update=NOW))
    revocations = Revocations()
    revocations.add(tmp_path / "a.crl")
    book = book_of(one, certificate, revocations=revocations, require=True)
    assert book.judge(certificate, NOW).standing is Standing.GOOD
    assert book.judge(certificate, NOW + SECOND).standing is Standing.REVOCATION_UNKNOWN


def crl_with(path: Path, name: str, value: object) -> Path:
    extension = {"extn_id": name, "critical": True, "extn_value": value}
    one = pki("ecdsa")
    der = lab.issue_crl(
        one.ca, [(one.signer.certificate.serial, NOW)], this_update=NOW, extensions=[extension]
    )
    path.write_bytes(der)
    return path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("delta_crl_indicator", 1),
        ("issuing_distribution_point", {"indirect_crl": True}),
        ("issuing_distribution_point", {"only_contains_attribute_certs": True}),
        ("1.2.3.4", b"\x05\x00"),
    ],
)
def test_a_list_that_tells_a_part_only_is_not_used(
    name: str, value: object, tmp_path: Path
) -> None:
    path = crl_with(tmp_path / "a.crl", name, value)
    with pytest.raises(CertificateError) as caught:
        Revocations().add(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    ("scope", "wanted"),
    [
        ("only_contains_user_certs", Standing.REVOKED),
        ("only_contains_ca_certs", Standing.REVOCATION_UNKNOWN),
    ],
)
def test_a_list_speaks_of_the_certificates_that_it_is_for(
    scope: str, wanted: Standing, tmp_path: Path
) -> None:
    one = pki("ecdsa")
    revocations = Revocations()
    revocations.add(crl_with(tmp_path / "a.crl", "issuing_distribution_point", {scope: True}))
    book = book_of(one, one.signer.certificate, revocations=revocations, require=True)
    assert book.judge(one.signer.certificate, NOW).standing is wanted


@pytest.mark.parametrize(
    ("named", "wanted"), [("b", Standing.GOOD), ("c", Standing.REVOCATION_UNKNOWN)]
)
def test_a_part_of_a_list_tells_nothing_of_the_certificates_of_others(
    named: str, wanted: Standing, tmp_path: Path
) -> None:
    one, day = pki("ecdsa"), timedelta(days=1)

    def point(name: str) -> asn1.DistributionPointName:
        uri = asn1.GeneralName("uniform_resource_identifier", f"http://ca.lab/{name}.crl")
        return asn1.DistributionPointName("full_name", [uri])

    extension = {
        "extn_id": "crl_distribution_points",
        "critical": False,
        "extn_value": [{"distribution_point": point(name)} for name in ("a", "b")],
    }
    certificate = lab.issue(
        "signer",
        lab.new_key("ecdsa"),
        one.ca,
        serial=7,
        not_before=NOW - day,
        not_after=NOW + day,
        extra=[extension],
    )
    path = crl_with(
        tmp_path / "a.crl", "issuing_distribution_point", {"distribution_point": point(named)}
    )
    revocations = Revocations()
    revocations.add(path)
    book = book_of(one, certificate, revocations=revocations, require=True)
    assert book.judge(certificate, NOW).standing is wanted


def test_a_forged_issuer_is_untrusted(any_pki: Pki) -> None:
    forged = lab.Signer(lab.new_key(any_pki.family), any_pki.ca.certificate)
    certificate = lab.issue(
        "forged",
        lab.new_key(any_pki.family),
        forged,
        serial=5,
        not_before=NOW,
        not_after=NOW + timedelta(days=1),
    )
    with sm2.quiet():
        judgement = book_of(any_pki, certificate).judge(certificate, NOW)
    assert judgement.standing is Standing.UNTRUSTED
    assert judgement.detail.endswith("its issuer is not at hand or did not sign it")


@pytest.mark.parametrize(
    ("usage", "wanted"),
    [
        (("key_encipherment",), Standing.NOT_FOR_SIGNING),
        (("non_repudiation",), Standing.GOOD),
        (("digital_signature",), Standing.GOOD),
    ],
)
def test_key_usage(usage: tuple[str, ...], wanted: Standing) -> None:
    one = pki("ecdsa")
    certificate = lab.issue(
        "usage",
        lab.new_key("ecdsa"),
        one.ca,
        serial=6,
        not_before=NOW,
        not_after=NOW + timedelta(days=1),
        usage=usage,
    )
    assert book_of(one, certificate).judge(certificate, NOW).standing is wanted


def test_a_signer_may_not_issue() -> None:
    one = pki("ecdsa")
    certificate = lab.issue(
        "below",
        lab.new_key("ecdsa"),
        one.signer,
        serial=7,
        not_before=NOW,
        not_after=NOW + timedelta(days=1),
    )
    book = book_of(one, certificate, one.signer.certificate)
    assert book.judge(certificate, NOW).standing is Standing.UNTRUSTED


def test_found_by_serial_and_by_every_fingerprint() -> None:
    one = pki("rsa")
    certificate = one.signer.certificate
    book = book_of(one, certificate)
    known = x509.load_der_x509_certificate(certificate.der)
    assert book.by_serial(certificate.serial) == [certificate]
    for digest in (hashes.SHA1(), hashes.SHA256()):  # noqa: S303 - a name, not a proof
        text = known.fingerprint(digest).hex(":").upper()
        assert book.by_fingerprint(text) == certificate
    assert book.by_fingerprint("00" * 20) is None


@pytest.mark.parametrize("family", ["rsa", "ecdsa"])
def test_ocsp_responses(family: str, tmp_path: Path) -> None:
    one = pki(family)
    certificate = one.signer.certificate
    (tmp_path / "o").write_bytes(_ocsp(one, one.ca.key.private, THEN))
    revocations = Revocations()
    revocations.add(tmp_path / "o")
    book = book_of(one, certificate, revocations=revocations)
    assert book.judge(certificate, THEN - SECOND).standing is Standing.GOOD
    assert book.judge(certificate, THEN).standing is Standing.REVOKED


def test_a_forged_ocsp_response_says_nothing(tmp_path: Path) -> None:
    one = pki("ecdsa")
    genuine = _ocsp(one, one.ca.key.private, THEN)
    (tmp_path / "o").write_bytes(genuine[:-1] + bytes([genuine[-1] ^ 1]))
    revocations = Revocations()
    revocations.add(tmp_path / "o")
    book = book_of(one, one.signer.certificate, revocations=revocations)
    assert book.judge(one.signer.certificate, THEN).standing is Standing.GOOD


def test_a_file_that_is_neither_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.crl"
    path.write_bytes(b"nothing")
    with pytest.raises(CertificateError) as caught:
        Revocations().add(path)
    assert str(caught.value).startswith(f"{path}: is no CRL (")


def _ocsp(one: Pki, key: object, revoked_at: datetime) -> bytes:
    issuer = x509.load_der_x509_certificate(one.ca.certificate.der)
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=x509.load_der_x509_certificate(one.signer.certificate.der),
        issuer=issuer,
        algorithm=hashes.SHA1(),  # noqa: S303 - RFC 6960 names issuers by it
        cert_status=ocsp.OCSPCertStatus.REVOKED,
        this_update=revoked_at + SECOND,
        next_update=None,
        revocation_time=revoked_at,
        revocation_reason=x509.ReasonFlags.key_compromise,
    )
    response = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, issuer).sign(
        key,  # type: ignore[arg-type]
        hashes.SHA256(),
    )
    return response.public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_ca_that_was_renewed_with_its_key_counts_at_both_times(newest_first: bool) -> None:
    day, root = timedelta(days=1), pki("ecdsa").ca
    key = lab.new_key("ecdsa")

    def issuer(serial: int, begin: int, end: int) -> Certificate:
        return lab.issue(
            "issuer",
            key,
            root,
            serial=serial,
            not_before=NOW + begin * day,
            not_after=NOW + end * day,
            ca=True,
        )

    renewed = [issuer(2, -200, -90), issuer(3, -100, 100)]
    if newest_first:
        renewed.reverse()
    signer = lab.issue(
        "signer",
        lab.new_key("ecdsa"),
        lab.Signer(key, renewed[0]),
        serial=9,
        not_before=NOW - 190 * day,
        not_after=NOW + 200 * day,
    )
    book = CertificateBook([signer, *renewed], [root.certificate])
    found = [book.judge(signer, NOW + days * day).standing for days in (-150, -95, 0)]
    assert found == [Standing.GOOD] * 3
    assert book.judge(signer, NOW + 101 * day).standing is Standing.EXPIRED

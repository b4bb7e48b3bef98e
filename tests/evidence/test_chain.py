"""Who may sign evidence, and who may vouch for whoever does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from tests.evidence import samples

from opsproof.errors import TamperedError
from opsproof.evidence.chain import check_chain, unfit

KEY = ec.generate_private_key(ec.SECP256R1())
"""Of everybody: what is asked here is not whose the keys are."""

UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
CONSTRAINTS = x509.NameConstraints([x509.DNSName("example")], None)


def usage(*names: str) -> x509.KeyUsage:
    fields = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{field: field in names for field in fields})


CA = (x509.BasicConstraints(ca=True, path_length=None), usage("key_cert_sign"))
PERSON = (x509.BasicConstraints(ca=False, path_length=None), usage("digital_signature"))


def issued(
    name: str,
    issuer: x509.Certificate | None,
    extensions: Sequence[x509.ExtensionType],
    critical: bool = True,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(samples.NOW - timedelta(days=9))
        .not_valid_after(samples.NOW + timedelta(days=9))
    )
    for one in extensions:
        builder = builder.add_extension(one, critical)
    return builder.sign(KEY, hashes.SHA256())


def purpose(text: str) -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([x509.ObjectIdentifier(text)])


ROOT = issued("root", None, CA)


@pytest.mark.parametrize(
    ("extensions", "fault"),
    [
        (PERSON, ""),
        ((), ""),
        ((usage("content_commitment"),), ""),
        ((*PERSON, purpose("1.3.6.1.5.5.7.3.4")), ""),
        ((*PERSON, purpose("1.3.6.1.5.5.7.3.36")), ""),
        ((*PERSON, purpose("1.3.6.1.5.5.7.3.1")), "its extended key usage says so"),
        ((usage("key_encipherment"),), "its key usage says so"),
        ((*PERSON, UNKNOWN), "not understood: 1.2.3.4"),
        ((*PERSON, CONSTRAINTS), "not understood: 2.5.29.30"),
        ((CA[0], usage("digital_signature", "key_cert_sign")), "is a CA's"),
    ],
)
def test_what_was_issued_for_something_else_signs_no_evidence(
    extensions: Sequence[x509.ExtensionType], fault: str
) -> None:
    one = issued("one", ROOT, extensions)
    assert fault in unfit(one)
    assert bool(unfit(one)) is bool(fault)
    if not fault:
        check_chain([one], [ROOT], samples.NOW)
        return
    for trusted in (ROOT, one):
        with pytest.raises(TamperedError, match="the certificate CN=one "):
            check_chain([one], [trusted], samples.NOW)


@pytest.mark.parametrize("critical", [True, False])
def test_constraints_of_names_are_understood_by_nobody_here(critical: bool) -> None:
    between = issued("between", ROOT, (*CA, CONSTRAINTS), critical)
    one = issued("one", between, PERSON)
    with pytest.raises(TamperedError, match="CN=one does not lead to the given CA"):
        check_chain([one, between], [ROOT], samples.NOW)


@pytest.mark.parametrize(
    "extensions",
    [
        (x509.BasicConstraints(ca=False, path_length=None), usage("key_cert_sign")),
        (x509.BasicConstraints(ca=True, path_length=None), usage("digital_signature")),
        (*CA, UNKNOWN),
        (),
    ],
)
def test_a_signer_is_no_issuer(extensions: Sequence[x509.ExtensionType]) -> None:
    between = issued("between", ROOT, extensions)
    one = issued("one", between, PERSON)
    with pytest.raises(TamperedError, match="CN=one does not lead to the given CA"):
        check_chain([one, between], [ROOT], samples.NOW)


@pytest.mark.parametrize(("most", "right"), [(None, True), (1, True), (0, False)])
def test_no_more_issuers_follow_than_may(most: int | None, right: bool) -> None:
    first = issued("first", ROOT, (x509.BasicConstraints(ca=True, path_length=most), CA[1]))
    second = issued("second", first, CA)
    chain = [issued("one", second, PERSON), second, first]
    if right:
        check_chain(chain, [ROOT], samples.NOW)
        return
    with pytest.raises(TamperedError, match="CN=second does not lead to the given CA"):
        check_chain(chain, [ROOT], samples.NOW)

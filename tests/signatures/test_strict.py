"""What the strict check must not take, however well it is signed; the quick way takes no more."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from asn1crypto import keys, x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.signatures.conftest import NOW, pki

from opsproof.evidence.der import tlv
from opsproof.signatures import cms, ecpoints, lab
from opsproof.signatures.algorithms import Algorithm, public_key
from opsproof.signatures.book import CertificateBook, Standing
from opsproof.signatures.certificates import Allowed, Certificate, parse
from opsproof.signatures.check import AHEAD, Checker, Verdict
from opsproof.signatures.diagnose import Diagnoser
from opsproof.signatures.errors import MalformedError
from opsproof.signatures.model import RecordClass
from opsproof.signatures.profile import CertificateReference, Profile, SignatureColumn, problems
from opsproof.signatures.revocation import Revocations, load_revocations

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


def profile(**changes: Any) -> Profile:
    """A table of a name and its signature; ``changes`` replace whole parts."""
    plain: dict[str, Any] = {
        "id": "p",
        "title": {"en": "p"},
        "database": "d",
        "table": {"name": "t"},
        "key": ["id"],
        "fields": [{"name": "name", "column": "name"}],
        "serialisation": {},
        "signature": {"column": "sig", "algorithms": ["ecdsa-sha256"]},
        "certificate": {"by": "serial-decimal", "column": "ref"},
        "signed_at": {"column": "at", "zone": "Asia/Shanghai"},
    }
    return msgspec.convert(plain | changes, Profile)


EMBEDDED = profile(
    signature={"column": "sig", "form": "cms-detached", "algorithms": ["ecdsa-sha256"]},
    certificate={"by": "embedded"},
)


def checker(
    one: Profile, known: Sequence[Certificate], crl: bytes | None = None, folder: Path | None = None
) -> Checker:
    revocations = Revocations()
    if crl is not None and folder is not None:
        (folder / "crl").write_bytes(crl)
        revocations.add(folder / "crl")
    anchors = [pki("ecdsa").ca.certificate]
    book = CertificateBook(list(known), anchors, revocations, allowed=one.allowed)
    return Checker(one, book, NOW)


def message(signer: lab.Signer, content: bytes, at: datetime) -> bytes:
    """A detached message with the time of signing among its signed attributes."""
    attributes = cms.signed_attributes(content, "sha256", "international", at)
    return cms.write(
        signer.key.sign(signer.algorithm, attributes),
        signer.algorithm,
        signer.certificate,
        flavour="international",
        attributes=attributes,
    )


def cells(one: Checker, data: bytes, at: Any, reference: Any = None, name: str = "Li") -> list[Any]:
    given = {
        "id": 1,
        "name": name,
        "sig": base64.b64encode(data).decode(),
        "ref": reference,
        "at": at,
    }
    return [given[column] for column in one.profile.columns]


def checked(one: Checker, row: list[Any]) -> Verdict:
    """The strict word; the quick way, where there is one, must say the same."""
    verdict = one.check(one.row(row))
    quick = one.quick()
    if quick is not None:
        assert quick.right([row]) == [verdict.failed is None]
        assert quick.right([row, row])[1] is (verdict.failed is None)
    return verdict


@pytest.mark.parametrize(("in_column", "in_message"), [(-9, 0), (0, -9), (-9, -9), (0, 0)])
def test_a_column_does_not_outweigh_the_time_that_is_signed(
    in_column: int, in_message: int, tmp_path: Path
) -> None:
    one = pki("ecdsa")
    signer = one.signer
    revoked = lab.issue_crl(one.ca, [(signer.certificate.serial, NOW - 5 * DAY)], this_update=NOW)
    found = checker(EMBEDDED, [signer.certificate], revoked, tmp_path)
    data = message(signer, b"Li", NOW + in_message * DAY)
    row = cells(found, data, (NOW + in_column * DAY).isoformat())
    verdict = checked(found, row)
    if in_column == in_message == -9:
        assert verdict.failed is None
    else:
        assert verdict.judgement is not None
        assert verdict.judgement.standing is Standing.REVOKED
    diagnosis = Diagnoser(found, base_delivered=False).diagnose(found.row(row), None)
    wanted = RecordClass.VALID if verdict.failed is None else RecordClass.REVOKED
    assert diagnosis.record_class is wanted


@pytest.mark.parametrize(
    ("after", "right"),
    [(-2 * DAY, True), (AHEAD, True), (AHEAD + SECOND, False), (300 * DAY, False)],
)
def test_nothing_is_signed_later_than_now(after: timedelta, right: bool) -> None:
    signer = pki("ecdsa").signer
    raw = signer.key.sign(signer.algorithm, b"Li")
    bare, wrapped = (checker(one, [signer.certificate]) for one in (profile(), EMBEDDED))
    serial = str(signer.certificate.serial)
    local = (NOW + after + 8 * timedelta(hours=1)).replace(tzinfo=None).isoformat()
    verdicts = [
        checked(bare, cells(bare, raw, local, serial)),
        checked(wrapped, cells(wrapped, message(signer, b"Li", NOW - DAY), local)),
        checked(wrapped, cells(wrapped, message(signer, b"Li", NOW + after), None)),
    ]
    assert [one.failed is None for one in verdicts] == [right] * 3
    if not right:
        assert all("which is not yet" in one.detail for one in verdicts)


@pytest.mark.parametrize(
    "time", [tlv(0x18, b"20261101000000"), tlv(0x18, b"00001101000000Z"), tlv(0x04, b"x")]
)
def test_a_signed_time_that_is_none_is_a_message_that_is_none(time: bytes) -> None:
    signer = pki("ecdsa").signer
    right = cms.signed_attributes(b"Li", "sha256", "international", NOW)
    attributes = right.replace(tlv(0x17, b"261101080000Z"), time)
    assert attributes != right
    attributes = tlv(0x31, attributes[2:])
    data = cms.write(
        signer.key.sign(signer.algorithm, attributes),
        signer.algorithm,
        signer.certificate,
        flavour="international",
        attributes=attributes,
    )
    found = checker(EMBEDDED, [signer.certificate])
    assert checked(found, cells(found, data, None)).failed == "container"


ANY = msgspec.structs.replace(
    EMBEDDED, certificate=CertificateReference(by="embedded", any_of_ca=True)
)


@pytest.mark.parametrize("by", [EMBEDDED, ANY])
def test_a_certificate_of_the_same_ca_is_not_at_hand_unless_the_profile_says_so(
    by: Profile,
) -> None:
    one = pki("ecdsa")
    student = one.new_signer(7)
    found = checker(by, [one.signer.certificate])
    row = cells(found, message(student, b"Li", NOW - DAY), None)
    verdict = checked(found, row)
    assert (verdict.failed is None) is (by is ANY)
    diagnosis = Diagnoser(found, base_delivered=False).diagnose(found.row(row), None)
    if by is EMBEDDED:
        assert verdict.detail.endswith("signer 7, Organization: opsproof lab: is not at hand")
        assert diagnosis.record_class is RecordClass.UNTRUSTED
        assert diagnosis.detail == verdict.detail
        assert diagnosis.repair is None
    else:
        assert diagnosis.record_class is RecordClass.VALID


def with_uses(*uses: str, critical: bool = True) -> lab.Signer:
    one, key = pki("ecdsa"), lab.new_key("ecdsa")
    extension = {
        "extn_id": "extended_key_usage",
        "critical": critical,
        "extn_value": list(uses),
    }
    certificate = lab.issue(
        "uses",
        key,
        one.ca,
        serial=11,
        not_before=NOW - 9 * DAY,
        not_after=NOW + 9 * DAY,
        extra=[extension],
    )
    return lab.Signer(key, certificate)


@pytest.mark.parametrize(
    ("uses", "right"),
    [
        (["server_auth"], False),
        (["ocsp_signing"], False),
        (["time_stamping", "code_signing"], False),
        (["1.3.6.1.4.1.99.1"], False),
        (["client_auth"], True),
        (["email_protection", "server_auth"], True),
        (["any_extended_key_usage"], True),
        (["1.3.6.1.5.5.7.3.36"], True),
    ],
)
def test_what_was_issued_for_something_else_does_not_sign_data(
    uses: list[str], right: bool
) -> None:
    for critical in (True, False):
        signer = with_uses(*uses, critical=critical)
        for one in (profile(), ANY, EMBEDDED):
            found = checker(one, [signer.certificate])
            data = (
                signer.key.sign(signer.algorithm, b"Li")
                if one.signature.form == "raw"
                else message(signer, b"Li", NOW - DAY)
            )
            verdict = checked(found, cells(found, data, (NOW - DAY).isoformat(), "11"))
            assert (verdict.failed is None) is right
            if not right:
                assert verdict.judgement is not None
                assert verdict.judgement.standing is Standing.NOT_FOR_SIGNING
                assert "its extended key usage is for" in verdict.detail


def test_a_profile_may_name_the_use_that_its_authority_writes() -> None:
    signer = with_uses("1.3.6.1.4.1.99.1")
    how = CertificateReference(by="serial-decimal", column="ref", purposes=("1.3.6.1.4.1.99.1",))
    found = checker(msgspec.structs.replace(profile(), certificate=how), [signer.certificate])
    data = signer.key.sign(signer.algorithm, b"Li")
    assert checked(found, cells(found, data, (NOW - DAY).isoformat(), "11")).failed is None


@pytest.mark.parametrize("form", ["raw", "rs", "cms-detached", "cms-attached"])
def test_what_was_signed_as_attributes_is_not_signed_as_a_record(form: str) -> None:
    """The signature of a message about other data, for a record whose text is its attributes' bytes."""
    signer = pki("ecdsa").signer
    column = {"column": "sig", "form": form, "algorithms": ["ecdsa-sha256"]}
    one = profile(signature=column, serialisation={"encoding": "utf-16-le"})
    found = checker(one, [signer.certificate])
    more = tlv(0x30, bytes.fromhex("06032a0304") + tlv(0x31, b"\x04\x00"))  # for an even length
    for number in range(1000):
        usual = cms.signed_attributes(b"%d" % number, "sha256", "international", NOW - DAY)
        told = tlv(0x31, more + usual[2:])
        with suppress(UnicodeDecodeError):
            told.decode("utf-16-le")
            break
    for content in (told, told + b"\0\0", "1|Li".encode("utf-16-le")):
        text = content.decode("utf-16-le")
        raw = signer.key.sign(signer.algorithm, content)
        whole = cms.write(
            raw,
            signer.algorithm,
            signer.certificate,
            flavour="international",
            content=content if form == "cms-attached" else None,
        )
        forms = {"raw": raw, "rs": ecpoints.der_to_raw(raw, 32)}
        serial = str(signer.certificate.serial)
        row = cells(found, forms.get(form, whole), (NOW - DAY).isoformat(), serial, name=text)
        assert (checked(found, row).failed is None) is (content != told), content


def rsa_signers(bits: int, above: int) -> tuple[lab.Signer, lab.Signer]:
    """A signer and its authority, with RSA keys of these lengths."""
    begin, end = NOW - 99 * DAY, NOW + 99 * DAY
    root = lab.new_key("rsa", bits=above)
    ca = lab.Signer(
        root, lab.issue("CA", root, None, serial=1, not_before=begin, not_after=end, ca=True)
    )
    key = lab.new_key("rsa", bits=bits)
    one = lab.issue("signer", key, ca, serial=11, not_before=begin, not_after=end)
    return lab.Signer(key, one), ca


@pytest.mark.parametrize(("bits", "above"), [(1024, 2048), (2048, 1024), (2047, 2048)])
def test_short_rsa_keys_count_only_where_the_profile_says_so(
    bits: int, above: int, tmp_path: Path
) -> None:
    signer, ca = rsa_signers(bits, above)
    data = signer.key.sign(signer.algorithm, b"Li")
    column = SignatureColumn(column="sig")
    for weak in (False, True):
        how = CertificateReference(by="serial-decimal", column="ref", weak_keys=weak)
        one = msgspec.structs.replace(profile(), certificate=how, signature=column)
        book = CertificateBook([signer.certificate], [ca.certificate], allowed=one.allowed)
        found = Checker(one, book, NOW)
        verdict = checked(found, cells(found, data, (NOW - DAY).isoformat(), "11"))
        assert (verdict.failed is None) is weak
        if not weak:
            assert verdict.detail.endswith("its RSA key is shorter than 2048 bits")
    (tmp_path / "crl").write_bytes(lab.issue_crl(ca, [(11, NOW - 9 * DAY)], this_update=NOW))
    read = load_revocations([tmp_path / "crl"])
    allowed = Allowed(weak_keys=True)
    believed = CertificateBook(
        [signer.certificate], [ca.certificate], read, allowed=allowed
    ).believed
    assert believed.refused == (["crl"] if above < 2048 else [])


@pytest.mark.parametrize(
    ("how", "algorithm", "right"),
    [({}, "ecdsa-sha256", False), ({"sha1": True}, "ecdsa-sha256", True), ({}, "ecdsa-sha1", True)],
)
def test_sha1_above_a_signer_counts_only_where_the_profile_has_it(
    how: dict[str, Any],
    algorithm: str,
    right: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ca = pki("ecdsa").ca
    over_sha256 = pki("ecdsa").signer
    monkeypatch.setitem(lab._DEFAULT, "ecdsa", Algorithm.ECDSA_SHA1)
    signer = pki("ecdsa").new_signer(11)
    (tmp_path / "crl").write_bytes(lab.issue_crl(ca, [], this_update=NOW))
    (tmp_path / "ocsp").write_bytes(lab.issue_ocsp(ca, over_sha256.certificate, this_update=NOW))
    one = profile(
        certificate={"by": "serial-decimal", "column": "ref", **how},
        signature={"column": "sig", "algorithms": [algorithm]},
    )
    read = load_revocations([tmp_path / "crl", tmp_path / "ocsp"])
    known = [signer.certificate, over_sha256.certificate]
    book = CertificateBook(known, [ca.certificate], read, allowed=one.allowed)
    assert book.believed.refused == ([] if right else ["crl", "ocsp"])
    found = Checker(one, book, NOW)
    data = signer.key.sign(Algorithm(algorithm), b"Li")
    verdict = checked(found, cells(found, data, (NOW - DAY).isoformat(), "11"))
    assert (verdict.failed is None) is right
    assert right or verdict.detail.endswith("is signed over SHA-1")


def test_keys_that_anybody_can_sign_with_are_none() -> None:
    short = keys.RSAPublicKey({"modulus": (1 << 1022) + 1, "public_exponent": 65537})
    with pytest.raises(MalformedError, match="an RSA key of 1023 bits"):
        public_key(keys.PublicKeyInfo.wrap(short, "rsa").dump())
    curve = ec.generate_private_key(ec.SECP192R1()).public_key()
    with pytest.raises(MalformedError, match="a key on a curve of 192 bits"):
        public_key(
            curve.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )


def altered(signer: lab.Signer, **changes: Any) -> Certificate:
    """The signer's certificate with other fields, signed by its authority once more."""
    whole = x509.Certificate.load(signer.certificate.der).copy()
    for name, value in changes.items():
        whole["tbs_certificate"][name] = value
    tbs = whole["tbs_certificate"].dump(force=True)
    signature = pki("ecdsa").ca.key.sign(Algorithm.ECDSA_SHA256, tbs)
    return parse(
        tlv(0x30, tbs + whole["signature_algorithm"].dump() + tlv(0x03, b"\0" + signature))
    )


NAMES = x509.NameConstraints(
    {"permitted_subtrees": [{"base": x509.GeneralName("dns_name", "example")}]}
)


@pytest.mark.parametrize(
    ("extra", "fault"),
    [
        ([], ""),
        ([("key_usage", {"digital_signature"})], "an extension is there twice"),
        ([("1.2.3.4", b"\x05\x00")], ""),
        ([("name_constraints", NAMES)], "an extension is not understood: name_constraints"),
    ],
)
def test_a_certificate_that_can_be_understood_in_two_ways_counts_for_nothing(
    extra: list[tuple[str, Any]], fault: str
) -> None:
    one, key = pki("ecdsa"), lab.new_key("ecdsa")
    for critical in (False, True):
        certificate = lab.issue(
            "odd",
            key,
            one.ca,
            serial=11,
            not_before=NOW - 9 * DAY,
            not_after=NOW + 9 * DAY,
            usage=("key_encipherment",)
            if extra and extra[0][0] == "key_usage"
            else ("non_repudiation",),
            extra=[
                {"extn_id": name, "critical": critical, "extn_value": value}
                for name, value in extra
            ],
        )
        found = checker(profile(), [certificate])
        raw = key.sign(Algorithm.ECDSA_SHA256, b"Li")
        verdict = checked(found, cells(found, raw, (NOW - DAY).isoformat(), "11"))
        wanted = fault or ("an extension is not understood: 1.2.3.4" if extra and critical else "")
        assert (verdict.failed is None) is (not wanted)
        assert verdict.detail.endswith(wanted)


def test_a_certificate_that_names_two_algorithms_counts_for_nothing() -> None:
    signer = pki("ecdsa").signer
    again = altered(signer)
    other = altered(signer, signature=x509.SignedDigestAlgorithm({"algorithm": "sha384_ecdsa"}))
    for certificate, right in ((again, True), (other, False)):
        found = checker(profile(), [certificate])
        raw = signer.key.sign(signer.algorithm, b"Li")
        serial = str(certificate.serial)
        verdict = checked(found, cells(found, raw, (NOW - DAY).isoformat(), serial))
        assert (verdict.failed is None) is right
        assert right or verdict.detail.endswith("it names two signature algorithms")


@pytest.mark.parametrize("signer_id", ["", "x" * 8192, "a\x00b", "\ud800"])
def test_an_identifier_that_sm2_cannot_have_is_refused(signer_id: str) -> None:
    [problem] = problems(profile(signer_id=signer_id))
    assert problem == "signer_id must be text of 1 to 8191 bytes"


def test_a_key_that_is_not_signed_is_said() -> None:
    assert profile().unsigned_key == ("id",)
    signed = [{"name": "id", "column": "id"}, {"name": "name", "column": "name"}]
    assert profile(fields=signed).unsigned_key == ()


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        ({"by": "sha256", "column": "ref", "any_of_ca": True}, "for embedded certificates only"),
        ({"by": "sha256", "column": "ref", "purposes": ["serverAuth"]}, "'serverAuth' is no obj"),
    ],
)
def test_what_a_profile_says_of_certificates_must_make_sense(
    how: dict[str, Any], problem: str
) -> None:
    assert [problem in one for one in problems(profile(certificate=how))] == [True]

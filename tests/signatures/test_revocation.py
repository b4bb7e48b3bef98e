"""CRLs and OCSP responses of all three families: believed when the right one signed them, else silent."""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import crl, ocsp, pem
from hypothesis import given
from hypothesis import strategies as st
from tests.signatures.conftest import NOW, Pki, pki

from opsproof.signatures import lab, sm2
from opsproof.signatures.book import CertificateBook, Standing
from opsproof.signatures.errors import CertificateError, NotVerifiableError
from opsproof.signatures.revocation import Revocations

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
OCSP_SIGNING: list[dict[str, Any]] = [
    {"extn_id": "extended_key_usage", "critical": False, "extn_value": ["ocsp_signing"]}
]


def standing(one: Pki, at: Any, *files: bytes, folder: Path, required: bool = False) -> Standing:
    revocations = Revocations()
    for number, data in enumerate(files):
        (folder / str(number)).write_bytes(data)
        revocations.add(folder / str(number))
    certificate = one.signer.certificate
    book = CertificateBook([certificate], [one.ca.certificate], revocations, required)
    return book.judge(certificate, at).standing


def responder(
    one: Pki,
    issuer: lab.Signer | None = None,
    *,
    extra: list[dict[str, Any]] = OCSP_SIGNING,
    end: int = 400,
    usage: tuple[str, ...] = ("digital_signature",),
) -> lab.Signer:
    key = lab.new_key(one.family)
    certificate = lab.issue(
        "responder",
        key,
        issuer or one.ca,
        serial=0xC5,
        not_before=NOW - 400 * DAY,
        not_after=NOW + end * DAY,
        extra=extra,
        usage=usage,
    )
    return lab.Signer(key, certificate)


def answer(one: Pki, **options: Any) -> bytes:
    given: dict[str, Any] = {"this_update": NOW + DAY} | options
    return lab.issue_ocsp(one.ca, one.signer.certificate, **given)


@pytest.mark.parametrize("nonce", [None, b"\x04\x08" + bytes(8)])
def test_a_response_tells_good_and_revoked_at_signing(
    nonce: bytes | None, any_pki: Pki, tmp_path: Path
) -> None:
    good = answer(any_pki, nonce=nonce)
    assert standing(any_pki, NOW, good, folder=tmp_path, required=True) is Standing.GOOD
    revoked = answer(any_pki, revoked_at=NOW, nonce=nonce)
    assert standing(any_pki, NOW - SECOND, revoked, folder=tmp_path) is Standing.GOOD
    assert standing(any_pki, NOW, revoked, folder=tmp_path) is Standing.REVOKED


@pytest.mark.parametrize("order", [1, -1])
def test_a_number_that_is_in_a_list_twice_is_revoked_from_the_first_moment_on(
    order: int, tmp_path: Path
) -> None:
    one = pki("ecdsa")
    number = one.signer.certificate.serial
    entries = [(number, NOW - 9 * DAY), (number, NOW + 9 * DAY)][::order]
    told = lab.issue_crl(one.ca, entries, this_update=NOW + 10 * DAY)
    assert standing(one, NOW, told, folder=tmp_path) is Standing.REVOKED
    assert standing(one, NOW - 10 * DAY, told, folder=tmp_path) is Standing.GOOD


def test_a_response_says_nothing_of_later_signings(any_pki: Pki, tmp_path: Path) -> None:
    """One that has expired still tells of what was before; ``next_update`` promises nothing."""
    old = answer(any_pki, this_update=NOW - 30 * DAY, next_update=NOW - 23 * DAY)
    for at, wanted in (
        (NOW - 30 * DAY, Standing.GOOD),
        (NOW - 24 * DAY, Standing.REVOCATION_UNKNOWN),
        (NOW, Standing.REVOCATION_UNKNOWN),
    ):
        assert standing(any_pki, at, old, folder=tmp_path, required=True) is wanted


def test_the_issuer_may_name_a_responder(any_pki: Pki, tmp_path: Path) -> None:
    told = answer(any_pki, revoked_at=NOW, responder=responder(any_pki))
    assert standing(any_pki, NOW, told, folder=tmp_path) is Standing.REVOKED


WRONG: dict[str, Callable[[Pki], lab.Signer]] = {
    "not-for-ocsp": lambda one: responder(one, extra=[]),
    "expired": lambda one: responder(one, end=-1),
    "not-for-signing": lambda one: responder(one, usage=("key_encipherment",)),
    "of-unknown-meaning": lambda one: responder(
        one,
        extra=[
            *OCSP_SIGNING,
            {"extn_id": "1.2.3.4", "critical": True, "extn_value": b"\x05\x00"},
        ],
    ),
    "of-another-authority": lambda one: responder(
        one, lab.authority(f"lab {one.family} CA", one.family, serial=1, at=NOW)
    ),
    "its-own": lambda one: lab.authority("responder", one.family, serial=1, at=NOW),
}


@pytest.mark.parametrize("fault", sorted(WRONG))
def test_a_wrong_responder_says_nothing(fault: str, any_pki: Pki, tmp_path: Path) -> None:
    for revoked_at, required, wanted in (
        (NOW, False, Standing.GOOD),
        (None, True, Standing.REVOCATION_UNKNOWN),
    ):
        told = answer(any_pki, revoked_at=revoked_at, responder=WRONG[fault](any_pki))
        assert standing(any_pki, NOW, told, folder=tmp_path, required=required) is wanted


def test_a_responder_that_was_revoked_says_nothing(any_pki: Pki, tmp_path: Path) -> None:
    told = answer(any_pki, responder=responder(any_pki))
    for since, wanted in ((NOW, Standing.REVOCATION_UNKNOWN), (NOW + 2 * DAY, Standing.GOOD)):
        # The list is older than the signing: it alone knows nothing of it.
        crl = lab.issue_crl(any_pki.ca, [(0xC5, since)], this_update=NOW - DAY)
        files = (told, crl)
        assert standing(any_pki, NOW, *files, folder=tmp_path, required=True) is wanted


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        ("key_compromise", Standing.REVOCATION_UNKNOWN),
        ("ca_compromise", Standing.REVOCATION_UNKNOWN),
        ("superseded", Standing.GOOD),
    ],
)
def test_whoever_has_a_responders_key_does_not_vouch_from_before_it_was_revoked(
    reason: str, wanted: Standing, tmp_path: Path
) -> None:
    one = pki("ecdsa")
    told = answer(one, responder=responder(one), this_update=NOW + SECOND)
    crl = lab.issue_crl(one.ca, [(0xC5, NOW + DAY)], this_update=NOW - DAY, reason=reason)
    assert standing(one, NOW, told, crl, folder=tmp_path, required=True) is wanted


@pytest.mark.parametrize("delegated", [False, True])
def test_nobody_knows_what_will_be(delegated: bool, tmp_path: Path) -> None:
    """A response produced before its responder was revoked, that speaks of a time after."""
    one = pki("ecdsa")
    by = responder(one) if delegated else None
    for produced_at, wanted in (
        (NOW + DAY, Standing.GOOD),
        (NOW + DAY - SECOND, Standing.REVOCATION_UNKNOWN),
    ):
        told = answer(one, responder=by, produced_at=produced_at)
        assert standing(one, NOW, told, folder=tmp_path, required=True) is wanted


def test_one_bit_more_and_it_says_nothing(any_pki: Pki, tmp_path: Path) -> None:
    genuine = answer(any_pki, revoked_at=NOW)
    told = genuine[:-1] + bytes([genuine[-1] ^ 1])
    assert standing(any_pki, NOW, told, folder=tmp_path) is Standing.GOOD


def test_another_issuer_of_the_same_name_and_number_is_not_meant(
    any_pki: Pki, tmp_path: Path
) -> None:
    """The hash of the issuer's key counts as well as that of its name (RFC 6960, 4.1.1)."""
    other = lab.authority("other", any_pki.family, serial=1, at=NOW)
    certificate = lab.issue(
        "x",
        lab.new_key(any_pki.family),
        None,
        serial=any_pki.signer.certificate.serial,
        not_before=NOW,
        not_after=NOW,
    )
    namesake = lab.Signer(any_pki.ca.key, other.certificate)
    told = lab.issue_ocsp(namesake, certificate, this_update=NOW + DAY, revoked_at=NOW)
    assert standing(any_pki, NOW, told, folder=tmp_path) is Standing.GOOD


def test_issuers_named_by_sm3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = pki("sm2")
    told = answer(one, revoked_at=NOW, digest="sm3")
    assert standing(one, NOW, told, folder=tmp_path) is Standing.REVOKED
    of_rsa = pki("rsa")
    told = answer(of_rsa, revoked_at=NOW, digest="sm3")
    assert standing(of_rsa, NOW, told, folder=tmp_path) is Standing.REVOKED
    monkeypatch.setattr(sm2, "library", None)
    assert standing(of_rsa, NOW, told, folder=tmp_path) is Standing.NOT_VERIFIABLE


@pytest.mark.parametrize("fault", ["", "two signature algorithms", "an extension twice"])
def test_a_list_that_can_be_understood_in_two_ways_is_named(fault: str, tmp_path: Path) -> None:
    scope = {"extn_id": "issuing_distribution_point", "critical": True}
    extensions = [
        scope | {"extn_value": {name: True}}
        for name in ("only_contains_user_certs", "only_contains_ca_certs")
    ]
    whole = crl.CertificateList.load(
        lab.issue_crl(
            pki("ecdsa").ca,
            [],
            this_update=NOW,
            extensions=extensions if "extension" in fault else extensions[:1],
        )
    ).copy()
    if "algorithms" in fault:
        whole["tbs_cert_list"]["signature"]["algorithm"] = "sha384_ecdsa"
    (tmp_path / "c").write_bytes(whole.dump(force=True))
    if not fault:
        Revocations().add(tmp_path / "c")
        return
    with pytest.raises(CertificateError, match=fault):
        Revocations().add(tmp_path / "c")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"critical": "1.2.3.4"}, "an extension is not understood: 1.2.3.4"),
        ({}, "the responder does not know the certificate"),
        ({"response_status": "try_later"}, "the responder answered try_later"),
    ],
)
def test_what_is_no_answer_is_named(
    change: dict[str, str], word: str, any_pki: Pki, tmp_path: Path
) -> None:
    if "response_status" in change:
        data = ocsp.OCSPResponse(change).dump()
    elif change:
        data = answer(any_pki, **change)
    else:
        whole = ocsp.OCSPResponse.load(answer(any_pki)).copy()
        basic = whole["response_bytes"]["response"].parsed
        single = basic["tbs_response_data"]["responses"][0]
        single["cert_status"] = ocsp.CertStatus("unknown", ocsp.StatusUnknown())
        data = whole.dump(force=True)
    (tmp_path / "o").write_bytes(data)
    with pytest.raises(CertificateError) as caught:
        Revocations().add(tmp_path / "o")
    assert word in str(caught.value)


@given(seed=st.integers(0, 2**32))
def test_other_bytes_are_named_and_never_break(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng, one = random.Random(seed), pki("ecdsa")  # noqa: S311 - any bytes will do
    genuine = [
        answer(one, revoked_at=NOW, nonce=b"\x04\x01n"),
        lab.issue_crl(one.ca, [], this_update=NOW),
    ]
    data = bytearray(rng.choice(genuine))
    for _ in range(rng.randint(1, 3)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    path = tmp_path_factory.getbasetemp() / "other"
    path.write_bytes(data)
    with contextlib.suppress(CertificateError):
        Revocations().add(path)


@pytest.mark.parametrize("kind", ["o", "c"])
def test_without_the_library_an_sm2_answer_is_not_taken_for_silence(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chains of SM2 cannot be checked then either; an answer alone raises and never says "good"."""
    one = pki("sm2")
    revocations = Revocations()
    told = {"o": answer(one, revoked_at=NOW), "c": lab.issue_crl(one.ca, [], this_update=NOW)}
    for name, data in told.items():
        (tmp_path / name).write_bytes(data)
    revocations.add(tmp_path / kind)
    monkeypatch.setattr(sm2, "library", None)
    one.ca.certificate.__dict__.pop("key", None)
    book = CertificateBook([one.signer.certificate], [one.ca.certificate], revocations)
    assert book.believed.refused == []
    with pytest.raises(NotVerifiableError):
        book.believed.status(one.signer.certificate, one.ca.certificate)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("delegated", [False, True])
def test_openssl_believes_the_same_responses(delegated: bool, any_pki: Pki, tmp_path: Path) -> None:
    """OpenSSL 3 has no option for the signer's identifier in OCSP: of SM2 it checks the bare signature."""
    signer = responder(any_pki) if delegated else any_pki.ca
    told = answer(any_pki, revoked_at=NOW, responder=signer if delegated else None)
    for name, one in (("ca", any_pki.ca), ("cert", any_pki.signer), ("by", signer)):
        (tmp_path / f"{name}.pem").write_bytes(pem.armor("CERTIFICATE", one.certificate.der))
    (tmp_path / "o").write_bytes(told)
    words = ["ocsp", "-respin", "o", "-issuer", "ca.pem", "-cert", "cert.pem", "-no_nonce"]
    words += ["-validity_period", "4000000000"]
    if any_pki.family != "sm2":
        at = str(int(NOW.timestamp()))
        said = openssl(tmp_path, *words, "-CAfile", "ca.pem", "-attime", at)
        assert "Response verify OK" in said
    else:
        said = openssl(tmp_path, *words, "-noverify")
        basic = ocsp.OCSPResponse.load(told).basic_ocsp_response
        tbs, signature = basic["tbs_response_data"].dump(), basic["signature"].native
        assert_openssl_holds_sm2(tmp_path, "by.pem", tbs, signature)
    assert "revoked" in said


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_believes_the_same_chains_and_lists(any_pki: Pki, tmp_path: Path) -> None:
    """The option for the signer's identifier is for certificates only, in ``verify`` (OpenSSL 3)."""
    listed = lab.issue_crl(any_pki.ca, [(7, NOW)], this_update=NOW)
    (tmp_path / "list.pem").write_bytes(pem.armor("X509 CRL", listed))
    for name, one in (("ca", any_pki.ca), ("cert", any_pki.signer)):
        (tmp_path / f"{name}.pem").write_bytes(pem.armor("CERTIFICATE", one.certificate.der))
    words = ["verify", "-CAfile", "ca.pem", "-attime", str(int(NOW.timestamp()))]
    if any_pki.family == "sm2":
        words += ["-vfyopt", DISTINGUISHING]
        found = crl.CertificateList.load(listed)
        tbs, signature = found["tbs_cert_list"].dump(), found["signature"].native
        assert_openssl_holds_sm2(tmp_path, "ca.pem", tbs, signature)
    else:
        assert "verify OK" in openssl(
            tmp_path, "crl", "-in", "list.pem", "-CAfile", "ca.pem", "-noout"
        )
    assert "cert.pem: OK" in openssl(tmp_path, *words, "cert.pem")


DISTINGUISHING = f"distid:{sm2.DEFAULT_ID.decode()}"


def assert_openssl_holds_sm2(folder: Path, signer: str, tbs: bytes, signature: bytes) -> None:
    (folder / "tbs").write_bytes(tbs)
    (folder / "sig").write_bytes(signature)
    key = openssl(folder, "x509", "-in", signer, "-pubkey", "-noout")
    (folder / "key.pem").write_text(key)
    words = ["pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-digest", "sm3"]
    words += ["-in", "tbs", "-sigfile", "sig", "-pkeyopt", DISTINGUISHING]
    assert "Signature Verified Successfully" in openssl(folder, *words)


def openssl(folder: Path, *words: str) -> str:
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import ExtendedKeyUsage
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.evidence import samples

from opsproof.errors import UsageError
from opsproof.evidence.keys import (
    ENV_PASSPHRASE_FILE,
    KeysError,
    create_demo_keys,
    ensure_keys,
    keys_folder,
    load_keys,
    load_rsa_key,
)


def test_demo_keys_are_made_once_and_marked(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(samples.key_folder(), tmp_path / ".keys"))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    keys = ensure_keys(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert keys.demo
    assert "demo" in keys.signer.certificate.subject.rfc4514_string()
    assert "demonstration" in before["DEMO.txt"].decode()


def test_private_files_are_for_their_owner_only() -> None:
    folder = samples.key_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {(folder / name).stat().st_mode & 0o777 for name in ("signer.key", "bureau.key")} == {
        0o600
    }


def test_the_signer_may_protect_mail_and_sign_code() -> None:
    certificate = samples.keys().signer.certificate
    uses = certificate.extensions.get_extension_for_class(ExtendedKeyUsage).value
    assert set(uses) == {ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.CODE_SIGNING}


def test_a_passphrase_comes_from_a_file(tmp_path: Path) -> None:
    create_demo_keys(tmp_path / "k", now=samples.NOW, secret=b"correct horse")
    with pytest.raises(KeysError, match=r"signer\.key: cannot be read"):
        load_keys(tmp_path / "k", {})
    (tmp_path / "pass").write_text("correct horse\n")
    environment = {ENV_PASSPHRASE_FILE: str(tmp_path / "pass")}
    assert load_keys(tmp_path / "k", environment).demo


def test_the_bureau_s_key_may_have_a_passphrase_too(tmp_path: Path) -> None:
    create_demo_keys(tmp_path / "k", now=samples.NOW, secret=b"correct horse")
    path = tmp_path / "k/bureau.key"
    (tmp_path / "pass").write_text("correct horse\n")
    environment = {ENV_PASSPHRASE_FILE: str(tmp_path / "pass")}
    assert load_rsa_key(path, environment).key_size == 3072
    assert load_rsa_key(samples.key_folder() / "bureau.key", environment)
    (tmp_path / "wrong").write_text("horse\n")
    for given in ({}, {ENV_PASSPHRASE_FILE: str(tmp_path / "wrong")}):
        with pytest.raises(
            UsageError, match=r"bureau\.key: cannot be read: .*PASSPHRASE_FILE"
        ) as no:
            load_rsa_key(path, given)
        assert "horse" not in str(no.value)
    with pytest.raises(UsageError, match=r"none\.key: cannot be read"):
        load_rsa_key(tmp_path / "none.key", environment)
    with pytest.raises(UsageError, match=r"bureau\.pem: cannot be read"):
        load_rsa_key(tmp_path / "k/bureau.pem", environment)
    with pytest.raises(UsageError, match=r"signer\.key: is not an RSA key"):
        load_rsa_key(tmp_path / "k/signer.key", environment)


def test_a_certificate_with_which_nobody_would_believe_the_seal_is_refused(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(samples.key_folder(), tmp_path / "k"))
    key = load_pem_private_key((folder / "signer.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    own = samples.keys().signer.certificate
    builder = x509.CertificateBuilder(
        own.issuer,
        own.subject,
        own.public_key(),
        7,
        own.not_valid_before_utc,
        own.not_valid_after_utc,
    ).add_extension(ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    (folder / "signer.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    with pytest.raises(KeysError, match=r"signer\.pem: is not for signing: its extended key usage"):
        load_keys(folder)


def test_an_incomplete_folder_is_an_error_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "k").mkdir()
    with pytest.raises(KeysError, match=r"signer\.key: cannot be read"):
        ensure_keys(tmp_path / "k")


def test_key_and_certificate_must_fit(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(samples.key_folder(), tmp_path / "k"))
    shutil.copy(samples.key_folder("other") / "signer.key", folder / "signer.key")
    with pytest.raises(KeysError, match=r"signer\.key: does not belong to signer\.pem"):
        load_keys(folder, {})
    shutil.copy(folder / "signer.pem", folder / "bureau.pem")
    shutil.copy(samples.key_folder() / "signer.key", folder / "signer.key")
    with pytest.raises(KeysError, match=r"bureau\.pem: is not an RSA certificate"):
        load_keys(folder, {})


def test_the_environment_names_the_folder(tmp_path: Path) -> None:
    assert keys_folder(tmp_path, {}) == tmp_path / ".keys"
    assert keys_folder(tmp_path, {"OPSPROOF_KEYS": "/k"}) == Path("/k")

"""Who signs bundles and who can read what is encrypted in them.

A keys folder holds, as PEM files: ``ca.pem``; ``signer.pem`` (certificate, then its issuers) and
``signer.key`` (ECDSA P-256); ``bureau.pem`` (RSA certificate for which artifacts are encrypted).
The bureau's private key belongs to the bureau and is never in a production keys folder.
:func:`create_demo_keys` makes a complete set for a demonstration, which includes the drill key
``bureau.key``; every one of its names carries the word ``demo``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from opsproof.errors import OpsproofError, UsageError
from opsproof.evidence.chain import unfit
from opsproof.evidence.files import locked, sync_folder, write_durably
from opsproof.serials import any_serial

ENV_KEYS = "OPSPROOF_KEYS"
ENV_PASSPHRASE_FILE = "OPSPROOF_KEY_PASSPHRASE_FILE"  # noqa: S105 (a variable name)
DEMO_NOTICE = (
    "These keys were made for a demonstration (demo). Anyone who can read this folder can sign\n"
    "bundles with them, and bureau.key decrypts the artifacts. Replace signer.pem, signer.key,\n"
    "ca.pem and bureau.pem by the real ones and remove bureau.key before production use.\n"
)
_YEARS = timedelta(days=3652)


class KeysError(OpsproofError):
    """The keys folder is missing, incomplete or cannot be read."""


@dataclass(frozen=True)
class Signer:
    """A signing key, its certificate and the issuers' certificates up to the root."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    issuers: tuple[x509.Certificate, ...]

    @property
    def pem(self) -> bytes:
        """``signer.pem`` of a bundle: the certificate, then its issuers."""
        return b"".join(
            certificate.public_bytes(serialization.Encoding.PEM)
            for certificate in (self.certificate, *self.issuers)
        )


@dataclass(frozen=True)
class Keys:
    """What sealing needs: the signer and the certificate that artifacts are encrypted for."""

    signer: Signer
    bureau: x509.Certificate
    demo: bool


def keys_folder(project: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """``$OPSPROOF_KEYS``, else ``.keys`` in the project folder."""
    return Path(environment.get(ENV_KEYS) or project / ".keys")


def ensure_keys(folder: Path, *, now: datetime | None = None) -> Keys:
    """Load the keys; makes demo keys first when the folder does not exist.

    Raises:
        KeysError: the folder exists and is not complete.
    """
    if not folder.exists():
        with locked(folder.parent / f"{folder.name}.lock"):
            if not folder.exists():
                create_demo_keys(folder, now=now or datetime.now(UTC))
    return load_keys(folder)


def load_keys(folder: Path, environment: Mapping[str, str] = os.environ) -> Keys:
    """Read a keys folder; an encrypted key needs ``$OPSPROOF_KEY_PASSPHRASE_FILE``.

    Raises:
        KeysError: a file is missing, is not what it should be, or the key does not fit.
    """
    key = _load_key(folder / "signer.key", environment)
    chain = load_certificates(folder / "signer.pem")
    bureau = load_certificates(folder / "bureau.pem")[0]
    if not isinstance(bureau.public_key(), rsa.RSAPublicKey):
        raise KeysError("is not an RSA certificate", where=str(folder / "bureau.pem"))
    if chain[0].public_key() != key.public_key():
        raise KeysError("does not belong to signer.pem", where=str(folder / "signer.key"))
    if fault := unfit(chain[0]):
        raise KeysError(
            fault,
            where=str(folder / "signer.pem"),
            remedy="nobody would believe what is sealed with it; let its CA issue one for signing",
        )
    demo = (folder / "DEMO.txt").exists()
    return Keys(Signer(chain[0], key, tuple(chain[1:])), bureau, demo)


def load_certificates(path: Path) -> list[x509.Certificate]:
    """All certificates of a PEM file.

    Raises:
        KeysError: it cannot be read or holds none.
    """
    try:
        with any_serial():
            return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError, x509.InvalidVersion) as error:
        raise KeysError(
            f"holds no PEM certificate: {error}",
            where=str(path),
            remedy="make setup creates demo keys; see docs for your own",
        ) from error


def load_rsa_key(path: Path, environment: Mapping[str, str] = os.environ) -> rsa.RSAPrivateKey:
    """The bureau's private key; an encrypted one needs ``$OPSPROOF_KEY_PASSPHRASE_FILE``.

    Raises:
        UsageError: it cannot be read, the passphrase is missing or wrong, or it is another kind of key.
    """
    try:
        key = _private_key(path, environment)
    except KeysError as error:
        raise UsageError(error.what, where=error.where, remedy=error.remedy) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise UsageError("is not an RSA key", where=str(path))
    return key


def passphrase(environment: Mapping[str, str]) -> bytes | None:
    """The content of ``$OPSPROOF_KEY_PASSPHRASE_FILE`` without line ends; None when not set.

    A file and not the value: environments end up in process lists and job artifacts.
    """
    path = environment.get(ENV_PASSPHRASE_FILE)
    return Path(path).read_bytes().rstrip(b"\r\n") if path else None


def create_demo_keys(folder: Path, *, now: datetime, secret: bytes | None = None) -> None:
    """Make a demo CA, signer, bureau certificate and drill key; private files are 0600.

    The folder appears complete or not at all. The CA's private key is thrown away: nothing else
    can ever be issued by it.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("opsproof demo CA", ca_key.public_key(), None, ca_key, now)
    signer_key = ec.generate_private_key(ec.SECP256R1())
    signer = _certificate("opsproof demo signer", signer_key.public_key(), ca, ca_key, now)
    bureau_key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    bureau = _certificate(
        "opsproof demo bureau (drill)", bureau_key.public_key(), ca, ca_key, now, encipher=True
    )
    ca_pem, signer_pem, bureau_pem = (
        certificate.public_bytes(serialization.Encoding.PEM) for certificate in (ca, signer, bureau)
    )
    write_durably(partial / "ca.pem", ca_pem)
    write_durably(partial / "signer.pem", signer_pem + ca_pem)
    write_durably(partial / "signer.key", _key_pem(signer_key, secret), mode=0o600)
    write_durably(partial / "bureau.pem", bureau_pem)
    write_durably(partial / "bureau.key", _key_pem(bureau_key, secret), mode=0o600)
    write_durably(partial / "DEMO.txt", DEMO_NOTICE.encode())
    partial.rename(folder)
    sync_folder(folder.parent)


def _load_key(path: Path, environment: Mapping[str, str]) -> ec.EllipticCurvePrivateKey:
    key = _private_key(path, environment)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise KeysError("is not a P-256 key", where=str(path))
    return key


def _private_key(path: Path, environment: Mapping[str, str]) -> PrivateKeyTypes:
    try:
        data = path.read_bytes()
        secret = passphrase(environment) if b"ENCRYPTED" in data else None
        return serialization.load_pem_private_key(data, secret)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeysError(
            f"cannot be read: {error}", where=str(path), remedy=f"see ${ENV_PASSPHRASE_FILE}"
        ) from error


def _key_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, secret: bytes | None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if secret:
        encryption = serialization.BestAvailableEncryption(secret)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def _certificate(
    name: str,
    public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    *,
    encipher: bool = False,
) -> x509.Certificate:
    """An X.509 certificate whose uses ``openssl cms -verify`` and ``-decrypt`` accept (RFC 5280).

    OpenSSL's default purpose for CMS is ``smimesign``, which asks for e-mail protection in the
    extended key usage (openssl-verification-options, "Certificate Extensions").
    """
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    is_ca = issuer is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _YEARS)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False
        )
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_ca and not encipher,
                content_commitment=not is_ca and not encipher,
                key_encipherment=encipher,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=is_ca,
                crl_sign=is_ca,
                encipher_only=False,
                decipher_only=False,
            ),
            True,
        )
    )
    if not is_ca:
        uses = [ExtendedKeyUsageOID.EMAIL_PROTECTION]
        if not encipher:
            uses.append(ExtendedKeyUsageOID.CODE_SIGNING)
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), False)
    return builder.sign(issuer_key, hashes.SHA256())

"""Public keys and signature schemes: one ``verify`` for RSA, ECDSA and SM2.

``cryptography`` does RSA and ECDSA (RFC 8017, FIPS 186-5), ``sm2`` does SM2. A signature is given
in the scheme's own bytes: an RSA integer of the modulus's length, or DER of two integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from opsproof.signatures import sm2
from opsproof.signatures.ecpoints import der_to_numbers
from opsproof.signatures.errors import MalformedError

SmPoint: TypeAlias = bytes


class Algorithm(StrEnum):
    """The closed set of schemes. SHA-1 and MD5 are absent on purpose except where old data has it."""

    RSA_PKCS1_SHA1 = "rsa-pkcs1-sha1"
    RSA_PKCS1_SHA256 = "rsa-pkcs1-sha256"
    RSA_PKCS1_SHA384 = "rsa-pkcs1-sha384"
    RSA_PKCS1_SHA512 = "rsa-pkcs1-sha512"
    RSA_PSS_SHA256 = "rsa-pss-sha256"
    RSA_PSS_SHA384 = "rsa-pss-sha384"
    RSA_PSS_SHA512 = "rsa-pss-sha512"
    ECDSA_SHA1 = "ecdsa-sha1"
    ECDSA_SHA256 = "ecdsa-sha256"
    ECDSA_SHA384 = "ecdsa-sha384"
    ECDSA_SHA512 = "ecdsa-sha512"
    SM2_SM3 = "sm2-sm3"

    @property
    def family(self) -> str:
        """``rsa``, ``ecdsa`` or ``sm2``: the kind of key it needs."""
        return self.value.partition("-")[0]

    @property
    def digest(self) -> str:
        """``sha256`` ..., as ``hashlib`` names it."""
        return self.value.rpartition("-")[2]


HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - only verified, and only where a profile lists it
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_PKCS1: Final = padding.PKCS1v15()
_FAMILIES: Final = {algorithm: algorithm.family for algorithm in Algorithm}
_DIGESTS: Final = {algorithm: HASHES.get(algorithm.digest) for algorithm in Algorithm}
_PSS: Final = {
    algorithm: padding.PSS(
        # RFC 8017 section 9.1, RFC 4055 section 3.1: MGF1 with the same digest, any salt length.
        mgf=padding.MGF1(HASHES[algorithm.digest]),
        salt_length=padding.PSS.AUTO,
    )
    for algorithm in Algorithm
    if "-pss-" in algorithm
}
SM2_CURVE_OID: Final = "1.2.156.10197.1.301"
_STRONG_RSA, _SHORTEST_RSA, _SHORTEST_EC = 2048, 1024, 224


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signatures are checked with. ``size`` is the byte length of the modulus or order."""

    family: str
    size: int
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | SmPoint

    @property
    def weak(self) -> bool:
        """Whether it is shorter than what may sign today (NIST SP 800-131A): RSA below 2048 bits."""
        return self.family == "rsa" and cast("rsa.RSAPublicKey", self.key).key_size < _STRONG_RSA

    def verify(
        self,
        algorithm: Algorithm,
        message: bytes,
        signature: bytes,
        signer_id: bytes = sm2.DEFAULT_ID,
    ) -> bool:
        """Whether ``signature`` holds over ``message``.

        Raises:
            NotVerifiableError: the library that the algorithm needs is not installed.
        """
        if _FAMILIES[algorithm] != self.family:
            return False
        try:
            return self._verify(algorithm, message, signature, signer_id)
        except (InvalidSignature, MalformedError):
            return False

    def verifier(
        self, algorithm: Algorithm, signer_id: bytes = sm2.DEFAULT_ID
    ) -> Callable[[bytes, bytes], bool]:
        """:meth:`verify` for one algorithm, message first, without what never changes."""
        if algorithm.family != "rsa" or self.family != "rsa":
            return lambda message, signature: self.verify(algorithm, message, signature, signer_id)
        check = cast("rsa.RSAPublicKey", self.key).verify
        pads, digest, size = _PSS.get(algorithm, _PKCS1), HASHES[algorithm.digest], self.size

        def verify(message: bytes, signature: bytes) -> bool:
            if len(signature) != size:
                return False
            try:
                check(signature, message, pads, digest)
            except InvalidSignature:
                return False
            return True

        return verify

    def _verify(
        self, algorithm: Algorithm, message: bytes, signature: bytes, signer_id: bytes
    ) -> bool:
        # By family and not by isinstance: the classes are abstract, which makes that slow.
        if self.family == "sm2":
            return sm2.verify(cast("SmPoint", self.key), message, signature, signer_id)
        digest = _DIGESTS[algorithm]
        assert digest is not None
        if self.family == "rsa":
            # RFC 8017 section 8.2.2 step 1: another length is another value, not a shorter one.
            if len(signature) != self.size:
                return False
            modulus = cast("rsa.RSAPublicKey", self.key)
            modulus.verify(signature, message, _PSS.get(algorithm, _PKCS1), digest)
        else:
            der_to_numbers(signature)
            point = cast("ec.EllipticCurvePublicKey", self.key)
            point.verify(signature, message, ec.ECDSA(digest))
        return True

    def has_salt(self, algorithm: Algorithm, message: bytes, signature: bytes, length: int) -> bool:
        """Whether an RSA PSS signature holds over ``message`` with a salt of exactly this length."""
        key, digest = self.key, HASHES[algorithm.digest]
        if not isinstance(key, rsa.RSAPublicKey) or len(signature) != self.size:
            return False
        if not 0 <= length <= self.size:
            return False
        try:
            key.verify(signature, message, padding.PSS(padding.MGF1(digest), length), digest)
        except (InvalidSignature, ValueError):  # ValueError: the modulus has no room for the salt
            return False
        return True

    def salt_length(self, algorithm: Algorithm, message: bytes, signature: bytes) -> int | None:
        """The length of the salt in an RSA PSS signature over ``message``; None if it does not hold.

        A bare signature does not say it, and a signed message must (RFC 4055 section 3.1).
        """
        own = HASHES[algorithm.digest].digest_size
        if not self.verify(algorithm, message, signature):
            return None
        lengths = [own, self.size - own - 2, *range(self.size - own - 1)]
        fits = (one for one in lengths if self.has_salt(algorithm, message, signature, one))
        return next(fits, None)

    def recover_digest(self, algorithm: Algorithm, signature: bytes) -> bytes | None:
        """The digest that an RSA PKCS#1 v1.5 signature was made over; None where it cannot be told.

        This is what makes a foreign signature findable without trying every record.
        """
        key = self.key
        if not isinstance(key, rsa.RSAPublicKey) or "-pkcs1-" not in algorithm:
            return None
        try:
            return key.recover_data_from_signature(signature, _PKCS1, HASHES[algorithm.digest])
        except (InvalidSignature, ValueError):
            return None


def public_key(spki: bytes, *, sm2_point: bytes | None = None) -> PublicKey:
    """The key of a SubjectPublicKeyInfo; ``sm2_point`` is its X9.62 point when it is an SM2 key.

    Raises:
        MalformedError: it is not a key of a known kind, or so short that anybody can sign with it.
        NotVerifiableError: it is an SM2 key and SM2 is not installed.
    """
    if sm2_point is not None:
        return PublicKey("sm2", 32, sm2.point(sm2_point))
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedError(f"unknown kind of public key: {error}") from error
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _SHORTEST_RSA:
            raise MalformedError(f"an RSA key of {key.key_size} bits")
        return PublicKey("rsa", (key.key_size + 7) // 8, key)
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.key_size < _SHORTEST_EC:
            raise MalformedError(f"a key on a curve of {key.key_size} bits")
        return PublicKey("ecdsa", (key.key_size + 7) // 8, key)
    raise MalformedError("unknown kind of public key")

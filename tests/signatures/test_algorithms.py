"""RSA-PSS with the parameters that a profile's name means, and with no others."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from tests.signatures.conftest import pki

from opsproof.signatures.algorithms import Algorithm

MESSAGE = "准考证号=2026110001".encode()
SHA256, SHA384 = hashes.SHA256(), hashes.SHA384()


def pss(mask: hashes.HashAlgorithm, salt: int) -> padding.PSS:
    return padding.PSS(padding.MGF1(mask), salt)


@pytest.mark.parametrize(
    ("pads", "digest", "algorithm", "holds"),
    [
        (pss(SHA256, 32), SHA256, Algorithm.RSA_PSS_SHA256, True),
        (pss(SHA256, 0), SHA256, Algorithm.RSA_PSS_SHA256, True),
        (pss(SHA256, 222), SHA256, Algorithm.RSA_PSS_SHA256, True),
        (pss(SHA384, 48), SHA384, Algorithm.RSA_PSS_SHA384, True),
        (pss(SHA384, 48), SHA384, Algorithm.RSA_PSS_SHA256, False),
        (pss(SHA384, 32), SHA256, Algorithm.RSA_PSS_SHA256, False),
        (pss(SHA256, 32), SHA256, Algorithm.RSA_PKCS1_SHA256, False),
        (padding.PKCS1v15(), SHA256, Algorithm.RSA_PSS_SHA256, False),
    ],
)
def test_pss(
    pads: padding.AsymmetricPadding,
    digest: hashes.HashAlgorithm,
    algorithm: Algorithm,
    holds: bool,
) -> None:
    signer = pki("rsa").signer
    signature = signer.key.private.sign(MESSAGE, pads, digest)
    key = signer.certificate.key
    assert key.verify(algorithm, MESSAGE, signature) is holds
    assert key.verifier(algorithm)(MESSAGE, signature) is holds
    assert not key.verify(algorithm, MESSAGE + b" ", signature)

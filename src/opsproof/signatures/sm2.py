"""SM2 signatures with SM3 (GB/T 32918.2-2016), by gmssl-pyx; an extra that may be absent.

The signer's identifier enters the digest (section 5.5: Z = SM3(ENTL || ID || a || b || G || P)).
GB/T 35276-2017 section 10 and RFC 8998 section 3.2.1 fix it to ``1234567812345678`` where nothing
else was agreed; RFC 8998 section 3.2.1 has ``TLSv1.3+GM+Cipher+Suite`` for its own messages.

The C library writes a line to the standard error stream for every signature that does not hold.
:func:`quiet` sends these away for a whole batch.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from opsproof.signatures.ecpoints import der_to_numbers
from opsproof.signatures.errors import MalformedError, NotVerifiableError

try:
    import gmssl_pyx as _gmssl
except ImportError:  # pragma: no cover - the tests take the library away by `library`
    _gmssl = None

library: Any = _gmssl
"""The library, None where the extra ``sm2`` is not installed."""

NEEDED: Final = "SM2 needs the extra: pip install 'opsproof[sm2]'"
DEFAULT_ID: Final = b"1234567812345678"
ORDER: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_A: Final = "FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC"
_B: Final = "28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93"
_G: Final = (
    "32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7"
    "BC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0"
)
_quiet_lock = threading.RLock()
_quiet_depth = 0


def available() -> bool:
    """Whether SM2 can be verified here."""
    return library is not None


def point(encoded: bytes) -> bytes:
    """The 64 bytes ``x || y`` of a public key in X9.62 form (with 04, 02 or 03 in front).

    Raises:
        MalformedError: it is no point of the curve.
        NotVerifiableError: the library is not installed.
    """
    gmssl = _need()
    try:
        return bytes(gmssl.normalize_sm2_public_key(encoded))
    except gmssl.InvalidValueError as error:
        raise MalformedError("the public key is no point of the SM2 curve") from error


def verify(public: bytes, message: bytes, signature: bytes, signer_id: bytes = DEFAULT_ID) -> bool:
    """Whether a DER signature over ``message`` holds under the key ``x || y``.

    Raises:
        MalformedError: the signature is not DER of two integers in 1 .. n-1.
        NotVerifiableError: the library is not installed.
    """
    gmssl = _need()
    r, s = der_to_numbers(signature)
    if r >= ORDER or s >= ORDER:
        raise MalformedError("an integer is not below the curve's order")
    try:
        return bool(gmssl.sm2_verify(public, message, signature, signer_id=signer_id))
    except (gmssl.GmsslInnerError, gmssl.InvalidValueError) as error:
        raise MalformedError(f"the library refuses it: {error}") from error


def identity_digest(public: bytes, signer_id: bytes = DEFAULT_ID) -> bytes:
    """Z of GB/T 32918.2 section 5.5."""
    bits = (len(signer_id) * 8).to_bytes(2, "big")
    return sm3(bits + signer_id + bytes.fromhex(_A + _B + _G) + public)


def sm3(data: bytes) -> bytes:
    """GB/T 32905; 32 bytes. Raises :class:`NotVerifiableError` without the library."""
    return bytes(_need().sm3_hash(data))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the C library's lines off the standard error stream of this process meanwhile."""
    global _quiet_depth
    if library is None:
        yield
        return
    with _quiet_lock:
        if _quiet_depth:
            yield
            return
        saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        _quiet_depth = 1
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(nowhere)
            _quiet_depth = 0


def _need() -> Any:
    if library is None:
        raise NotVerifiableError(NEEDED)
    return library

"""Containers of a signature: what bytes may be, and how a profile wants them.

A raw signature is always held in the scheme's own bytes (RSA integer, DER of two integers); this
file turns stored bytes into that and back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from opsproof.evidence.der import MalformedDerError, read_one
from opsproof.signatures import cms, ecpoints
from opsproof.signatures.algorithms import Algorithm, PublicKey
from opsproof.signatures.certificates import Certificate
from opsproof.signatures.cms import SignedMessage
from opsproof.signatures.errors import MalformedError
from opsproof.signatures.profile import SignatureColumn

_OCTETS, _BITS = 0x04, 0x03


@dataclass(frozen=True, slots=True)
class Raw:
    """Signature bytes of an unknown scheme. ``kind``: ``plain``, ``rs`` or ``wrapped-...``."""

    data: bytes
    kind: str

    def for_key(self, key: PublicKey) -> bytes | None:
        """The bytes in the scheme's own form for this key; None when they cannot be."""
        if self.kind != "rs":
            return self.data
        if key.family == "rsa":
            return None
        try:
            return ecpoints.raw_to_der(self.data, key.size)
        except MalformedError:
            return None


def possible(data: bytes) -> Iterator[Raw | SignedMessage]:
    """Everything that some bytes may be."""
    try:
        yield cms.read(data)
    except MalformedError:
        pass
    else:
        return
    yield Raw(data, "plain")
    if len(data) % 2 == 0 and len(data) <= 132:
        yield Raw(data, "rs")
    inner = _wrapped(data)
    if inner is not None:
        yield Raw(inner, "wrapped")


def strict(data: bytes, column: SignatureColumn, key: PublicKey | None) -> Raw | SignedMessage:
    """What the bytes are under the profile's form.

    Raises:
        MalformedError: they are something else.
    """
    if column.form == "raw":
        return Raw(data, "plain")
    if column.form == "rs":
        raw = Raw(data, "rs")
        if key is None or raw.for_key(key) is None:
            raise MalformedError("not r || s")
        return raw
    message = cms.read(data)
    if message.flavour != column.flavour:
        raise MalformedError(f"a signed message of the {message.flavour} kind")
    attached = message.content is not None
    if attached != (column.form == "cms-attached"):
        raise MalformedError("the content is attached" if attached else "no content is attached")
    return message


def rewrap(
    found: Raw | SignedMessage,
    column: SignatureColumn,
    algorithm: Algorithm,
    certificate: Certificate,
    message: bytes,
) -> bytes:
    """The same signature in the profile's form.

    Raises:
        MalformedError: the signature cannot be carried over; only the signer can help.
    """
    raw, attributes = _bare(found, certificate.key)
    if not column.form.startswith("cms"):
        if attributes is not None:
            raise MalformedError("a signature over signed attributes is nothing without them")
        if column.form == "rs":
            return ecpoints.der_to_raw(raw, certificate.key.size)
        return raw
    flavour = found.flavour if isinstance(found, SignedMessage) else column.flavour
    if attributes is not None and flavour != column.flavour:
        raise MalformedError("signed attributes name the other kind of content")
    content = message if column.form == "cms-attached" else None
    salt_length = None
    if "-pss-" in algorithm:
        signed = message if attributes is None else attributes
        salt_length = certificate.key.salt_length(algorithm, signed, raw)
        if salt_length is None:
            raise MalformedError("the signature does not hold, so its salt cannot be told")
    return cms.write(
        raw,
        algorithm,
        certificate,
        flavour=column.flavour,
        content=content,
        attributes=attributes,
        salt_length=salt_length,
    )


def _bare(found: Raw | SignedMessage, key: PublicKey) -> tuple[bytes, bytes | None]:
    if isinstance(found, SignedMessage):
        return found.signature, found.attributes
    data = found.for_key(key)
    if data is None:
        raise MalformedError("the bytes do not fit the key")
    return data, None


def _wrapped(data: bytes) -> bytes | None:
    """The signature inside a DER OCTET STRING or BIT STRING."""
    try:
        element = read_one(data)
    except MalformedDerError:
        return None
    if element.tag == _OCTETS:
        return element.content
    if element.tag == _BITS and element.content[:1] == b"\0":
        return element.content[1:]
    return None

"""SM2 keys of the lab's signing server, and the authority that issues their certificates.

By gmssl-pyx, an extra that may be absent: then such a key is there and cannot sign. Certificates are
those of GM/T 0015-2012: keys on the curve 1.2.156.10197.1.301 (GM/T 0006-2012), signed with
1.2.156.10197.1.501, SM2 with SM3, with the signer's identifier of GB/T 35276-2017 section 10.

``opsproof.signatures.lab`` builds such certificates too. These are written anew from the standards:
the server stands in for somebody else's, and an error that both sides shared would show in no test.
"""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Any, Final

from asn1crypto import core, pem, x509

try:
    import gmssl_pyx as _gmssl
except ImportError:  # pragma: no cover - the tests take the library away by `library`
    _gmssl = None

library: Any = _gmssl
"""The library, None where the extra ``sm2`` is not installed."""

SIGNER_ID: Final = b"1234567812345678"
_SM2_WITH_SM3: Final = "1.2.156.10197.1.501"
# AlgorithmIdentifier of RFC 5480 section 2.1.1: id-ecPublicKey with the SM2 curve.
_KEY: Final = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d")


class Sm2Key:
    """A private key; made only where the library is there."""

    def __init__(self) -> None:
        """Make one."""
        self._public, self._private = library.sm2_key_generate()

    def sign(self, data: bytes) -> bytes:
        """DER of r and s over SM3(Z || data)."""
        return bytes(library.sm2_sign(self._private, self._public, data, signer_id=SIGNER_ID))

    @property
    def info(self) -> x509.PublicKeyInfo:
        """Its SubjectPublicKeyInfo."""
        point = core.OctetBitString(b"\x04" + self._public)
        return x509.PublicKeyInfo.load(_sequence(_KEY, point.dump()))


class Sm2Ca:
    """Issues certificates of SM2 keys, signed by an SM2 key."""

    def __init__(self, name: str, begin: dt.datetime, end: dt.datetime) -> None:
        """A self-signed authority; times are aware UTC."""
        self._key = Sm2Key()
        self._name = _name(name)
        self.certificate = self._issue(self._name, self._key, begin, end, ca=True)

    @property
    def pem(self) -> bytes:
        """The authority's certificate."""
        return bytes(pem.armor("CERTIFICATE", self.certificate))

    def issue(self, name: str, key: Sm2Key, begin: dt.datetime, end: dt.datetime) -> bytes:
        """A certificate that may sign data, DER."""
        return self._issue(_name(name), key, begin, end, ca=False)

    def _issue(
        self, subject: x509.Name, key: Sm2Key, begin: dt.datetime, end: dt.datetime, *, ca: bool
    ) -> bytes:
        uses = {"key_cert_sign", "crl_sign"} if ca else {"digital_signature", "non_repudiation"}
        basic: dict[str, Any] = {"ca": ca}
        if ca:
            basic["path_len_constraint"] = 0
        identifier = x509.SignedDigestAlgorithm({"algorithm": _SM2_WITH_SM3})
        tbs = x509.TbsCertificate(
            {
                "version": "v3",
                "serial_number": secrets.randbits(126) + 1,
                "signature": identifier,
                "issuer": self._name,
                "validity": {"not_before": _time(begin), "not_after": _time(end)},
                "subject": subject,
                "subject_public_key_info": key.info,
                "extensions": [
                    {"extn_id": "basic_constraints", "critical": True, "extn_value": basic},
                    {"extn_id": "key_usage", "critical": True, "extn_value": uses},
                ],
            }
        )
        signature = core.OctetBitString(self._key.sign(tbs.dump()))
        return _sequence(tbs.dump(), identifier.dump(), signature.dump())


def _sequence(*parts: bytes) -> bytes:
    whole = core.SequenceOf(spec=core.Any)
    for part in parts:
        whole.append(core.Any.load(part))
    return bytes(whole.dump())


def _name(common_name: str) -> x509.Name:
    return x509.Name.build({"organization_name": "winlab", "common_name": common_name})


def _time(moment: dt.datetime) -> x509.Time:
    """RFC 5280 section 4.1.2.5: UTCTime through 2049."""
    whole = moment.replace(microsecond=0)
    if whole.year < 2050:
        return x509.Time({"utc_time": core.UTCTime(whole)})
    return x509.Time({"general_time": core.GeneralizedTime(whole)})

"""The lab's signing server: keys behind HTTP that sign what they are given and never leave.

The shape is that of servers which put a hardware module behind a web interface (GM/T 0029-2014, "sign
and verify server": export a certificate, sign data) and of PKCS #11 ``C_SignInit`` and ``C_Sign``. An
application of an IIS site answers below ``/api/v1``; every request needs the bearer token
(RFC 6750), and every answer is JSON:

GET /api/v1/keys            {"keys": [NAME ...]}
GET /api/v1/keys/NAME       {"key", "algorithms", "certificate"}; DER in base64
POST /api/v1/sign           {"key", "algorithms", "data"} to {"key", "algorithm", "signature",
                            "certificate"}: the first of the algorithms that the key can

Errors are {"error": WORD}: 400 malformed, 401 unauthorized, 404 unknown-key, 405 method, 409
algorithm, 413 too-large, 403 key-disabled, 503 module-unavailable (with Retry-After), and 501
sm2-not-installed (RFC 9110 section 15.6.2) for a key of the kind ``sm2`` where the extra is not there.

assumed: paths, fields and words are the lab's own; real servers differ in them.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from winlab.host.webserver import Answered, Request
from winlab.server import signing_sm2
from winlab.server.authority import Authority
from winlab.server.signing_sm2 import Sm2Ca, Sm2Key

Kind: TypeAlias = Literal["rsa-2048", "ec-p256", "sm2"]
PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Sm2Key
State: TypeAlias = Literal["enabled", "disabled", "unavailable", "faulty"]

BASE = "/api/v1"
MOST_DATA = 1 << 20
_ALGORITHMS: dict[Kind, tuple[str, ...]] = {
    "rsa-2048": ("rsa-pkcs1-sha256", "rsa-pkcs1-sha384", "rsa-pkcs1-sha512", "rsa-pss-sha256"),
    "ec-p256": ("ecdsa-sha256", "ecdsa-sha384"),
    "sm2": ("sm2-sm3",),
}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


class SigningCa:
    """Issues the certificates of signing keys, and knows the token of those who may sign."""

    def __init__(self, now: dt.datetime) -> None:
        """Make key, certificate and token; ``now`` is aware UTC."""
        self.token = secrets.token_urlsafe(32)
        begin, end = now - dt.timedelta(days=1500), now + dt.timedelta(days=3650)
        self._authority = Authority("winlab signing CA", begin, end)
        self._sm2: Sm2Ca | None = None
        if signing_sm2.library is not None:
            self._sm2 = Sm2Ca("winlab signing CA SM2", begin, end)

    @property
    def pem(self) -> bytes:
        """The authority's certificate, and that for SM2 keys where these can be used."""
        own = self._authority.pem
        return own if self._sm2 is None else own + self._sm2.pem

    def issue(self, name: str, key: PrivateKey, begin: dt.datetime, end: dt.datetime) -> bytes:
        """A certificate that may sign data, DER."""
        if isinstance(key, Sm2Key):
            assert self._sm2 is not None
            return self._sm2.issue(name, key, begin, end)
        certificate = self._authority.certify(name, key.public_key(), begin, end, commits=True)
        return certificate.public_bytes(serialization.Encoding.DER)


@dataclass(eq=False)
class SigningKey:
    """One key, made when it is first asked for. ``faulty`` signs with another key than it says."""

    name: str
    kind: Kind
    state: State
    not_before: dt.datetime
    not_after: dt.datetime
    ca: SigningCa

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What it can sign with."""
        return _ALGORITHMS[self.kind]

    @cached_property
    def certificate(self) -> bytes:
        """Its certificate, DER."""
        return self.ca.issue(f"signing key {self.name}", self._key, self.not_before, self.not_after)

    def sign(self, algorithm: str, data: bytes) -> bytes:
        """A signature: an RSA integer, or DER of r and s."""
        key = _new_key(self.kind) if self.state == "faulty" else self._key
        if isinstance(key, Sm2Key):
            return key.sign(data)
        digest = _HASHES[algorithm.rpartition("-")[2]]
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(data, ec.ECDSA(digest))
        if "-pss-" in algorithm:
            pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
            return key.sign(data, pss, digest)
        return key.sign(data, padding.PKCS1v15(), digest)

    @cached_property
    def _key(self) -> PrivateKey:
        return _new_key(self.kind)


class _RefusedError(Exception):
    def __init__(self, status: int, word: str) -> None:
        super().__init__(word)
        self.status = status
        self.word = word


class SigningServer:
    """The application of one site."""

    def __init__(self, ca: SigningCa, keys: Sequence[SigningKey]) -> None:
        """Serve these keys to whoever has the authority's token."""
        self._token = ca.token
        self._keys = {key.name: key for key in keys}

    def __call__(self, request: Request, stem: str) -> Answered | None:
        """Answer; None for what is none of the application's paths."""
        if not stem.startswith(f"{BASE}/"):
            return None
        try:
            return _json(200, self._answer(request, stem.removeprefix(f"{BASE}/").split("/")))
        except _RefusedError as refused:
            return _json(refused.status, {"error": refused.word})

    def _answer(self, request: Request, path: list[str]) -> dict[str, Any]:
        given = request.headers.get("authorization", "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
            raise _RefusedError(401, "unauthorized")
        if path == ["keys"]:
            _only(request, "GET")
            return {"keys": sorted(self._keys)}
        if len(path) == 2 and path[0] == "keys":
            _only(request, "GET")
            key = self._key(path[1])
            return {
                "key": key.name,
                "algorithms": list(key.algorithms),
                "certificate": _base64(key.certificate),
            }
        if path == ["sign"]:
            _only(request, "POST")
            return self._sign(request)
        raise _RefusedError(404, "no-such-path")

    def _sign(self, request: Request) -> dict[str, Any]:
        if request.size > MOST_DATA:
            raise _RefusedError(413, "too-large")
        name, wanted, data = _asked(request.body)
        key = self._key(name)
        algorithm = next((one for one in wanted if one in key.algorithms), None)
        if algorithm is None:
            raise _RefusedError(409, "algorithm")
        if key.state == "disabled":
            raise _RefusedError(403, "key-disabled")
        if key.state == "unavailable":
            raise _RefusedError(503, "module-unavailable")
        return {
            "key": name,
            "algorithm": algorithm,
            "signature": _base64(key.sign(algorithm, data)),
            "certificate": _base64(key.certificate),
        }

    def _key(self, name: str) -> SigningKey:
        key = self._keys.get(name)
        if key is None:
            raise _RefusedError(404, "unknown-key")
        if key.kind == "sm2" and signing_sm2.library is None:
            raise _RefusedError(501, "sm2-not-installed")
        return key


def _asked(body: bytes) -> tuple[str, list[str], bytes]:
    try:
        fields = json.loads(body)
        name, wanted = fields["key"], fields["algorithms"]
        data = base64.b64decode(fields["data"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError) as error:
        raise _RefusedError(400, "malformed") from error
    if not isinstance(name, str) or not isinstance(wanted, list):
        raise _RefusedError(400, "malformed")
    return name, wanted, data


def _only(request: Request, method: str) -> None:
    if request.method != method:
        raise _RefusedError(405, "method")


def _json(status: int, fields: Mapping[str, Any]) -> Answered:
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
    if status == 401:
        headers.append(("WWW-Authenticate", "Bearer"))
    if status == 503:
        headers.append(("Retry-After", "30"))
    return Answered(status=status, body=json.dumps(fields).encode(), headers=tuple(headers))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _new_key(kind: Kind) -> PrivateKey:
    if kind == "sm2":
        return Sm2Key()
    if kind == "rsa-2048":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())

"""The signing service: where a fresh signature may come from.

The interface is that of a signing server in front of a hardware module: a key is named, bytes go
in, a signature and the certificate come out (PKCS #11 ``C_SignInit`` + ``C_Sign``). What comes back
must hold over what was sent, under the certificate that came with it, before anybody sees it; a plan
then checks it like any other value.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import ssl
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from opsproof.errors import UsageError
from opsproof.signatures import sm2
from opsproof.signatures.algorithms import Algorithm
from opsproof.signatures.certificates import Certificate, parse
from opsproof.signatures.errors import (
    MalformedError,
    NotVerifiableError,
    SigningAnswerError,
    SigningRefusedError,
    SigningUnavailableError,
    SourceError,
)

_LONGEST_ANSWER = 1 << 20
_REFUSED = {
    401: "it does not accept the token",
    403: "the key may not sign",
    404: "it has no such key",
    409: "the key cannot sign with the profile's algorithms",
    413: "the data is too long for it",
    501: "it does not know the key's algorithm",
}


@dataclass(frozen=True, slots=True)
class Signed:
    """A fresh signature in the scheme's own bytes, with the certificate that it is for."""

    signature: bytes
    certificate: Certificate
    algorithm: Algorithm


class SigningService(Protocol):
    """Signs bytes with a key that never leaves it."""

    def sign(self, message: bytes, algorithms: tuple[Algorithm, ...], at: datetime) -> Signed:
        """Sign under one of the algorithms. Raises :class:`SourceError` when it does not."""


@dataclass
class HttpSigningService:
    """A signing server over HTTPS. All that is sent and taken is JSON, bytes in base64:

    ``POST URL/sign {"key", "algorithms", "data"}`` gives ``{"key", "algorithm", "signature",
    "certificate"}``; ``GET URL/keys/KEY`` gives ``{"key", "algorithms", "certificate"}``. 401, 403,
    404, 409 and 501 are refusals, other 5xx mean that it cannot now. Nothing is followed to another place.

    ``ca_file`` is the CA of its TLS certificate; ``token`` is sent as a bearer token and never shown.
    ``timeout`` is for one request as a whole, in seconds. One connection is kept between requests.
    """

    url: str
    key: str
    ca_file: str | None = None
    token: str | None = field(default=None, repr=False)
    timeout: float = 30.0
    signer_id: bytes = sm2.DEFAULT_ID
    _connection: http.client.HTTPConnection | None = field(default=None, init=False, repr=False)

    def sign(self, message: bytes, algorithms: tuple[Algorithm, ...], at: datetime) -> Signed:
        """See :class:`SigningService`; ``at`` is only for services that keep their own time.

        Raises:
            SigningUnavailableError: it is not there, or says that it cannot now.
            SigningRefusedError: it will not sign with this key for us.
            SigningAnswerError: what came back is no signature over the message.
        """
        del at
        body = {
            "key": self.key,
            "algorithms": [one.value for one in algorithms],
            "data": base64.b64encode(message).decode("ascii"),
        }
        fields = self._ask("POST", "/sign", json.dumps(body).encode())
        try:
            signed = Signed(
                base64.b64decode(fields["signature"], validate=True),
                _certificate(fields),
                Algorithm(fields["algorithm"]),
            )
        except (ValueError, KeyError, TypeError, MalformedError) as error:
            raise self._nonsense() from error
        self._hold(signed, message, algorithms)
        return signed

    def certificate(self) -> Certificate:
        """The certificate of the key. Raises as :meth:`sign`."""
        fields = self._ask("GET", f"/keys/{quote(self.key, safe='')}", None)
        try:
            return _certificate(fields)
        except (ValueError, KeyError, TypeError, MalformedError) as error:
            raise self._nonsense() from error

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _hold(self, signed: Signed, message: bytes, algorithms: tuple[Algorithm, ...]) -> None:
        try:
            right = signed.algorithm in algorithms and signed.certificate.key.verify(
                signed.algorithm, message, signed.signature, self.signer_id
            )
        except (MalformedError, NotVerifiableError) as error:
            raise SigningAnswerError(
                f"the signing service's signature cannot be checked: {error}", where=self.url
            ) from error
        if not right:
            raise SigningAnswerError(
                "the signing service's signature does not hold over what was sent",
                where=self.url,
                remedy="nothing of it is used; have the signing service looked at",
            )

    def _nonsense(self) -> SigningAnswerError:
        return SigningAnswerError(
            "the signing service answered something else than a signature", where=self.url
        )

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        status, answer = self._exchange(method, path, body)
        if status >= 500 and status not in _REFUSED:
            raise SigningUnavailableError(
                f"the signing service cannot sign now (HTTP {status})",
                where=self.url,
                remedy="plan again once it can; nothing was written",
            )
        if status in _REFUSED:
            raise SigningRefusedError(
                f"the signing service refuses: {_REFUSED[status]} (HTTP {status})",
                where=f"{self.url} key {self.key!r}",
            )
        try:
            fields = json.loads(answer) if status == 200 else None
        except (ValueError, RecursionError) as error:
            raise self._nonsense() from error
        if not isinstance(fields, dict):
            raise self._nonsense()
        return fields

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        """One request; a kept connection that the server has closed meanwhile is made anew once."""
        kept = self._connection is not None
        try:
            return self._send(method, path, body)
        except ConnectionError as error:
            self.close()
            if not kept:
                raise self._gone(error) from error
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise self._gone(error) from error
        try:
            return self._send(method, path, body)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise self._gone(error) from error

    def _gone(self, error: Exception) -> SigningUnavailableError:
        reason = str(error) or type(error).__name__
        remedy = ""
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = f"its TLS certificate is not trusted: {error.verify_message}"
            remedy = "name the CA of its TLS certificate"
        return SigningUnavailableError(
            f"the signing service does not answer: {reason}", where=self.url, remedy=remedy
        )

    def _send(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        end = time.monotonic() + self.timeout
        place = urlsplit(self.url)
        if self._connection is None:
            self._connection = self._connect()
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        self._connection.request(method, place.path.rstrip("/") + path, body, headers)
        answer = self._connection.getresponse()
        parts, size = [], 0
        try:
            while part := answer.read(65536):
                parts.append(part)
                size += len(part)
                if size > _LONGEST_ANSWER:
                    raise self._nonsense()
                if time.monotonic() > end:
                    raise TimeoutError(f"no whole answer in {self.timeout:g} seconds")
        except BaseException:
            answer.close()
            self.close()
            raise
        return answer.status, b"".join(parts)

    def _connect(self) -> http.client.HTTPConnection:
        place = urlsplit(self.url)
        host = place.hostname or ""
        if place.scheme == "http" and _is_this_machine(host):
            return http.client.HTTPConnection(host, place.port, timeout=self.timeout)
        if place.scheme != "https" or not host:
            raise SourceError("a signing service is asked over https only", where=self.url)
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UsageError("holds no CA certificate", where=str(self.ca_file)) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return http.client.HTTPSConnection(host, place.port, timeout=self.timeout, context=context)


def _certificate(fields: dict[str, Any]) -> Certificate:
    return parse(base64.b64decode(fields["certificate"], validate=True))


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""The signing service: where a fresh signature may come from.

The interface is that of a signing server in front of a hardware module: a key is named, bytes go
in, a signature and the certificate come out (PKCS #11 ``C_SignInit`` + ``C_Sign``). Whatever comes
back is checked like anything else before it enters a plan.
"""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from opsproof.signatures.algorithms import Algorithm
from opsproof.signatures.certificates import Certificate, parse
from opsproof.signatures.errors import MalformedError, SourceError

_LONGEST_ANSWER = 1 << 20


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


@dataclass(frozen=True)
class HttpSigningService:
    """A signing server over HTTPS: ``POST URL {"key", "algorithms", "data"}`` (base64), answer
    ``{"signature", "certificate", "algorithm"}``.

    ``ca_file`` is the CA of its TLS certificate; ``token`` is sent as a bearer token and never shown.
    """

    url: str
    key: str
    ca_file: str | None = None
    token: str | None = None
    timeout: float = 30.0

    def sign(self, message: bytes, algorithms: tuple[Algorithm, ...], at: datetime) -> Signed:
        """See :class:`SigningService`; ``at`` is only for services that keep their own time."""
        del at
        body = {
            "key": self.key,
            "algorithms": [one.value for one in algorithms],
            "data": base64.b64encode(message).decode("ascii"),
        }
        headers = {"Content-Type": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        answer = self._post(json.dumps(body).encode(), headers)
        try:
            fields = json.loads(answer)
            return Signed(
                base64.b64decode(fields["signature"], validate=True),
                parse(base64.b64decode(fields["certificate"], validate=True)),
                Algorithm(fields["algorithm"]),
            )
        except (ValueError, KeyError, TypeError, MalformedError) as error:
            raise SourceError(
                "the signing service answered something else than a signature", where=self.url
            ) from error

    def _post(self, body: bytes, headers: dict[str, str]) -> bytes:
        if not self.url.startswith(("https://", "http://127.", "http://localhost")):
            raise SourceError("a signing service is asked over https only", where=self.url)
        request = urllib.request.Request(self.url, body, headers)  # noqa: S310 - scheme checked above
        context = ssl.create_default_context(cafile=self.ca_file)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout, context=context) as answer:  # noqa: S310 - as above
                return bytes(answer.read(_LONGEST_ANSWER))
        except (urllib.error.URLError, OSError) as error:
            raise SourceError(
                f"the signing service does not answer: {error}", where=self.url
            ) from error

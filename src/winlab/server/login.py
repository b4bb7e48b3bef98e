"""Who a connection speaks for: Basic, Negotiate (NTLM and SPNEGO) and sealed messages.

Sources: RFC 7617 (Basic), RFC 4559 (Negotiate in HTTP), [MS-WSMV] 2.2.9.1 (encryption).
Authentication by Negotiate belongs to the TCP connection, Basic to each request.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass
from enum import Enum

from spnego import ContextProxy
from spnego.exceptions import SpnegoError

from winlab.host.logons import Logon
from winlab.server.ntlm import acceptor
from winlab.server.ports import HostPort
from winlab.wire import sealed
from winlab.wire.sealed import Sealed, SealedError

_REALM = b'Basic realm="WSMAN"'


def _text(raw: bytes) -> str:
    """RFC 7617 leaves the charset open: curl sends UTF-8, requests sends Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


class Verdict(Enum):
    """What to do with a request."""

    ALLOWED = "allowed"
    MORE = "more"
    """The handshake goes on: 401 with the token."""
    REFUSED = "refused"


@dataclass(frozen=True)
class Login:
    """The outcome for one request; ``token`` goes into WWW-Authenticate."""

    verdict: Verdict
    user: str = ""
    token: bytes = b""


class Gate:
    """The authentication state of one connection."""

    def __init__(self, host: HostPort, certificate_digest: bytes | None) -> None:
        """Nobody has logged in; ``certificate_digest`` is given for a connection over TLS."""
        self.peer = ("127.0.0.1", 0)
        """Address and port of the client."""
        self._host = host
        self._digest = certificate_digest
        self._context: ContextProxy | None = None
        self._user = ""
        self._noted = b""
        self._claim = ("", "")

    @property
    def offers(self) -> list[tuple[bytes, bytes]]:
        """The headers of a 401: each scheme its own, as HTTP.sys does."""
        headers = []
        if self._host.settings.negotiate:
            headers.append((b"WWW-Authenticate", b"Negotiate"))
        if self._host.settings.basic and self._plain_allowed:
            headers.append((b"WWW-Authenticate", _REALM))
        return headers

    @property
    def _plain_allowed(self) -> bool:
        return self._digest is not None or self._host.settings.allow_unencrypted

    def admit(self, authorization: bytes) -> Login:
        """Judge one request by its Authorization header (empty without one)."""
        scheme, _, value = authorization.strip().partition(b" ")
        scheme = scheme.lower()
        if scheme == b"basic":
            return self._basic(value)
        if scheme in (b"negotiate", b"ntlm"):
            return self._negotiate(value)
        if self._user:
            return Login(Verdict.ALLOWED, self._user)
        return Login(Verdict.REFUSED)

    def _basic(self, value: bytes) -> Login:
        if not self._host.settings.basic or not self._plain_allowed:
            return Login(Verdict.REFUSED)
        try:
            raw = base64.b64decode(value, validate=True)
        except ValueError:
            return Login(Verdict.REFUSED)
        user, found, password = _text(raw).partition(":")
        if not found:
            return Login(Verdict.REFUSED)
        expected = self._host.password_of(user)
        right = expected is not None and hmac.compare_digest(password.encode(), expected.encode())
        # Basic comes with every request. assumed: one logon for a connection, not for a request.
        if value != self._noted or not right:
            self._noted = value if right else b""
            self._note(user, "", accepted=right, ntlm=False)
        if not right:
            return Login(Verdict.REFUSED)
        return Login(Verdict.ALLOWED, self._account(user))

    def _note(self, account: str, workstation: str, *, accepted: bool, ntlm: bool) -> None:
        address, port = self.peer
        self._host.logged_on(
            Logon(
                account=account,
                accepted=accepted,
                ntlm=ntlm,
                address=address,
                port=port,
                workstation=workstation,
            )
        )

    def _negotiate(self, value: bytes) -> Login:
        settings, policy = self._host.settings, self._host.ntlm
        if not settings.negotiate:
            return Login(Verdict.REFUSED)
        context = None if self._user else self._context
        if context is None:
            self._user = ""
            bindings = settings.channel_binding != "None" and self._digest is not None
            context = acceptor(
                self._host.name,
                self._host.password_of,
                os_version=settings.os_version,
                bindings=b"tls-server-end-point:" + (self._digest or b"") if bindings else None,
                strict_bindings=settings.channel_binding == "Strict",
                claimed=self._take_claim,
                policy=policy,
            )
            self._context = context
            self._claim = ("", "")
        try:
            token = context.step(base64.b64decode(value, validate=True)) or b""
        except (SpnegoError, binascii.Error, struct.error, ValueError, IndexError, KeyError):
            self._context = None
            if self._claim[0]:
                self._note(*self._claim, accepted=False, ntlm=True)
            return Login(Verdict.REFUSED)
        encoded = b"Negotiate " + base64.b64encode(token) if token else b""
        if not context.complete:
            return Login(Verdict.MORE, token=encoded)
        self._user = self._account(context.client_principal or "")
        self._note(*self._claim, accepted=True, ntlm=True)
        return Login(Verdict.ALLOWED, self._user, encoded)

    def _take_claim(self, account: str, workstation: str) -> None:
        self._claim = (account, workstation)

    def _account(self, user: str) -> str:
        domain, found, name = user.partition("\\")
        if found and domain.upper() in (".", self._host.name.upper()):
            return name
        return user

    def unseal(self, body: bytes) -> bytes:
        """Decrypt a request. Raises :class:`SealedError` when it is not of this connection."""
        message = sealed.unframe(body)
        if not self._user or self._context is None:
            raise SealedError("nobody has logged in on this connection")
        try:
            plain = self._context.unwrap_winrm(message.signature, message.data)
        except SpnegoError as error:
            raise SealedError("sealed for another connection") from error
        if len(plain) != message.length:
            raise SealedError("the length does not fit")
        return plain

    def seal(self, body: bytes) -> bytes:
        """Encrypt an answer; only after :meth:`unseal` or a complete login."""
        assert self._context is not None
        header, data, padding = self._context.wrap_winrm(body)
        return sealed.frame(Sealed(signature=header, data=data, length=len(body) + padding))

"""NTLM and SPNEGO as a host accepts them.

pyspnego's acceptor takes credentials from one file for the whole process (NTLM_USER_FILE), reads
it at each login, and sends the real machine's name in its challenge. A lab of many hosts needs
its own names and accounts for each, so two private steps of it are replaced here; pyspnego is
pinned and a test notices when they move. Source: [MS-NLMP] 2.2.1 (messages), 3.2.5.1 (server
rules), 3.3.2 (NTLM v2). NTLM v1 is refused, as LmCompatibilityLevel 5 does.
"""

from __future__ import annotations

import functools
import hmac
import os
from collections.abc import Callable

from spnego import ContextProxy, NTLMHash
from spnego._context import GSSMech
from spnego._negotiate import NegotiateProxy
from spnego._ntlm import NTLMProxy
from spnego._ntlm_raw.crypto import (
    compute_response_v1,
    compute_response_v2,
    lmowfv1,
    md5,
    ntowfv1,
    ntowfv2,
    rc4k,
)
from spnego._ntlm_raw.messages import (
    Authenticate,
    AvFlags,
    AvId,
    Challenge,
    FileTime,
    Negotiate,
    NegotiateFlags,
    NTClientChallengeV2,
    TargetInfo,
    Version,
)
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import BadBindingsError, InvalidTokenError

from winlab.host.policy_logon import NtlmPolicy

_SESSION_FLAGS = (
    NegotiateFlags.request_target
    | NegotiateFlags.ntlm
    | NegotiateFlags.always_sign
    | NegotiateFlags.target_info
    | NegotiateFlags.target_type_server
    | NegotiateFlags.unicode
)
_NO_BINDINGS = b"\x00" * 16
_V1_LENGTH = 24
_ANYTHING = NtlmPolicy()

PasswordOf = Callable[[str], str | None]
Claimed = Callable[[str, str], None]


def acceptor(
    host: str,
    password_of: PasswordOf,
    *,
    os_version: str = "10.0.20348",
    bindings: bytes | None = None,
    strict_bindings: bool = False,
    claimed: Claimed = lambda _account, _workstation: None,
    policy: NtlmPolicy = _ANYTHING,
) -> ContextProxy:
    """A context that takes raw NTLM tokens and SPNEGO alike.

    ``claimed`` is told who the client says it is, before that is checked. ``bindings`` is the
    application data of the channel bindings over TLS: a client that sends other ones is refused;
    ``strict_bindings`` refuses a client that sends none.
    """
    inner = HostNtlm(
        host,
        password_of,
        os_version,
        bindings,
        strict=strict_bindings,
        claimed=claimed,
        policy=policy,
    )
    inner._is_wrapped = True  # noqa: SLF001 - pyspnego's own mark for a context inside SPNEGO
    return NegotiateProxy(usage="accept", _negotiate_contexts={GSSMech.ntlm: inner})


@functools.lru_cache(maxsize=256)
def _password_hash(password: str) -> bytes:
    """MD4 in Python is slow and the accounts of a lab are few."""
    return ntowfv1(password)


class HostNtlm(NTLMProxy):
    """pyspnego's NTLM with a host's own names and accounts."""

    def __init__(
        self,
        host: str,
        password_of: PasswordOf,
        os_version: str,
        bindings: bytes | None,
        *,
        strict: bool,
        claimed: Claimed = lambda _account, _workstation: None,
        policy: NtlmPolicy = _ANYTHING,
    ) -> None:
        """An acceptor for one connection."""
        # The base class wants its credential file for an acceptor, so it begins as an initiator
        # with a hash that is never used.
        super().__init__(NTLMHash(username="unused", nt_hash="00" * 16), usage="initiate")
        self.usage = "accept"
        self._credential = None
        self.account = ""
        self._host = host.upper()
        self._password_of = password_of
        self._os_version = os_version
        self._bindings = bindings
        self._claimed = claimed
        self._strict = strict
        self._policy = policy

    @property
    def client_principal(self) -> str | None:
        """The account as the client named it, once it has logged in."""
        return self.account or None

    def _step_accept_negotiate(self, token: bytes) -> bytes:
        """[MS-NLMP] 3.2.5.1.1: answer NEGOTIATE_MESSAGE by a challenge in this host's name."""
        negotiate = Negotiate.unpack(token)
        if not negotiate.flags & NegotiateFlags.unicode:
            raise InvalidTokenError(context_msg="the client cannot speak Unicode")
        flags = (negotiate.flags | _SESSION_FLAGS) & ~NegotiateFlags.oem
        if flags & NegotiateFlags.extended_session_security:
            flags &= ~NegotiateFlags.lm_key
        info = TargetInfo()
        info[AvId.nb_domain_name] = self._host
        info[AvId.nb_computer_name] = self._host
        info[AvId.dns_domain_name] = self._host
        info[AvId.dns_computer_name] = self._host
        info[AvId.timestamp] = FileTime.now()
        major, minor, build = (int(part) for part in self._os_version.split(".")[:3])
        self._temp_negotiate = negotiate
        self._temp_challenge = Challenge(
            flags,
            os.urandom(8),
            target_name=self._host,
            target_info=info,
            version=Version(major, minor, build) if flags & NegotiateFlags.version else None,
        )
        return self._temp_challenge.pack()

    def _step_accept_authenticate(
        self,
        token: bytes,
        channel_bindings: GssChannelBindings | None,  # noqa: ARG002 - the base class names it
    ) -> None:
        """[MS-NLMP] 3.2.5.1.2: check AUTHENTICATE_MESSAGE and derive the session's keys."""
        assert self._temp_negotiate is not None
        assert self._temp_challenge is not None
        message = Authenticate.unpack(token)
        proof = message.nt_challenge_response or b""
        if not message.user_name or len(proof) < _V1_LENGTH:
            raise InvalidTokenError(context_msg="anonymous or LM login")
        domain = message.domain_name or ""
        account = f"{domain}\\{message.user_name}" if domain else message.user_name
        self._claimed(account, message.workstation or "")
        password = self._password_of(account)
        if password is None:
            raise InvalidTokenError(context_msg="no such account")
        old = len(proof) == _V1_LENGTH
        if not self._policy.allowed or (old and not self._policy.version_1):
            raise InvalidTokenError(context_msg="policy refuses NTLM, or this version of it")
        if self._policy.required_flags & ~message.flags:
            raise InvalidTokenError(context_msg="policy demands more of the session")
        pairs = TargetInfo()
        if old:
            key = self._check_v1(message, proof, password)
        else:
            pairs, key = self._check_v2(message, proof, password)
        sealed = message.flags & (NegotiateFlags.sign | NegotiateFlags.seal)
        if message.flags & NegotiateFlags.key_exch and sealed:
            key = rc4k(key, message.encrypted_random_session_key or b"")
        if pairs.get(AvId.flags, 0) & AvFlags.mic:
            self._check_integrity(message, key)
        self._session_key = key
        self._context_attr = message.flags
        self._complete = True
        self.account = account

    def _check_v1(self, message: Authenticate, proof: bytes, password: str) -> bytes:
        """[MS-NLMP] 3.3.1: return the key exchange key."""
        assert self._temp_challenge is not None
        ours = message.lm_challenge_response or b""
        extended = message.flags & NegotiateFlags.extended_session_security
        expected, _lm, key = compute_response_v1(
            message.flags,
            _password_hash(password),
            b"" if extended else lmowfv1(password),
            self._temp_challenge.server_challenge,
            ours[:8],
            no_lm_response=ours == proof,
        )
        if not hmac.compare_digest(proof, expected):
            raise InvalidTokenError(context_msg="wrong password")
        # Version 1 has no place for channel bindings.
        self._check_bindings(TargetInfo())
        return key

    def _check_v2(
        self, message: Authenticate, proof: bytes, password: str
    ) -> tuple[TargetInfo, bytes]:
        """[MS-NLMP] 3.3.2: return what the client says of itself and the key exchange key."""
        assert self._temp_challenge is not None
        client = NTClientChallengeV2.unpack(proof[16:])
        expected, _lm, key = compute_response_v2(
            ntowfv2(message.user_name or "", _password_hash(password), message.domain_name),
            self._temp_challenge.server_challenge,
            client.challenge_from_client,
            client.time_stamp,
            client.av_pairs,
        )
        if not hmac.compare_digest(proof[:16], expected[:16]):
            raise InvalidTokenError(context_msg="wrong password")
        self._check_bindings(client.av_pairs)
        return client.av_pairs, key

    def _check_bindings(self, pairs: TargetInfo) -> None:
        if self._bindings is None:
            return
        sent = pairs.get(AvId.channel_bindings, _NO_BINDINGS)
        ours = md5(GssChannelBindings(application_data=self._bindings).pack())
        if sent != ours and (self._strict or sent != _NO_BINDINGS):
            raise BadBindingsError(context_msg="the client speaks through another channel")

    def _check_integrity(self, message: Authenticate, key: bytes) -> None:
        """[MS-NLMP] 3.1.5.1.2: the MIC covers all three messages, itself as zeros."""
        assert self._temp_negotiate is not None
        assert self._temp_challenge is not None
        sent = message.mic or b""
        message.mic = b"\x00" * 16
        expected = self._calculate_mic(
            key, self._temp_negotiate.pack(), self._temp_challenge.pack(), message.pack()
        )
        if not hmac.compare_digest(sent, expected):
            raise InvalidTokenError(context_msg="the messages were changed on their way")

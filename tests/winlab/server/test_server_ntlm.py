"""The acceptor against pyspnego's own initiator, and a watch over its private names."""

from __future__ import annotations

import importlib.metadata
import inspect
from typing import Any

import pytest
import spnego
from spnego import _negotiate, _ntlm
from spnego._ntlm_raw.messages import Challenge, Negotiate, NegotiateFlags
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from winlab.host.policy_logon import NtlmPolicy
from winlab.server.ntlm import HostNtlm, acceptor

PASSWORD = "pass"


def password_of(user: str) -> str | None:
    return PASSWORD if user.rpartition("\\")[2].lower() == "joe" else None


def login(
    server: Any, user: str = "joe", password: str = PASSWORD, protocol: str = "ntlm", **more: Any
) -> Any:
    client = spnego.client(user, password, hostname="h", protocol=protocol, **more)
    token = client.step()
    while token is not None:
        token = server.step(token)
        if token is None:
            break
        token = client.step(token)
    return client


@pytest.mark.parametrize("protocol", ["ntlm", "negotiate"])
def test_messages_pass_both_ways(protocol: str) -> None:
    server = acceptor("web1", password_of)
    client = login(server, protocol=protocol)
    assert server.complete
    assert client.complete
    assert server.client_principal == "joe"
    for number in range(3):
        sealed = client.wrap_winrm(b"question %d" % number)
        assert server.unwrap_winrm(sealed.header, sealed.data) == b"question %d" % number
        sealed = server.wrap_winrm(b"answer %d" % number)
        assert client.unwrap_winrm(sealed.header, sealed.data) == b"answer %d" % number


@pytest.mark.parametrize("name", ["joe", "JOE", "WEB1\\joe", "domain\\joe", "joe@domain.test"])
def test_the_account_is_asked_for_as_the_client_named_it(name: str) -> None:
    asked: list[str] = []

    def record(user: str) -> str | None:
        asked.append(user)
        return PASSWORD

    server = acceptor("web1", record)
    login(server, name)
    assert asked == [name]
    assert server.client_principal == name


def test_the_challenge_speaks_in_the_hosts_name() -> None:
    server = HostNtlm("web1", password_of, "10.0.17763", None, strict=False)
    client = spnego.client("joe", PASSWORD, protocol="ntlm")
    challenge = Challenge.unpack(server.step(client.step()) or b"")
    assert challenge.target_name == "WEB1"
    assert challenge.target_info is not None
    names = {challenge.target_info[key] for key in (1, 2, 3, 4)}
    assert names == {"WEB1"}
    assert challenge.version is not None
    assert (challenge.version.major, challenge.version.build) == (10, 17763)


@pytest.mark.parametrize(
    ("user", "password"), [("joe", "wrong"), ("eve", PASSWORD), ("joe", ""), ("joe", "Pass")]
)
def test_wrong_credentials_are_refused(user: str, password: str) -> None:
    with pytest.raises(SpnegoError):
        login(acceptor("web1", password_of), user, password)


@pytest.mark.parametrize("level", ["0", "1", "2"])
def test_ntlm_v1_is_taken_unless_policy_refuses_it(
    level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LM_COMPAT_LEVEL", level)
    server = acceptor("web1", password_of)
    client = login(server)
    assert server.complete
    sealed = client.wrap_winrm(b"question")
    assert server.unwrap_winrm(sealed.header, sealed.data) == b"question"
    with pytest.raises(SpnegoError, match="policy refuses NTLM"):
        login(acceptor("web1", password_of, policy=NtlmPolicy(version_1=False)))
    with pytest.raises(SpnegoError, match="wrong password"):
        login(acceptor("web1", password_of), password="wrong")


def test_ntlm_that_policy_denies_is_refused_in_every_version() -> None:
    with pytest.raises(SpnegoError, match="policy refuses NTLM"):
        login(acceptor("web1", password_of, policy=NtlmPolicy(allowed=False)))


def test_a_session_must_have_what_policy_demands(monkeypatch: pytest.MonkeyPatch) -> None:
    strict = NtlmPolicy(required_flags=0x20080000)
    login(acceptor("web1", password_of, policy=strict))
    # Level 0 is a client without extended session security.
    monkeypatch.setenv("LM_COMPAT_LEVEL", "0")
    with pytest.raises(SpnegoError, match="policy demands more"):
        login(acceptor("web1", password_of, policy=strict))


def test_a_client_without_unicode_is_refused() -> None:
    server = acceptor("web1", password_of)
    token = Negotiate(NegotiateFlags.oem).pack()
    with pytest.raises(SpnegoError, match="Unicode"):
        server.step(token)


def bindings(data: bytes) -> GssChannelBindings:
    return GssChannelBindings(application_data=data)


@pytest.mark.parametrize(
    ("ours", "strict", "theirs", "passes"),
    [
        (None, True, None, True),
        (None, False, b"x", True),
        (b"tls", False, None, True),
        (b"tls", False, b"tls", True),
        (b"tls", False, b"other", False),
        (b"tls", True, None, False),
        (b"tls", True, b"tls", True),
        (b"tls", True, b"other", False),
    ],
)
def test_channel_bindings(
    ours: bytes | None, strict: bool, theirs: bytes | None, passes: bool
) -> None:
    server = acceptor("web1", password_of, bindings=ours, strict_bindings=strict)
    more: dict[str, Any] = {"channel_bindings": bindings(theirs)} if theirs else {}
    if passes:
        login(server, **more)
        assert server.complete
    else:
        with pytest.raises(SpnegoError, match="another channel"):
            login(server, **more)


def test_a_changed_message_is_noticed() -> None:
    server = HostNtlm("web1", password_of, "10.0.20348", None, strict=False)
    client = spnego.client("joe", PASSWORD, protocol="ntlm")
    challenge = server.step(client.step())
    message = bytearray(client.step(challenge) or b"")
    message[72] ^= 1  # the first byte of the MIC
    with pytest.raises(SpnegoError, match="changed on their way"):
        server.step(bytes(message))


def test_the_private_names_of_pyspnego_are_where_they_were() -> None:
    """When this fails after an update of pyspnego, read its _ntlm.py before moving the pin."""
    assert importlib.metadata.version("pyspnego") == "0.12.4"
    proxy = _ntlm.NTLMProxy
    for step, parameters in (
        ("_step_accept", ["self", "in_token", "channel_bindings"]),
        ("_step_accept_negotiate", ["self", "token"]),
        ("_step_accept_authenticate", ["self", "token", "channel_bindings"]),
        ("_calculate_mic", ["self", "session_key", "negotiate", "challenge", "authenticate"]),
    ):
        assert list(inspect.signature(getattr(proxy, step)).parameters) == parameters
    source = inspect.getsource(proxy)
    for name in (
        "self._temp_negotiate",
        "self._temp_challenge",
        "self._session_key",
        "self._context_attr",
        "self._complete",
        "self._credential",
    ):
        assert name in source
    assert '"_negotiate_contexts"' in inspect.getsource(_negotiate.NegotiateProxy.__init__)

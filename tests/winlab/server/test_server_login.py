"""The gate of one connection, without sockets."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
import spnego

from winlab.server.login import Gate, Verdict
from winlab.wire.sealed import Sealed, SealedError, frame, unframe

if TYPE_CHECKING:
    from tests.winlab.server.conftest import FakeHost


def token_of(value: bytes) -> bytes:
    return b"Negotiate " + base64.b64encode(value)


def logged_in(gate: Gate, host: FakeHost) -> spnego.ContextProxy:
    client = spnego.client(host.user, host.password, protocol="ntlm")
    challenge = gate.admit(token_of(client.step() or b""))
    assert challenge.verdict is Verdict.MORE
    answer = client.step(base64.b64decode(challenge.token.removeprefix(b"Negotiate ")))
    done = gate.admit(token_of(answer or b""))
    assert (done.verdict, done.user) == (Verdict.ALLOWED, host.user)
    return client


def test_a_login_lasts_for_the_connection(host: FakeHost) -> None:
    gate = Gate(host, None)
    assert gate.admit(b"").verdict is Verdict.REFUSED
    logged_in(gate, host)
    assert gate.admit(b"").user == host.user
    logged_in(gate, host)


def test_sealed_messages_pass_both_ways(host: FakeHost) -> None:
    gate = Gate(host, None)
    client = logged_in(gate, host)
    wrapped = client.wrap_winrm(b"question")
    body = frame(Sealed(signature=wrapped.header, data=wrapped.data, length=8))
    assert gate.unseal(body) == b"question"
    answer = unframe(gate.seal(b"answer"))
    assert client.unwrap_winrm(answer.signature, answer.data) == b"answer"
    assert answer.length == 6


def test_a_sealed_message_needs_a_login_and_the_right_length(host: FakeHost) -> None:
    gate = Gate(host, None)
    body = frame(Sealed(signature=b"x" * 16, data=b"y", length=1))
    with pytest.raises(SealedError, match="nobody has logged in"):
        gate.unseal(body)
    client = logged_in(gate, host)
    with pytest.raises(SealedError, match="no encrypted part"):
        gate.unseal(b"plain")
    wrapped = client.wrap_winrm(b"question")
    with pytest.raises(SealedError, match="length does not fit"):
        gate.unseal(frame(Sealed(signature=wrapped.header, data=wrapped.data, length=9)))
    with pytest.raises(SealedError, match="another connection"):
        gate.unseal(body)


def test_negotiate_that_is_switched_off_is_refused_unasked(host: FakeHost) -> None:
    host.set(negotiate=False)
    gate = Gate(host, b"digest")
    client = spnego.client(host.user, host.password, protocol="ntlm")
    assert gate.admit(token_of(client.step() or b"")).verdict is Verdict.REFUSED
    assert gate.offers == [(b"WWW-Authenticate", b'Basic realm="WSMAN"')]


def test_an_account_of_another_domain_keeps_its_name(host: FakeHost) -> None:
    gate = Gate(host, None)
    assert gate._account("DOMAIN\\joe") == "DOMAIN\\joe"
    assert gate._account(".\\joe") == "joe"
    assert gate._account("win1\\joe") == "joe"


def test_basic_is_noted_once_for_a_connection_and_each_failure(host: FakeHost) -> None:
    gate = Gate(host, None)
    gate.peer = ("127.0.0.1", 50000)
    right = b"Basic " + base64.b64encode(f"{host.user}:{host.password}".encode())
    wrong = b"Basic " + base64.b64encode(b"vagrant:wrong")
    stranger = b"Basic " + base64.b64encode(b".\\nobody:x")
    for header in (right, right, wrong, wrong, stranger, right):
        gate.admit(header)
    assert [(logon.account, logon.accepted) for logon in host.logons] == [
        ("vagrant", True),
        ("vagrant", False),
        ("vagrant", False),
        (".\\nobody", False),
        ("vagrant", True),
    ]
    assert {(each.ntlm, each.address, each.port) for each in host.logons} == {
        (False, "127.0.0.1", 50000)
    }


@pytest.mark.parametrize("header", [b"", b"Basic !", b"Basic bm9jb2xvbg==", b"Negotiate AAAA"])
def test_what_names_no_account_is_no_logon(host: FakeHost, header: bytes) -> None:
    assert Gate(host, None).admit(header).verdict is Verdict.REFUSED
    assert host.logons == []


def test_a_refused_scheme_is_no_logon(host: FakeHost) -> None:
    host.set(basic=False)
    right = b"Basic " + base64.b64encode(f"{host.user}:{host.password}".encode())
    assert Gate(host, None).admit(right).verdict is Verdict.REFUSED
    assert host.logons == []


@pytest.mark.parametrize("password", [None, "wrong"])
def test_ntlm_is_noted_with_the_clients_name(host: FakeHost, password: str | None) -> None:
    gate = Gate(host, None)
    client = spnego.client(host.user, password or host.password, protocol="ntlm")
    challenge = gate.admit(token_of(client.step() or b""))
    assert host.logons == []
    answer = client.step(base64.b64decode(challenge.token.removeprefix(b"Negotiate ")))
    gate.admit(token_of(answer or b""))
    gate.admit(b"")
    (logon,) = host.logons
    assert (logon.account, logon.accepted, logon.ntlm) == (host.user, password is None, True)
    assert logon.workstation

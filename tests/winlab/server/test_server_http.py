"""HTTP itself, by raw bytes: what no well-behaved client sends."""

from __future__ import annotations

import base64
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest
import requests as http

from winlab.wire import names
from winlab.wire.xml import parse

if TYPE_CHECKING:
    from tests.winlab.server.conftest import Clients, FakeHost

SOAP = {"Content-Type": "application/soap+xml;charset=UTF-8"}
IDENTIFY = (
    f'<s:Envelope xmlns:s="{names.SOAP}"><s:Header/><s:Body>'
    f'<i:Identify xmlns:i="{names.IDENTITY}"/></s:Body></s:Envelope>'
)
FAULT = "{" + names.FAULT + "}"
S = "{" + names.SOAP + "}"


def ask(clients: Clients, body: str | bytes, **headers: str) -> http.Response:
    user = (clients.host.user, clients.host.password)
    return http.post(clients.url("http"), data=body, headers=SOAP | headers, auth=user, timeout=10)


def fault_code(answer: http.Response) -> int:
    assert answer.status_code == 500
    fault = parse(answer.content)
    for step in (S + "Body", S + "Fault", S + "Detail", FAULT + "WSManFault"):
        found = fault.find(step)
        assert found is not None
        fault = found
    return int(fault.attributes["Code"])


def talk(host: FakeHost, *pieces: bytes) -> bytes:
    with socket.create_connection((host.address, 5985), 10) as connection:
        for piece in pieces:
            connection.sendall(piece)
        received = b""
        while data := connection.recv(65_536):
            received += data
        return received


def test_schemes_are_offered_one_header_each(clients: Clients, host: FakeHost) -> None:
    answer = http.post(clients.url("http"), timeout=10)
    assert answer.status_code == 401
    assert answer.headers["Server"] == "Microsoft-HTTPAPI/2.0"
    assert answer.raw.headers.getlist("WWW-Authenticate") == [
        "Negotiate",
        'Basic realm="WSMAN"',
    ]
    host.set(allow_unencrypted=False)
    answer = http.post(clients.url("http"), timeout=10)
    assert answer.raw.headers.getlist("WWW-Authenticate") == ["Negotiate"]


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"vagrant").decode(),
        "Basic " + base64.b64encode("vagrant:S3cret!üb".encode()).decode(),
        "Negotiate",
        "Negotiate !!!",
        "Negotiate TlRMTVNTUAAB",
        "Negotiate " + base64.b64encode(b"\x60\x03abc").decode(),
        "Negotiate " + base64.b64encode(b"NTLMSSP\x00\x03\x00\x00\x00" + b"\0" * 80).decode(),
        "Kerberos abc",
        "Digest username=x",
    ],
)
def test_broken_credentials_are_401(clients: Clients, header: str) -> None:
    answer = http.post(clients.url("http"), headers={"Authorization": header}, timeout=10)
    assert answer.status_code == 401


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_basic_takes_either_charset(clients: Clients, host: FakeHost, charset: str) -> None:
    token = base64.b64encode(f"{host.user}:{host.password}".encode(charset)).decode()
    answer = http.post(clients.url("http"), headers={"Authorization": f"Basic {token}"}, timeout=10)
    assert (answer.status_code, answer.content) == (200, b"")


def test_identify_needs_no_login_and_then_hides_the_version(clients: Clients) -> None:
    answer = http.post(
        clients.url("http"), IDENTIFY, headers={"WSMANIDENTIFY": "unauthenticated"}, timeout=10
    )
    assert answer.status_code == 200
    assert b"OS: 0.0.0 SP: 0.0 Stack: 3.0" in answer.content
    answer = ask(clients, IDENTIFY)
    assert b"OS: 10.0.20348 SP: 0.0 Stack: 3.0" in answer.content


@pytest.mark.parametrize("body", ["", "<x/>", "nonsense"])
def test_nothing_else_goes_without_login(clients: Clients, body: str) -> None:
    headers = {"WSMANIDENTIFY": "unauthenticated"}
    assert http.post(clients.url("http"), body, headers=headers, timeout=10).status_code == 401


def test_other_paths_and_methods(clients: Clients) -> None:
    base = clients.url("http").removesuffix("/wsman")
    assert http.post(base + "/", timeout=10).status_code == 404
    got = http.get(base + "/wsman", timeout=10)
    assert (got.status_code, got.headers["Allow"]) == (405, "POST")
    assert http.post(base + "/WSMan?PSVersion=5.1", timeout=10).status_code == 401


@pytest.mark.parametrize(
    "body", ["<a", "plain text", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "<a/>", "\x00"]
)
def test_malformed_xml_is_a_fault(clients: Clients, body: str) -> None:
    assert fault_code(ask(clients, body)) == 0x80338043


def test_an_oversized_envelope_is_a_fault(clients: Clients, host: FakeHost) -> None:
    host.set(max_envelope_size_kb=200)
    assert fault_code(ask(clients, b"x" * 200 * 1024)) == 0x80338043
    answer = ask(clients, b"x" * (200 * 1024 + 1))
    assert fault_code(answer) == 0x80338035
    assert b"MaxEnvelopeSizekb, which is 200" in answer.content
    assert fault_code(ask(clients, "<a")) == 0x80338043


def test_a_hopeless_body_is_not_even_read(clients: Clients, host: FakeHost) -> None:
    host.set(max_envelope_size_kb=32)
    head = b"POST /wsman HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n"
    answer = talk(host, head, b"x" * 140_000)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_what_is_no_http_is_a_400(clients: Clients, host: FakeHost) -> None:
    answer = talk(host, b"\x16\x03\x01 not http at all\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert talk(host, b"POST /wsman HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    huge = b"POST /wsman HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 20_000
    assert talk(host, huge)[:13] == b"HTTP/1.1 431 "


def test_connection_close_and_http_1_0_are_honoured(clients: Clients, host: FakeHost) -> None:
    closing = b"POST /wsman HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    assert talk(host, closing).startswith(b"HTTP/1.1 401 ")
    assert talk(host, b"POST /wsman HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 401 ")


def test_a_waiting_client_is_told_to_go_on(clients: Clients, host: FakeHost) -> None:
    head = (
        b"POST /wsman HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nConnection: close\r\n"
        b"Content-Length: 2\r\n\r\n"
    )
    with socket.create_connection((host.address, 5985), 10) as connection:
        connection.sendall(head)
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"<a")
        assert connection.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_requests_may_come_one_after_the_other_at_once(clients: Clients, host: FakeHost) -> None:
    one = b"POST /wsman HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
    last = one.replace(b"Host: h", b"Host: h\r\nConnection: close")
    assert talk(host, one + one + last).count(b"HTTP/1.1 401 ") == 3


def test_plain_http_on_the_tls_port_is_hung_up(clients: Clients, host: FakeHost) -> None:
    with socket.create_connection((host.address, 5986), 10) as connection:
        connection.sendall(b"POST /wsman HTTP/1.1\r\nHost: h\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP/1.1" not in connection.recv(1000)


def test_a_client_without_the_ca_hangs_up(clients: Clients) -> None:
    with pytest.raises(http.exceptions.SSLError):
        http.post(clients.url("https"), timeout=10)
    answer = http.post(clients.url("https"), timeout=10, verify=clients.ca)
    assert answer.status_code == 401

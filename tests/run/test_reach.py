from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from opsproof.run import reach
from opsproof.run.checks import Check, Health
from opsproof.run.reach import Endpoint, endpoint

LAB = {
    "ansible_connection": "ansible.builtin.winrm",
    "ansible_host": "127.0.0.1",
    "ansible_port": 5986,
    "ansible_winrm_scheme": "https",
    "ansible_winrm_ca_trust_path": "/lab/ca.pem",
}


def at(port: int, *, ca: Path | None = None, tls: bool = True, validated: bool = True) -> Endpoint:
    return Endpoint("web01", "127.0.0.1", port, tls, None if ca is None else str(ca), validated)


def names(checks: list[Check]) -> list[tuple[str, Health]]:
    return [(check.name, check.health) for check in checks]


@contextmanager
def listener(certificate: Path | None = None) -> Iterator[int]:
    """A port that accepts connections, with TLS when a certificate (and key) is given."""
    server = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
    if context is not None and certificate is not None:
        context.load_cert_chain(certificate)

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            try:
                if context is not None:
                    connection = context.wrap_socket(connection, server_side=True)
                connection.close()
            except OSError:
                connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield int(server.getsockname()[1])
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one file."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "web01")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "both.pem"
    path.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def test_a_listener_with_a_trusted_certificate_is_reached(certificate: Path) -> None:
    with listener(certificate) as port:
        checks = reach.reach(at(port, ca=certificate))
    assert names(checks) == [("name", Health.OK), ("tcp", Health.OK), ("tls", Health.OK)]


def test_an_unknown_authority_is_refused_with_the_reason(certificate: Path) -> None:
    with listener(certificate) as port:
        check = reach.reach(at(port))[-1]
    assert check.health is Health.FAILED
    assert check.detail == "certificate refused: self-signed certificate"


def test_a_port_that_speaks_no_tls_is_told_apart() -> None:
    with listener() as port:
        check = reach.reach(at(port))[-1]
    assert (check.name, check.health) == ("tls", Health.FAILED)
    assert check.remedy == "is this port a WinRM HTTPS listener?"


def test_a_closed_port_ends_the_checks() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    checks = reach.reach(at(port))
    assert names(checks) == [("name", Health.OK), ("tcp", Health.FAILED)]
    assert checks[-1].detail == f"127.0.0.1 port {port}: Connection refused"


def test_a_name_that_nobody_knows_ends_the_checks() -> None:
    checks = reach.reach(Endpoint("x", "no-such-host.invalid", 5986, True, None, True))
    assert names(checks) == [("name", Health.FAILED)]
    assert checks[0].remedy == "correct ansible_host or the DNS"


def test_http_is_a_warning_and_switched_off_checks_are_a_failure(certificate: Path) -> None:
    with listener(certificate) as port:
        assert reach.reach(at(port, tls=False))[-1].health is Health.WARNING
        check = reach.reach(at(port, validated=False))[-1]
    assert (check.health, check.detail) == (
        Health.FAILED,
        "certificate checks are switched off",
    )


def test_a_missing_ca_file_is_named() -> None:
    with listener() as port:
        check = reach.reach(at(port, ca=Path("/none/ca.pem")))[-1]
    assert check.detail == "/none/ca.pem: No such file or directory"


def test_the_endpoint_follows_the_connection_variables() -> None:
    assert endpoint("web01", LAB) == Endpoint("web01", "127.0.0.1", 5986, True, "/lab/ca.pem", True)
    psrp = {"ansible_connection": "psrp", "ansible_psrp_cert_validation": "ignore"}
    assert endpoint("web01", psrp) == Endpoint("web01", "web01", 5986, True, None, False)
    plain = {"ansible_connection": "winrm", "ansible_port": 5985}
    assert endpoint("web01", plain) == Endpoint("web01", "web01", 5985, False, None, True)
    assert endpoint("web01", {"ansible_connection": "ansible.builtin.local"}) is None


@pytest.mark.parametrize(
    ("variables", "needs"),
    [
        ({"ansible_winrm_transport": "kerberos"}, "kerberos"),
        ({"ansible_winrm_transport": ["kerberos", "ntlm"]}, "kerberos"),
        ({"ansible_winrm_transport": "ntlm"}, ""),
        ({}, ""),
        ({"ansible_connection": "psrp", "ansible_psrp_auth": "kerberos"}, "krb5"),
    ],
)
def test_what_a_way_of_logging_in_needs(variables: dict[str, object], needs: str) -> None:
    found = endpoint("web01", {**LAB, **variables})
    assert found is not None
    assert found.needs == needs


def test_kerberos_without_its_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(reach._PACKAGES, "no_such_module", "pykerberos")
    with listener() as port:
        first = reach.reach(
            Endpoint("web01", "127.0.0.1", port, False, None, True, needs="no_such_module")
        )[0]
    assert first == Check(
        "kerberos",
        Health.FAILED,
        "this machine has no Python module no_such_module",
        ".venv/bin/pip install pykerberos, or another transport in the inventory",
    )

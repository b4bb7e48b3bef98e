from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from winlab.server.tls import LabCa

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """Both ends in memory (ssl.MemoryBIO), no sockets."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = server.wrap_bio(to_server, to_client, server_side=True)
    two = client.wrap_bio(to_client, to_server, server_hostname=name)
    waiting = [one, two]
    for _ in range(10):
        for end in list(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
        if not waiting:
            return
    raise AssertionError("the handshake did not end")


def test_a_client_that_trusts_the_ca_accepts_name_and_address(tmp_path: Path) -> None:
    ca = LabCa(dt.datetime.now(dt.UTC))
    path = tmp_path / "ca.pem"
    ca.write(path)
    client = ssl.create_default_context(cafile=str(path))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    for name in ("web1", "127.1.2.3"):
        handshake(ca.host("web1", "127.1.2.3").context, client, name)


def test_another_ca_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    LabCa(dt.datetime.now(dt.UTC)).write(path)
    client = ssl.create_default_context(cafile=str(path))
    stranger = LabCa(dt.datetime.now(dt.UTC)).host("web1", "127.1.2.3")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(stranger.context, client, "web1")


def test_hosts_have_keys_of_their_own_on_p_256() -> None:
    ca = LabCa(NOW)
    one, two = ca.host("a", "127.0.0.2"), ca.host("b", "127.0.0.3")
    keys = [each.certificate.public_key() for each in (one, two)]
    for key in keys:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert isinstance(key.curve, ec.SECP256R1)
    assert keys[0] != keys[1]
    assert one.digest == one.certificate.fingerprint(hashes.SHA256())
    assert one.context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_certificates_are_dated_by_the_given_time_and_name_the_host() -> None:
    certificate = LabCa(NOW).host("web1", "127.9.8.7").certificate
    assert certificate.not_valid_before_utc == NOW - dt.timedelta(days=1)
    assert certificate.not_valid_after_utc == NOW + dt.timedelta(days=397)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["web1"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.9.8.7")]

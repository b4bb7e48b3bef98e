"""Whether a host's WinRM listener can be reached: name, TCP, TLS. Plain sockets, no login."""

from __future__ import annotations

import importlib.util
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from opsproof.run.checks import Check, failed, ok, warning

TIMEOUT_SECONDS = 5.0
REMOTE = ("winrm", "psrp")
_TRUST = {"winrm": "ansible_winrm_ca_trust_path", "psrp": "ansible_psrp_ca_cert"}
_VALIDATION = {
    "winrm": "ansible_winrm_server_cert_validation",
    "psrp": "ansible_psrp_cert_validation",
}
_LOGIN = {"winrm": "ansible_winrm_transport", "psrp": "ansible_psrp_auth"}
_KERBEROS = {"winrm": "kerberos", "psrp": "krb5"}
"""Imported by the connection plugin winrm (of pykerberos) and by pyspnego for psrp."""
_PACKAGES = {"kerberos": "pykerberos", "krb5": "pyspnego[kerberos]"}


class Endpoint(msgspec.Struct, frozen=True):
    """Where a host is contacted. ``ca`` is the file of trusted authorities, None the system's.

    ``needs`` is the Python module without which its way of logging in cannot work, empty for none.
    """

    host: str
    address: str
    port: int
    tls: bool
    ca: str | None
    validated: bool
    needs: str = ""


def endpoint(host: str, variables: Mapping[str, Any]) -> Endpoint | None:
    """The endpoint by Ansible's connection variables; None when the host is not contacted itself.

    Defaults are those of the connection plugins ansible.builtin.winrm and psrp: port 5986, and
    HTTPS unless the port is 5985 or the scheme or protocol says otherwise.
    """
    plugin = str(variables.get("ansible_connection", "ssh")).rpartition(".")[2]
    if plugin not in REMOTE:
        return None
    port = int(variables.get(f"ansible_{plugin}_port") or variables.get("ansible_port") or 5986)
    word = "scheme" if plugin == "winrm" else "protocol"
    scheme = variables.get(f"ansible_{plugin}_{word}") or ("http" if port == 5985 else "https")
    ca = variables.get(_TRUST[plugin])
    return Endpoint(
        host=host,
        address=str(variables.get("ansible_host", host)),
        port=port,
        tls=scheme == "https",
        ca=None if ca is None else str(ca),
        validated=str(variables.get(_VALIDATION[plugin], "validate")) != "ignore",
        needs=_KERBEROS[plugin] if "kerberos" in str(variables.get(_LOGIN[plugin])) else "",
    )


def reach(endpoint: Endpoint) -> list[Check]:
    """Checks in the order in which a connection needs them; one that fails on the way ends them."""
    return list(_reach(endpoint))


def _reach(at: Endpoint) -> Iterator[Check]:
    if at.needs and importlib.util.find_spec(at.needs) is None:
        yield failed(
            "kerberos",
            f"this machine has no Python module {at.needs}",
            f".venv/bin/pip install {_PACKAGES[at.needs]}, or another transport in the inventory",
        )
    try:
        socket.getaddrinfo(at.address, at.port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield failed("name", f"{at.address}: {_words(error)}", "correct ansible_host or the DNS")
        return
    yield ok("name", at.address)
    try:
        connection = socket.create_connection((at.address, at.port), TIMEOUT_SECONDS)
    except OSError as error:
        yield failed(
            "tcp",
            f"{at.address} port {at.port}: {_words(error)}",
            "is the host up, WinRM listening, the firewall open?",
        )
        return
    with connection:
        yield ok("tcp", f"port {at.port}")
        if at.tls:
            yield _tls(at, connection)
        else:
            yield warning("tls", "HTTP", "use HTTPS on port 5986; HTTP needs message encryption")


def _tls(at: Endpoint, connection: socket.socket) -> Check:
    if not at.validated:
        return failed("tls", "certificate checks are switched off", "name the CA's file instead")
    try:
        context = ssl.create_default_context(cafile=at.ca)
    except OSError as error:
        return failed("tls", f"{at.ca}: {_words(error)}", "correct the path of the CA's file")
    try:
        with context.wrap_socket(connection, server_hostname=at.address) as tls:
            return ok("tls", f"{tls.version()}, certificate trusted")
    except ssl.SSLCertVerificationError as error:
        return failed(
            "tls",
            f"certificate refused: {error.verify_message}",
            "have the CA issue one for this name, or name the CA's file in the inventory",
        )
    except OSError as error:
        return failed("tls", _words(error), "is this port a WinRM HTTPS listener?")


def _words(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_SECONDS:.0f} s"
    return error.strerror or str(error)

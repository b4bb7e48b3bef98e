"""Network of one host: adapters, listening ports, established connections, reachable peers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from winlab.host.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A network adapter with one IPv4 address; ``mac`` with dashes."""

    name: str = "Ethernet"
    description: str = "Microsoft Hyper-V Network Adapter"
    mac: str = "00-15-5D-00-00-01"
    address: str = "10.0.0.10"
    mask: str = "255.255.255.0"
    gateway: str = "10.0.0.1"
    dns: tuple[str, ...] = ("10.0.0.2",)
    dhcp: bool = False
    ipv6: str = "fe80::1%5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A listening TCP port or a bound UDP one.

    It is open while ``service`` runs (None: always). ``process_id`` 0 means that of the service;
    4 is the kernel (http.sys, SMB).
    """

    port: int
    protocol: str = "TCP"
    address: str = "0.0.0.0"  # noqa: S104 - a modelled address, nothing is bound here
    process_id: int = 0
    service: str | None = None
    ipv6: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A TCP connection as netstat shows it, with ports; ``state`` ESTABLISHED and so on."""

    local: str
    remote: str
    state: str = "ESTABLISHED"
    process_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SslRecord:
    """An http.sys certificate record: "ip:port" or, with SNI, "name:port"."""

    endpoint: str
    thumbprint: str
    app_id: str = "{4dc3e181-e14b-4a21-b022-59fc669b0914}"
    store: str = "MY"
    sni: bool = False


class Network:
    """Adapters, ports and peers of one host. ``peers`` maps a lower-case name to another host."""

    __slots__ = (
        "_pid_of",
        "_write",
        "adapters",
        "connections",
        "dns_suffix",
        "domain",
        "extra_listeners",
        "listeners",
        "names",
        "peers",
        "ssl_records",
    )

    def __init__(self, pid_of: Callable[[str], int], write: Callable[[str], None]) -> None:
        """``pid_of`` gives the process id of a running service, 0 when it does not run."""
        self.adapters: tuple[Adapter, ...] = (Adapter(),)
        self.listeners: tuple[Listener, ...] = ()
        self.extra_listeners: Callable[[], list[Listener]] | None = None
        self.connections: tuple[Connection, ...] = ()
        self.ssl_records: tuple[SslRecord, ...] = ()
        self.domain = "WORKGROUP"
        self.dns_suffix = ""
        self.names: dict[str, str] = {}
        self.peers: dict[str, Host] = {}
        self._pid_of = pid_of
        self._write = write

    def open_ports(self) -> list[Listener]:
        """Return what listens now, each with the process id that holds it, by protocol and port."""
        found = []
        extra = self.extra_listeners() if self.extra_listeners else []
        for item in (*self.listeners, *extra):
            pid = self._pid_of(item.service) if item.service else item.process_id
            if item.service and not pid:
                continue
            found.append(
                Listener(
                    port=item.port,
                    protocol=item.protocol,
                    address=item.address,
                    process_id=item.process_id or pid,
                    service=item.service,
                    ipv6=item.ipv6,
                )
            )
        unique = {(x.protocol, x.port, x.address): x for x in found}
        return [unique[key] for key in sorted(unique)]

    def listening(self, port: int) -> bool:
        """Whether a TCP port accepts connections now."""
        return any(x.port == port and x.protocol == "TCP" for x in self.open_ports())

    def listen(self, listener: Listener) -> None:
        """Open a port."""
        self._write(f"port {listener.protocol}/{listener.port}")
        self.listeners = (*self.listeners, listener)

    def put_ssl_record(self, record: SslRecord) -> None:
        """Add or replace an http.sys certificate record."""
        self._write(f"sslcert {record.endpoint}")
        kept = tuple(r for r in self.ssl_records if r.endpoint.lower() != record.endpoint.lower())
        self.ssl_records = (*kept, record)

    def peer(self, name: str) -> Host | None:
        """Return a host reached by name (short or full, with or without leading backslashes)."""
        bare = name.strip("\\").lower()
        return self.peers.get(bare) or self.peers.get(bare.partition(".")[0])

    def save(self) -> Any:
        """Return the state for `load`; peers are not part of it."""
        return (
            self.adapters,
            self.listeners,
            self.connections,
            self.ssl_records,
            self.domain,
            self.dns_suffix,
            dict(self.names),
        )

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        (
            self.adapters,
            self.listeners,
            self.connections,
            self.ssl_records,
            self.domain,
            self.dns_suffix,
            names,
        ) = state
        self.names = dict(names)

    def dump(self) -> dict[str, Any]:
        """Return adapters, open ports and the names of peers."""
        return {
            "adapters": [asdict(a) for a in self.adapters],
            "listening": [
                {"protocol": x.protocol, "port": x.port, "pid": x.process_id, "address": x.address}
                for x in self.open_ports()
            ],
            "ssl_records": [asdict(r) for r in self.ssl_records],
            "peers": sorted(self.peers),
        }

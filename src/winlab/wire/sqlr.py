"""SQL Server Browser: which instances a host has, over UDP 1434.

Source: [MC-SQLR] 2.2 (messages): CLNT_BCAST_EX, CLNT_UCAST_EX, CLNT_UCAST_INST, SVR_RESP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PORT = 1434
_BROADCAST, _ALL, _ONE, _ANSWER = 2, 3, 4, 5


@dataclass(frozen=True)
class Listed:
    """An instance as the browser tells it; ``version`` as 10.0.6000.29."""

    server: str
    instance: str
    version: str
    port: int

    def text(self) -> str:
        """One entry of an answer."""
        return (
            f"ServerName;{self.server};InstanceName;{self.instance};IsClustered;No;"
            f"Version;{self.version};tcp;{self.port};;"
        )


def answer(request: bytes, instances: Sequence[Listed]) -> bytes | None:
    """The answer to a datagram; None for what the service leaves unanswered: strangers and nonsense."""
    if not request:
        return None
    if request[0] in {_BROADCAST, _ALL} and len(request) == 1:
        found = list(instances)
    elif request[0] == _ONE:
        # At most 32 bytes and a zero; names are compared in any case.
        name = request[1:].partition(b"\0")[0].decode("latin-1").lower()
        found = [one for one in instances if one.instance.lower() == name]
    else:
        return None
    if not found:
        return None
    data = "".join(one.text() for one in found).encode("latin-1", "replace")
    return bytes([_ANSWER]) + len(data).to_bytes(2, "little") + data

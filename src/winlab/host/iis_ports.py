"""The ports that http.sys holds for started IIS sites."""

from __future__ import annotations

from winlab.host.iis import Iis
from winlab.host.network import Listener


def listeners(iis: Iis) -> list[Listener]:
    """Return one listener (process 4, the kernel) for each port of a started site."""
    ports = {b.port for site, _ in iis.serving() for b in site.bindings}
    return [Listener(port=port, process_id=4) for port in sorted(ports)]

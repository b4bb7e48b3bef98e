"""The issuing authority of the lab's web sites: certificates with any life time.

It is not the one of the WinRM listeners (`winlab.server.tls`): an estate has both, and a client
trusts both through one PEM file.
"""

from __future__ import annotations

import datetime as dt

from winlab.server.authority import Authority

_CA_LIFE = dt.timedelta(days=3650)
_CA_AGE = dt.timedelta(days=1500)


class SiteCa(Authority):
    """Issues certificates for web sites; lives as long as the lab does."""

    def __init__(self, now: dt.datetime) -> None:
        """Make key and certificate; ``now`` is aware UTC."""
        super().__init__("winlab issuing CA", now - _CA_AGE, now + _CA_LIFE)

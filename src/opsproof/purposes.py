"""For what a certificate was issued, where it says so: its extended key usage."""

from __future__ import annotations

from typing import Final

SIGNING: Final = frozenset(
    {
        "2.5.29.37.0",  # anyExtendedKeyUsage
        "1.3.6.1.5.5.7.3.2",  # clientAuth: what authorities write for persons
        "1.3.6.1.5.5.7.3.4",  # emailProtection: what `openssl cms -verify` asks for
        "1.3.6.1.5.5.7.3.36",  # documentSigning
    }
)
"""Purposes (RFC 5280 section 4.2.1.12, RFC 9336) one of which a certificate must have to sign data.

One without the extension may be used for any; one with only others, such as serverAuth, may not.
"""

"""Certificates whose serial number is zero or negative: old roots of firms and agencies have them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.utils import CryptographyDeprecationWarning


@contextmanager
def any_serial() -> Iterator[None]:
    """Read such certificates like any other, without a warning amid what the user reads.

    RFC 5280, 4.1.2.2: "Certificate users SHOULD be prepared to gracefully handle such certificates."
    """
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Parsed a serial number", category=CryptographyDeprecationWarning
        )
        yield

"""What every verb shares: the JSON envelope, the one-line error, the exit code."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from opsproof import __version__


def envelope(schema: str, generated_at: datetime, summary: Any, items: Any) -> str:
    """The JSON document that ``--format json`` prints: one shape for all verbs.

    ``schema`` names the shape of ``summary`` and ``items``, for example ``verify/1``.
    """
    document = {
        "schema": schema,
        "tool": f"opsproof {__version__}",
        "generated_at": generated_at.isoformat().replace("+00:00", "Z"),
        "summary": msgspec.to_builtins(summary),
        "items": msgspec.to_builtins(items),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()

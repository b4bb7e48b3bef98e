"""Tickets as an approver of the bureau would write them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from opsproof.run.gates import FreezeOverride, Scope, Ticket, TicketWindow
from opsproof.signatures import cms
from opsproof.signatures.lab import Signer
from opsproof.signatures.ticket import ticket_bytes


def ticket(sha256: str, *, now: datetime | None = None, **changes: Any) -> Ticket:
    at = now or datetime.now(UTC)
    made = Ticket(
        id="CHG-202611-000007",
        kind="change",
        approver="Wang, information department",
        approved_at=(at - timedelta(hours=1)).isoformat(),
        scope=Scope(hosts=("drill",), activities=("signatures",)),
        window=TicketWindow(
            from_=(at - timedelta(hours=1)).isoformat(), to=(at + timedelta(days=1)).isoformat()
        ),
        content_sha256=sha256,
        freeze_override=FreezeOverride(approver="Wang", reason="drill"),
    )
    return msgspec.structs.replace(made, **changes)


def signed(unsigned: Ticket, approver: Signer) -> Ticket:
    data = ticket_bytes(unsigned)
    attributes = cms.signed_attributes(
        data, "sha256", "international", datetime.fromisoformat(unsigned.approved_at)
    )
    der = cms.write(
        approver.key.sign(approver.algorithm, attributes),
        approver.algorithm,
        approver.certificate,
        flavour="international",
        attributes=attributes,
    )
    signature = base64.b64encode(der).decode("ascii")
    return msgspec.structs.replace(unsigned, signature=signature)


def save(path: Path, made: Ticket) -> None:
    path.write_text(json.dumps(msgspec.to_builtins(made)), encoding="utf-8")


def write(path: Path, approver: Signer, sha256: str) -> None:
    """A signed ticket for a plan, good from now on for a day."""
    save(path, signed(ticket(sha256), approver))

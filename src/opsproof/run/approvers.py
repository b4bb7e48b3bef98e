"""Who may approve tickets of an inventory: ``approvers.pem`` beside its hosts.

With it a ticket must be signed by one of these certificates; without it nobody can tell who wrote a
ticket, and the run says so. The signature is that of tickets for signature data, and so are its checks
(:mod:`opsproof.signatures.ticket`), whose libraries are an extra: they are loaded only when needed.
"""

from __future__ import annotations

from pathlib import Path

from opsproof.errors import UsageError
from opsproof.run.gates import Ticket

FILE = "approvers.pem"


def signed_by(ticket: Ticket, beside: Path, where: str) -> str | None:
    """Name and certificate SHA-256 of who signed; None where the inventory names no approvers.

    Raises:
        RefusedError: nobody of them signed it.
        UsageError: it cannot be checked here, or ``approvers.pem`` is none.
    """
    path = beside / FILE
    if not path.is_file():
        return None
    try:
        from opsproof.signatures.certificates import load
        from opsproof.signatures.errors import NotVerifiableError
        from opsproof.signatures.ticket import signer_of
    except ImportError as error:
        raise UsageError(
            f"tickets cannot be checked: {error.name} is not installed",
            where=str(path),
            remedy="install opsproof[signatures]",
        ) from error
    try:
        signer = signer_of(ticket, load(path), where)
    except NotVerifiableError as error:
        raise UsageError(
            f"the ticket's signature cannot be checked: {error}",
            where=where,
            remedy="install opsproof[sm2]",
        ) from error
    return f"{signer.name}, SHA-256 {signer.fingerprint}"

"""The bureau's word: a ticket that names the plan's SHA-256 and is signed by an approver.

The ticket is that of every change (``run/gates.py``) with ``content_sha256`` the plan's digest and
the activity ``signatures``. ``signature`` is a detached CMS signature (base64) over the canonical
JSON of all its other fields. Approvers' own certificates are given, not a CA: not everyone whom the
city's CA knows may approve.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from opsproof.evidence.canonical import canonical
from opsproof.run import gates
from opsproof.run.gates import Calendar, Change, Ticket
from opsproof.signatures import cms
from opsproof.signatures.certificates import Certificate, load
from opsproof.signatures.errors import ApprovalError, MalformedError
from opsproof.signatures.plan import Plan
from opsproof.signatures.profile import Profile
from opsproof.signatures.sm2 import DEFAULT_ID

ACTIVITY = "signatures"


def ticket_bytes(ticket: Ticket) -> bytes:
    """What an approver signs: the ticket without its signature, as canonical JSON."""
    fields = msgspec.to_builtins(ticket)
    del fields["signature"]
    return canonical(fields)


def approve(
    path: Path,
    plan: Plan,
    profile: Profile,
    approvers: Path,
    *,
    calendar: Calendar,
    zone: ZoneInfo,
    now: datetime,
) -> tuple[Ticket, Certificate]:
    """The ticket and who signed it.

    Raises:
        ApprovalError: it is not signed by one of the approvers.
        RefusedError: it does not allow this plan now.
        UsageError: it cannot be read.
    """
    ticket = gates.load_ticket(path)
    signer = signer_of(ticket, load(approvers), str(path))
    change = Change(
        activities=(ACTIVITY,),
        hosts=(profile.database,),
        groups={},
        content_sha256=plan.sha256,
    )
    gates.check(ticket, calendar, change, zone, now)
    return ticket, signer


def signer_of(ticket: Ticket, approvers: Sequence[Certificate], where: str) -> Certificate:
    """The approver who signed the ticket.

    Raises:
        ApprovalError: nobody of them did, or over SHA-1, or with a key or a certificate that was not good
            for it then.
    """
    if not ticket.signature:
        raise ApprovalError("the ticket is not signed", where=where, remedy="the bureau signs it")
    try:
        message = cms.read(base64.b64decode(ticket.signature, validate=True))
    except (MalformedError, binascii.Error, ValueError) as error:
        raise ApprovalError("its signature is not a signed message", where=where) from error
    if message.digest == "sha1":  # two tickets of the same digest can be made (Stevens et al. 2017)
        raise ApprovalError(
            "it is signed over SHA-1", where=where, remedy="sign it over SHA-256: -md sha256"
        )
    data = ticket_bytes(ticket)
    at = gates.moment(ticket.approved_at)
    for certificate in message.named(approvers):
        if certificate in approvers and message.holds(data, certificate, DEFAULT_ID):
            if unfit := next(iter(certificate.faults), "") or certificate.unfit():
                raise ApprovalError(f"its signer's certificate is not fit: {unfit}", where=where)
            if certificate.weak:
                raise ApprovalError(
                    "its signer's RSA key is shorter than 2048 bits",
                    where=where,
                    remedy="let the approver have a new key",
                )
            if not certificate.not_before <= at <= certificate.not_after:
                raise ApprovalError("its signer's certificate was not valid then", where=where)
            return certificate
    raise ApprovalError("it is not signed by one of the approvers", where=where)

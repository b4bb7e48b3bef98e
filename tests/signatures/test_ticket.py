"""Only a ticket that an approver signed for exactly this plan opens the way."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from tests.signatures import drills, tickets
from tests.signatures.conftest import NOW, pki

from opsproof.errors import RefusedError
from opsproof.run.gates import Calendar, Scope, Ticket
from opsproof.signatures import cms, lab, simulate
from opsproof.signatures.algorithms import Algorithm
from opsproof.signatures.errors import ApprovalError
from opsproof.signatures.plan import Plan
from opsproof.signatures.simulate import Drill
from opsproof.signatures.ticket import approve, signer_of, ticket_bytes

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Drill, Plan]:
    folder = tmp_path_factory.mktemp("drill")
    drill = simulate.simulate(folder, drills.lab_of("ecdsa"), records=8, seed=1, damaged_percent=60)
    return drill, drills.planned(drill)[1]


def outcome(case: tuple[Drill, Plan], ticket: Ticket) -> str:
    drill, plan = case
    path = drill.folder / "ticket.json"
    tickets.save(path, ticket)
    try:
        approve(
            path,
            plan,
            drill.profile,
            drill.folder / "approvers.pem",
            calendar=Calendar(),
            zone=ZONE,
            now=NOW,
        )
    except RefusedError as error:
        return error.what
    return "approved"


def approver_with(key: lab.LabKey, *extra: dict[str, Any]) -> lab.Signer:
    begin, end = NOW - timedelta(days=9), NOW + timedelta(days=9)
    certificate = lab.issue(
        "approver", key, None, serial=5, not_before=begin, not_after=end, extra=extra
    )
    return lab.Signer(key, certificate)


def good(case: tuple[Drill, Plan]) -> Ticket:
    return tickets.ticket(case[1].sha256, now=NOW)


def test_a_signed_ticket_is_approved(case: tuple[Drill, Plan]) -> None:
    assert outcome(case, tickets.signed(good(case), case[0].lab.approver)) == "approved"


def test_an_unsigned_ticket_is_refused(case: tuple[Drill, Plan]) -> None:
    assert outcome(case, good(case)) == "the ticket is not signed"


def test_a_ticket_changed_after_signing_is_refused(case: tuple[Drill, Plan]) -> None:
    signed = tickets.signed(tickets.ticket("0" * 64, now=NOW), case[0].lab.approver)
    changed = msgspec.structs.replace(signed, content_sha256=case[1].sha256)
    assert outcome(case, changed) == "it is not signed by one of the approvers"


def test_a_signer_who_may_not_approve_is_refused(case: tuple[Drill, Plan]) -> None:
    signed = tickets.signed(good(case), pki("ecdsa").signer)
    assert outcome(case, signed) == "it is not signed by one of the approvers"


def test_a_ticket_signed_over_sha1_is_refused(case: tuple[Drill, Plan]) -> None:
    approver, unsigned = case[0].lab.approver, good(case)
    attributes = cms.signed_attributes(ticket_bytes(unsigned), "sha1", "international", NOW)
    signature = approver.key.sign(Algorithm.ECDSA_SHA1, attributes)
    message = cms.write(
        signature,
        Algorithm.ECDSA_SHA1,
        approver.certificate,
        flavour="international",
        attributes=attributes,
    )
    weak = msgspec.structs.replace(unsigned, signature=base64.b64encode(message).decode())
    assert outcome(case, weak) == "it is signed over SHA-1"


def test_a_ticket_signed_with_a_short_key_is_refused(case: tuple[Drill, Plan]) -> None:
    approver = approver_with(lab.new_key("rsa", bits=1024))
    with pytest.raises(ApprovalError, match="its signer's RSA key is shorter than 2048 bits"):
        signer_of(tickets.signed(good(case), approver), [approver.certificate], "t")


def test_an_approver_whose_certificate_is_for_something_else_is_refused(
    case: tuple[Drill, Plan],
) -> None:
    for uses, right in ((["server_auth"], False), (["email_protection"], True)):
        extension = {"extn_id": "extended_key_usage", "critical": False, "extn_value": uses}
        approver = approver_with(lab.new_key("ecdsa"), extension)
        ticket = tickets.signed(good(case), approver)
        if right:
            assert signer_of(ticket, [approver.certificate], "t") == approver.certificate
            continue
        with pytest.raises(ApprovalError, match="its extended key usage is for"):
            signer_of(ticket, [approver.certificate], "t")


def test_an_approver_whose_certificate_says_what_nobody_knows_is_refused(
    case: tuple[Drill, Plan],
) -> None:
    extension = {"extn_id": "1.2.3.4", "critical": True, "extn_value": b"\x05\x00"}
    approver = approver_with(lab.new_key("ecdsa"), extension)
    with pytest.raises(ApprovalError, match="an extension is not understood"):
        signer_of(tickets.signed(good(case), approver), [approver.certificate], "t")


def test_a_signature_that_is_none_is_refused(case: tuple[Drill, Plan]) -> None:
    broken = msgspec.structs.replace(good(case), signature="bm8=")
    assert outcome(case, broken) == "its signature is not a signed message"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"content_sha256": "0" * 64}, "what would run is not what was approved: "),
        ({"scope": Scope(("drill",), ("patching",))}, "its scope leaves out the activities "),
        (
            {"scope": Scope(("other",), ("signatures",))},
            "its scope leaves out 1 hosts, first drill",
        ),
        ({"kind": "incident"}, "it is of kind 'incident', not 'change'"),
        ({"approver": " "}, "it names no approver"),
        (
            {"approved_at": (NOW + timedelta(hours=1)).isoformat()},
            "it is approved only at ",
        ),
    ],
)
def test_a_ticket_for_something_else_is_refused(
    case: tuple[Drill, Plan], changes: dict[str, object], text: str
) -> None:
    ticket = msgspec.structs.replace(good(case), **changes)
    assert outcome(case, tickets.signed(ticket, case[0].lab.approver)).startswith(text)


def test_an_approver_whose_certificate_has_expired_is_refused(case: tuple[Drill, Plan]) -> None:
    late = NOW - timedelta(days=800)
    ticket = msgspec.structs.replace(good(case), approved_at=late.isoformat())
    signed = tickets.signed(ticket, case[0].lab.approver)
    assert outcome(case, signed) == "its signer's certificate was not valid then"


def test_a_ticket_is_read_from_yaml_too(case: tuple[Drill, Plan], tmp_path: Path) -> None:
    drill, plan = case
    path = tmp_path / "ticket.yml"
    tickets.save(path, tickets.signed(good(case), drill.lab.approver))
    ticket, signer = approve(
        path,
        plan,
        drill.profile,
        drill.folder / "approvers.pem",
        calendar=Calendar(),
        zone=ZONE,
        now=NOW,
    )
    assert ticket.id == "CHG-202611-000007"
    assert signer == drill.lab.approver.certificate

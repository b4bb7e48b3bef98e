from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.controls.test_load import GOOD
from tests.evidence.samples import NOW, observation, subject

from opsproof.controls import Waiver, evaluate, parse_controls, parse_waivers
from opsproof.evidence.ids import content_id
from opsproof.evidence.model import Finding, State, SubjectKind

CONTROL = parse_controls({"a.yml": GOOD.encode()})[0]
WAIVER = parse_waivers(
    b"""\
- control: INS-DISK-001
  subject: app-01/host/*
  reason: ordered
  approver: Wang
  expires: 2026-12-31
"""
)


def disk(free: int | None, kind: str = "fixed") -> dict[str, Any]:
    return {"kind": kind, "free": free}


def judge(facts: dict[str, Any], waivers: list[Waiver] | None = None, days: int = 0) -> Finding:
    about = subject(SubjectKind.HOST, "app-01", "app-01")
    seen = observation("run", about, facts)
    return evaluate(CONTROL, seen, waivers or [], NOW + timedelta(days=days))


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"disks": [disk(10)]}, State.PASS),
        ({"disks": [disk(9)]}, State.FAIL),
        ({"disks": [disk(9, "cd")]}, State.PASS),
        ({"disks": [disk(None)]}, State.NOT_COLLECTED),
        ({"disks": [{"kind": "fixed"}]}, State.ERROR),
        ({"disks": []}, State.ERROR),
        ({"disks": None}, State.NOT_APPLICABLE),
        ({}, State.NOT_APPLICABLE),
    ],
)
def test_states(facts: dict[str, Any], state: State) -> None:
    assert judge(facts).state is state


def test_a_waived_failure_is_waived_until_the_waiver_ends() -> None:
    facts = {"disks": [disk(9)]}
    waived = judge(facts, WAIVER)
    assert (waived.state, waived.waiver) == (State.WAIVED, WAIVER[0].id)
    expired = judge(facts, WAIVER, days=60)
    assert (expired.state, expired.waiver) == (State.FAIL, None)


@pytest.mark.parametrize("facts", [{"disks": [disk(10)]}, {"disks": []}, {}])
def test_only_a_failure_can_be_waived(facts: dict[str, Any]) -> None:
    assert judge(facts, WAIVER) == judge(facts)


def test_a_finding_says_what_was_expected_and_seen() -> None:
    finding = judge({"disks": [disk(9), disk(40)]})
    assert finding.expected == CONTROL.as_json()["test"]
    assert finding.observed == {"disks": {"elements": 2, "offending": 1, "shown": [disk(9)]}}
    assert finding.demands == ("B-1", "A-7.10")
    assert finding.clauses == ("gbt22239-2019:8.1.7.5.a",)
    assert finding.control_sha256 == CONTROL.sha256
    assert len(finding.evidence) == 1


def test_a_finding_says_which_fact_was_missing_or_not_collected() -> None:
    missing, null = judge({"disks": [{"kind": "fixed"}]}), judge({"disks": [disk(None)]})
    assert missing.observed == {"error": "the fact 'free' is missing"}
    assert null.observed == {"error": "the fact 'free' was not collected"}


def test_the_id_follows_from_the_content() -> None:
    finding = judge({"disks": [disk(9)]})
    assert finding.id == content_id("FND", finding)
    assert finding.id != judge({"disks": [disk(8)]}).id
    assert msgspec.json.decode(msgspec.json.encode(finding), type=Finding) == finding


def test_an_owner_is_named_beside_what_was_seen_and_changes_no_verdict() -> None:
    text = (
        "activity: inspection\nowner_remedy: {zh: '{owner}', en: '{owner}'}\ncontrols:\n"
        "  - {id: A-1, title: {zh: a, en: a}, remedy: {zh: a, en: a}, subject: host,\n"
        "     severity: low, demands: [B-3], clauses: [], owner: length.gpo,\n"
        "     test: {path: length.value, at_least: 14}}\n"
    )
    (control,) = parse_controls({"a.yml": text.encode()})

    def seen(**length: Any) -> tuple[State, Any]:
        about = subject(SubjectKind.HOST, "app-01", "app-01")
        found = evaluate(control, observation("run", about, {"length": length}), [], NOW)
        return found.state, found.observed

    assert seen(value=8, gpo="x") == (State.FAIL, {"length.value": 8, "length.gpo": "x"})
    assert seen(value=20, gpo="x") == (State.PASS, {"length.value": 20, "length.gpo": "x"})
    assert seen(value=8) == (State.FAIL, {"length.value": 8})
    assert seen(gpo="x")[0] is State.ERROR

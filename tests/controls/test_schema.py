from __future__ import annotations

from pathlib import Path

import pytest
from tests.controls.test_load import GOOD

from opsproof.controls import load, parse_controls
from opsproof.controls.schema import check_schemas
from opsproof.errors import UsageError

SHIPPED = Path(__file__).parents[2] / "controls"


def with_test(test: str) -> None:
    text = GOOD.replace(
        "applies: {path: disks, present: true}", "applies: {path: via, absent: true}"
    )
    start = text.index("    test: ")
    check_schemas(parse_controls({"a.yml": f"{text[:start]}    test: {test}\n".encode()}))


@pytest.mark.parametrize(
    "test",
    [
        "{path: memory.free_percent, at_least: 5}",
        "{path: pending_reboot.pending, equals: false}",
        "{every: disks, holds: {path: free_percent, at_least: 10}}",
        "{none: iis.pools, holds: {path: state, one_of: [Stopped]}}",
        "{not: {path: ports.missing, empty: false}}",
        "{some: ports.listening, holds: {path: ., equals: 443}}",
    ],
)
def test_facts_that_exist_may_be_asked_for(test: str) -> None:
    with_test(test)


@pytest.mark.parametrize(
    ("test", "error"),
    [
        ("{path: memory.free_percnt, at_least: 5}", "there is no fact 'memory.free_percnt'"),
        ("{path: memory.free_percent.x, at_least: 5}", "there is no fact 'memory.free_percent.x'"),
        ("{path: boot_time, at_least: 5}", "'at_least' cannot be asked of the fact 'boot_time'"),
        ("{path: memory, empty: true}", "'empty' cannot be asked of the fact 'memory'"),
        (
            "{every: memory, holds: {path: x, equals: 1}}",
            "'every' needs a list, and 'memory' is none",
        ),
        (
            "{every: disks, where: {path: kind, equals: x}, holds: {path: letter, equals: x}}",
            "there is no fact 'kind'",
        ),
        ("{all: [{path: nothing, equals: 1}]}", "there is no fact 'nothing'"),
    ],
)
def test_facts_that_do_not_exist_are_named(test: str, error: str) -> None:
    with pytest.raises(UsageError) as caught:
        with_test(test)
    assert str(caught.value) == f"INS-DISK-001: {error}"


def test_the_shipped_controls_ask_for_facts_that_exist() -> None:
    controls = load(SHIPPED)
    assert controls
    check_schemas(controls)


def test_no_shipped_clause_is_reviewed_by_nobody() -> None:
    clauses = [clause for control in load(SHIPPED) for clause in control.clauses]
    assert clauses
    assert all(clause.reviewer for clause in clauses if clause.reviewed)

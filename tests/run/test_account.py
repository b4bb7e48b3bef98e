from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from opsproof.evidence.model import Outcome
from opsproof.run import account
from opsproof.run.events import HostTally, Tally
from opsproof.run.prepare import Plan


def plan(**targets: tuple[str, ...]) -> Plan:
    return cast(Plan, SimpleNamespace(inventory=SimpleNamespace(hosts={}), targets=targets))


def tally(*, finished: bool, **host: Any) -> Tally:
    found = Tally("x")
    found.finished = finished
    found.hosts["h1"] = HostTally("h1", **host)
    return found


@pytest.mark.parametrize(
    ("finished", "host", "outcome"),
    [
        (False, {"ok": 3}, Outcome.FAILED),
        (False, {"ok": 3, "changed": 1}, Outcome.FAILED),
        (False, {"ok": 3, "observations": 1}, Outcome.OK),
        (False, {"unreachable": 1}, Outcome.UNREACHABLE),
        (True, {"ok": 3}, Outcome.OK),
    ],
)
def test_a_host_still_at_work_when_the_run_ended_has_not_succeeded(
    finished: bool, host: dict[str, Any], outcome: Outcome
) -> None:
    result = account.results(plan(h1=("inspection",)), tally(finished=finished, **host))["h1"]
    assert result.outcome is outcome
    assert (result.reason == "not collected: the run ended before this host did") == (
        outcome is Outcome.FAILED
    )


def test_a_play_without_a_role_hands_nothing_over_and_may_be_ok() -> None:
    result = account.results(plan(h1=()), tally(finished=False, ok=1))["h1"]
    assert result.outcome is Outcome.OK

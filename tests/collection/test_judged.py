"""From a modelled host to the controls: what did not come home turns its control red."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.collection.lab import CHANNELS, IIS, Clock, Collector, fill, make_host

from opsproof.collection.facts import observation
from opsproof.collection.model import DataSource
from opsproof.controls.conditions import NotCollectedError, holds
from opsproof.controls.load import load
from opsproof.controls.model import Control
from opsproof.errors import IncompleteError

PROJECT = Path(__file__).resolve().parents[2]
# Here the question carries this machine's own time and the answer the lab's: no clock to judge.
CONTROLS = {
    one.id: one
    for one in load(PROJECT / "controls")
    if one.activity == "log_collection" and one.subject == "host" and one.id != "LOG-CLOCK-001"
}


@pytest.fixture
def lab(tmp_path: Path) -> Collector:
    clock = Clock()
    host = make_host(clock, sites=1)
    fill(host, clock)
    return Collector(host, clock, tmp_path)


def facts(lab: Collector) -> dict[str, Any]:
    brought = lab.collect()
    look, listed = lab.texts
    at = f"{lab.clock.now:%Y-%m-%dT%H:%M:%SZ}"
    told = observation(lab.settings(), CHANNELS, look, listed, at, lab.plan, brought)
    # They travel as JSON.
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(told["facts"]))
    return found


def red(lab: Collector) -> set[str]:
    found = facts(lab)
    return {name for name, one in CONTROLS.items() if not passes(one, found)}


def passes(control: Control, found: dict[str, Any]) -> bool:
    try:
        return holds(control.test, found)
    except NotCollectedError:
        return False


def plain_user(lab: Collector) -> None:
    """May read no Security log. IIS is not there: its configuration is for administrators alone."""
    lab.host.iis.installed = False
    lab.host.files.rmtree("C:\\Windows\\System32\\inetsrv")
    lab.host.accounts.create_user("joe", "x")
    lab.user = "joe"


def locked(lab: Collector) -> None:
    lab.host.files.hold(f"{IIS}\\W3SVC1\\u_ex261122.log", "app", share_read=False)


def gone(lab: Collector) -> None:
    lab.data = (DataSource(name="sign", folder="D:\\Gone"),)


def switched_off(lab: Collector) -> None:
    lab.host.eventlogs.configure("System", enabled=False)


def damaged(lab: Collector) -> None:
    lab.host.eventlogs.damage("Application", "cut", 70000)


def cut_short(lab: Collector) -> None:
    lab.broken = 99


def test_a_whole_collection_is_green(lab: Collector) -> None:
    assert len(CONTROLS) > 3
    assert red(lab) == set()


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (plain_user, {"LOG-CHANNEL-001", "LOG-RETENTION-001"}),
        (switched_off, {"LOG-CHANNEL-001"}),
        (damaged, {"LOG-CHANNEL-001", "LOG-RETENTION-001"}),
        (locked, {"LOG-FILES-001"}),
        (gone, {"LOG-SOURCE-001"}),
        (cut_short, {"LOG-CHANNEL-001", "LOG-FILES-001"}),
    ],
)
def test_what_did_not_come_home_turns_its_control_red(
    lab: Collector, broken: Callable[[Collector], None], expected: set[str]
) -> None:
    broken(lab)
    assert red(lab) == expected


def test_a_log_that_may_not_be_read_is_denied_and_the_others_come_home(lab: Collector) -> None:
    plain_user(lab)
    channels = facts(lab)["channels"]
    assert {one["channel"]: (one["state"], one["code"]) for one in channels} == {
        "Security": ("denied", 5),
        "System": ("collected", 0),
        "Application": ("collected", 0),
    }


def test_who_may_not_read_the_configuration_of_iis_is_told_so(lab: Collector) -> None:
    lab.host.accounts.create_user("joe", "x")
    lab.user = "joe"
    with pytest.raises(IncompleteError, match="as an administrator"):
        lab.collect()

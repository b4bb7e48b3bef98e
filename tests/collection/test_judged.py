"""From a modelled host to the controls: what did not come home turns its control red."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.collection.lab import CHANNELS, IIS, Clock, Collector, fill, make_host

from opsproof.collection import role
from opsproof.collection.facts import observation
from opsproof.collection.model import DataSource
from opsproof.collection.role import Text
from opsproof.controls.conditions import NotCollectedError, holds
from opsproof.controls.load import load
from opsproof.controls.model import Control
from opsproof.errors import IncompleteError
from opsproof.inspection.command import MARKER

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


def told(lab: Collector) -> dict[str, Any]:
    brought = lab.collect()
    look, listed = lab.texts
    at = f"{lab.clock.now:%Y-%m-%dT%H:%M:%SZ}"
    made = observation(lab.settings(), CHANNELS, look, listed, at, lab.plan, brought)
    # It travels as JSON.
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(made))
    return found


def facts(lab: Collector) -> dict[str, Any]:
    found: dict[str, Any] = told(lab)["facts"]
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


def removed(lab: Collector) -> None:
    lab.collect()
    lab.clock.forward(hours=1)
    lab.host.files.remove(f"{IIS}\\W3SVC1\\u_ex261122.log")


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
        (removed, {"LOG-GONE-001"}),
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


def test_who_may_not_read_the_configuration_of_iis_gets_the_event_logs(lab: Collector) -> None:
    """IIS tells it to administrators alone; that hides neither the event logs nor itself."""
    lab.host.accounts.create_user("joe", "x")
    lab.host.accounts.add_member("Event Log Readers", "joe")
    lab.user = "joe"
    assert red(lab) == {"LOG-SOURCE-001"}
    found = facts(lab)
    assert {one["state"] for one in found["channels"]} == {"collected"}
    hidden = [one for one in found["sources"] if one["state"] != "collected"]
    assert [(one["kind"], one["name"], one["code"]) for one in hidden] == [("iis", "IIS", 5)]
    assert (found["iis_installed"], found["central_logging"]) == (True, None)


def test_of_sites_that_nobody_told_of_nothing_is_known(lab: Collector) -> None:
    lab.host.accounts.create_user("joe", "x")
    lab.user = "joe"
    [site] = told(lab)["subjects"]
    assert site["id"] == "*"
    for control in load(PROJECT / "controls"):
        if control.activity == "log_collection" and control.subject == "site":
            with pytest.raises(NotCollectedError):
                holds(control.applies or control.test, site["facts"])


def test_an_answer_that_tells_of_some_sites_is_none(lab: Collector) -> None:
    look = lab.run(role.looking(lab.settings()))
    section = f"{MARKER}begin site logFile.period"
    at = look.stdout.index(f"{MARKER}end 0", look.stdout.index(section))
    cut = look.stdout[:at] + look.stdout[at:].replace("end 0", "end 5", 1)
    with pytest.raises(IncompleteError, match=r"IIS did not tell logFile\.period of every site"):
        role.listing(lab.settings(), Text(stdout=cut, start=look.start, end=look.end))

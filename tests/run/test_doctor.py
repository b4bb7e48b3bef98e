from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opsproof.run import doctor
from opsproof.run.checks import Check, Health
from opsproof.run.events import Tally
from opsproof.run.inventory import Inventory, InventoryHost

BEGIN = datetime(2026, 11, 22, 9, 0, 0, tzinfo=UTC)
GROUPS = '"BUILTIN\\Administrators","Alias","S-1-5-32-544","Mandatory group"'
DISKS = (
    "Node,DeviceID,FileSystem,FreeSpace,Size\nWEB01,C:,NTFS,40000,100000\nWEB01,D:,NTFS,{},100000\n"
)


def section(name: str, text: str) -> str:
    from opsproof.inspection.command import MARKER

    return f"{MARKER}begin {name} \r\n{text}\r\n{MARKER}end ok \r\n"


def output(groups: str = GROUPS, free_d: int = 50000) -> str:
    return (
        section("groups", groups)
        + section("codepage", "    OEMCP    REG_SZ    936")
        + section("disks", DISKS.format(free_d))
    )


def facts(offset: timedelta = timedelta(0), powershell: int = 5) -> dict[str, Any]:
    return {
        "ansible_distribution_version": "10.0.17763.0",
        "ansible_powershell_version": powershell,
        "ansible_date_time": {"iso8601": (BEGIN + timedelta(seconds=1) + offset).isoformat()},
    }


def answered(told: dict[str, Any], text: str | None) -> dict[str, Check]:
    """The checks inside a host, by name, from the events of the two tasks."""
    tally, answers = Tally("doctor"), doctor._Answers()
    results: list[dict[str, Any]] = [{"ansible_facts": told}]
    if text is not None:
        results.append({"stdout": text})
    for result in results:
        event = {
            "event": "runner_on_ok",
            "event_data": {
                "host": "web01",
                "task": "t",
                "res": result,
                "start": BEGIN.isoformat(),
                "end": (BEGIN + timedelta(seconds=2)).isoformat(),
            },
        }
        tally.feed(event)
        doctor._note(answers, event["event_data"])  # type: ignore[arg-type]
    return {check.name: check for check in doctor._inside(answers, tally, "web01")}


def test_a_healthy_host() -> None:
    checks = answered(facts(), output())
    assert {name: check.health for name, check in checks.items()} == dict.fromkeys(
        ("login", "powershell", "clock", "rights", "code page", "disk"), Health.OK
    )
    assert checks["code page"].detail == "936"
    assert checks["disk"].detail == "C: 40 % free, D: 50 % free"
    assert checks["clock"].detail == "+0 s (within 1 s)"


@pytest.mark.parametrize(
    ("offset", "health"),
    [(5, Health.OK), (9, Health.WARNING), (-200, Health.WARNING), (400, Health.FAILED)],
)
def test_the_clock(offset: int, health: Health) -> None:
    assert answered(facts(timedelta(seconds=offset)), output())["clock"].health is health


def test_an_account_without_rights_is_known_by_the_missing_sid() -> None:
    users = '"BUILTIN\\Users","Alias","S-1-5-32-545","Administrators S-1-5-32-5440"'
    check = answered(facts(), output(groups=users))["rights"]
    assert check.health is Health.FAILED
    assert check.remedy == "make it a member of S-1-5-32-544"


def test_an_old_powershell_and_a_full_disk() -> None:
    checks = answered(facts(powershell=4), output(free_d=4999))
    assert checks["powershell"].health is Health.FAILED
    assert checks["disk"].health is Health.WARNING


@pytest.mark.parametrize("text", [None, "", "noise", output()[:60]])
def test_an_answer_that_is_cut_off_is_a_failure(text: str | None) -> None:
    checks = answered(facts(), text)
    assert checks["commands"].health is Health.FAILED
    assert checks["login"].health is Health.OK


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("the specified credentials were rejected by the server", "check ansible_user"),
        ("ntlm: HTTPSConnectionPool: Read timed out", "run the playbook doctor.yml"),
    ],
)
def test_a_refused_login_says_what_to_do(message: str, remedy: str) -> None:
    tally = Tally("doctor")
    tally.feed(
        {
            "event": "runner_on_unreachable",
            "event_data": {"host": "web01", "res": {"msg": message}},
        }
    )
    [check] = doctor._inside(doctor._Answers(), tally, "web01")
    assert (check.name, check.health, check.detail) == ("login", Health.FAILED, message)
    assert check.remedy.startswith(remedy)


def test_hosts_that_are_not_contacted_themselves_are_skipped(tmp_path: Any) -> None:
    from opsproof.run.executor import Stop

    local = InventoryHost("sql01", (), {"ansible_connection": "ansible.builtin.local"})
    known = Inventory(tmp_path, "lab", "", {"sql01": local})
    [one] = doctor.check_hosts(known, ["sql01"], tmp_path, {}, frozenset(), Stop())
    assert [(check.name, check.health) for check in one.checks] == [("login", Health.SKIPPED)]


def test_the_command_fits_one_line_of_cmd() -> None:
    assert len(doctor.COMMAND) < 8191
    assert "\n" not in doctor.COMMAND

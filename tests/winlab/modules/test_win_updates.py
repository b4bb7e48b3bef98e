"""win_updates' three operations and win_hotfix, called as the action plugin calls them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.winlab.modules.calls import Call, LabClock

from winlab.host import msu
from winlab.host.host import Host
from winlab.host.updates import POLICY, Update, Wsus

ONE = Update(
    id="id-1", title="Rollup (KB5000001)", kb=("5000001",), package="Package_for_KB5000001~x"
)
TWO = Update(
    id="id-2", title="Tool (KB50000011)", kb=("50000011",), categories=("Updates",), restart=False
)


@pytest.fixture
def managed(host: Host) -> Host:
    host.registry.create_key(f"{POLICY}\\AU")
    host.registry.set_value(POLICY, "WUServer", "http://wsus:8530")
    host.registry.set_value(f"{POLICY}\\AU", "UseWUServer", 1)
    host.updates.offer([ONE, TWO], [], Wsus())
    host.guard.reset()
    return host


def lines(call: Call, **options: Any) -> dict[str, Any]:
    """What one task says, by the word of each line, up to its exit."""
    started = call("win_updates", server_selection="managed_server", **options)
    polled = call("win_updates", _operation="poll", _operation_options=started["poll_options"])
    call("win_updates", _operation="cancel", _operation_options=started["cancel_options"])
    said = {line["task"]: line["result"] for line in polled["output"]}
    assert "exit" in said
    return said


def selected(said: dict[str, Any]) -> list[str]:
    gone = {item["id"] for item in said["search_result"]["filtered"]}
    return [u["id"] for u in said["search_result"]["updates"] if u["id"] not in gone]


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ([], ["id-1", "id-2"]),
        (["KB5000001"], ["id-1", "id-2"]),
        # The title stands before the numbers in the same text, so this never matches.
        (["^KB5000001$"], []),
        (["KB5000001$"], ["id-1"]),
        (["(?!)"], []),
    ],
)
def test_accept_list_is_tried_on_title_and_numbers_as_one_text(
    managed: Host, call: Call, accept: list[str], chosen: list[str]
) -> None:
    said = lines(call, state="searched", category_names=["*"], accept_list=accept)
    assert selected(said) == chosen


def test_categories_in_camel_case_and_by_default(managed: Host, call: Call) -> None:
    assert selected(lines(call, state="searched")) == ["id-1"]
    assert selected(lines(call, state="searched", category_names=["Updates"])) == ["id-2"]


def test_searching_accepts_the_licence_of_what_it_selects_even_in_check_mode(
    managed: Host, call: Call
) -> None:
    lines(call, category_names=["*"], accept_list=["(?!)"], check=True)
    assert managed.guard.violations == []
    lines(call, category_names=["*"], accept_list=["KB5000001$"], check=True)
    assert [write.what for write in managed.guard.violations] == [
        "update id-1: licence terms accepted"
    ]


def test_check_mode_says_changed_and_installs_nothing(managed: Host, call: Call) -> None:
    said = lines(call, check=True)
    assert said["exit"]["changed"] is True
    assert "install_result" not in said
    assert managed.updates.dump()["attempts"] == {}


def test_installing_then_refusing_until_the_restart(managed: Host, call: Call) -> None:
    said = lines(call)
    assert said["install_result"]["info"] == [
        {"id": "id-1", "result_code": 2, "hresult": 0, "reboot_required": True}
    ]
    assert said["exit"]["reboot_required"] is True
    again = lines(call)
    assert again["exit"]["exception"]["message"] == (
        "A reboot is required before more updates can be installed"
    )
    managed.reboot()
    assert selected(lines(call)) == []


def test_a_failed_installation_names_a_signed_hresult(managed: Host, call: Call) -> None:
    broken = Update(id="b", title="B", kb=("1",), install_errors=(0x80073701,))
    managed.updates.offer([broken], [], Wsus())
    said = lines(call)
    assert said["install_result"]["info"][0]["hresult"] == 0x80073701 - 2**32
    assert said["exit"]["failed"] is True
    assert said["exit"]["exception"]["message"] == (
        "Failed to install all updates - see updates for more information"
    )


def test_a_failed_download_installs_nothing(managed: Host, call: Call) -> None:
    broken = Update(id="b", title="B", kb=("1",), download_error=0x80240034)
    managed.updates.offer([broken], [], Wsus())
    said = lines(call)
    assert "install_result" not in said
    assert said["exit"]["exception"]["message"].startswith("Failed to download all updates")


@pytest.mark.parametrize("host", ["zh-CN"], indirect=True)
def test_a_server_that_does_not_answer(managed: Host, call: Call) -> None:
    managed.updates.wsus = Wsus(error=0x80244022)
    exit_line = lines(call)["exit"]
    assert exit_line["exception"]["message"] == (
        "Searching for updates: 异常来自 HRESULT:0x80244022"
    )
    assert exit_line["exception"]["hresult"] == 0x80244022 - 2**32


def test_lines_come_due_and_exit_is_said_until_the_cancel(
    managed: Host, call: Call, clock: LabClock
) -> None:
    slow = Update(id="s", title="S", kb=("1",), seconds=90, restart=False)
    managed.updates.offer([slow], [], Wsus())
    started = call("win_updates", server_selection="managed_server")
    poll = {"_operation": "poll", "_operation_options": started["poll_options"]}
    first = [line["task"] for line in call("win_updates", **poll)["output"]]
    assert first == ["search_result", "download", "download_result"]
    # The next line is 90 s away: the module waits for it.
    assert [x["task"] for x in call("win_updates", **poll)["output"]][-1] == "exit"
    clock.now = managed.now().replace(hour=5)
    assert [x["task"] for x in call("win_updates", **poll)["output"]] == ["exit"]
    managed.reboot()
    lost = call("win_updates", **poll)
    assert lost["msg"] == "Timed out waiting for server pipe to be available"


def test_a_pattern_that_is_none_ends_the_task(managed: Host, call: Call) -> None:
    said = lines(call, accept_list=["("])
    assert said["exit"]["exception"]["message"].startswith('parsing "(" - ')


def test_hotfix_removes_by_package_or_by_a_number_in_its_name(managed: Host, call: Call) -> None:
    managed.updates.offer([ONE, TWO], ["id-1"], Wsus())
    assert call("win_hotfix", state="absent", hotfix_kb="KB5000001", check=True)["changed"] is True
    assert managed.updates.dump()["removing"] == []
    answer = call("win_hotfix", state="absent", hotfix_identifier=ONE.package)
    assert (answer["changed"], answer["reboot_required"]) == (True, True)
    again = call("win_hotfix", state="absent", hotfix_identifier=ONE.package)
    assert (again["changed"], again["reboot_required"]) == (False, True)
    managed.reboot()
    assert call("win_hotfix", state="absent", hotfix_kb="KB5000001")["changed"] is False


def test_hotfix_says_when_no_package_has_the_number(managed: Host, call: Call) -> None:
    rollup = Update(id="r", title="R", kb=("5000009",), package="Package_for_RollupFix~1")
    managed.updates.offer([rollup], ["r"], Wsus())
    assert call("win_hotfix", state="absent", hotfix_kb="KB5000009")["msg"] == (
        "failed to get DISM package from KB, to continue specify hotfix_identifier instead"
    )
    assert call("win_hotfix", state="absent")["msg"] == (
        "either hotfix_identifier or hotfix_kb needs to be set when state=absent"
    )
    assert call("win_hotfix", state="present")["msg"] == "source must be set when state=present"


LCU = "Package_for_RollupFix~31bf3856ad364e35~amd64~~20348.4405.1.9"
SSU = "Package_for_ServicingStack_4400~31bf3856ad364e35~amd64~~20348.4400.1.1"
COMBINED = Update(id="c", title="C", kb=("5068787",), package=LCU, stack=SSU)
FILE = "C:\\Windows\\Temp\\u.msu"


def test_hotfix_adds_the_packages_of_an_update_file(managed: Host, call: Call) -> None:
    managed.updates.offer([COMBINED], [], Wsus())
    managed.files.write(FILE, msu.build(msu.Msu("5068787", (SSU, LCU))))
    before = managed.files.dump()
    looked = call("win_hotfix", source=FILE, check=True)
    assert (looked["changed"], managed.updates.packages()) == (True, [])
    answer = call("win_hotfix", source=FILE, hotfix_kb="KB5068787")
    assert (answer["changed"], answer["reboot_required"]) == (True, True)
    assert (answer["identifiers"], answer["kb"]) == ([SSU, LCU], "KB5068787")
    again = call("win_hotfix", source=FILE)
    assert (again["changed"], again["reboot_required"]) == (False, True)
    managed.reboot()
    assert call("win_hotfix", source=FILE)["changed"] is False
    assert managed.files.dump() == before


def test_hotfix_refuses_a_file_that_is_not_what_was_named(managed: Host, call: Call) -> None:
    managed.updates.offer([COMBINED], [], Wsus())
    managed.files.write(FILE, msu.build(msu.Msu("5068787", (SSU, LCU))))
    managed.files.write(f"{FILE}2", msu.build(msu.Msu("5000099", ("P~1~amd64~~9",))))
    managed.files.write(f"{FILE}3", b"no cabinet")
    assert (
        "the hotfix KB KB1 does not match"
        in call("win_hotfix", source=FILE, hotfix_kb="KB1")["msg"]
    )
    # A combined update has two packages, of which one always has another name.
    named = call("win_hotfix", source=FILE, hotfix_identifier=LCU)["msg"]
    assert f"the hotfix identifier {LCU} does not match" in named
    assert call("win_hotfix", source=f"{FILE}2")["msg"] == (
        "hotfix package is not applicable for this server"
    )
    assert "RC = 1" in call("win_hotfix", source=f"{FILE}3")["msg"]
    assert "does not exist or is not a file" in call("win_hotfix", source="C:\\none.msu")["msg"]
    assert managed.updates.packages() == []


def test_hotfix_fails_as_dism_does(managed: Host, call: Call) -> None:
    bad = Update(id="b", title="B", kb=("5000003",), package=LCU, install_errors=(0x80073701,))
    managed.updates.offer([bad], [], Wsus())
    managed.files.write(FILE, msu.build(msu.Msu("5000003", (LCU,))))
    assert "Error code = 0x80073701" in call("win_hotfix", source=FILE)["msg"]

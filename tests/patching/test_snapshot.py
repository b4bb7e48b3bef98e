"""The one command before and after patching, read from hosts of both languages."""

from __future__ import annotations

import pytest
from tests.patching.hosts import LINE, NOW, hosts, look

from opsproof.errors import IncompleteError
from opsproof.inspection.batch import split_batch
from opsproof.inspection.command import MAX_LINE
from opsproof.patching.command import PENDING_KEYS, PENDING_VALUES, UPDATE_EXE, UPDATE_SERVICES
from opsproof.patching.snapshot import compare, read_snapshot
from winlab.commands import run_cmd
from winlab.host.host import Host
from winlab.host.services import Service

ROLLUP = "5068787"


@pytest.fixture(scope="module")
def estate() -> dict[str, Host]:
    return hosts()


def patch(host: Host) -> None:
    host.updates.install(host.updates.search("managed_server"))
    host.reboot()


def test_the_command_fits_into_one_line() -> None:
    assert len(LINE) < MAX_LINE
    assert "\n" not in LINE


@pytest.mark.parametrize("name", ["canary", "canary-2019"])
def test_a_host_before_and_after(estate: dict[str, Host], name: str) -> None:
    host = estate[name]
    before = look(host)
    assert host.unmodelled == {}
    assert before.build == host.os.build
    assert before.disks["C"] == host.files.free("C:") // 1048576
    assert before.sites == {"Portal": "Started"}
    assert 8080 in before.ports
    assert "ExamPortal" in before.running
    assert (before.wsus_server, before.wsus_used) == ("http://wsus.exam.example:8530", True)
    assert (before.pending, before.events) == ((), ())
    patch(host)
    after = look(host)
    assert compare(before, after, ()).sound
    assert set(after.fixes) >= {"5066139"}
    assert any(package.startswith("Package_for_RollupFix") for package in after.packages)
    assert {event.hresult for event in after.events} == {0}


def test_both_languages_give_the_same(estate: dict[str, Host]) -> None:
    chinese, english = look(estate["pair-01"]), look(estate["pair-02"])
    assert (chinese.running, chinese.sites, chinese.pools, chinese.ports) == (
        english.running,
        english.sites,
        english.pools,
        english.ports,
    )


@pytest.mark.parametrize(
    ("mark", "names"),
    [
        ("cbs", ("component-servicing",)),
        ("wu", ("windows-update",)),
        ("rename", ("file-rename",)),
        ("exe", ("update-exe",)),
    ],
)
def test_every_place_of_a_pending_restart(mark: str, names: tuple[str, ...]) -> None:
    host = hosts()["current"]
    host.power.require_reboot(mark)
    assert look(host).pending == names


@pytest.mark.parametrize("name", ["canary", "canary-2019"])
def test_the_configuration_manager_client_is_asked(estate: dict[str, Host], name: str) -> None:
    host = hosts()[name]
    host.services.put(Service(name="CcmExec", display_name="SMS Agent Host"))
    host.power.client = "idle"
    assert look(host).pending == ()
    host.power.client = "restart-due"
    assert look(host).pending == ("configuration-manager",)
    host.reboot()
    assert look(host).pending == ()
    host.power.client = "broken"
    with pytest.raises(IncompleteError, match="does not say whether a restart is pending"):
        look(host)
    assert host.unmodelled == {}


@pytest.mark.parametrize(
    ("key", "value", "mark"),
    [
        (UPDATE_SERVICES + r"\7971f918-a847-4430-9279-4a52d1efe18d", "", "update-services"),
        (PENDING_KEYS["component-servicing-packages"], "", "component-servicing-packages"),
        (PENDING_KEYS["component-servicing-running"], "", "component-servicing-running"),
        (PENDING_KEYS["windows-update-report"], "", "windows-update-report"),
        (PENDING_KEYS["server-manager"], "", "server-manager"),
        *((key, value, mark) for mark, (key, value) in PENDING_VALUES.items()),
    ],
)
def test_other_places_of_a_pending_restart(key: str, value: str, mark: str) -> None:
    host = hosts()["current"]
    host.registry.create_key(key)
    if value:
        host.registry.set_value(key, value, "x")
    assert look(host).pending == (mark,)


def test_a_place_that_is_there_and_empty_means_nothing() -> None:
    host = hosts()["current"]
    host.registry.create_key(UPDATE_SERVICES)
    host.registry.create_key(UPDATE_EXE[0])
    host.registry.set_value(*UPDATE_EXE, 0)
    assert look(host).pending == ()


def test_a_new_computer_name_waits_for_a_restart() -> None:
    host = hosts()["current"]
    key = r"HKLM\SYSTEM\CurrentControlSet\Control\ComputerName\ComputerName"
    host.registry.set_value(key, "ComputerName", "OTHER")
    assert look(host).pending == ("computer-name",)


def test_a_rolled_back_update_is_in_the_log() -> None:
    host = hosts()["rolls-back"]
    patch(host)
    newest = look(host).events[0]
    assert (host.updates.catalogue[newest.update].kb, newest.hresult) == ((ROLLUP,), 0x800F0922)


def test_what_broke_is_named_and_what_may_rest_is_not() -> None:
    host = hosts()["breaks-service"]
    before = look(host)
    patch(host)
    found = compare(before, look(host), ())
    assert found.services == ("ExamPortal",)
    assert compare(before, look(host), ["examportal"]).services == ()


def test_a_host_without_updates_or_policy_has_none() -> None:
    seen = look(hosts()["no-wsus"])
    assert (seen.fixes, seen.packages, seen.wsus_server, seen.wsus_used) == ((), {}, None, False)


def test_an_answer_that_was_cut_off_is_no_snapshot() -> None:
    text = run_cmd(hosts()["current"], LINE, user="Administrator", codepage=65001).stdout.decode()
    cut = text[: text.index("##opsproof:begin connections")]
    with pytest.raises(IncompleteError):
        read_snapshot(split_batch(cut), NOW)

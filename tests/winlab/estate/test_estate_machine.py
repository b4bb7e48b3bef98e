"""A host of the lab goes wrong exactly as it was told to, and comes back as it was."""

from __future__ import annotations

from datetime import timedelta

import pytest

from winlab.estate.machine import LabHost
from winlab.exec.process import Process
from winlab.host.power import Shutdown
from winlab.host.registry import RegType
from winlab.server.errors import LabError
from winlab.server.ports import Fault, FaultKind

from .conftest import Builder, Clock

ESTATE = "estate: 1\nhosts: [{name: web-01, pending_reboot: [wu]}, {name: off-01, down: true}]"


class Machines:
    def __init__(self, build: Builder, clock: Clock) -> None:
        self.clock = clock
        self.changes: list[str] = []
        built = build(ESTATE)
        self.web = LabHost(built["web-01"], clock.steady, self.note)
        self.off = LabHost(built["off-01"], clock.steady, self.note)

    def note(self, host: LabHost) -> None:
        self.changes.append(host.key)


@pytest.fixture
def machines(build: Builder, clock: Clock) -> Machines:
    return Machines(build, clock)


def test_passwords_are_those_of_enabled_accounts_in_every_form(machines: Machines) -> None:
    web = machines.web
    for name in ("Administrator", ".\\administrator", "WEB-01\\Administrator"):
        assert web.password_of(name) == "Lab-secret-1"
    assert web.password_of("nobody") is None
    assert web.password_of("Guest") is None


@pytest.mark.parametrize("kind", ["refuse", "hang", "drop", "slow"])
def test_a_counted_fault_is_used_up(machines: Machines, kind: str) -> None:
    machines.web.set_fault(kind, seconds=2.5, count=2)
    expected = Fault(kind=FaultKind(kind), seconds=2.5)
    assert [machines.web.fault() for _ in range(3)] == [expected, expected, None]


def test_latency_goes_with_every_fault_until_none(machines: Machines) -> None:
    web = machines.web
    web.set_fault("latency", seconds=0.2)
    assert web.fault() == Fault(kind=FaultKind.LATENCY, latency=0.2)
    web.set_fault("slow", seconds=3)
    assert web.fault() == Fault(kind=FaultKind.SLOW, seconds=3, latency=0.2)
    assert web.fault_text() == "slow, latency 0.2 s"
    web.set_fault("none")
    assert web.fault() is None
    assert web.fault_text() == ""


def test_a_fault_waits_for_what_it_is_to_break(machines: Machines) -> None:
    web = machines.web
    web.set_fault("drop", count=1, at="cmd")
    assert web.fault_text() == "drop x1 at cmd"
    assert web.fault() is None
    web.execute(Process(command_line="cmd.exe /c ver", user="Administrator"))
    assert web.fault() == Fault(kind=FaultKind.DROP)
    assert web.fault() is None


def test_an_unknown_fault_is_refused_with_the_known_ones(machines: Machines) -> None:
    with pytest.raises(LabError, match=r"^there is no fault 'explode' \(use refuse, hang, drop, "):
        machines.web.set_fault("explode")


@pytest.mark.parametrize("kind", ["slow", "latency"])
def test_a_delay_without_seconds_is_refused(machines: Machines, kind: str) -> None:
    with pytest.raises(LabError, match=rf"^{kind} by how much\? \(give --seconds, "):
        machines.web.set_fault(kind)
    assert machines.web.fault() is None


def test_a_host_that_is_down_comes_up_freshly_booted(machines: Machines) -> None:
    off = machines.off
    assert not off.is_up()
    machines.clock.seconds = 60
    off.set_fault("up")
    assert off.is_up()
    assert off.host.power.boot_time == machines.clock.now()
    off.set_fault("down")
    assert not off.is_up()


def test_a_reboot_waits_takes_its_time_and_refuses_its_reads(machines: Machines) -> None:
    web, clock = machines.web, machines.clock
    web.set_fault("reboot", seconds=3, count=2)
    before = web.host.power.boot_time
    web.host.power.schedule(Shutdown(kind="reboot", at=clock.now() + timedelta(seconds=2)))
    assert web.is_up()
    clock.seconds = 2
    assert not web.is_up()
    clock.seconds = 4.9
    assert not web.is_up()
    assert web.host.power.boot_time == before
    clock.seconds = 5
    assert web.is_up()
    assert web.host.power.boot_time == clock.now()
    assert web.host.power.reboot_required() == []
    assert [r.event_id for r in web.host.eventlogs.records("System")] == [6009, 6005]
    refused = Fault(kind=FaultKind.REFUSE)
    assert [web.fault() for _ in range(3)] == [refused, refused, None]
    assert web.reboots == 1


def test_a_shutdown_stays_down(machines: Machines) -> None:
    web, clock = machines.web, machines.clock
    web.host.power.schedule(Shutdown(kind="shutdown", at=clock.now()))
    assert not web.is_up()
    clock.seconds = 3600
    assert not web.is_up()
    assert web.fault_text() == "down"


def test_state_goes_back_to_a_snapshot_and_to_the_start(machines: Machines) -> None:
    web = machines.web
    start = web.host.dump()
    web.host.files.write("C:\\a.txt", b"1")
    web.save("one")
    web.host.files.write("C:\\a.txt", b"2")
    web.load("one")
    assert web.host.files.read("C:\\a.txt") == b"1"
    with pytest.raises(LabError, match=r"^web-01 has no snapshot 'two' \(take one first\)$"):
        web.load("two")
    web.set_fault("down")
    web.count(requests=3)
    web.reset()
    assert web.is_up()
    assert web.counters.requests == 0
    assert web.host.dump() == start


def test_what_ran_is_counted_and_told(machines: Machines) -> None:
    web = machines.web
    result = web.execute(Process(command_line="hostname", user="Administrator"))
    assert (result.rc, result.stdout) == (0, b"WEB-01\r\n")
    assert web.counters.runs["cmd"] == 1
    assert machines.changes == ["web-01"]
    web.count(requests=2, commands=1, bytes_in=10, bytes_out=20)
    assert web.counters.as_dict() == {
        "requests": 2,
        "commands": 1,
        "modules": 0,
        "files": 0,
        "bytes_in": 10,
        "bytes_out": 20,
        "runs": {"cmd": 1},
    }
    web.counters.saw("module win_ping")
    web.counters.saw("put")
    web.counters.saw("fetch")
    assert (web.counters.modules, web.counters.files) == (1, 2)


def test_a_dump_is_json_with_the_lab_s_own_view(machines: Machines) -> None:
    dump = machines.off.dump()
    assert dump["name"] == "OFF-01"
    assert dump["lab"]["up"] is False
    assert dump["lab"]["address"] == "127.99.1.2"


def test_an_estate_can_start_with_faults_and_a_reset_brings_them_back(
    build: Builder, clock: Clock
) -> None:
    text = (
        "estate: 1\nhosts: [{name: a, latency_ms: 250, reboot: {seconds: 9, reads: 1}, "
        "fault: {kind: drop, count: 1}}]"
    )
    host = LabHost(build(text)["a"], clock.steady, lambda _: None)
    drop = Fault(kind=FaultKind.DROP, latency=0.25)
    late = Fault(kind=FaultKind.LATENCY, latency=0.25)
    assert [host.fault() for _ in range(2)] == [drop, late]
    host.set_fault("none")
    assert host.fault() is None
    host.reset()
    assert host.fault() == drop
    assert (host.reboot.seconds, host.reboot.reads) == (9, 1)


def test_a_password_is_the_one_of_now(machines: Machines) -> None:
    web = machines.web
    assert web.password_of("Administrator") == "Lab-secret-1"
    web.save("before")
    web.host.accounts.change_user("Administrator", password="Other-7")
    assert web.password_of("Administrator") == "Other-7"
    web.load("before")
    assert web.password_of("Administrator") == "Lab-secret-1"
    web.host.accounts.change_user("Administrator", enabled=False)
    assert web.password_of("Administrator") is None
    web.reset()
    assert web.password_of("Administrator") == "Lab-secret-1"
    web.host.policy.set_right("SeNetworkLogonRight", ())
    assert web.password_of("Administrator") is None


def test_settings_follow_policy(machines: Machines) -> None:
    web = machines.web
    key = "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\WinRM\\Service"
    assert web.settings.basic
    web.host.registry.create_key(key)
    web.host.registry.set_value(key, "AllowBasic", 0, RegType.REG_DWORD)
    assert not web.settings.basic
    web.reset()
    assert web.settings.basic


def test_a_change_that_windows_made_itself_is_seen_too(machines: Machines) -> None:
    web = machines.web
    assert web.password_of("Administrator") is not None
    with web.host.guard.exempt():
        web.host.policy.set_right("SeNetworkLogonRight", ())
    assert web.password_of("Administrator") is None

"""A baseline on a simulated host, in process: read, apply, read again, take back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsproof.inspection.batch import split_batch
from opsproof.inspection.command import MAX_LINE
from opsproof.policy.baseline import Comparison, Setting, for_host, layered
from opsproof.policy.baseline_yaml import load_layers
from opsproof.policy.bundle import apply_command, cabinet, restore_cabinet
from opsproof.policy.command import CABINET, FOLDER, REVERT_TASK, audit_command
from opsproof.policy.lockout import Connection
from opsproof.policy.observed import Observed, observe
from opsproof.policy.plan import Plan, plan, table
from opsproof.policy.registry import RegistryType
from opsproof.policy.role import pushed
from opsproof.policy.targets import Firewall, Registry, Right, Service
from winlab.commands import run_cmd
from winlab.host.firewall import STORE
from winlab.host.host import Host, HostSpec
from winlab.host.policy_logon import may_log_on

BASELINES = Path(__file__).resolve().parents[2] / "baselines"
NOW = datetime(2026, 11, 22, 1, 15, tzinfo=UTC)
KEYS = ("DomainProfile", "StandardProfile", "PublicProfile")
LATER = timedelta(minutes=10)
NTLM = Connection("ntlm", tls=False)


@pytest.fixture(scope="module")
def settings() -> tuple[Setting, ...]:
    return for_host(layered(load_layers(["iis-server"], BASELINES)), release="2022", overrides={})


def make(locale: str = "zh-CN") -> Host:
    return Host(HostSpec(name="web01", locale=locale, admin_password="lab"), lambda: NOW)


def read(host: Host, settings: Sequence[Setting], *, confirm: bool = False) -> Observed:
    line = audit_command(settings, asked_at=NOW, confirm=confirm)
    result = run_cmd(host, line, user="Administrator")
    assert result.rc == 0
    return observe(split_batch(result.stdout.decode(errors="replace")), settings)


def push(host: Host, stage: int, *, scheduled: bool = True) -> None:
    result = run_cmd(host, apply_command(stage=stage, scheduled=scheduled), user="Administrator")
    assert pushed({"stdout": result.stdout.decode()}) == {"lost": False, "failed": []}


def put(host: Host, data: bytes) -> None:
    host.files.write(CABINET.replace("%SystemRoot%", "C:\\Windows"), data)


def apply(host: Host, made: Plan, observed: Observed) -> None:
    """Push every stage; nothing is confirmed at the end."""
    put(host, cabinet(made, observed, revert_after=LATER))
    for stage in range(1, len(made.stages) + 1):
        push(host, stage)


def restore(host: Host, made: Plan, observed: Observed) -> None:
    put(host, restore_cabinet(made.changes, observed))
    push(host, 1, scheduled=False)


def planned(host: Host, settings: Sequence[Setting]) -> tuple[Plan, Observed]:
    observed = read(host, settings)
    return plan(settings, observed, NTLM), observed


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_everything_but_what_would_lock_out_is_applied(
    locale: str, settings: tuple[Setting, ...]
) -> None:
    host = make(locale)
    first, observed = planned(host, settings)
    assert len(first.changes) > 250
    assert [str(held.change.setting.target).rpartition("\\")[2] for held in first.held] == [
        "FilterAdministratorToken",
        "LocalAccountTokenFilterPolicy",
    ]
    apply(host, first, observed)
    second, _ = planned(host, settings)
    assert [str(change.setting.target) for change in second.changes] == []
    assert [held.change.setting.id for held in second.held] == [
        held.change.setting.id for held in first.held
    ]
    assert may_log_on(host, "Administrator")


def test_both_languages_give_the_same_plan(settings: tuple[Setting, ...]) -> None:
    assert planned(make("zh-CN"), settings)[0] == planned(make("en-US"), settings)[0]


def test_reading_writes_nothing_and_fits_one_line(settings: tuple[Setting, ...]) -> None:
    host = make()
    host.guard.armed = True
    before = host.dump() | {"guard": None, "files": None}
    read(host, settings)
    host.guard.settle()
    assert host.guard.violations == []
    assert host.dump() | {"guard": None, "files": None} == before
    assert len(audit_command(settings, asked_at=NOW)) < MAX_LINE
    assert not host.unmodelled


def test_a_restore_brings_back_the_very_state(settings: tuple[Setting, ...]) -> None:
    host = make()
    before, services = host.dump(), host.services.all()
    made, observed = planned(host, settings)
    apply(host, made, observed)
    assert host.dump()["policy"] != before["policy"]
    restore(host, made, observed)
    after = host.dump()
    assert after["policy"] == before["policy"]
    assert host.services.all() == services
    assert after["accounts"] == before["accounts"]
    assert len(made.stages) == 2
    # Keys that were made stay, empty; every value is what it was, of its very type.
    fresh = make()
    for key in after["registry"]:
        there = fresh.registry.values(key) if fresh.registry.exists(key) else []
        assert sorted(host.registry.values(key), key=str) == sorted(there, key=str), key
    assert read(host, settings, confirm=True) == observed
    assert host.dump()["files"] == before["files"]
    assert host.tasks.dump() == []


def fire(host: Host) -> None:
    """Let the time of the scheduled revert come."""
    assert host.tasks.take_due(NOW + LATER - timedelta(seconds=1)) == []
    [task] = host.tasks.take_due(NOW + LATER)
    assert (task.name, task.user) == (REVERT_TASK, "SYSTEM")
    run_cmd(host, task.command, user=task.user)
    assert host.tasks.dump() == []


def test_a_lock_out_takes_back_the_stage_that_locked_out_and_nothing_else(
    settings: tuple[Setting, ...],
) -> None:
    """Forced in spite of the guard: the second stage is never confirmed, and the host takes it back."""
    host = make()
    locking = [
        replace(one, value=("S-1-5-32-546", "S-1-5-113"))
        if one.target == Right("SeDenyNetworkLogonRight")
        else one
        for one in settings
    ]
    observed = read(host, locking)
    [right] = [one.id for one in locking if one.target == Right("SeDenyNetworkLogonRight")]
    refused = plan(locking, observed, NTLM)
    assert right in {held.change.setting.id for held in refused.held}
    made = plan(locking, observed, NTLM, forced=[right])
    first, second = made.stages
    assert right in {change.setting.id for change in second}
    assert right not in {change.setting.id for change in first}
    apply(host, made, observed)
    assert not may_log_on(host, "Administrator")
    fire(host)
    assert may_log_on(host, "Administrator")
    left = {change.setting.id for change in plan(locking, read(host, locking), NTLM).changes}
    assert left == {change.setting.id for change in second} - {right}


def test_a_first_stage_that_no_session_confirms_is_taken_back(
    settings: tuple[Setting, ...],
) -> None:
    host = make()
    made, observed = planned(host, settings)
    put(host, cabinet(made, observed, revert_after=LATER))
    push(host, 1)
    assert read(host, settings).revert_pending
    fire(host)
    assert read(host, settings) == observed


def test_a_second_stage_is_refused_once_the_first_was_taken_back(
    settings: tuple[Setting, ...],
) -> None:
    host = make()
    made, observed = planned(host, settings)
    put(host, cabinet(made, observed, revert_after=LATER))
    push(host, 1)
    fire(host)
    result = run_cmd(host, apply_command(stage=2), user="Administrator")
    assert pushed({"stdout": result.stdout.decode()}) == {
        "lost": False,
        "failed": ["schedule", "end"],
    }
    assert read(host, settings) == observed


def test_what_no_session_can_prove_is_held_even_when_it_is_forced(
    settings: tuple[Setting, ...],
) -> None:
    winrm = replace(settings[0], id="ODD-A-1", target=Service("WinRM"), value="disabled")
    winrm = replace(winrm, comparison=Comparison.EQUAL)
    made = plan([winrm], read(make(), [winrm]), NTLM, forced=["ODD-A-1"])
    assert made.changes == ()
    assert [held.why for held in made.held] == [
        "WinRM would not start again, and no new session can prove otherwise"
    ]


def test_a_confirmed_apply_leaves_neither_task_nor_files(settings: tuple[Setting, ...]) -> None:
    host = make()
    made, observed = planned(host, settings)
    apply(host, made, observed)
    assert [task["name"] for task in host.tasks.dump()] == [REVERT_TASK]
    read(host, settings, confirm=True)
    assert host.tasks.dump() == []
    for path in (FOLDER, CABINET):
        assert not host.files.exists(path.replace("%SystemRoot%", "C:\\Windows"))


def firewall(host: Host) -> list[tuple[str, object]]:
    """All values of the local store's profiles, in one order."""
    keys = [f"{STORE}\\{key}{below}" for key in KEYS for below in ("", "\\Logging")]
    there = [key for key in keys if host.registry.exists(key)]
    found = [(v.name, v.data) for key in there for v in host.registry.values(key)]
    return sorted(found, key=str)


def test_a_firewall_goes_back_to_what_it_was_whatever_that_was(
    settings: tuple[Setting, ...],
) -> None:
    chosen = [one for one in settings if isinstance(one.target, Firewall)]
    for before in (
        "firewallpolicy allowinbound,allowoutbound",
        "firewallpolicy blockinboundalways,blockoutbound",
        "logging droppedconnections enable",
        "state off",
    ):
        host = make()
        run_cmd(host, f"netsh advfirewall set allprofiles {before}", user="Administrator")
        state = firewall(host)
        made, observed = planned(host, chosen)
        apply(host, made, observed)
        assert planned(host, chosen)[0].changes == ()
        if "always" in before:
            assert ("DoNotAllowExceptions", 1) in firewall(host), "netsh must not open it"
        restore(host, made, observed)
        assert firewall(host) == state


def test_the_table_shows_is_and_should_be(settings: tuple[Setting, ...]) -> None:
    made, _ = planned(make(), settings)
    before, after = table(made)
    name = "HRD-ACC-004 [System Access] MinimumPasswordLength"
    assert f"{name}: 0\n" in before
    assert f"{name}: 14\n" in after
    assert before.count("\n") == after.count("\n") == len(made.changes) + len(made.held)


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_what_is_listed_beforehand_is_exactly_what_an_apply_then_changes(
    locale: str, settings: tuple[Setting, ...]
) -> None:
    """On a host that has half of it already, some of it other than it should be."""
    host = make(locale)
    half, observed = planned(host, settings[::2])
    apply(host, half, observed)
    read(host, settings, confirm=True)
    run_cmd(host, "net accounts /minpwlen:3 & sc config Spooler start= auto", user="Administrator")
    listed, observed = planned(host, settings)
    apply(host, listed, observed)
    after = read(host, settings)
    changed = {
        one.id: after.value(one.target)
        for one in settings
        if after.value(one.target) != observed.value(one.target)
    }
    assert 50 < len(changed) < len(settings) - 50
    assert changed == {change.setting.id: change.after for change in listed.changes}
    is_, should_be = (text.splitlines() for text in table(listed))
    shown = {one.split()[0] for one in should_be if one not in is_ and "# held back" not in one}
    assert shown == changed.keys()


def test_a_restore_can_be_taken_back(settings: tuple[Setting, ...]) -> None:
    host = make()
    made, observed = planned(host, settings)
    apply(host, made, observed)
    hardened = read(host, settings, confirm=True)
    now = [replace(one, before=hardened.value(one.setting.target)) for one in made.changes]
    undone = restore_cabinet(now, hardened)
    restore(host, made, observed)
    assert read(host, settings, confirm=True) == observed
    put(host, undone)
    push(host, 1, scheduled=False)
    assert read(host, settings, confirm=True) == hardened


def test_odd_types_survive_a_restore() -> None:
    host = make()
    key = "HKLM\\SOFTWARE\\Policies\\Microsoft\\Odd"
    host.registry.set_value(key, "Text", 'two\nlines "quoted" \\ and 中文')
    host.registry.set_value(key, "Big", 2**40)
    host.registry.set_value(key, "Bytes", b"\x00\xff\x10")
    host.registry.set_value(key, "List", ("a", "b,c"))
    base = load_layers(["member-server"], BASELINES)[0].settings
    one = next(s for s in base if isinstance(s.target, Registry))
    wanted = []
    for number, name in enumerate(("Text", "Big", "Bytes", "List")):
        assert isinstance(one.target, Registry)
        path = replace(one.target.path, key="SOFTWARE\\Policies\\Microsoft\\Odd", name=name)
        target = Registry(path, RegistryType.DWORD)
        wanted.append(
            replace(one, id=f"ODD-A-{number}", target=target, comparison=Comparison.EQUAL, value=1)
        )
    before = host.dump()["registry"]
    made, observed = planned(host, wanted)
    apply(host, made, observed)
    assert planned(host, wanted)[0].changes == ()
    restore(host, made, observed)
    assert host.dump()["registry"] == before

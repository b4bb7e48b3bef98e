"""Settings of every user on a simulated host: who is logged on, who is not, and who is to come."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from opsproof.controls.strict_yaml import YamlError
from opsproof.errors import IncompleteError
from opsproof.policy.baseline import Comparison, Setting
from opsproof.policy.baseline_yaml import load_layers, read
from opsproof.policy.lockout import is_way_in
from opsproof.policy.observed import Identity
from opsproof.policy.registry import RegistryPath, RegistryType
from opsproof.policy.targets import Registry
from winlab.commands import run_cmd
from winlab.host.host import Host, admin_user

from . import test_on_host as host_tests
from .test_on_host import BASELINES, apply, fire, make, planned, restore

DESKTOP = "Software\\Policies\\Microsoft\\Windows\\Control Panel\\Desktop"
OFFLINE = "S-1-5-21-1-2-3-1104"


def setting(name: str, value: int | str | None, number: int = 1, key: str = DESKTOP) -> Setting:
    base = load_layers(["member-server"], BASELINES)[0].settings[0]
    kind = RegistryType.SZ if isinstance(value, str) else RegistryType.DWORD
    return replace(
        base,
        id=f"USR-A-{number}",
        target=Registry(RegistryPath("HKCU", key, name), kind),
        comparison=Comparison.EQUAL if value is not None else Comparison.ABSENT,
        value=value,
    )


WANTED = [
    setting("ScreenSaverIsSecure", "1", 1),
    setting("ScreenSaveTimeOut", "900", 2),
    setting("Old", None, 3),
    setting("NoDriveTypeAutoRun", 255, 4, "Software\\Microsoft\\Windows\\CurrentVersion\\Policies"),
]


@pytest.fixture(params=["zh-CN", "en-US"])
def host(request: pytest.FixtureRequest) -> Host:
    host = make(request.param)
    host.hives.add_profile(OFFLINE, "C:\\Users\\王 芳", logged_on=False)
    host.registry.set_value(f"HKU\\{admin_user(host).sid}\\{DESKTOP}", "ScreenSaveTimeOut", "600")
    into(host, "C:\\Users\\王 芳", "Old", 1)
    return host


def into(host: Host, folder: str, name: str, data: int | str) -> None:
    host.hives.attach("HKU\\test", f"{folder}\\NTUSER.DAT")
    host.registry.set_value(f"HKU\\test\\{DESKTOP}", name, data)
    host.hives.detach("HKU\\test")


def hives(host: Host) -> dict[str, object]:
    """Every value of every user, whether logged on or not."""
    files = ("C:\\Users\\Default\\NTUSER.DAT", "C:\\Users\\王 芳\\NTUSER.DAT")
    admin = f"HKU\\{admin_user(host).sid}\\{DESKTOP}"
    found: dict[str, object] = {"admin": sorted(host.registry.values(admin), key=str)}
    for file in files:
        host.hives.attach("HKU\\look", file)
        key = f"HKU\\look\\{DESKTOP}"
        there = host.registry.values(key) if host.registry.exists(key) else []
        found[file] = sorted(there, key=str)
        host.hives.detach("HKU\\look")
    return found


def test_every_hive_is_read_set_and_put_back(host: Host) -> None:
    before = hives(host)
    made, observed = planned(host, WANTED)
    assert [user.name for user in observed.users] == [
        "Default",
        *sorted([admin_user(host).sid, OFFLINE]),
    ]
    assert {change.setting.id: change.before for change in made.changes} == {
        "USR-A-1": None,
        "USR-A-2": ("(not set)", "600"),
        "USR-A-3": ("(not set)", "1"),
        "USR-A-4": None,
    }
    apply(host, made, observed)
    assert planned(host, WANTED)[0].changes == ()
    assert not host.registry.exists("HKU\\opsproof-write")
    restore(host, made, observed)
    assert hives(host) == before


def test_reading_hives_writes_nothing(host: Host) -> None:
    before = hives(host)
    host.guard.armed = True
    host_tests.read(host, WANTED)
    host.guard.settle()
    assert host.guard.violations == []
    assert hives(host) == before
    assert not host.registry.exists("HKU\\opsproof-read")


def test_the_scheduled_revert_puts_hives_back_too(host: Host) -> None:
    before = hives(host)
    made, observed = planned(host, WANTED)
    apply(host, made, observed)
    fire(host)
    assert hives(host) == before


def test_who_logs_on_meanwhile_is_reached_all_the_same(host: Host) -> None:
    made, observed = planned(host, WANTED)
    host.hives.attach(f"HKU\\{OFFLINE}", "C:\\Users\\王 芳\\NTUSER.DAT")
    apply(host, made, observed)
    assert planned(host, WANTED)[0].changes == ()


def test_a_hive_that_cannot_be_read_is_no_compliance(host: Host) -> None:
    host.files.write("C:\\Users\\王 芳\\NTUSER.DAT", b"regf broken")
    with pytest.raises(IncompleteError, match=f"the hive of the profile {OFFLINE}"):
        planned(host, WANTED)


def test_a_profile_whose_folder_is_gone_has_no_hive(host: Host) -> None:
    run_cmd(host, 'rd /s /q "C:\\Users\\王 芳"', user="Administrator")
    _, observed = planned(host, WANTED)
    assert [user.name for user in observed.users] == ["Default", admin_user(host).sid]


def test_a_users_value_is_no_way_in() -> None:
    key = "SOFTWARE\\Policies\\Microsoft\\Windows\\WinRM\\Service"
    target = Registry(RegistryPath("HKCU", key, "AllowBasic"), RegistryType.DWORD)
    assert not is_way_in(target, Identity("S-1-5-21-1-2-3-500", frozenset()))


BASELINE = """---
baseline: users
title: {zh: 用户, en: Users}
releases: ['2022']
sources: {bureau: {title: A rule, where: 'https://bureau.example'}}
settings:
  - id: USR-A-001
    title: {zh: 屏保, en: Screen saver}
    category: user
    set: {registry: 'HKCU\\Control Panel\\Desktop', name: ScreenSaveActive, type: TYPE}
    compare: COMPARE
    value: VALUE
    severity: low
    sources: ['bureau:1']
"""


def written(kind: str, compare: str, value: str) -> bytes:
    text = BASELINE.replace("TYPE", kind).replace("COMPARE", compare).replace("VALUE", value)
    return text.encode()


def test_a_baseline_names_the_hive_of_every_user(tmp_path: Path) -> None:
    [one] = read(written("sz", "equal", "'1'"), name=str(tmp_path)).settings
    assert str(one.target) == "HKCU\\Control Panel\\Desktop\\ScreenSaveActive"


@pytest.mark.parametrize(
    ("kind", "compare", "value", "why"),
    [
        ("dword", "at_least", "1", "compared by equal or absent"),
        ("multi_sz", "equal", "['1']", "a text or a number"),
    ],
)
def test_what_users_cannot_have_is_refused(kind: str, compare: str, value: str, why: str) -> None:
    with pytest.raises(YamlError, match=why):
        read(written(kind, compare, value), name="users.yml")

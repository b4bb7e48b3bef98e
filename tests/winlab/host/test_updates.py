"""The Windows Update agent's rules: what is offered, installed, staged and taken back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from winlab.host.host import Host, HostSpec
from winlab.host.services import Service
from winlab.host.updates import POLICY, Update, UpdateError, Wsus

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
BASE = Update(id="base", title="A base", kb=("5000001",), restart=False)
ROLLUP = Update(
    id="rollup",
    title="B rollup",
    kb=("5000002",),
    package="Package_for_RollupFix~1",
    requires=("base",),
)
NEWER = Update(id="newer", title="C newer", kb=("5000003",), supersedes=("rollup",))


def host(*updates: Update, installed: tuple[str, ...] = (), wsus: Wsus | None = None) -> Host:
    made = Host(HostSpec(name="APP1", locale="en-US"), lambda: NOW)
    made.registry.create_key(f"{POLICY}\\AU")
    made.registry.set_value(POLICY, "WUServer", "http://wsus:8530")
    made.registry.set_value(f"{POLICY}\\AU", "UseWUServer", 1)
    made.updates.offer(updates, installed, wsus or Wsus())
    return made


def offered(made: Host) -> list[str]:
    return [update.id for update in made.updates.search("managed_server")]


def test_an_update_waits_for_what_it_requires() -> None:
    made = host(BASE, ROLLUP)
    assert offered(made) == ["base"]
    made.updates.install([BASE])
    assert offered(made) == ["rollup"]


def test_a_superseded_update_is_not_offered() -> None:
    assert offered(host(ROLLUP, NEWER, BASE, installed=("base",))) == ["newer"]


def test_the_server_offers_what_it_approves() -> None:
    assert offered(host(BASE, NEWER, wsus=Wsus(approved=frozenset({"newer"})))) == ["newer"]
    assert offered(host(BASE, wsus=Wsus(approved=frozenset()))) == []


@pytest.mark.parametrize(
    ("selection", "managed", "error", "hresult"),
    [
        ("managed_server", False, 0, 0x80244011),
        ("managed_server", True, 0x80244022, 0x80244022),
        ("default", True, 0x80244022, 0x80244022),
        ("default", False, 0, 0x8024402C),
        ("windows_update", True, 0, 0x8024402C),
    ],
)
def test_a_source_that_cannot_be_asked(
    selection: str, managed: bool, error: int, hresult: int
) -> None:
    made = host(BASE, wsus=Wsus(error=error))
    if not managed:
        made.registry.delete_value(POLICY, "WUServer")
    with pytest.raises(UpdateError) as caught:
        made.updates.search(selection)  # type: ignore[arg-type]  # every word of the module
    assert caught.value.hresult == hresult


def test_an_update_with_a_restart_is_in_only_after_it() -> None:
    made = host(NEWER)
    [result] = made.updates.install([NEWER])
    assert (result.code, result.restart) == (2, True)
    assert made.updates.restart_required
    assert set(made.power.reboot_required()) == {"cbs", "wu"}
    assert offered(made) == ["newer"]
    made.reboot()
    assert not made.updates.restart_required
    assert offered(made) == []
    assert made.updates.dump()["installed_kbs"] == ["5000003"]


def test_a_rolled_back_update_is_offered_again_and_logged() -> None:
    update = Update(id="u", title="U", kb=("5000009",), rollbacks=1)
    made = host(update)
    made.updates.install([update])
    made.reboot()
    assert offered(made) == ["u"]
    logged = [r.event_id for r in made.eventlogs.channel("System").records]
    assert logged[-2:] == [19, 20]
    made.updates.install([update])
    made.reboot()
    assert offered(made) == []


def test_an_update_fails_as_often_as_told() -> None:
    update = Update(id="u", title="U", kb=("5000009",), install_errors=(0x80073701,), restart=False)
    made = host(update)
    assert made.updates.install([update])[0].hresult == 0x80073701
    assert made.updates.install([update])[0].code == 2


def test_a_service_that_an_update_breaks_starts_again_without_it() -> None:
    update = Update(
        id="u", title="U", kb=("5000009",), package="Package_U", breaks_services=("W32Time",)
    )
    made = host(update)
    made.services.configure("W32Time", start_mode="auto", triggers=(), state="started")
    made.updates.install([update])
    made.reboot()
    assert made.services.get("W32Time").state == "stopped"
    assert made.services.get("W32Time").exit_code == 1053
    assert made.updates.remove("Package_U") is True
    made.reboot()
    assert made.services.get("W32Time").state == "started"


def test_an_installer_may_restart_the_host_in_the_middle() -> None:
    update = Update(id="u", title="U", kb=("5000009",), restarts_host=True)
    made = host(update)
    made.updates.install([update])
    assert made.power.pending is not None
    assert made.power.pending.at == NOW


@pytest.mark.parametrize(
    ("package", "hresult"), [("Package_X", 0x800F0805), ("Package_U", 0x800F0825)]
)
def test_a_package_that_cannot_be_removed(package: str, hresult: int) -> None:
    update = Update(id="u", title="U", kb=("1",), package="Package_U", removable=False)
    made = host(update, installed=("u",))
    with pytest.raises(UpdateError) as caught:
        made.updates.remove(package)
    assert caught.value.hresult == hresult


def test_a_snapshot_brings_everything_back() -> None:
    made = host(NEWER)
    before, saved = made.updates.dump(), made.snapshot()
    made.updates.install([NEWER])
    assert made.updates.dump() != before
    made.restore(saved)
    assert made.updates.dump() == before
    assert not made.updates.restart_required


def test_what_an_automatic_service_depends_on_starts_with_it() -> None:
    made = host()
    was = Service(name="WAS", display_name="WAS", start_mode="manual", state="started")
    made.services.put(was)
    made.services.put(
        Service(name="W3SVC", display_name="W3SVC", start_mode="auto", dependencies=("WAS",))
    )
    made.reboot()
    assert made.services.get("WAS").running
    assert made.services.get("W3SVC").running

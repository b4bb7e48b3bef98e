"""A host as a whole: what it starts with, rules of services and accounts, snapshots, memory."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from winlab.host.errors import WindowsError
from winlab.host.host import Host, HostSpec
from winlab.host.iis import AppPool, Binding, Site
from winlab.host.image.services import iis_services
from winlab.host.network import Listener
from winlab.host.services import Service

NOW = datetime(2026, 11, 22, 1, 15, tzinfo=UTC)


def new_host(release: str = "2022", locale: str = "zh-CN", name: str = "srv") -> Host:
    return Host(
        HostSpec(name=name, release=release, locale=locale, admin_password="x"), lambda: NOW
    )


@pytest.fixture
def host() -> Host:
    return new_host()


def code_of(call: object, *args: object) -> int:
    assert callable(call)
    with pytest.raises(WindowsError) as caught:
        call(*args)
    return caught.value.code


@pytest.mark.parametrize("release", ["2016", "2019", "2022"])
@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_a_fresh_server_has_the_services_of_a_real_one(release: str, locale: str) -> None:
    services = new_host(release, locale).services.all(drivers=False)
    assert 150 <= len(services) <= 200
    by_name = {s.name: s for s in services}
    assert by_name["sppsvc"].trigger_start
    assert by_name["MapsBroker"].start_mode == "delayed"
    assert by_name["Spooler"].running
    for service in services:
        assert service.running == bool(service.process_id)
        assert not (service.start_mode == "disabled" and service.running)


def test_an_old_server_has_no_services_of_later_releases() -> None:
    services = new_host("2008R2").services
    assert services.find("Spooler") is not None
    assert services.find("UsoSvc") is None
    assert services.find("LSM") is None
    for service in services.all():
        assert all(services.find(d) is not None for d in service.dependencies)


def test_every_dependency_of_a_running_service_runs() -> None:
    services = new_host().services
    for service in services.all():
        for needed in service.dependencies if service.running else ():
            other = services.find(needed)
            assert other is None or other.running, (service.name, needed)


def test_chinese_windows_translates_some_names_and_the_texts(host: Host) -> None:
    english = new_host(locale="en-US")
    assert host.services.get("UsoSvc").display_name == "更新 Orchestrator 服务"
    assert english.services.get("UsoSvc").display_name == "Update Orchestrator Service"
    assert host.services.get("Spooler").display_name == "Print Spooler"
    zh, en = (x.accounts.group("Administrators") for x in (host, english))
    assert zh.sid == en.sid == "S-1-5-32-544"
    assert zh.description != en.description


def test_service_control_rules(host: Host) -> None:
    services = host.services
    assert code_of(services.start, "Spooler") == 1056
    assert code_of(services.stop, "WSearch") == 1062
    assert code_of(services.start, "WSearch") == 1058
    assert code_of(services.start, "nope") == 1060
    assert code_of(services.stop, "RpcSs") == 1052
    assert code_of(services.pause, "Spooler") == 1052
    assert code_of(services.stop, "Winmgmt") == 1051
    services.stop("Winmgmt", force=True)
    assert not services.get("UALSVC").running
    services.start("UALSVC")
    assert services.get("Winmgmt").running


def test_a_service_that_cannot_start_says_so_and_stays_down_after_a_boot(host: Host) -> None:
    host.services.put(Service(name="Bad", display_name="Bad", start_mode="auto", start_error=1053))
    host.services.put(Service(name="User", display_name="User", dependencies=("Bad",)))
    assert code_of(host.services.start, "Bad") == 1053
    assert code_of(host.services.start, "User") == 1068
    host.reboot()
    assert host.services.get("Bad").exit_code == 1053


def test_a_reboot_clears_marks_and_starts_automatic_services(host: Host) -> None:
    host.services.stop("Spooler")
    host.power.require_reboot("cbs", "wu", "rename")
    assert host.power.reboot_required() == ["cbs", "wu", "rename"]
    host.reboot()
    assert host.power.reboot_required() == []
    assert host.power.boot_time == NOW
    assert host.services.get("Spooler").running


def test_accounts(host: Host) -> None:
    accounts = host.accounts
    user = accounts.create_user("joe", "secret", full_name="Joe")
    assert user.sid == f"{accounts.machine_sid}-1001"
    assert accounts.password_of("SRV\\joe") == accounts.password_of(".\\JOE") == "secret"
    assert accounts.password_of("OTHER\\joe") is None
    accounts.add_member("Administrators", "joe")
    assert accounts.is_admin("joe")
    assert accounts.name_of(user.sid) == "SRV\\joe"
    assert accounts.name_of("S-1-5-18") == "NT AUTHORITY\\SYSTEM"
    assert code_of(accounts.add_member, "Administrators", "joe") == 1378
    assert code_of(accounts.create_user, "JOE") == 2224
    assert code_of(accounts.create_user, "a/b") == 2202
    accounts.change_user("joe", enabled=False)
    assert accounts.password_of("joe") is None
    accounts.delete_user("joe")
    assert user.sid not in accounts.group("Administrators").members
    assert code_of(accounts.delete_user, "Administrator") == 5


def test_sites_listen_while_they_and_w3svc_run(host: Host) -> None:
    for service in iis_services(host.locale):
        host.services.put(service)
    host.iis.installed = True
    host.iis.put_pool(AppPool(name="DefaultAppPool"))
    host.iis.put_site(Site(name="a", id=1, bindings=(Binding(information="*:8080:"),)))
    host.iis.put_site(
        Site(name="b", id=2, bindings=(Binding(information="*:8080:"),), state="Stopped")
    )
    assert host.network.listening(8080)
    assert code_of(host.iis.start_site, "b") == 183
    host.iis.stop_site("a")
    assert not host.network.listening(8080)
    host.iis.start_site("b")
    host.services.stop("W3SVC")
    assert not host.network.listening(8080)
    assert host.iis.site_state(host.iis.site("b")) == "Unknown"


def test_snapshot_and_restore_give_an_equal_dump(host: Host) -> None:
    snapshot, before = host.snapshot(), json.dumps(host.dump(), sort_keys=True)
    host.services.stop("Spooler")
    host.files.write("C:\\x", b"1")
    host.registry.set_value("HKLM\\SOFTWARE\\X", "a", 1)
    host.accounts.create_user("joe")
    host.eventlogs.log("System", "EventLog", 6005)
    host.network.listen(Listener(port=1433))
    host.clock.offset = timedelta(seconds=9)
    host.environment["X"] = "1"
    host.not_modelled("x")
    assert json.dumps(host.dump(), sort_keys=True) != before
    host.restore(snapshot)
    host.guard.reset()
    assert json.dumps(host.dump(), sort_keys=True) == before


def test_an_armed_guard_names_every_kind_of_write(host: Host) -> None:
    host.guard.armed = True
    host.services.stop("Spooler")
    host.files.write("C:\\x", b"")
    host.registry.create_key("HKLM\\SOFTWARE\\X")
    host.accounts.create_user("joe")
    host.eventlogs.clear("Application", "S-1-5-18", "SYSTEM", "NT AUTHORITY")
    assert [w.what for w in host.guard.violations] == [
        "service Spooler: stop",
        "file C:\\x",
        "registry HKLM\\SOFTWARE\\X",
        "user joe",
        "event log Application: clear",
    ]
    assert host.files.exists("C:\\x")


def test_two_thousand_hosts_need_little_memory() -> None:
    new_host()
    tracemalloc.start()
    try:
        hosts = [new_host(name=f"h{n}") for n in range(100)]
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / len(hosts) < 40_000


def test_passwords_never_enter_a_dump(host: Host) -> None:
    host.accounts.create_user("joe", "very-secret-word")
    assert "very-secret-word" not in json.dumps(host.dump())


def test_a_service_that_was_down_can_be_started_and_stopped_again(host: Host) -> None:
    assert host.services.start("wuauserv").running
    assert not host.services.stop("wuauserv").running

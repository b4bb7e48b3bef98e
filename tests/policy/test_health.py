from __future__ import annotations

from opsproof.inspection.batch import split_batch
from opsproof.policy.health import Health, health_steps, read_health
from winlab.commands import run_cmd
from winlab.host.host import Host, HostSpec

from .test_role import NOW


def seen(host: Host) -> Health:
    result = run_cmd(host, " & ".join(health_steps()), user="Administrator")
    return read_health(split_batch(result.stdout.decode()))


def test_a_host_that_changed_nothing_lost_nothing() -> None:
    host = Host(HostSpec(name="web01", locale="zh-CN", admin_password="lab"), lambda: NOW)
    assert seen(host).services
    assert seen(host).lost_in(seen(host)) == ()


def test_a_service_that_stopped_is_named_with_its_port() -> None:
    host = Host(HostSpec(name="web01", admin_password="lab"), lambda: NOW)
    before = seen(host)
    run_cmd(host, "net stop WinRM /y", user="Administrator")
    lost = before.lost_in(seen(host))
    assert "service WinRM" in lost
    assert "port 5985" in lost


def test_what_came_up_or_rests_is_no_loss() -> None:
    nothing: frozenset[str] = frozenset()
    before = Health(frozenset({"sppsvc", "W3SVC"}), frozenset({"Auth"}), nothing, frozenset({80}))
    after = Health(frozenset({"w3svc", "Spooler"}), nothing, nothing, frozenset({80, 443}))
    assert before.lost_in(after) == ("site Auth",)

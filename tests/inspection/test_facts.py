from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.inspection.answers import NOW, blob, der_certificate

from opsproof.errors import IncompleteError, UsageError
from opsproof.evidence.schemas.inspection import Clock
from opsproof.inspection.batch import Batch, split_batch
from opsproof.inspection.facts import (
    Exchange,
    Expectation,
    Inspected,
    clock_of,
    inspect,
    services_of,
)
from opsproof.inspection.legacy import inspect_legacy, legacy_command
from opsproof.logs.audit import audit as audit_logs
from opsproof.logs.model import AuditReport
from opsproof.logs.rules.load import compile_texts
from winlab.host.events import EventRecord
from winlab.host.evtx_writer import evtx_bytes

SETUP: dict[str, Any] = {
    "ansible_date_time": {
        "iso8601_micro": "2026-11-22T09:00:00.250000Z",
        "tz": "China Standard Time",
        "tz_offset": "+08:00",
    },
    "ansible_distribution": "Microsoft Windows Server 2019 Standard",
    "ansible_distribution_version": "10.0.17763.0",
    "ansible_os_family": "Windows",
    "ansible_uptime_seconds": 3600,
    "ansible_memtotal_mb": 8192,
    "ansible_memfree_mb": 1000,
    "ansible_reboot_pending": False,
}


def section(name: str, text: str = "", *, ok: bool = True) -> str:
    return f"##opsproof:begin {name} \n{text}\n##opsproof:end {'ok' if ok else 'failed'} \n"


def answer(**changes: str) -> str:
    certificate = blob((32, der_certificate("verify.example", NOW + timedelta(days=12, hours=3))))
    sections = {
        "asked": f"##opsproof:asked {NOW.isoformat()}\n",
        "sites": section(
            "sites",
            '<appcmd><SITE SITE.NAME="exam" SITE.ID="1" '
            'bindings="http/*:8080:,https/*:8443:" state="Started" /></appcmd>',
        ),
        "pools": section(
            "pools", '<appcmd><APPPOOL APPPOOL.NAME="exam" state="Stopped" /></appcmd>'
        ),
        "connections": section("connections", "  TCP    0.0.0.0:8080   0.0.0.0:0   LISTENING   4"),
        "disks": section(
            "disks", "Node,DeviceID,FileSystem,FreeSpace,Size\nA,C:,NTFS,1073741824,10737418240"
        ),
        "cbs": section("pending-cbs", ok=False),
        "wu": section("pending-wu", ok=False),
        "rename": section("pending-rename", ok=False),
        "time": section("time-source", "ntp.example"),
        "certificates": section(
            "certificates MY", f"    Blob    REG_BINARY    {certificate.hex().upper()}"
        ),
        "web": section("certificates WebHosting", ok=False),
    }
    return "".join({**sections, **changes}.values())


def facts(stdout: str, audit: AuditReport | None = None, **setup: Any) -> Inspected:
    return inspect(
        setup={**SETUP, **setup},
        services=[],
        batch=split_batch(stdout),
        exchange=Exchange(
            started=NOW + timedelta(seconds=3),
            ended=NOW + timedelta(seconds=4),
            answered_at=NOW + timedelta(seconds=2),
        ),
        expectation=Expectation(ports=(8080, 8443)),
        since=NOW - timedelta(days=1),
        until=NOW,
        audit=audit,
    )


def _audited(folder: Path, *events: EventRecord) -> AuditReport:
    file = folder / "Security.evtx"
    file.write_bytes(evtx_bytes(events))
    since = NOW - timedelta(days=1)
    return audit_logs([file], compile_texts([]), since=since, until=NOW)


def _event(number: int, event_id: int, *, level: int = 0, days: int = 0) -> EventRecord:
    return EventRecord(
        record_id=number,
        time_created=NOW - timedelta(days=days, hours=1),
        provider="Microsoft-Windows-Eventlog",
        event_id=event_id,
        channel="Security",
        computer="A",
        level=level,
    )


def _logs(*, system: bool) -> str:
    channels = (("Security", True), ("System", system))
    return "".join(
        section(f"log {name}", "numberOfLogRecords: 9") + section(f"export {name}", ok=ok)
        for name, ok in channels
    )


def test_without_a_record_in_the_window_it_says_that_it_looked_at_none(tmp_path: Path) -> None:
    report = _audited(tmp_path, _event(1, 1102, days=3))
    host = facts(answer(logs=_logs(system=True)), report).host
    assert host.audit is not None
    assert (host.audit.records, host.audit.examined) == (1, 0)
    assert host.security is not None
    assert (host.security.log_cleared, host.security.serious_hits) == ((), 0)


def test_what_was_not_found_in_logs_that_are_not_all_there_is_not_collected(tmp_path: Path) -> None:
    report = _audited(tmp_path, _event(1, 4624))
    host = facts(answer(logs=_logs(system=False)), report).host
    assert host.security is not None
    assert host.security.log_cleared is None
    assert host.security.failed_logons is None
    assert host.security.serious_hits is None
    assert host.events is not None
    assert (host.events.critical, host.events.errors) == (None, None)


def test_what_was_found_stands_whatever_is_missing(tmp_path: Path) -> None:
    report = _audited(tmp_path, _event(1, 1102), _event(2, 1, level=1))
    host = facts(answer(logs=_logs(system=False)), report).host
    assert host.security is not None
    assert host.security.log_cleared is not None
    assert [one.channel for one in host.security.log_cleared] == ["Security"]
    assert host.events is not None
    assert host.events.critical == 1


def test_a_host_with_its_sites_and_certificates() -> None:
    found = facts(answer())
    assert found.host.boot_time == "2026-11-22T08:00:00Z"
    assert found.host.disks[0].free_percent == 10
    assert found.host.memory.free_percent == 12
    assert found.host.iis is not None
    assert found.host.iis.pools[0].state == "Stopped"
    assert found.host.ports is not None
    assert found.host.ports.missing == (8443,)
    assert found.sites[0].bindings == ("http/*:8080:", "https/*:8443:")
    assert found.certificates[0].days_left == 12
    assert found.host.events is None, "nothing was collected, so nothing is said of events"


def test_a_host_without_iis_has_no_sites() -> None:
    found = facts(answer(sites="##opsproof:absent iis\n", pools=""))
    assert found.host.iis is not None
    assert not found.host.iis.installed
    assert found.sites == ()


def test_an_unreadable_iis_is_an_error_not_an_empty_list() -> None:
    with pytest.raises(IncompleteError, match="appcmd"):
        facts(answer(sites=section("sites", "ERROR ( message:access denied )", ok=False)))


@pytest.mark.parametrize(
    ("changes", "module_says", "reasons"),
    [
        ({}, False, ()),
        ({"cbs": section("pending-cbs")}, False, ("component-servicing",)),
        ({"wu": section("pending-wu"), "rename": section("pending-rename")}, True,
         ("windows-update", "file-rename")),
        ({}, True, ("other",)),
    ],
)  # fmt: skip
def test_a_pending_restart_says_where(
    changes: dict[str, str], module_says: bool, reasons: tuple[str, ...]
) -> None:
    pending = facts(answer(**changes), ansible_reboot_pending=module_says).host.pending_reboot
    assert pending is not None
    assert (pending.pending, pending.reasons) == (bool(reasons), reasons)


def service(name: str, mode: str, state: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "display_name": name,
        "start_mode": mode,
        "state": state,
        "triggers": [],
        "win32_exit_code": 0,
        **more,
    }


def test_stopped_automatic_services_are_told_apart() -> None:
    trigger = [{"action": "start_service", "type": "custom"}]
    found = services_of(
        [
            service("A", "auto", "stopped", win32_exit_code=1067),
            service("B", "auto", "stopped", triggers=trigger),
            service("C", "delayed", "stopped"),
            service("D", "manual", "stopped"),
            service("E", "auto", "started"),
            service("sppsvc", "delayed", "stopped"),
            service("F", "auto", "stopped", triggers=[{"action": "stop_service", "type": "x"}]),
        ],
        Expectation(services=("e", "D", "X"), resting_services=("SPPSVC",)),
        timedelta(minutes=5),
    )
    told = {s.name: (s.trigger, s.delayed, s.starting, s.expected) for s in found.auto_stopped}
    assert told == {
        "A": (False, False, False, False),
        "B": (True, False, False, False),
        "C": (False, True, True, False),
        "F": (False, False, False, False),
        "sppsvc": (False, True, True, True),
    }
    assert found.wanted.missing == ("X",)
    assert found.wanted.stopped == ("D",)
    assert (found.total, found.running) == (7, 1)


def test_clock_offset_lies_within_its_uncertainty() -> None:
    """Host 90 s ahead; the command took 1 s there, and the way 0.4 s to it and 0.2 s back."""
    ahead = timedelta(seconds=90)
    sent = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
    clock = clock_of(
        Batch({}, asked_at=sent),
        Exchange(
            started=sent + timedelta(seconds=0.4) + ahead,
            ended=sent + timedelta(seconds=1.4) + ahead,
            answered_at=sent + timedelta(seconds=1.6),
        ),
        "ntp.example",
    )
    assert clock == Clock(offset_ms=90_100, uncertainty_ms=300, source="ntp.example")
    assert abs(clock.offset_ms - 90_000) <= clock.uncertainty_ms


def legacy_answer(os: str = "") -> str:
    os_table = os or (
        "Node,Caption,FreePhysicalMemory,LastBootUpTime,LocalDateTime,TotalVisibleMemorySize,Version\n"
        "SQL-01,Microsoft Windows Server 2008 R2 Standard ,1048576,20261121170000.000000+480,"
        "20261122170001.000000+480,8388608,6.1.7601"
    )
    return (
        f"##opsproof:asked {NOW.isoformat()}\n"
        + section("os", os_table)
        + section("disks", "Node,DeviceID,FileSystem,FreeSpace,Size\nSQL-01,C:,NTFS,5,10")
        + section(
            "services",
            "Node,ExitCode,Name,StartMode,State\n"
            "SQL-01,0,MSSQLSERVER,Auto,Running\n"
            "SQL-01,0,SQLSERVERAGENT,Auto,Stopped",
        )
    )


def test_a_legacy_host_is_read_through_another_one() -> None:
    found = inspect_legacy(
        via="mgmt-01",
        batch=split_batch(legacy_answer()),
        answered_at=NOW + timedelta(seconds=2),
        expectation=Expectation(services=("MSSQLSERVER", "SQLSERVERAGENT")),
    )
    assert found.host.via == "mgmt-01"
    assert found.host.uptime_seconds == 86401
    assert found.host.services.wanted.stopped == ("SQLSERVERAGENT",)
    assert found.host.pending_reboot is None
    assert found.host.clock == Clock(offset_ms=0, uncertainty_ms=1000, source=None)


def test_a_legacy_host_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(IncompleteError, match="wmic printed no table"):
        inspect_legacy(
            via="mgmt-01",
            batch=split_batch(legacy_answer(os="ERROR:\nThe RPC server is unavailable.")),
            answered_at=NOW,
            expectation=Expectation(),
        )


def test_a_legacy_name_is_only_a_name() -> None:
    with pytest.raises(UsageError, match="is no host name"):
        legacy_command('sql-01" & del', asked_at=NOW)

"""Real logs go through the audit whole; what their names say was done is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsproof.logs.audit import audit
from opsproof.logs.model import AuditReport

DATA = Path(__file__).parents[3] / "shared" / "data"
RULES = Path(__file__).parents[2] / "rules"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the real logs are not there: ../shared/data"
)


@pytest.fixture(scope="module")
def report() -> AuditReport:
    return audit([DATA / "evtx", DATA / "iis"], [RULES])


def test_every_record_of_every_file_is_read(report: AuditReport) -> None:
    assert report.counts.files == 21
    assert report.counts.records == 372
    assert [str(place) for place in report.unreadable] == [
        "iis/brianary_ex031118.log: offset 227, record 7, a line has 3 values, not 4"
    ]


@pytest.mark.parametrize(
    ("file", "record", "title"),
    [
        ("Zerologon_CVE-2020-1472_DFIR_System_NetLogon_Error_EventID_5805", 63220,
         "Event log other than Security cleared"),
        ("System_7045_namedpipe_privesc", 10446, "Service installed that starts a shell"),
        ("LM_Remote_Service02_7045", 4480, "Service installed"),
        ("DE_xp_cmdshell_enabled_MSSQL_EID_15457", 9696, "xp_cmdshell enabled or used"),
        ("LM_xp_cmdshell_MSSQL_Events", 9693, "xp_cmdshell enabled or used"),
        ("MSSQL_15281_xp_cmdshell_exec_failed_attempt", 37899, "xp_cmdshell enabled or used"),
        ("MSSQL_multiple_failed_logon_EventID_18456", 13026,
         "Many SQL Server logins tried from one client"),
        ("discovery_sysmon_1_iis_pwd_and_config_discovery_appcmd", 5875,
         "Suspicious child of the IIS worker process"),
        ("DE_EventLog_Service_Crashed", 370747, "Event log service crashed"),
    ],
)  # fmt: skip
def test_windows_attack_is_found(report: AuditReport, file: str, record: int, title: str) -> None:
    assert (f"evtx/{file}.evtx", record, title) in {
        (hit.file, hit.record_id, hit.title) for hit in report.hits
    }


def test_web_attacks_are_found(report: AuditReport) -> None:
    assert {
        ("iis/lnav_w3c_big.log", 59, "Scanning for pages"),
        ("iis/plaso_iis7_sqli.log", 5, "SQL injection in a request"),
        ("iis/plaso_iis7_sqli.log", 6, "SQL injection in a request"),
    } <= {(hit.file, hit.record_id, hit.title) for hit in report.hits}


def test_the_scan_names_its_source(report: AuditReport) -> None:
    scan = next(hit for hit in report.hits if hit.title == "Scanning for pages")
    assert scan.burst is not None
    assert scan.burst.group == {"c-ip": "183.60.244.30"}
    assert (scan.burst.peak, scan.burst.events, len(scan.burst.members)) == (105, 189, 20)


def test_summary_tells_of_the_cleared_log(report: AuditReport) -> None:
    (cleared,) = report.summary.log_cleared
    assert (cleared.channel, cleared.record_id, cleared.account) == ("System", 63220, "a-jbrown")


def test_same_input_gives_the_same_bytes(report: AuditReport) -> None:
    assert audit([DATA / "iis", DATA / "evtx"], [RULES]) == report

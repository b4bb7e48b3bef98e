"""What a newcomer does: the demonstration, from hosts to a sheet and a bundle that anyone can check."""

from __future__ import annotations

import base64
import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cabarchive import CabArchive
from evtx import PyEvtxParser
from tests.e2e.conftest import Lab

pytestmark = pytest.mark.e2e

MODULE_RUNS = 5
LEGACY_HOSTS = 8


def only_bundle(lab: Lab) -> Path:
    [bundle] = (lab.reports / "runs").iterdir()
    return bundle


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_demonstration_ends_as_it_was_built_to(demonstrated: Lab) -> None:
    run = json.loads((only_bundle(demonstrated) / "run.json").read_text())
    day = datetime.fromisoformat(run["started_at"]).astimezone(ZoneInfo("Asia/Shanghai")).date()
    sheets = sorted(path.name for path in (demonstrated.reports / "daily").glob("*.html"))
    assert sheets == [f"RPT-D-{day:%Y%m%d}.{lang}.html" for lang in ("en", "zh-CN")]


def test_a_host_costs_five_module_runs_and_one_file(demonstrated: Lab) -> None:
    counters = demonstrated.json("winlab", "--format", "json", "counters")["hosts"]
    hosts = {name: count for name, count in counters.items() if name.startswith("app-")}
    assert len(hosts) == 13
    for name, count in hosts.items():
        assert count["modules"] <= MODULE_RUNS, name
        assert count["files"] <= 1, name
    assert counters["mgmt-01"]["modules"] <= MODULE_RUNS + LEGACY_HOSTS


def test_both_display_languages_give_equal_findings(demonstrated: Lab) -> None:
    """Two hosts without faults, Chinese and English, 2022 and 2016."""
    findings = lines(only_bundle(demonstrated) / "findings.jsonl")
    states = {
        host: {
            (finding["control"], finding["subject"]["kind"]): finding["state"]
            for finding in findings
            if finding["subject"]["host"] == host
        }
        for host in ("app-auth-01", "app-certmake-01")
    }
    assert states["app-auth-01"] == states["app-certmake-01"]
    assert set(states["app-auth-01"].values()) == {"pass"}
    assert len(states["app-auth-01"]) >= 19


def test_sha256sum_and_openssl_check_the_bundle(demonstrated: Lab) -> None:
    bundle = only_bundle(demonstrated)
    for command in (
        ["sha256sum", "--quiet", "-c", "SHA256SUMS"],
        [
            "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "SHA256SUMS.p7s",
            "-content", "SHA256SUMS", "-CAfile", str(demonstrated.root / "keys/ca.pem"),
            "-purpose", "any", "-out", "/dev/null",
        ],
    ):  # fmt: skip
        subprocess.run(command, cwd=bundle, check=True, capture_output=True)


def test_a_red_line_leads_to_the_raw_event(demonstrated: Lab, tmp_path: Path) -> None:
    """Finding -> observation -> artifact -> (with the bureau's key) the event in the original log."""
    bundle = only_bundle(demonstrated)
    [finding] = [
        item
        for item in lines(bundle / "findings.jsonl")
        if item["control"] == "INS-SECURITY-001" and item["state"] == "fail"
    ]
    [observation] = [
        item for item in lines(bundle / "observations.jsonl") if item["id"] in finding["evidence"]
    ]
    [cleared] = observation["facts"]["security"]["log_cleared"]
    [artifact] = observation["artifacts"]
    raw = tmp_path / "raw.cab"
    subprocess.run(
        [
            "openssl", "cms", "-decrypt", "-binary", "-inform", "DER",
            "-in", bundle / artifact["stored_as"], "-recip", demonstrated.root / "keys/bureau.pem",
            "-inkey", demonstrated.root / "keys/bureau.key", "-out", raw,
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    log = tmp_path / "Security.evtx"
    packed = CabArchive(raw.read_bytes())["Security.evtx"]
    assert packed is not None
    log.write_bytes(packed.buf or b"")
    events = [
        json.loads(record["data"])["Event"]
        for record in PyEvtxParser(str(log)).records_json()
        if record
    ]
    [event] = [
        event for event in events if event["System"]["EventRecordID"] == cleared["record_id"]
    ]
    assert event["System"]["EventID"] in {1102, "1102"}
    for name in ("en", "zh-CN"):
        [sheet] = (demonstrated.reports / "daily").glob(f"*.{name}.html")
        page = sheet.read_text(encoding="utf-8")
        assert finding["id"] in page
        assert cleared["sha256"] in page


def test_no_secret_is_in_what_a_run_leaves(demonstrated: Lab) -> None:
    secret = demonstrated.password.encode()
    forms = {secret, base64.b64encode(secret), secret.decode().encode("utf-16-le")}
    files = [path for path in demonstrated.reports.rglob("*") if path.is_file()]
    assert len(files) > 30
    for path in files:
        content = path.read_bytes()
        assert not [form for form in forms if form in content], path


def test_check_mode_writes_nothing_and_satisfies_nothing(demonstrated: Lab) -> None:
    reports = demonstrated.root / "checked"
    assert demonstrated.run("winlab", "guard", "on").returncode == 0
    ran = demonstrated.run(
        "opsproof", "run", "daily", "--check", "--limit", "app-auth-01,app-certmake-01,sql-01",
        "--inventory", demonstrated.inventory, "--reports", reports,
    )  # fmt: skip
    written = demonstrated.run("winlab", "guard", "show")
    demonstrated.run("winlab", "guard", "off")
    assert written.returncode == 0, written.stdout
    [bundle] = (reports / "runs").iterdir()
    run = json.loads((bundle / "run.json").read_text())
    assert run["check"] is True
    assert run["limit"] == "app-auth-01,app-certmake-01,sql-01"
    assert {name for name, host in run["hosts"].items() if host["outcome"] == "ok"} == {
        "app-auth-01",
        "app-certmake-01",
        "sql-01",
    }
    states = {item["state"] for item in lines(bundle / "findings.jsonl")}
    assert "error" not in states, ran.stdout
    assert {"pass", "not-collected"} <= states


def test_a_second_run_changes_nothing(demonstrated: Lab) -> None:
    before = demonstrated.json("winlab", "dump", "app-perm-01")
    ran = demonstrated.run(
        "opsproof", "run", "daily", "--limit", "app-perm-01",
        "--inventory", demonstrated.inventory, "--reports", demonstrated.root / "again",
    )  # fmt: skip
    [bundle] = (demonstrated.root / "again/runs").iterdir()
    run = json.loads((bundle / "run.json").read_text())
    assert run["hosts"]["app-perm-01"]["outcome"] == "ok", ran.stdout
    after = demonstrated.json("winlab", "dump", "app-perm-01")
    for part in ("services", "registry", "accounts", "iis", "certificates"):
        assert before["app-perm-01"][part] == after["app-perm-01"][part]
    assert before["app-perm-01"]["files"]["changed"] == after["app-perm-01"]["files"]["changed"]


def test_the_logs_of_hosts_are_audited_together_and_sealed(running: Lab) -> None:
    """Raw logs only as the bureau can read them, and verdicts that follow from the facts."""
    reports = running.root / "log-reports"
    state = running.root / "state-home"
    ran = running.run(
        "opsproof", "run", "audit_logs", "--inventory", running.inventory, "--reports", reports,
        "--limit", "app-audit-01:app-verify-01", env={"XDG_STATE_HOME": str(state)},
    )  # fmt: skip
    assert ran.returncode == 1, ran.stderr
    [store] = (state / "opsproof/logs").iterdir()
    assert {path.name for path in store.glob("app-*")} == {"app-audit-01", "app-verify-01"}
    [bundle] = (reports / "runs").iterdir()
    findings = {
        (finding["subject"]["host"], finding["control"]): finding["state"]
        for finding in lines(bundle / "findings.jsonl")
    }
    assert findings["app-audit-01", "AUD-GAP-001"] == "fail"
    assert findings["app-audit-01", "AUD-HIT-002"] == "fail"
    assert findings["app-verify-01", "AUD-HIT-002"] == "fail"
    assert findings["app-verify-01", "LOG-FILES-001"] == "pass"
    # Yesterday has its logs, and somebody looked.
    assert findings["app-verify-01", "AUD-GAP-002"] == "pass"
    looked = [
        observation["facts"]["audit"]["site_days"]
        for observation in lines(bundle / "observations.jsonl")
        if observation["activity"] == "log_audit"
    ]
    assert len(looked) == 2
    assert min(looked) > 0
    artifacts = {
        artifact["name"]: artifact
        for observation in lines(bundle / "observations.jsonl")
        for artifact in observation["artifacts"]
    }
    assert {artifact["stored"] for artifact in artifacts.values()} == {"encrypted"}
    assert len(artifacts) == 3
    for path in (bundle / "artifacts").iterdir():
        assert not path.read_bytes().startswith(b"MSCF")
    checked = running.run(
        "opsproof", "verify", reports, "--bureau-key", running.root / "keys/bureau.key"
    )
    assert checked.returncode == 0, checked.stdout

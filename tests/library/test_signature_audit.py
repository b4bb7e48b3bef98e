"""Logs come home, and what failed is held against the table: all of it only where all logs came."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.conftest import PROJECT, Lab
from tests.signatures import drills

from opsproof.signatures import drill_logs, simulate
from opsproof.signatures.simulate import Drill

pytestmark = pytest.mark.e2e


@pytest.fixture
def drill(tmp_path: Path) -> Drill:
    (tmp_path / "drill").mkdir()
    return simulate.simulate(
        tmp_path / "drill", drills.lab_of("ecdsa"), records=20, seed=4, damaged_percent=60
    )


@pytest.fixture
def lab(drill: Drill, tmp_path: Path) -> Iterator[Lab]:
    """One host with the drill's log, and one in the inventory that does not answer."""
    found = Lab(tmp_path)
    log = (drill.folder / drill_logs.LOG).read_text(encoding=drill_logs.ENCODING)
    data = {"path": rf"C:\Sign\{drill_logs.LOG}", "encoding": drill_logs.ENCODING, "text": log}
    estate = {"estate": 1, "name": "signing", "hosts": [{"name": "sign-01", "files": [data]}]}
    (tmp_path / "estate.yml").write_text(yaml.safe_dump(estate, allow_unicode=True))
    shutil.copytree(PROJECT / "inventories/lab/group_vars", found.inventory / "group_vars")
    shutil.copy(PROJECT / "inventories/lab/winlab.py", found.inventory)
    logs = [{"name": "sign", "folder": r"C:\Sign", "pattern": "*.csv"}]
    hosts = {"sign-01": {}, "sign-02": {"ansible_host": "127.0.0.1"}}
    groups = {
        "windows": {"hosts": hosts, "vars": {"log_collection_data": logs}},
        "signature_databases": {"hosts": {"archive": {"ansible_connection": "local"}}},
    }
    (found.inventory / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": groups}}))
    up = found.run("winlab", "up", tmp_path / "estate.yml")
    assert up.returncode == 0, up.stderr
    yield found
    found.run("winlab", "down")


def test_a_host_that_did_not_deliver_leaves_open_what_failed(lab: Lab, drill: Drill) -> None:
    folder = drill.folder
    given = {
        "opsproof_staging": str(lab.root / "staging"),
        "log_collection_store": str(lab.root / "store"),
        "signatures_profile": str(folder / "profile.yml"),
        "signatures_database": drill.url,
        "signatures_work": str(folder / "work"),
        "signatures_certificates": [str(folder / "signers.pem")],
        "signatures_trusted": [str(folder / "ca.pem")],
        "signatures_revocations": [str(folder / "ca.crl")],
        "signatures_base": [str(folder / "base.csv")],
        "signatures_log_patterns": str(folder / drill_logs.PATTERNS),
        "signatures_log_encoding": drill_logs.ENCODING,
        "signatures_log_source": "sign",
    }
    ran = lab.run(
        "ansible-playbook", "-i", lab.inventory, "playbooks/audit_signatures.yml",
        "-e", json.dumps(given), env={"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"},
    )  # fmt: skip
    told = json.loads(ran.stdout[ran.stdout.index("{\n") :])
    assert {name for name, stat in told["stats"].items() if stat["unreachable"]} == {"sign-02"}
    assert told["stats"]["archive"]["failures"] == 0, ran.stdout
    [interface] = [found for found in map(of_archive, tasks(told)) if found]
    assert interface["missing"] == ["sign-02: sign"]
    assert (interface["files"], interface["unreadable"]) == (1, 0)
    assert interface["verification"]["wrong"] > 0
    assert interface["verification"]["settled"] is False


def tasks(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [task for play in told["plays"] for task in play["tasks"]]


def of_archive(task: dict[str, Any]) -> dict[str, Any] | None:
    evidence = task["hosts"].get("archive", {}).get("opsproof_evidence")
    if evidence is None:
        return None
    [observation] = evidence["observations"]
    interface: dict[str, Any] = observation["facts"]["interface"]
    return interface

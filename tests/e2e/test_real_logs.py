"""Real event logs and IIS logs on a lab host go through a daily run, damaged ones beside them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.conftest import PROJECT, Lab

from opsproof.evidence.keys import ensure_keys

DATA = PROJECT.parent / "shared/data"

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real logs are not there: ../shared/data"),
]

LOGS = {
    "System": "System_7045_namedpipe_privesc.evtx",
    "Application": "MSSQL_multiple_failed_logon_EventID_18456.evtx",
    "Security": "LM_WMI_4624_4688_TargetHost.evtx",
}


def estate(folder: Path) -> Path:
    shutil.copy(DATA / "iis/plaso_iis7_sqli.log", folder / "u_ex150101.log")
    whole = (DATA / "iis/lnav_w3c_big.log").read_bytes()
    (folder / "u_ex150102.log").write_bytes(
        whole[:20_000] + b"\x00\xff garbage \x00" + whole[20_000:30_003]
    )
    host = {
        "name": "real-01",
        "os": "2019",
        "locale": "zh-CN",
        "event_logs": [
            {"channel": channel, "evtx": str(DATA / "evtx" / name)}
            for channel, name in LOGS.items()
        ],
        "iis": {
            "sites": [
                {
                    "name": "Exam",
                    "bindings": [{"port": 8080}],
                    "w3c": ["u_ex150101.log", "u_ex150102.log"],
                }
            ]
        },
    }
    path = folder / "estate.yml"
    path.write_text(yaml.safe_dump({"estate": 1, "name": "real", "hosts": [host]}))
    return path


def inventory(folder: Path) -> Path:
    target = folder / "inventory"
    (target / "group_vars").mkdir(parents=True)
    shutil.copy(PROJECT / "inventories/lab/winlab.py", target)
    shutil.copy(PROJECT / "inventories/lab/group_vars/windows.yml", target / "group_vars")
    (target / "hosts.yml").write_text(
        yaml.safe_dump(
            {
                "windows": {
                    "hosts": {"real-01": {}},
                    "vars": {"inspection_since": "2000-01-01T00:00:00Z"},
                }
            }
        )
    )
    return target


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("real")
    lab = Lab(root)
    ensure_keys(root / "keys")
    up = lab.run("winlab", "up", estate(root))
    assert up.returncode == 0, up.stderr
    try:
        ran = lab.run(
            "opsproof", "run", "daily", "--inventory", inventory(root), "--reports", lab.reports,
        )  # fmt: skip
    finally:
        lab.run("winlab", "down")
    [bundle] = (lab.reports / "runs").iterdir()
    run = json.loads((bundle / "run.json").read_text())
    assert run["hosts"]["real-01"]["outcome"] == "ok", ran.stdout + ran.stderr
    for line in (bundle / "observations.jsonl").read_text().splitlines():
        observation = json.loads(line)
        if observation["subject"]["kind"] == "host":
            return observation["facts"]
    raise AssertionError("no observation of the host")


def test_every_log_was_read(facts: Any) -> None:
    records = {Path(source["file"]).name: source["records"] for source in facts["audit"]["sources"]}
    assert facts["audit"]["files"] == 5
    assert sum(records.values()) >= 130


def test_what_was_done_to_these_hosts_is_found(facts: Any) -> None:
    """The samples' names say it: a service installed for a named pipe, SQL logons guessed."""
    channels = {hit["channel"] for hit in facts["security"]["hits"]}
    assert "System" in channels
    assert facts["security"]["hit_count"] >= 2


def test_a_damaged_log_is_named_and_hides_nothing(facts: Any) -> None:
    assert facts["audit"]["unreadable"]
    assert {item["file"].rpartition("_u_")[2] for item in facts["audit"]["unreadable"]} == {
        "ex150102.log"
    }

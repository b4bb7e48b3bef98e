"""The playbook plans, waits for the ticket, stores, and is quiet the second time."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.signatures import drills, tickets

from opsproof.evidence.keys import create_demo_keys
from opsproof.signatures import simulate
from opsproof.signatures.plan import load_plan
from opsproof.signatures.simulate import Drill

PROJECT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.e2e


@pytest.fixture
def drill(tmp_path: Path) -> Drill:
    lab = drills.lab_of("ecdsa")
    create_demo_keys(tmp_path / "keys", now=lab.now)
    return simulate.simulate(tmp_path, lab, records=20, seed=4, damaged_percent=60)


def play(drill: Drill, *words: str, **variables: object) -> dict[str, Any]:
    """Run the playbook, which names no person; the recap's counts and the evidence handed over."""
    folder = drill.folder
    given = {
        "signatures_profile": str(folder / "profile.yml"),
        "signatures_database": drill.url,
        "signatures_work": str(folder / "work"),
        "signatures_certificates": [str(folder / "signers.pem")],
        "signatures_trusted": [str(folder / "ca.pem")],
        "signatures_revocations": [str(folder / "ca.crl")],
        "signatures_base": [str(folder / "base.csv")],
        "signatures_calendar": str(folder / "calendar.yml"),
        **variables,
    }
    (folder / "vars.json").write_text(json.dumps(given), encoding="utf-8")
    (folder / "hosts.yml").write_text(
        "signature_databases:\n  hosts:\n    archive: {ansible_connection: local}\n"
    )
    command = [
        "ansible-playbook",
        "-i",
        str(folder / "hosts.yml"),
        "-e",
        f"@{folder / 'vars.json'}",
    ]
    answer = subprocess.run(
        [*command, *words, str(PROJECT / "playbooks/signature_correction.yml")],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.json",
            "ANSIBLE_HOME": str(folder / "ansible"),
        },
    )
    with (folder / "base.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    secret = {row[name] for row in rows for name in ("ticket", "name", "note", "signature")}
    said = answer.stdout + answer.stderr
    said += json.dumps(json.loads(answer.stdout[answer.stdout.index("{") :]), ensure_ascii=False)
    assert not [one for one in secret if len(one) > 1 and one in said]
    document: dict[str, Any] = json.loads(answer.stdout[answer.stdout.index("{") :])
    tasks = document["plays"][0]["tasks"]
    results = {task["task"]["name"]: task["hosts"]["archive"] for task in tasks}
    return {"stats": document["stats"]["archive"], "results": results, "rc": answer.returncode}


def test_plan_approve_store_and_again(drill: Drill) -> None:
    planned = play(drill)
    assert planned["rc"] == 0
    assert planned["stats"]["changed"] == 0
    plan = load_plan(drill.folder / "work/plan.jsonl")
    evidence = next(
        one["opsproof_evidence"]
        for one in planned["results"].values()
        if "opsproof_evidence" in one
    )
    [observation] = evidence["observations"]
    assert observation["subject"] == {"host": "archive", "id": "drill-scores", "kind": "record-set"}
    assert observation["facts"]["plan_sha256"] == plan.sha256

    tickets.write(drill.folder / "ticket.yml", drill.lab.approver, plan.sha256)
    approved = {
        "signatures_ticket": str(drill.folder / "ticket.yml"),
        "signatures_approvers": str(drill.folder / "approvers.pem"),
        "signatures_bureau": str(drill.folder / "keys/bureau.pem"),
    }
    before = (drill.folder / "records.db").read_bytes()
    checked = play(drill, "--check", "--diff", **approved)
    assert (checked["rc"], checked["stats"]["changed"]) == (0, 1)
    assert (drill.folder / "records.db").read_bytes() == before
    stored = play(drill, **approved)
    assert (stored["rc"], stored["stats"]["changed"]) == (0, 1)
    again = play(drill, **approved)
    assert (again["rc"], again["stats"]["changed"]) == (0, 0)

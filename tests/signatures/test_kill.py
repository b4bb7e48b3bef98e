"""A process killed at random points of apply, on real databases: nothing lost, nothing doubled."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tests.signatures import drills, tickets
from tests.signatures.applying import assert_only_right_values, contents
from tests.signatures.servers import PostgresServer

from opsproof.evidence.cms import decrypt
from opsproof.evidence.keys import create_demo_keys, load_keys
from opsproof.signatures import simulate
from opsproof.signatures.simulate import Drill

pytestmark = pytest.mark.e2e


@pytest.fixture(params=["sqlite", "postgresql", "mssql"])
def drill(request: pytest.FixtureRequest, tmp_path: Path) -> Drill:
    url = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        assert isinstance(server, PostgresServer)
        url = server.new_database()
    if request.param == "mssql":
        url = request.getfixturevalue("sql_server").new_database()
    lab = drills.lab_of("ecdsa")
    create_demo_keys(tmp_path / "keys", now=lab.now)
    return simulate.simulate(tmp_path, lab, records=120, seed=11, url=url, damaged_percent=80)


def command_of(drill: Drill, verb: str, *more: str) -> list[str]:
    """Small batches make many points at which a kill can come."""
    folder = drill.folder
    code = (
        "import sys; from opsproof.signatures import apply, correction;"
        "from functools import partial;"
        "correction.Applier = partial(apply.Applier, batch=3);"
        "from opsproof.cli.main import main; main()"
    )
    words = ["signatures", verb, "--quiet", "--profile", str(folder / "profile.yml")]
    words += ["--database", drill.url, "--work", str(folder), "--ticket", str(folder / "t.yml")]
    words += ["--approvers", str(folder / "approvers.pem"), "--trusted", str(folder / "ca.pem")]
    words += ["--certificates", str(folder / "signers.pem"), "--crl", str(folder / "ca.crl")]
    words += ["--bureau", str(folder / "keys/bureau.pem")]
    return [sys.executable, "-c", code, *words, *more]


def test_killed_at_random_points(drill: Drill) -> None:
    before = contents(drill)
    job, plan = drills.planned(drill)
    tickets.write(drill.folder / "t.yml", drill.lab.approver, plan.sha256)
    command = command_of(drill, "apply")
    rng = random.Random(7)  # noqa: S311 - any points will do
    killed = 0
    for _ in range(3):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=drill.folder
        )
        _wait_for_work(process, drill.folder)
        time.sleep(rng.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        assert_only_right_values(drill, job, before)
    assert killed > 0
    last = subprocess.run(command, capture_output=True, text=True, cwd=drill.folder)
    assert last.returncode == 0, last.stderr
    after = contents(drill)
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {entry.key[0] for entry in plan.writes()}
    assert_only_right_values(drill, job, before)
    assert {row["key"][0] for row in _images(drill.folder)} == changed

    back = command_of(drill, "rollback", "--bureau-key", str(drill.folder / "keys/bureau.key"))
    process = subprocess.Popen(back, stderr=subprocess.DEVNULL, cwd=drill.folder)
    while process.poll() is None and not (drill.folder / "rollback.jsonl").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() in (-signal.SIGKILL, 0)  # a busy machine may let it end first
    half = contents(drill)
    assert all(half[key] in (before[key], after[key]) for key in before)
    last = subprocess.run(back, capture_output=True, text=True, cwd=drill.folder)
    assert last.returncode == 0, last.stderr
    assert contents(drill) == before


def _wait_for_work(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Until the process writes its first new image, or ends."""
    count = len(_files(folder))
    while process.poll() is None:
        if len(_files(folder)) > count:
            return
        time.sleep(0.01)


def _files(folder: Path) -> list[Path]:
    return sorted((folder / "before").rglob("*.p7m"))


def _images(folder: Path) -> list[dict[str, Any]]:
    key = load_pem_private_key((folder / "keys/bureau.key").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    bureau = load_keys(folder / "keys").bureau
    rows: list[dict[str, Any]] = []
    for path in _files(folder):
        rows += json.loads(decrypt(path.read_bytes(), bureau, key))["rows"]
    return rows

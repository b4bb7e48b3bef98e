"""Runs that are killed or stopped at any moment, with real Ansible and a slow playbook."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from opsproof.evidence.records import RUN_FILE
from opsproof.run.environment import tool

pytestmark = pytest.mark.e2e


def start(project: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [tool("opsproof"), "run", "daily", "--inventory", "inventory"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def processes(project: Path) -> list[str]:
    """Command lines of Ansible processes that work on this project."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if "ansible" in line and str(project) in line:
            found.append(line)
    return found


def at_work(project: Path) -> bool:
    return (project / "reached").exists()


@pytest.fixture
def slow(project: Path) -> Path:
    """The probe takes two seconds, and tells when Ansible is in the middle of it."""
    variables = project / "inventory" / "group_vars"
    variables.mkdir()
    (variables / "all.yml").write_text(
        json.dumps({"probe_command": f"touch {project}/reached; sleep 2"})
    )
    return project


def partials(project: Path) -> list[str]:
    return sorted(path.name for path in (project / "reports" / "runs").glob(".*.partial"))


def sealed(project: Path) -> list[str]:
    return sorted(path.name for path in (project / "reports" / "runs").glob("[0-9]*"))


def verify(project: Path) -> int:
    command = [tool("opsproof"), "verify", "reports"]
    return subprocess.run(command, cwd=project, capture_output=True, check=False).returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_ends_ansible_and_marks_its_folder(
    slow: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = start(slow)
    wait_for(lambda: at_work(slow))
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "is not sealed; the next run reports it" in err
    assert "bundle" not in out
    assert processes(slow) == []
    [partial] = partials(slow)
    record = json.loads((slow / "reports" / "runs" / partial / RUN_FILE).read_text())
    assert record["status"] == "interrupted"
    assert sealed(slow) == []
    assert list(tmp_path.glob("opsproof-*/*")) == []


def test_a_killed_run_takes_ansible_with_it_and_the_next_one_says_so(
    slow: Path, tmp_path: Path
) -> None:
    process = start(slow)
    wait_for(lambda: at_work(slow))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_for(lambda: processes(slow) == [], 5)
    [partial] = partials(slow)
    killed = partial.removeprefix(".").removesuffix(".partial")
    (slow / "inventory" / "group_vars" / "all.yml").write_text("{}")

    again = start(slow)
    _, err = again.communicate()
    assert again.returncode == 1
    assert f"an earlier run was interrupted before it was sealed: {killed}" in err
    [run] = sealed(slow)
    record = json.loads((slow / "reports" / "runs" / run / RUN_FILE).read_text())
    assert record["interrupted"] == [killed]
    assert partials(slow) == []
    assert (slow / "reports" / "interrupted" / killed).is_dir()
    assert list(tmp_path.glob("opsproof-*/*")) == []

    third = start(slow)
    _, err = third.communicate()
    assert "interrupted" not in err
    assert verify(slow) == 0


def test_killed_at_random_moments_the_reports_stay_verifiable(project: Path) -> None:
    seed = int(os.environ.get("KILL_SEED", "20261122"))
    moments = random.Random(seed)  # noqa: S311 - not for secrets
    for _ in range(int(os.environ.get("KILL_ROUNDS", "4"))):
        process = start(project)
        time.sleep(moments.uniform(0.4, 4.0))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    left = partials(project)
    process = start(project)
    _, err = process.communicate()
    assert process.returncode == 1, err
    assert err.count("an earlier run was interrupted") == len(left), f"seed {seed}"
    assert partials(project) == []
    assert len(sealed(project)) >= 1
    assert verify(project) == 0


def test_two_runs_of_one_inventory_exclude_each_other(slow: Path) -> None:
    # The first is at work until the second has ended, however long that takes.
    (slow / "inventory" / "group_vars" / "all.yml").write_text(
        json.dumps(
            {"probe_command": f"touch {slow}/reached; until test -e {slow}/go; do sleep 0.1; done"}
        )
    )
    first = start(slow)
    wait_for(lambda: at_work(slow))
    second = start(slow)
    _, err = second.communicate()
    (slow / "go").touch()
    first.communicate()
    assert second.returncode == 4
    assert f"another run holds this inventory: process {first.pid} of " in err
    assert first.returncode == 1
    assert len(sealed(slow)) == 1

"""The roles' Molecule scenarios, all against one lab; `molecule test --all` is what a user types."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.conftest import PROJECT

pytestmark = pytest.mark.e2e

SCENARIOS = {path.parent.name for path in (PROJECT / "molecule").glob("*/molecule.yml")} - {
    "default"
}
STEPS = ("syntax", "check", "converge", "idempotence", "verify")


def test_every_scenario_passes_every_step(tmp_path: Path) -> None:
    """Molecule ends well when a playbook is missing: the steps are counted too."""
    assert {"inspection", "estate"} <= SCENARIOS
    ran = subprocess.run(
        ["molecule", "test", "--all"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "NO_COLOR": "1",
            "LC_ALL": "C.UTF-8",
            "WINLAB_STATE": str(tmp_path / "lab"),
        },
    )
    printed = re.sub(r"\x1b\[[0-9;]*m", "", ran.stdout + ran.stderr)
    assert ran.returncode == 0, printed[-6000:]
    recap = dict(re.findall(r"^(\S+) *: actions=\d+ +successful=(\d+) ", printed, re.MULTILINE))
    for scenario in SCENARIOS:
        assert recap[scenario] == str(len(STEPS)), scenario

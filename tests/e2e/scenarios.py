"""Runs Molecule's scenarios as a user does, a lab and a folder of its own for each call."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml
from tests.e2e.conftest import PROJECT

SCENARIOS = frozenset(
    path.parent.name for path in (PROJECT / "molecule").glob("*/molecule.yml")
) - {"default"}
# Two groups, so that two workers share them: what changes hosts, and what only looks at them.
CHANGING = frozenset({"hardening", "patching"})
LOOKING = SCENARIOS - CHANGING


def steps(scenario: str) -> frozenset[str]:
    """What a scenario does between the start of the lab and its end."""
    named: set[str] = set()
    for path in (
        PROJECT / ".config/molecule/config.yml",
        PROJECT / f"molecule/{scenario}/molecule.yml",
    ):
        settings = yaml.safe_load(path.read_text()) or {}
        named = set(settings.get("scenario", {}).get("test_sequence", named))
    assert {"syntax", "check", "verify"} <= named, f"{scenario} proves too little"
    return frozenset(named - {"create", "destroy"})


def pass_every_step(scenarios: Iterable[str], folder: Path) -> None:
    """Fail unless each scenario passes each of its steps.

    Molecule ends well when a playbook is missing: the steps are counted too.
    """
    names = sorted(scenarios)
    ran = subprocess.run(
        ["molecule", "test", *(part for name in names for part in ("-s", name))],
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
            "MOLECULE_EPHEMERAL_DIRECTORY": str(folder / "molecule"),
            "WINLAB_STATE": str(folder / "lab"),
        },
    )
    printed = re.sub(r"\x1b\[[0-9;]*m", "", ran.stdout + ran.stderr)
    # The last failure, and how all ended: Molecule's output is long, and pytest shows its end.
    failure = max(printed.rfind("fatal: ["), 0)
    assert ran.returncode == 0, f"{printed[failure : failure + 6000]}\n[...]\n{printed[-3000:]}"
    recap = dict(re.findall(r"^(\S+) *: actions=\d+ +successful=(\d+) ", printed, re.MULTILINE))
    for name in names:
        assert recap.get(name) == str(len(steps(name))), f"{name}: {printed[-3000:]}"

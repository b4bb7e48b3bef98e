"""One lab for all end-to-end tests, with its own state folder beside any other lab."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from opsproof.evidence.keys import ensure_keys

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Lab:
    """A running lab as a user has it: a state folder, an inventory, a reports folder."""

    root: Path

    @property
    def inventory(self) -> Path:
        return self.root / "lab"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def password(self) -> str:
        state = json.loads((self.root / "state/state.json").read_text())
        return Path(state["password_file"]).read_text().strip()

    def run(
        self, *command: str | Path, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command at the project's root, as a user of this lab types it."""
        return subprocess.run(
            [str(part) for part in command],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
                "LC_ALL": "C.UTF-8",
                "OPSPROOF_KEYS": str(self.root / "keys"),
                "WINLAB_STATE": str(self.root / "state"),
                **(env or {}),
            },
        )

    def json(self, *command: str | Path) -> Any:
        """What a command of ours prints as JSON."""
        ran = self.run(*command)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    found = Lab(tmp_path_factory.mktemp("lab"))
    shutil.copytree(
        PROJECT / "inventories/lab",
        found.inventory,
        ignore=shutil.ignore_patterns("schedule.yml", "__pycache__"),
    )
    ensure_keys(found.root / "keys")
    yield found
    found.run("winlab", "down")


@pytest.fixture(scope="session")
def running(lab: Lab) -> Lab:
    """The lab, started."""
    up = lab.run("winlab", "up", lab.inventory / "estate.yml")
    assert up.returncode == 0, up.stderr
    return lab


@pytest.fixture(scope="session")
def demonstrated(lab: Lab) -> Lab:
    """The lab after `make demo`'s own steps have succeeded on it."""
    ran = lab.run(sys.executable, "scripts/demo.py", lab.inventory, lab.reports)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
    return lab

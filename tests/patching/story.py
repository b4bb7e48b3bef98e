"""The stories' lab with an inventory beside it, and what a run of Ansible tells of each host."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.patching.hosts import ESTATE

from winlab.estate.control import ask
from winlab.estate.state import StateFolder

PROJECT = Path(__file__).resolve().parents[2]
CANARIES = ("canary", "canary-2019")
APPROVED = [
    {
        "kb": kb,
        "severity": "critical",
        "released": "2026-11-10",
        "approver": "Wang",
        "ticket": "CHG-1",
        **more,
    }
    for kb, more in (
        ("KB5068787", {"builds": [20348]}),
        ("5068791", {"builds": [17763]}),
        ("5066139", {}),
    )
]
HOST_VARIABLES: dict[str, dict[str, Any]] = {
    "late": {"patching_window_end": "2026-01-01T00:00:00+00:00"},
    "empty-list": {"patching_approved": []},
    "stays-away": {"patching_restart_timeout": 3},
    "unreachable-wsus": {"patching_last_backup": ""},
}


@dataclass(frozen=True)
class Stories:
    """A state folder, an inventory, a reports folder; commands run at the project's root."""

    root: Path

    @property
    def inventory(self) -> Path:
        return self.root / "inventory"

    def write_inventory(self, canaries: tuple[str, ...] = CANARIES) -> None:
        """The hosts of the estate, those of a pair as one service."""
        self.inventory.mkdir(exist_ok=True)
        shutil.copy(PROJECT / "inventories/lab/winlab.py", self.inventory / "winlab.py")
        names = [host["name"] for host in yaml.safe_load(ESTATE.read_text())["hosts"]]
        connection = yaml.safe_load(
            (PROJECT / "inventories/lab/group_vars/windows.yml").read_text()
        )
        pair = {"patching_service": "pair", "patching_ports": [8080]}
        groups = {
            "windows": {"hosts": {name: HOST_VARIABLES.get(name, {}) for name in names}},
            "patching_canary": {"hosts": {name: {} for name in canaries}},
            "pair": {"hosts": {"pair-01": {}, "pair-02": {}}, "vars": pair},
            "broken_service": {
                "hosts": {"breaks-service": {}, "next-to-broken": {}},
                "vars": {"patching_service": "broken_service"},
            },
            "current_service": {
                "hosts": {"current": {}, "current-too": {}},
                "vars": {"patching_service": "current_service"},
            },
            "lonely_service": {
                "hosts": {"lonely": {}, "lonely-partner": {"ansible_host": "127.0.0.1"}},
                "vars": {"patching_service": "lonely_service"},
            },
        }
        everywhere = {
            **connection,
            "patching_approved": APPROVED,
            "patching_settle_seconds": 2,
            "patching_settle_tries": 2,
        }
        text = yaml.safe_dump({"all": {"children": groups, "vars": everywhere}})
        (self.inventory / "hosts.yml").write_text(text, encoding="utf-8")

    def run(self, *command: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
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
                **env,
            },
        )

    def play(
        self, playbook: Path, *options: str, failed: set[str] | None = None, **env: str
    ) -> dict[str, dict[str, Any]]:
        """Facts that each host handed over; hosts that handed nothing over are not there.

        Names of hosts that failed go into ``failed``.
        """
        ran = self.run(
            "ansible-playbook", "-f", "20", "-i", self.inventory, playbook, *options,
            ANSIBLE_STDOUT_CALLBACK="ansible.posix.json", **env,
        )  # fmt: skip
        begin = ran.stdout.find("{\n")
        assert begin >= 0, ran.stdout + ran.stderr
        told = json.loads(ran.stdout[begin:])
        if failed is not None:
            failed |= {host for host, stat in told["stats"].items() if stat["failures"]}
        found = {}
        for play in told["plays"]:
            for task in play["tasks"]:
                for host, result in task["hosts"].items():
                    if "opsproof_evidence" in result:
                        [observation] = result["opsproof_evidence"]["observations"]
                        found[host] = observation["facts"]
        return found

    def dump(self, host: str) -> dict[str, Any]:
        control = StateFolder(self.root / "state").control
        model: dict[str, Any] = ask(control, {"do": "dump", "hosts": [host]})[host]
        return model

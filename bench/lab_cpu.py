"""CPU seconds of the lab against those of ansible-playbook for 100 host-tasks of win_ping.

Usage: python -m bench.lab_cpu [--hosts 20] [--tasks 5]. Ends with 1 when a ratio is 15 % or more.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.lab_bench import cpu_seconds, small_lab

LIMIT = 0.15
TRANSPORTS = {
    "basic, http": {"ansible_winrm_transport": "basic", "ansible_winrm_scheme": "http"},
    "ntlm, http, encrypted": {"ansible_winrm_transport": "ntlm", "ansible_winrm_scheme": "http"},
    "basic, https": {"ansible_winrm_transport": "basic", "ansible_winrm_scheme": "https"},
    "ntlm, https": {"ansible_winrm_transport": "ntlm", "ansible_winrm_scheme": "https"},
}


def inventory(folder: Path, state: dict[str, Any], variables: dict[str, str]) -> Path:
    """Write an inventory of all hosts of the lab."""
    password = Path(state["password_file"]).read_text().strip()
    port = 5985 if variables["ansible_winrm_scheme"] == "http" else 5986
    lines = ["[lab]"]
    lines += [f"{name} ansible_host={h['address']}" for name, h in state["hosts"].items()]
    lines += [
        "[lab:vars]",
        "ansible_connection=winrm",
        f"ansible_user={state['user']}",
        f"ansible_password={password}",
        f"ansible_port={port}",
        f"ansible_winrm_ca_trust_path={state['ca']}",
        *(f"{key}={value}" for key, value in variables.items()),
    ]
    path = folder / "hosts.ini"
    path.write_text("\n".join(lines) + "\n")
    return path


def children_seconds() -> float:
    """CPU seconds of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    """Measure every transport; print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--tasks", type=int, default=5)
    given = parser.parse_args()
    worst = 0.0
    with small_lab(given.hosts) as (folder, state):
        play = folder / "play.yml"
        config = folder / "ansible.cfg"
        config.write_text("[defaults]\n")
        task = "    - ansible.windows.win_ping:\n"
        play.write_text("- hosts: lab\n  gather_facts: false\n  tasks:\n" + task * given.tasks)
        print(f"{given.hosts * given.tasks} host-tasks of win_ping")
        for name, variables in TRANSPORTS.items():
            hosts = inventory(folder, state, variables)
            lab, controller, wall = cpu_seconds(state["pid"]), children_seconds(), time.monotonic()
            done = subprocess.run(
                ["ansible-playbook", "-i", str(hosts), "-f", "5", str(play)],
                capture_output=True,
                text=True,
                env={**os.environ, "ANSIBLE_CONFIG": str(config), "LC_ALL": "C.UTF-8"},
            )
            if done.returncode:
                print(done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
                return 3
            wall = time.monotonic() - wall
            lab = cpu_seconds(state["pid"]) - lab
            controller = children_seconds() - controller
            worst = max(worst, lab / controller)
            print(
                f"{name:<24} lab {lab:5.2f} s  ansible-playbook {controller:6.2f} s  "
                f"ratio {lab / controller:6.1%}  wall {wall:5.1f} s"
            )
    print(f"limit {LIMIT:.0%}: {'kept' if worst < LIMIT else 'EXCEEDED'}")
    return 0 if worst < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())

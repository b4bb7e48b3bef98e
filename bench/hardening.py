"""The same settings by one task each and by the role: module runs, bytes and seconds on one host.

    python -m bench hardening

Both run against a host of the lab that complies, where nothing needs to change: that is what most
runs are. Seconds are measured without latency, and computed for calls of 2 s, the lower of the two
figures that ansible-collections/ansible.windows#355 reports from the field.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from opsproof.policy.baseline import Comparison, Setting, layered
from opsproof.policy.baseline_write import dump
from opsproof.policy.baseline_yaml import load_layers
from opsproof.policy.registry import RegistryPath
from opsproof.policy.targets import Registry, Service
from winlab.host.host import Host, HostSpec

PROJECT = Path(__file__).resolve().parents[1]
HOST = "app-info-01"
SECONDS_A_CALL = 2

# The role holds these back; tasks that simply set them lock themselves out, in the lab too.
CUTTING = ("FilterAdministratorToken", "LocalAccountTokenFilterPolicy")


@dataclass(frozen=True)
class Cost:
    modules: int
    bytes: int
    seconds: float


MODES = {"auto": "auto", "delayed-auto": "delayed", "demand": "manual", "disabled": "disabled"}


def settings() -> list[Setting]:
    """Registry values and services of the IIS server's layers: what a task can set alone.

    A service that a host does not have is left out: a task for it fails.
    """
    host = Host(HostSpec(name=HOST), lambda: datetime.now(UTC))
    found = layered(load_layers(["iis-server"], PROJECT / "baselines"))
    return [
        one
        for one in found
        if (isinstance(one.target, Registry) and one.target.path.name not in CUTTING)
        or (isinstance(one.target, Service) and host.services.find(one.target.name) is not None)
    ]


def task(setting: Setting) -> dict[str, Any]:
    if isinstance(setting.target, Service):
        mode = MODES[str(setting.value)]
        service = {"name": setting.target.name, "start_mode": mode}
        return {"name": f"Set {setting.id}", "ansible.windows.win_service": service}
    assert isinstance(setting.target, Registry)
    path: RegistryPath = setting.target.path
    arguments: dict[str, Any] = {"path": f"HKLM:\\{path.key}", "name": path.name}
    if setting.comparison is Comparison.ABSENT:
        arguments["state"] = "absent"
    else:
        kinds = {"SZ": "string", "DWORD": "dword", "MULTI_SZ": "multistring"}
        value = list(setting.value) if isinstance(setting.value, tuple) else setting.value
        arguments |= {"data": value, "type": kinds[setting.target.type.name]}
    return {"name": f"Set {setting.id}", "ansible.windows.win_regedit": arguments}


def run(playbook: Path, environment: dict[str, str], *extra: str) -> float:
    begun = time.perf_counter()
    subprocess.run(
        [
            "ansible-playbook",
            "-i",
            str(PROJECT / "inventories/lab"),
            "-l",
            HOST,
            str(playbook),
            *extra,
        ],
        env=environment,
        cwd=PROJECT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - begun


def counted(environment: dict[str, str]) -> dict[str, Any]:
    printed = subprocess.run(
        ["winlab", "--format", "json", "counters", HOST],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    document = json.loads(printed.stdout)
    found = document.get("hosts", document)[HOST]
    assert isinstance(found, dict)
    return found


def measured(playbook: Path, environment: dict[str, str], *extra: str) -> Cost:
    before = counted(environment)
    seconds = run(playbook, environment, *extra)
    after = counted(environment)
    moved = sum(after[key] - before[key] for key in ("bytes_in", "bytes_out"))
    return Cost(after["modules"] - before["modules"], moved, seconds)


def line(name: str, many: float, one: float) -> str:
    return f"{name}: {many:.0f} against {one:.0f} = {many / one:.0f} x"


def lines(many: Cost, one: Cost) -> Iterable[str]:
    yield line("calls", many.modules, one.modules)
    yield line("bytes", many.bytes, one.bytes)
    yield line("seconds without latency", many.seconds, max(one.seconds, 0.001))
    computed = (many.modules * SECONDS_A_CALL, one.modules * SECONDS_A_CALL)
    yield line(f"seconds at {SECONDS_A_CALL} s a call (computed)", *computed)


def main() -> int:
    chosen = settings()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {
            **os.environ,
            "WINLAB_STATE": str(folder / "lab"),
            "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        }
        base = replace(load_layers(["member-server"], PROJECT / "baselines")[0], id="bench")
        layer = load_layers(["iis-server"], PROJECT / "baselines")[1]
        sources = {source.id: source for source in (*base.sources, *layer.sources)}
        bench = replace(base, settings=tuple(chosen), sources=tuple(sources.values()))
        (folder / "bench.yml").write_text(dump(bench), encoding="utf-8")
        each, ours = folder / "each.yml", folder / "ours.yml"
        head = {"hosts": "windows", "gather_facts": False}
        each.write_text(yaml.safe_dump([{**head, "tasks": [task(one) for one in chosen]}]))
        roles = [{"role": str(PROJECT / "roles" / "hardening")}]
        variables = {
            "hardening_baselines": ["bench"],
            "hardening_baselines_folder": str(folder),
            "hardening_restore_folder": str(folder / "restore"),
            "opsproof_staging": str(folder / "staging"),
        }
        ours.write_text(yaml.safe_dump([{**head, "vars": variables, "roles": roles}]))
        subprocess.run(
            ["winlab", "up", str(PROJECT / "inventories/lab/estate.yml")],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        try:
            run(ours, environment)
            many, one = measured(each, environment), measured(ours, environment)
        finally:
            subprocess.run(["winlab", "down"], env=environment, check=False)
    sys.stdout.write(f"{len(chosen)} settings on a host that complies\n")
    sys.stdout.writelines(f"{text}\n" for text in lines(many, one))
    return 0 if one.modules == 1 else 1


if __name__ == "__main__":
    sys.exit(main())

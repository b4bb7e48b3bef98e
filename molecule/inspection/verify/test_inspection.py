"""What the role handed over, held against what is really there.

Two other ways to the truth: the lab's own view of a host's model (`winlab dump`), and modules that the
role does not use, through pytest-testinfra. The second also works against real hosts.
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import testinfra

KEPT = sorted(Path(os.environ["OPSPROOF_KEPT"]).glob("*.json"))
REAL = os.environ.get("OPSPROOF_INVENTORY", "")
INVENTORY = REAL or str(Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]) / "inventories/lab")

needs_lab = pytest.mark.skipif(bool(REAL), reason="real hosts have no model to look into")


def observations(path: Path) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["observations"]
    return kept


def facts(path: Path) -> dict[str, Any]:
    [found] = [o["facts"] for o in observations(path) if o["subject"]["kind"] == "host"]
    assert isinstance(found, dict)
    return found


@cache
def models() -> dict[str, Any]:
    """What the lab says of its hosts: one call for all, a process costs more than the answer."""
    printed = subprocess.run(["winlab", "dump"], check=True, capture_output=True, text=True)
    found = json.loads(printed.stdout)
    assert isinstance(found, dict)
    return found


def dump(host: str) -> dict[str, Any]:
    model = models()[host]
    assert isinstance(model, dict)
    return model


def test_every_host_handed_something_over() -> None:
    assert KEPT, "no host handed anything over"


@pytest.fixture(params=KEPT, ids=lambda path: path.stem)
def kept(request: pytest.FixtureRequest) -> Path:
    assert isinstance(request.param, Path)
    return request.param


@needs_lab
def test_disks_and_memory_are_those_of_the_host(kept: Path) -> None:
    model, seen = dump(kept.stem), facts(kept)
    assert {disk["letter"] + ":" for disk in seen["disks"]} == set(model["files"]["drives"])
    for disk in seen["disks"]:
        drive = model["files"]["drives"][disk["letter"] + ":"]
        assert disk["size_mb"] == drive["size"] // 1048576
        # Logs of the host grow from one look to the next.
        assert abs(disk["free_mb"] - drive["free"] // 1048576) <= 4
    assert seen["memory"]["total_mb"] == model["hardware"]["memory_mb"]


@needs_lab
def test_stopped_automatic_services_are_those_of_the_host(kept: Path) -> None:
    model, seen = dump(kept.stem), facts(kept)
    stopped = {
        name
        for name, (mode, state) in model["services"]["all"].items()
        if mode in {"auto", "delayed"} and state == "stopped"
    }
    assert {service["name"] for service in seen["services"]["auto_stopped"]} == stopped


@needs_lab
def test_pending_restart_and_boot_time_are_those_of_the_host(kept: Path) -> None:
    model, seen = dump(kept.stem), facts(kept)
    told, is_so = (datetime.fromisoformat(one["boot_time"]) for one in (seen, model["power"]))
    assert abs(told - is_so) < timedelta(minutes=1)
    if seen["via"] is None:
        assert seen["pending_reboot"]["pending"] == bool(model["power"]["reboot_required"])


@needs_lab
def test_sites_ports_and_certificates_are_those_of_the_host(kept: Path) -> None:
    model, seen = dump(kept.stem), facts(kept)
    if seen["via"] is not None:
        pytest.skip("a host asked through another one shows neither")
    of_kind = {
        kind: [o["facts"] for o in observations(kept) if o["subject"]["kind"] == kind]
        for kind in ("site", "certificate")
    }
    assert {site["name"]: site["state"] for site in of_kind["site"]} == {
        site["name"]: site["state"] for site in model["iis"]["sites"]
    }
    assert {c["thumbprint"] for c in of_kind["certificate"]} == {
        c["thumbprint"] for c in model["certificates"].get("My", [])
    }
    tcp = {item["port"] for item in model["network"]["listening"] if item["protocol"] == "TCP"}
    assert set(seen["ports"]["listening"]) == tcp


@needs_lab
def test_nothing_of_ours_stays_on_the_host(kept: Path) -> None:
    changed = dump(kept.stem)["files"]["changed"]
    assert not [path for path in changed if "opsproof" in path.lower()]


def test_logs_came_home_whole(kept: Path) -> None:
    seen = facts(kept)
    if seen["via"] is not None:
        pytest.skip("a host asked through another one sends no logs")
    assert [log["channel"] for log in seen["events"]["logs"] if log["exported"]] == [
        "Application",
        "Security",
        "System",
    ]
    assert seen["audit"]["unreadable"] == []
    assert seen["audit"]["rules_run"] > 0


def test_another_module_tells_the_same_of_a_service() -> None:
    """One call through testinfra; each costs a process, so only one host."""
    [asked, *_] = [path for path in KEPT if facts(path)["via"] is None]
    name = asked.stem
    host = testinfra.get_host(f"ansible://{name}?ansible_inventory={INVENTORY}")
    answer = host.ansible("ansible.windows.win_service_info", "name=W32Time", check=False)
    assert answer["exists"] is True
    stopped = {s["name"] for s in facts(asked)["services"]["auto_stopped"]}
    assert ("W32Time" in stopped) == (answer["services"][0]["state"] == "stopped") or (
        answer["services"][0]["start_mode"] not in {"auto", "delayed"}
    )

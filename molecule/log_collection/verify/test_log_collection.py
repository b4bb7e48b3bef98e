"""What came home, held against the lab's own view of its hosts; and what went wrong, told apart."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(os.environ["OPSPROOF_KEPT"])
KEPT = sorted(path for path in FOLDER.glob("*.json") if path.stem != "grown")
LAB = os.environ.get("OPSPROOF_INVENTORY", "") == ""
HEALTHY = ("app-certpub-01", "app-verify-01")

needs_lab = pytest.mark.skipif(not LAB, reason="real hosts have no model to look into")


def kept(host: str) -> dict[str, Any]:
    found = json.loads((FOLDER / f"{host}.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def facts(observations: list[dict[str, Any]]) -> dict[str, Any]:
    [found] = [o["facts"] for o in observations if o["subject"]["kind"] == "host"]
    assert isinstance(found, dict)
    return found


def collected(host: str) -> dict[str, Any]:
    return facts(kept(host)["collected"]["observations"])


def audited(host: str) -> dict[str, Any]:
    return facts(kept(host)["audited"]["observations"])


@cache
def models() -> dict[str, Any]:
    printed = subprocess.run(["winlab", "dump"], check=True, capture_output=True, text=True)
    found = json.loads(printed.stdout)
    assert isinstance(found, dict)
    return found


def channels(host: str) -> dict[str, Any]:
    return {one["channel"]: one for one in collected(host)["channels"]}


def test_every_host_handed_something_over() -> None:
    assert KEPT, "no host handed anything over"


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_what_came_was_audited(path: Path) -> None:
    here, there = collected(path.stem), audited(path.stem)
    assert there["audit"]["files"] == here["file_count"]
    if here["file_count"]:
        assert there["audit"]["records"] > 0
        assert there["audit"]["rules_run"] > 0


@needs_lab
@pytest.mark.parametrize("host", HEALTHY)
def test_web_logs_are_those_of_the_host_byte_for_byte(host: str) -> None:
    model = models()[host]["files"]["changed"]
    hashes = {
        path.lower(): entry["sha256"] for path, entry in model.items() if "sha256" in (entry or {})
    }
    files = collected(host)["files"]
    web = [one for one in files if one["kind"] == "iis"]
    assert web
    grown = facts(json.loads((FOLDER / "grown.json").read_text())["observations"])["files"]
    for one in [*web, *grown] if host == "app-certpub-01" else web:
        if one["kind"] == "iis" and one["path"] not in {g["path"] for g in grown if g is not one}:
            assert hashes[one["path"].lower()] == one["sha256"]


@needs_lab
@pytest.mark.parametrize("host", HEALTHY)
def test_a_log_that_is_off_is_told_from_those_that_came(host: str) -> None:
    found = channels(host)
    off = found["Microsoft-Windows-PowerShell/Operational"]
    assert (off["state"], off["enabled"], off["required"]) == ("disabled", False, True)
    assert {found[name]["state"] for name in ("Security", "System", "Application")} == {"collected"}
    absent = found["Microsoft-Windows-Sysmon/Operational"]
    assert (absent["state"], absent["code"], absent["required"]) == ("absent", 15007, False)


@needs_lab
@pytest.mark.parametrize("host", HEALTHY)
def test_a_damaged_log_is_named_and_the_rest_was_audited(host: str) -> None:
    [place] = audited(host)["unreadable"]
    assert place["file"].endswith("archive/Logs/Archive-Security-2026-11-22-00-00-00-000.evtx")


@needs_lab
def test_a_cut_transfer_was_tried_again_and_cost_nothing_else() -> None:
    transfer = collected("app-verify-01")["transfer"]
    assert (transfer["retries"], transfer["parts_failed"], transfer["parts_fetched"]) == (1, 0, 1)
    assert collected("app-certpub-01")["transfer"]["retries"] == 0


@needs_lab
def test_a_full_scratch_drive_leaves_everything_and_says_so() -> None:
    found = collected("app-info-01")
    assert found["file_count"] == 0
    assert {one["state"] for one in found["left"]} == {"no-space"}
    assert channels("app-info-01")["Security"]["state"] == "no-space"
    assert audited("app-info-01")["audit"]["records"] == 0


@needs_lab
def test_data_logs_are_understood_and_their_bursts_found() -> None:
    by_severity = audited("app-verify-01")["rules"].values()
    titles = {rule["title"] for rules in by_severity for rule in rules}
    assert {"Verification fails for many", "Large file"} <= titles
    assert not [gap for gap in audited("app-verify-01")["gaps"] if gap["kind"] == "unmapped-column"]


@needs_lab
def test_a_log_that_has_grown_came_once_more_and_nothing_else_did() -> None:
    grown = facts(json.loads((FOLDER / "grown.json").read_text())["observations"])
    first = collected("app-certpub-01")
    [web] = [one for one in grown["files"] if one["kind"] != "events"]
    assert web["kind"] == "iis"
    assert web["since"] == first["until"]
    assert grown["unchanged"] > 0


@needs_lab
def test_the_budget_holds() -> None:
    counted = json.loads(kept("app-certpub-01")["counted"])
    hosts = counted.get("hosts", counted)
    assert hosts["app-certpub-01"]["modules"] == 4
    assert hosts["app-certpub-01"]["files"] == 1
    # The cut file was asked for twice; the host without room was asked to pack nothing.
    assert (hosts["app-verify-01"]["modules"], hosts["app-verify-01"]["files"]) == (4, 2)
    assert (hosts["app-info-01"]["modules"], hosts["app-info-01"]["files"]) == (3, 0)


@needs_lab
@pytest.mark.parametrize("host", [*HEALTHY, "app-info-01"])
def test_nothing_of_ours_stays_on_the_host(host: str) -> None:
    changed = models()[host]["files"]["changed"]
    assert not [path for path in changed if "opsproof" in path.lower()]


def test_no_raw_log_stays_where_nothing_seals_it() -> None:
    assert not list((FOLDER / "store").rglob("*.evtx"))

"""What the role handed over, held against the lab's own view of its hosts (`winlab dump`)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(os.environ["OPSPROOF_KEPT"])
KEPT = sorted(FOLDER.glob("*.patched"))
REAL = os.environ.get("OPSPROOF_INVENTORY", "")

needs_lab = pytest.mark.skipif(bool(REAL), reason="real hosts have no model to look into")


def facts(path: Path) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def dump(host: str) -> dict[str, Any]:
    printed = subprocess.run(["winlab", "dump", host], check=True, capture_output=True, text=True)
    model = json.loads(printed.stdout)[host]
    assert isinstance(model, dict)
    return model


def test_every_host_handed_something_over() -> None:
    assert KEPT, "no host handed anything over"


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.stem)
def test_a_patched_host_has_nothing_left_to_do(kept: Path) -> None:
    seen = facts(kept)
    assert (seen["result"], seen["rounds"]) == ("current", 0)
    assert not [row for row in seen["updates"] if row["after"] == "missing"]


@needs_lab
@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.stem)
def test_a_host_has_exactly_what_is_approved_for_it(kept: Path) -> None:
    model = dump(kept.stem)
    there = {row["key"] for row in facts(kept)["updates"] if row["after"] == "installed"}
    was = {"KB890830"} if kept.stem == "app-crypt-01" else set()
    assert there == {"KB5068787", "KB5066139"}
    assert {f"KB{kb}" for kb in model["updates"]["installed_kbs"]} - was == there
    before = json.loads((FOLDER / "before.json").read_text(encoding="utf-8"))
    assert model["lab"]["reboots"] - before[kept.stem]["lab"]["reboots"] == 1
    assert sorted(model["updates"]["accepted"]) == sorted(
        i for i in model["updates"]["installed"] if i in model["updates"]["attempts"]
    )


@needs_lab
def test_nothing_of_ours_stays_on_a_host() -> None:
    for kept in KEPT:
        changed = dump(kept.stem)["files"]["changed"]
        assert not [path for path in changed if "opsproof" in path.lower()]


@needs_lab
@pytest.mark.parametrize(
    ("host", "result", "word"),
    [
        ("app-auth-01", "rolled-back", "0x800F0922"),
        ("app-certmake-01", "update-failed", "0x80073701"),
        ("app-certpub-01", "source-unreachable", "0x80244022"),
        ("app-info-01", "blocked", "MiB free"),
        ("app-perm-01", "blocked", "a restart is pending"),
        ("app-icert-01", "blocked", "app-icert-02 of the same service is silent on port 8443"),
        ("app-audit-01", "window-over", "no installation begins so late"),
        ("app-verify-01", "unsound", "ExamVerification"),
        ("mgmt-01", "source-approves-nothing", "offers nothing at all"),
        ("app-iauth-01", "did-not-return", "the host did not come back"),
        ("app-icert-02", "refused", "canary app-verify-01: it ended with unsound"),
    ],
)
def test_what_goes_wrong_is_told_by_its_own_name(host: str, result: str, word: str) -> None:
    path = FOLDER / f"{host}.story"
    told = facts(path)
    assert told["result"] == result, told["reasons"]
    assert word in path.read_text(encoding="utf-8")
    assert told["failed"] is True, "the role ended well where it must not"

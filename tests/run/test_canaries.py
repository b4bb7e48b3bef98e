"""What a run believes of canaries that earlier runs have patched."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.evidence.samples import CONTROLS

from opsproof.controls.scope import INPUT, Known
from opsproof.evidence.bundle import BundleBuilder
from opsproof.evidence.ids import timestamp
from opsproof.evidence.keys import Keys, create_demo_keys, load_keys
from opsproof.evidence.model import Observation, Outcome, Run, RunHost, Subject, SubjectKind
from opsproof.patching.approved import Canary
from opsproof.run.canaries import HOLDS, proven_before

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
MONDAY = NOW - timedelta(days=3)
INVENTORY = "inventories/lab"
GOOD = {
    "wave": "canary",
    "result": "patched",
    "approved_sha256": "ab" * 32,
    "updates": [
        {"key": "KB1", "id": "one", "result": "installed"},
        {"key": "KB2", "id": None, "result": "already-installed"},
        {"key": "KB3", "id": "three", "result": "not-started"},
    ],
}
PROVEN = (("KB1", "one"), ("KB2", None))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys") / ".keys"
    create_demo_keys(folder, now=MONDAY - timedelta(days=60))
    return load_keys(folder)


def sealed(
    reports: Path, keys: Keys, at: datetime, facts: dict[str, dict[str, Any] | None], **more: Any
) -> str:
    """A sealed run of patching that planned these hosts; None is a host that said nothing."""
    run_id = f"{at:%Y%m%dT%H%M%SZ}-patch-0000"
    run = Run(
        **{
            "id": run_id,
            "kind": "patch",
            "inventory": INVENTORY,
            "playbook": "playbooks/patch.yml",
            "started_at": timestamp(at),
            "finished_at": timestamp(at),
            "evaluated_at": timestamp(at),
            "status": "completed",
            "rc": 0,
            "operator": "x",
            "host": "y",
            "hosts": {
                name: RunHost(outcome=Outcome.OK, planned=True, seen=True, activities=("patching",))
                for name in facts
            },
            **more,
        }
    )
    builder = BundleBuilder(reports, run_id)
    builder.add_input("waivers.yml", b"[]\n")
    builder.add_input("controls/sample.yml", CONTROLS)
    builder.add_input(INPUT, Known(subjects=()).to_bytes())
    for name, one in facts.items():
        if one is not None:
            builder.add_observation(
                Observation(
                    id="",
                    run=run_id,
                    activity="patching",
                    subject=Subject(kind=SubjectKind.HOST, id=name, host=name),
                    collected_at=timestamp(at),
                    clock_offset_ms=0,
                    collector="patching/1",
                    facts=one,
                )
            )
    builder.write(run, [])
    builder.seal(keys.signer, now=at)
    builder.close()
    return run_id


def ask(reports: Path, keys: Keys, *canaries: str, now: datetime = NOW) -> dict[str, Canary]:
    return proven_before(reports, INVENTORY, canaries or ("c",), keys.signer.issuers, now)


def test_what_a_canary_proved_on_monday_holds_on_thursday(tmp_path: Path, keys: Keys) -> None:
    run_id = sealed(tmp_path, keys, MONDAY, {"c": GOOD, "d": {**GOOD, "result": "unsound"}})
    assert ask(tmp_path, keys, "c", "d", "e") == {
        "c": Canary(run=run_id, approved_sha256="ab" * 32, proven=PROVEN),
        "d": Canary(run=run_id, approved_sha256="ab" * 32, problem="it ended with unsound"),
    }
    assert ask(tmp_path, keys, now=MONDAY + HOLDS + timedelta(seconds=1)) == {}


def test_the_newest_word_counts_and_trials_do_not(tmp_path: Path, keys: Keys) -> None:
    sealed(tmp_path, keys, MONDAY, {"c": {**GOOD, "result": "unsound"}})
    second = sealed(tmp_path, keys, MONDAY + timedelta(hours=1), {"c": GOOD})
    sealed(tmp_path, keys, MONDAY + timedelta(hours=2), {"c": None}, check=True)
    sealed(tmp_path, keys, MONDAY + timedelta(hours=3), {"c": None}, inventory="inventories/x")
    sealed(tmp_path, keys, MONDAY + timedelta(hours=4), {"other": GOOD})
    assert ask(tmp_path, keys)["c"] == Canary(run=second, approved_sha256="ab" * 32, proven=PROVEN)
    last = sealed(tmp_path, keys, MONDAY + timedelta(hours=5), {"c": {**GOOD, "wave": "rest"}})
    assert ask(tmp_path, keys)["c"].problem == "it was not patched as a canary"
    sealed(tmp_path, keys, MONDAY + timedelta(hours=6), {"c": None})
    assert ask(tmp_path, keys)["c"].problem == "it handed nothing over"
    assert ask(tmp_path, keys)["c"].run > last


def test_evidence_that_was_touched_or_is_gone_is_not_believed(tmp_path: Path, keys: Keys) -> None:
    run_id = sealed(tmp_path, keys, MONDAY, {"c": GOOD})
    folder = tmp_path / "runs" / run_id
    records = folder / "observations.jsonl"
    whole = records.read_text()
    records.write_text(whole.replace('"one"', '"two"'))
    assert "its evidence does not verify: observations.jsonl" in ask(tmp_path, keys)["c"].problem
    records.write_text(whole)
    assert ask(tmp_path, keys)["c"].problem == ""
    shutil.rmtree(folder)
    assert ask(tmp_path, keys)["c"] == Canary(run=run_id, problem="its evidence is missing")


def test_evidence_of_another_signer_is_not_believed(tmp_path: Path, keys: Keys) -> None:
    create_demo_keys(tmp_path / "other", now=MONDAY)
    sealed(tmp_path, load_keys(tmp_path / "other"), MONDAY, {"c": GOOD})
    assert "its evidence does not verify" in ask(tmp_path, keys)["c"].problem


def test_a_bundle_that_was_sealed_again_is_not_the_ledgers(tmp_path: Path, keys: Keys) -> None:
    run_id = sealed(tmp_path, keys, MONDAY, {"c": {**GOOD, "result": "unsound"}})
    sealed(tmp_path / "again", keys, MONDAY, {"c": GOOD})
    folder = tmp_path / "runs" / run_id
    shutil.rmtree(folder)
    shutil.move(tmp_path / "again/runs" / run_id, folder)
    assert ask(tmp_path, keys)["c"].problem == "its evidence is not what the ledger holds"

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest
from tests.evidence import samples

from opsproof.errors import ExitCode, RefusedError, UsageError
from opsproof.evidence import amend
from opsproof.evidence.ledger import EntryKind, Ledger
from opsproof.evidence.reader import corrections, load_bundle, prunes, recover
from opsproof.evidence.records import Correction, read_record
from opsproof.evidence.verify import verify

LATER = samples.NOW + timedelta(days=181)


def correct(reports: Path, supersedes: str, run: str | None = None, reason: str = "typo") -> Path:
    return amend.correct(
        reports,
        samples.keys().signer,
        supersedes=supersedes,
        run=run,
        statement="the disk is D:",
        reason=reason,
        by="engineer",
        now=LATER,
    )


def prune(reports: Path, run: str, *, whole: bool = False, days: int = 181) -> Path:
    return amend.prune(
        reports,
        samples.keys().signer,
        run=run,
        whole=whole,
        reason="raw logs: 180 days",
        by="engineer",
        now=samples.NOW + timedelta(days=days),
    )


def test_a_correction_is_a_new_record_and_changes_nothing(reports: Path) -> None:
    run = samples.sealed_run(reports, 1)
    before = (run / "findings.jsonl").read_bytes()
    finding = load_bundle(run).findings[0].id
    path = correct(reports, finding, run.name)
    assert (run / "findings.jsonl").read_bytes() == before
    assert [(c.supersedes, c.run, c.seq) for c in corrections(reports)] == [(finding, run.name, 2)]
    assert Ledger(reports).entries[1].kind is EntryKind.CORRECTION
    assert correct(reports, path.name).is_dir()
    assert verify(reports).exit_code is ExitCode.OK


def test_a_correction_must_name_something_sealed(reports: Path) -> None:
    run = samples.sealed_run(reports, 1)
    for supersedes, holder in (("FND-1", run.name), ("FND-1", None), (run.name, "nowhere")):
        with pytest.raises(UsageError, match=f"there is no sealed record {supersedes}"):
            correct(reports, supersedes, holder)
    with pytest.raises(UsageError, match="a correction needs its reason"):
        correct(reports, run.name, reason=" ")
    assert Ledger(reports).head.length == 1


def test_an_edited_correction_is_tampering(reports: Path) -> None:
    run = samples.sealed_run(reports, 1)
    path = correct(reports, run.name) / "record.json"
    data = path.read_bytes().replace(b"typo", b"fine")
    path.unlink()
    path.write_bytes(data)
    result = verify(reports)
    assert result.exit_code is ExitCode.TAMPERED
    assert result.problems[0].where == f"records/{path.parent.name}/record.json"


def test_pruned_artifacts_may_be_missing_and_nothing_else(reports: Path) -> None:
    run = samples.sealed_run(reports, 1)
    prune(reports, run.name)
    assert not list((run / "artifacts").iterdir())
    result = verify(reports)
    assert result.exit_code is ExitCode.OK, result.problems
    assert result.done["removed by retention, as recorded"] == 2
    assert result.done["finding recomputed"] == 5
    (run / "findings.jsonl").unlink()
    assert verify(reports).exit_code is ExitCode.INCOMPLETE


def test_a_whole_run_can_be_pruned(reports: Path) -> None:
    run = samples.sealed_run(reports, 1)
    prune(reports, run.name)
    prune(reports, run.name, whole=True)
    assert not run.exists()
    assert [p.whole for p in prunes(reports)] == [False, True]
    assert verify(reports).exit_code is ExitCode.OK
    samples.sealed_run(reports, 2)
    assert verify(reports).exit_code is ExitCode.OK


def test_removal_of_a_whole_run_killed_half_way_is_finished(reports: Path) -> None:
    run = samples.sealed_run(reports, 1)
    prune(reports, run.name, whole=True)
    going = run.with_name(f".{run.name}.partial")
    going.mkdir()
    (going / "run.json").write_bytes(b"half")
    assert verify(reports).exit_code is ExitCode.OK
    prune(reports, run.name, whole=True)
    assert not going.exists()
    assert len(prunes(reports)) == 1


def test_a_prune_record_does_not_excuse_another_run(reports: Path) -> None:
    first, second = samples.sealed_run(reports, 1), samples.sealed_run(reports, 2)
    prune(reports, first.name)
    artifact = min((second / "artifacts").iterdir())
    artifact.unlink()
    assert [p.where for p in verify(reports).problems] == [
        f"runs/{second.name}/artifacts/{artifact.name}"
    ]


def test_logs_are_kept_six_months(reports: Path) -> None:
    run = samples.sealed_run(reports, 1)
    with pytest.raises(RefusedError) as caught:
        prune(reports, run.name, days=179)
    assert str(caught.value) == (
        f"{run.name}: is younger than 180 days (the law keeps logs six months)"
    )
    with pytest.raises(UsageError, match="there is no sealed run nothing"):
        prune(reports, "nothing")


def test_pruning_killed_before_removal_is_finished_by_pruning_again(reports: Path) -> None:
    run = samples.sealed_run(reports, 1)

    class KilledError(Exception):
        pass

    def die(step: str) -> None:
        if step == "done":
            raise KilledError

    with pytest.raises(KilledError):
        amend.prune(
            reports,
            samples.keys().signer,
            run=run.name,
            whole=False,
            reason="r",
            by="b",
            now=LATER,
            checkpoint=die,
        )
    assert len(list((run / "artifacts").iterdir())) == 2
    assert verify(reports).exit_code is ExitCode.OK
    prune(reports, run.name)
    assert not list((run / "artifacts").iterdir())
    assert len(prunes(reports)) == 1


def test_repair_cuts_a_torn_line_and_records_itself(reports: Path) -> None:
    samples.sealed_run(reports, 1)
    torn = b'{"at":"2026'
    with (reports / "ledger.jsonl").open("ab") as stream:
        stream.write(torn)
    path = amend.repair(reports, samples.keys().signer, by="engineer", now=LATER)
    record = read_record(path / "record.json", Correction)
    assert record.supersedes == "ledger.jsonl"
    assert record.torn == hashlib.sha256(torn).hexdigest()
    assert (path / "torn.bin").read_bytes() == torn
    assert Ledger(reports).head.length == 2
    assert verify(reports).exit_code is ExitCode.OK
    with pytest.raises(UsageError, match="is not torn: there is nothing to repair"):
        amend.repair(reports, samples.keys().signer, by="engineer", now=LATER)


def test_repair_takes_up_the_bundle_whose_line_was_torn(reports: Path) -> None:
    samples.sealed_run(reports, 1)
    second = samples.sealed_run(reports, 2)
    ledger = reports / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-20])
    amend.repair(reports, samples.keys().signer, by="engineer", now=LATER)
    assert [entry.kind for entry in Ledger(reports).entries] == ["run", "run", "correction"]
    assert Ledger(reports).entries[1].id == second.name
    assert verify(reports).exit_code is ExitCode.OK
    assert recover(reports).interrupted == ()

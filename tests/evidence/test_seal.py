"""Killed at any step, sealing leaves a partial folder or a sealed one, and the next run says so."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.evidence import samples

from opsproof.errors import ExitCode, IncompleteError, UsageError
from opsproof.evidence.bundle import BundleBuilder
from opsproof.evidence.ledger import Ledger
from opsproof.evidence.reader import load_bundle, recover
from opsproof.evidence.seal import RUNS, sealed_folders
from opsproof.evidence.verify import verify


def steps(reports: Path) -> list[str]:
    seen: list[str] = []
    samples.sealed_run(reports, 1, checkpoint=seen.append)
    return seen


def kill_at(reports: Path, number: int, step: int) -> None:
    """Seal run ``number`` in a child that gets SIGKILL at its ``step``-th checkpoint."""
    left = [step]

    def checkpoint(name: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            samples.sealed_run(reports, number, checkpoint=checkpoint)
        finally:
            os._exit(99)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the child ended by itself: it has no such step"


def test_a_run_passes_all_steps(reports: Path) -> None:
    assert steps(reports)[-6:] == ["sums", "signature", "sync", "rename", "ledger", "done"]
    assert "record" in steps(reports.with_name("other"))


def test_killed_at_any_step_nothing_half_sealed_remains(tmp_path: Path) -> None:
    names = steps(tmp_path / "count")
    for step, name in enumerate(names):
        reports = tmp_path / f"reports-{step}"
        samples.sealed_run(reports, 1)
        kill_at(reports, 2, step)
        after_rename = name in ("ledger", "done")
        result = verify(reports)
        expected = ExitCode.INCOMPLETE if name == "ledger" else ExitCode.OK
        assert result.exit_code is expected, (name, result.problems)
        assert len(sealed_folders(reports)) == (2 if after_rename else 1), name

        found = recover(reports)
        second = "20261123T091500Z-daily-0002"
        assert found.adopted == ((second,) if name == "ledger" else ()), name
        assert found.interrupted == (() if after_rename else (second,)), name
        samples.sealed_run(reports, 3)
        assert verify(reports).exit_code is ExitCode.OK, name
        assert Ledger(reports).head.length == (3 if after_rename else 2)


def test_an_orphan_is_adopted_by_the_next_sealing_and_named_in_its_record(reports: Path) -> None:
    samples.sealed_run(reports, 1)
    orphan = samples.sealed_run(reports, 2)
    ledger = reports / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().split(b"\n")[0] + b"\n")
    third = samples.sealed_run(reports, 3)
    assert load_bundle(third).run.adopted == (orphan.name,)
    assert [entry.id for entry in Ledger(reports).entries][1:] == [orphan.name, third.name]
    assert verify(reports).exit_code is ExitCode.OK


def test_a_living_builder_is_not_reported_as_interrupted(reports: Path) -> None:
    builder = BundleBuilder(reports, "20261122T091500Z-daily-0001")
    assert recover(reports).interrupted == ()
    builder.close()
    assert recover(reports).interrupted == ("20261122T091500Z-daily-0001",)


def test_place_and_time_are_fixed_at_sealing(reports: Path, tmp_path: Path) -> None:
    early = BundleBuilder(reports, "20261122T091500Z-daily-000a", bureau=samples.keys().bureau)
    first = samples.sealed_run(reports, 1)
    samples.fill(early, tmp_path)
    late = early.seal(samples.keys().signer, now=samples.NOW)
    assert (load_bundle(first).run.seq, load_bundle(late).run.seq) == (1, 2)
    assert Ledger(reports).entries[1].previous == load_bundle(late).run.previous
    assert verify(reports).exit_code is ExitCode.OK


def test_a_torn_ledger_refuses_to_grow(reports: Path) -> None:
    samples.sealed_run(reports, 1)
    with (reports / "ledger.jsonl").open("ab") as stream:
        stream.write(b'{"at":"2026')
    with pytest.raises(IncompleteError) as caught:
        samples.sealed_run(reports, 2)
    assert str(caught.value) == (
        f"{reports}/ledger.jsonl:2: the last line is torn (opsproof ledger repair)"
    )


def test_sealed_files_are_read_only(reports: Path) -> None:
    folder = samples.sealed_run(reports, 1)
    modes = {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}
    assert modes == {0o444}


def test_a_run_id_is_used_once(reports: Path) -> None:
    path = samples.sealed_run(reports, 1)
    with pytest.raises(FileExistsError, match=path.name):
        BundleBuilder(reports, path.name)
    with pytest.raises(UsageError, match="is not a run id"):
        BundleBuilder(reports, "../x")


def test_nothing_is_sealed_before_it_was_written(reports: Path) -> None:
    builder = BundleBuilder(reports, "20261122T091500Z-daily-0001")
    with pytest.raises(UsageError, match="nothing was written"):
        builder.seal(samples.keys().signer, now=samples.NOW)
    assert not list((reports / RUNS).glob("[!.]*"))
    builder.close()


def test_writers_at_the_same_time_make_one_chain(reports: Path) -> None:
    samples.keys()
    children = []
    for number in range(1, 5):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for more in range(3):
                    samples.sealed_run(reports, number * 10 + more)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert Ledger(reports).head.length == 12
    assert verify(reports).exit_code is ExitCode.OK

"""The last good analysis stays until there is another whole one."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.signatures import drills
from tests.signatures.conftest import NOW

from opsproof.errors import RefusedError, UsageError
from opsproof.evidence.files import locked
from opsproof.signatures import analyse, simulate
from opsproof.signatures.correction import Correction, Settings
from opsproof.signatures.errors import SourceError
from opsproof.signatures.model import Diagnosis
from opsproof.signatures.workbook import Workbook


@pytest.fixture
def correction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Correction:
    """One that was analysed; its next analysis has many parts, so that something can come between."""
    drill = simulate.simulate(
        tmp_path, drills.lab_of("ecdsa"), records=40, seed=2, damaged_percent=50
    )
    made = Correction(
        Settings(
            profile=tmp_path / "profile.yml",
            database=drill.url,
            work=tmp_path / "work",
            now=NOW,
            certificates=(tmp_path / "signers.pem",),
            trusted=(tmp_path / "ca.pem",),
            revocations=(tmp_path / "ca.crl",),
            base=(tmp_path / "base.csv",),
        )
    )
    made.analyse()
    monkeypatch.setattr(analyse, "analyse", partial(analyse.analyse, batch=2))
    return made


def found(correction: Correction) -> list[Diagnosis]:
    workbook = Workbook(correction.settings.work / "workbook.db")
    rows = list(workbook.found())
    workbook.close()
    return rows


def at(number: int, then: Callable[[], object]) -> Callable[[int, int], None]:
    """Progress that does something once that many records are done."""

    def told(done: int, _: int) -> None:
        if done >= number:
            then()

    return told


def files(correction: Correction) -> set[str]:
    return {path.name for path in correction.settings.work.iterdir()} - {".workbook.db.lock"}


def test_a_killed_analysis_leaves_the_last_one(correction: Correction) -> None:
    before = found(correction)
    assert len(before) > 10
    child = os.fork()
    if child == 0:
        try:
            correction.analyse(at(20, lambda: os.kill(os.getpid(), signal.SIGKILL)))
        finally:
            os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert ".workbook.db.partial" in files(correction)
    assert found(correction) == before
    correction.analyse()
    assert found(correction) == before
    assert files(correction) == {"workbook.db"}


def test_a_database_that_fails_half_way_leaves_the_last_analysis(correction: Correction) -> None:
    before = found(correction)
    database = correction.settings.work.parent / "records.db"

    def drop() -> None:
        link = sqlite3.connect(database)
        link.execute('alter table "exam score" rename to gone')
        link.close()

    with pytest.raises(SourceError, match="no such table"):
        correction.analyse(at(20, drop))
    assert found(correction) == before
    assert files(correction) == {"workbook.db"}


def test_base_data_that_cannot_be_read_leaves_the_last_analysis(correction: Correction) -> None:
    before = found(correction)
    with (correction.settings.work.parent / "base.csv").open("ab") as stream:
        stream.write(b"\xff\xfe\n")
    with pytest.raises(SourceError, match="utf-8"):
        correction.analyse()
    assert found(correction) == before
    assert files(correction) == {"workbook.db"}


def test_the_log_that_another_process_left_is_not_taken_for_the_new_ones(
    correction: Correction,
) -> None:
    before = found(correction)
    (correction.settings.work / "workbook.db-wal").write_bytes(b"what was not brought over")
    correction.analyse()
    assert found(correction) == before
    assert files(correction) == {"workbook.db"}


def test_two_analyses_in_one_folder_do_not_mix(correction: Correction) -> None:
    with (
        locked(correction.settings.work / ".workbook.db.lock"),
        pytest.raises(RefusedError, match="another process is writing"),
    ):
        correction.analyse()


def test_what_is_no_workbook_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing was analysed here"):
        Workbook(tmp_path / "workbook.db")
    assert not list(tmp_path.iterdir())
    for content in (b"", b"no database" * 1000):
        (tmp_path / "workbook.db").write_bytes(content)
        with pytest.raises(UsageError, match="is not what an analysis leaves"):
            Workbook(tmp_path / "workbook.db")


def test_what_others_could_have_written_is_not_believed(
    correction: Correction, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = correction.settings.work / "workbook.db"
    path.chmod(0o620)
    with pytest.raises(UsageError, match="others than you may have written it"):
        Workbook(path)
    path.chmod(0o600)
    Workbook(path).close()
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(UsageError, match="others than you may have written it"):
        Workbook(path)

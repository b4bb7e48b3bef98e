"""The same analysis for any number of processes, and whatever becomes of them."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.signatures import drills

from opsproof import workers
from opsproof.signatures import analyse as analyse_module
from opsproof.signatures import simulate
from opsproof.signatures.analyse import Analysis, Ends, Part, column_bytes
from opsproof.signatures.errors import CertificateError
from opsproof.signatures.model import Diagnosis, RecordClass
from opsproof.signatures.simulate import Drill
from opsproof.signatures.workbook import Workbook

RECORDS = 66
"""Eleven parts of two batches of three records: the last range of keys is empty."""


@pytest.fixture(params=["sqlite", "postgresql"])
def drill(request: pytest.FixtureRequest, tmp_path: Path) -> Drill:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").new_database()
    lab = drills.lab_of("ecdsa")
    return simulate.simulate(tmp_path, lab, records=RECORDS, seed=4, url=url, damaged_percent=60)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units of six records, and copies although the test runner has threads."""
    monkeypatch.setattr(analyse_module, "_BATCHES", 2)
    monkeypatch.setattr(workers, "_may_fork", lambda: True)


def found(drill: Drill, **options: Any) -> tuple[Analysis, list[Diagnosis]]:
    """The analysis and every row of its workbook."""
    job, analysis = drills.analysed(drill, batch=3, **options)
    workbook = Workbook(job.workbook)
    rows = list(workbook.found())
    workbook.close()
    return analysis, rows


def test_processes_find_the_same(drill: Drill, monkeypatch: pytest.MonkeyPatch) -> None:
    one = found(drill)
    assert one[0].records == RECORDS
    assert len(one[1]) > RECORDS // 3
    assert found(drill, workers=2) == one
    assert found(drill, workers=4) == one
    if drill.url.startswith("sqlite"):  # fresh interpreters take a second or two
        monkeypatch.setattr(workers, "_may_fork", lambda: False)
        assert found(drill, workers=2) == one


def test_a_killed_process_changes_nothing(drill: Drill, monkeypatch: pytest.MonkeyPatch) -> None:
    one = found(drill)
    own, part = os.getpid(), analyse_module._Worker.part
    done: list[Ends] = []

    def killed(self: analyse_module._Worker, ends: Ends) -> Part:
        if os.getpid() != own:
            os.kill(os.getpid(), signal.SIGKILL)
        done.append(ends)
        return part(self, ends)

    monkeypatch.setattr(analyse_module._Worker, "part", killed)
    assert found(drill, workers=3) == one
    assert len(done) == RECORDS // 6 + 1


def test_progress_ends_with_every_record(drill: Drill) -> None:
    told: list[tuple[int, int]] = []
    found(drill, workers=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, RECORDS) for done in range(6, RECORDS + 1, 6)]


def cells() -> Iterator[list[Any]]:
    yield from ([None, "a"], ["a", None], ["", "a"], ["a", ""], ["None", "a"], ["null", "a"])
    yield from ([1, 2], ["1", "2"], [1, "2"], [12], ["1,2"], [True, 2], [1.0, 2], [b"1", 2])
    yield from (['a","b'], ["a", "b"], ["\ud800"], ["\\ud800"], ["?"], [2**70], [str(2**70)])


def test_other_cells_are_hashed_as_other_bytes() -> None:
    assert len({column_bytes(one) for one in cells()}) == len(list(cells()))


def test_a_list_that_nobody_at_hand_signed_is_not_passed_over(tmp_path: Path) -> None:
    """It would say nothing, and a signer that it revokes would pass for good."""
    drill = simulate.simulate(tmp_path, drills.lab_of("ecdsa"), records=1, seed=4)
    job = drills.job_of(drill)
    assert job.book().revocations.lists
    der = (drill.folder / "ca.crl").read_bytes()
    for name, data in (
        ("forged", der[:-1] + bytes([der[-1] ^ 1])),
        ("certificate", (drill.folder / "ca.pem").read_bytes()),
    ):
        path = tmp_path / f"{name}.crl"
        path.write_bytes(data)
        with pytest.raises(CertificateError) as caught:
            replace(job, revocations=(*job.revocations, path)).book()
        assert name in str(caught.value)
    with pytest.raises(CertificateError) as caught:
        replace(job, trusted=(), certificates=()).book()
    assert "ca.crl: is not signed by a trusted issuer at hand" in str(caught.value)


@pytest.mark.parametrize(
    ("moment", "wanted"),
    [
        ("0001-01-01 00:00:00", RecordClass.NOT_YET_VALID),
        ("9999-12-31 23:59:59.9-12:00", RecordClass.EXPIRED),
    ],
)
def test_a_time_that_utc_has_no_year_for_is_a_time(
    moment: str, wanted: RecordClass, tmp_path: Path
) -> None:
    """The first is what .NET stores for no time at all."""
    lab = drills.lab_of("ecdsa")
    drill = simulate.simulate(tmp_path, lab, records=3, seed=4, damaged_percent=0)
    with closing(sqlite3.connect(tmp_path / "records.db")) as database, database:
        database.execute('UPDATE "exam score" SET signed_at = ? WHERE id = 2', (moment,))
    analysis, rows = found(drill)
    assert analysis.records == 3
    assert [(one.key, one.record_class) for one in rows] == [((2,), wanted)]

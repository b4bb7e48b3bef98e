from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from opsproof.run.leftovers import KEPT, put_away
from opsproof.run.lock import try_lock

NOW = datetime(2026, 11, 22, tzinfo=UTC)
DEAD = "20261121T090000Z-daily-dead"


def partial(reports: Path, run_id: str) -> Path:
    folder = reports / "runs" / f".{run_id}.partial"
    folder.mkdir(parents=True)
    (folder / "observations.jsonl").write_text("{}\n")
    return folder


def test_a_reported_partial_moves_with_all_that_it_holds(tmp_path: Path) -> None:
    folder = partial(tmp_path, DEAD)
    assert put_away(tmp_path, [DEAD], NOW) == [tmp_path / "interrupted" / DEAD]
    assert not folder.exists()
    assert (tmp_path / "interrupted" / DEAD / "observations.jsonl").read_text() == "{}\n"
    assert (tmp_path / "interrupted").stat().st_mode & 0o777 == 0o700


def test_one_that_is_alive_or_was_not_reported_stays(tmp_path: Path) -> None:
    alive = partial(tmp_path, "20261122T080000Z-daily-aaaa")
    unreported = partial(tmp_path, "20261122T080000Z-daily-bbbb")
    held = try_lock(alive)
    assert held is not None
    assert put_away(tmp_path, ["20261122T080000Z-daily-aaaa", DEAD], NOW) == []
    os.close(held)
    assert alive.is_dir()
    assert unreported.is_dir()


def test_after_six_months_an_interrupted_run_goes(tmp_path: Path) -> None:
    for age in (KEPT - timedelta(days=1), KEPT + timedelta(days=1)):
        partial(tmp_path, f"{NOW - age:%Y%m%dT%H%M%SZ}-daily-0000")
    ids = [path.name[1:].removesuffix(".partial") for path in (tmp_path / "runs").iterdir()]
    put_away(tmp_path, ids, NOW)
    [kept] = (tmp_path / "interrupted").iterdir()
    assert kept.name.startswith(f"{NOW - KEPT + timedelta(days=1):%Y%m%d}")

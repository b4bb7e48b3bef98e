"""Apply and the way back broken off at every point, and a database that stores something else."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.signatures import drills
from tests.signatures.applying import (
    applied,
    assert_only_right_values,
    contents,
    drill_key,
    make,
)

from opsproof.evidence.keys import Keys
from opsproof.signatures.apply import Point
from opsproof.signatures.database import Database, make_engine
from opsproof.signatures.errors import PlanError
from opsproof.signatures.rollback import Rollback


class KilledError(Exception):
    pass


@pytest.mark.parametrize("point", ["read", "image", "updated", "committed", "journalled"])
@pytest.mark.parametrize("batches", [0, 2])
def test_an_interrupted_apply_is_resumed_without_double_work(
    point: Point, batches: int, tmp_path: Path, keys: Keys, keys_folder: Path
) -> None:
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    before = contents(drill)
    job, plan = drills.planned(drill)
    seen: list[Point] = []

    def stop(here: Point) -> None:
        seen.append(here)
        if here == point and seen.count(point) > batches:
            raise KilledError

    with pytest.raises(KilledError):
        applied(job, plan, keys, tmp_path / "work", at=stop)
    result = applied(job, plan, keys, tmp_path / "work")
    assert result.written + result.already == plan.footer.actions["write"]
    assert result.left_alone == 0
    assert_only_right_values(drill, job, before)
    database = Database(job.url, job.profile)
    Rollback(
        plan, job.profile, database, tmp_path / "work", keys.bureau, drill_key(keys_folder)
    ).roll_back()
    database.close()
    assert contents(drill) == before


def test_an_interrupted_way_back_is_resumed_without_double_work(
    url: str, tmp_path: Path, keys: Keys, keys_folder: Path
) -> None:
    drill = make(tmp_path, url)
    before = contents(drill)
    job, plan = drills.planned(drill)
    written = applied(job, plan, keys, tmp_path / "work").written
    after = contents(drill)
    seen: list[Point] = []
    points: list[Point] = ["read", "updated", "committed", "journalled"]

    def stop(here: Point) -> None:
        seen.append(here)
        if points and here == points[0] and seen.count(here) > 1:
            points.pop(0)
            seen.clear()
            raise KilledError

    database = Database(job.url, job.profile)
    key = drill_key(keys_folder)
    back = Rollback(plan, job.profile, database, tmp_path / "work", keys.bureau, key, stop)
    while points:
        with pytest.raises(KilledError):
            back.roll_back()
        now = contents(drill)
        assert all(now[one] in (before[one], after[one]) for one in before)
    last = back.roll_back()
    database.close()
    assert last.written + last.already == written
    assert last.left_alone == 0
    assert contents(drill) == before


def test_what_the_database_made_of_a_value_is_looked_at_before_it_is_kept(
    tmp_path: Path, keys: Keys
) -> None:
    """A trigger, a default or a column that is too short may store another value than was sent."""
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    job, plan = drills.planned(drill)
    engine = make_engine(drill.url)
    with engine.connect() as connection:
        connection.exec_driver_sql(
            'CREATE TRIGGER short AFTER UPDATE OF sign_value ON "exam score" BEGIN UPDATE "exam score"'
            " SET sign_value = substr(new.sign_value, 1, 40) WHERE id = new.id; END"
        )
    engine.dispose()
    before = contents(drill)
    with pytest.raises(PlanError, match="the new value does not verify"):
        applied(job, plan, keys, tmp_path / "work")
    assert contents(drill) == before

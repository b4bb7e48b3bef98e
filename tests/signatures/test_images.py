"""Anybody can encrypt for the bureau: a before-image counts only as far as the plan says the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.signatures import drills
from tests.signatures.applying import applied, contents, drill_key, make

from opsproof.evidence import cms
from opsproof.evidence.canonical import canonical
from opsproof.evidence.keys import Keys
from opsproof.signatures.analyse import Job
from opsproof.signatures.apply import named
from opsproof.signatures.correction import Correction, Settings
from opsproof.signatures.database import Database
from opsproof.signatures.errors import PlanError
from opsproof.signatures.images import images_folder
from opsproof.signatures.model import Entry, image_digest, packed
from opsproof.signatures.plan import Plan
from opsproof.signatures.rollback import Rollback
from opsproof.signatures.simulate import Drill

Forge = Callable[[Drill, Plan], dict[str, Any]]


def stored(drill: Drill, key: int) -> dict[str, Any]:
    return named(drill.profile, contents(drill)[key])


def row_of(drill: Drill, entry: Entry) -> dict[str, Any]:
    """As ``apply`` writes it; the table must still hold what the plan saw."""
    now = stored(drill, entry.key[0])
    return {
        "key": list(entry.key),
        "before": {name: packed(now[name]) for name in entry.changes},
        "after": entry.changes,
        "before_sha256": entry.before,
        "after_sha256": entry.after,
    }


def of_a_record_without_entry(drill: Drill, plan: Plan) -> dict[str, Any]:
    """A better score for a record that is right and that the plan does not name."""
    named_by_plan = {entry.key[0] for entry in plan.entries()}
    key = next(one for one in contents(drill) if one not in named_by_plan)
    now = stored(drill, key)
    return {
        "key": [key],
        "before": {"score": "100.0"},
        "after": {"score": packed(now["score"])},
        "before_sha256": image_digest(now | {"score": "100.0"}),
        "after_sha256": image_digest(now),
    }


def of_another_column(drill: Drill, plan: Plan) -> dict[str, Any]:
    """All is as planned, but more comes back than was written."""
    row = row_of(drill, next(plan.writes()))
    return row | {"before": row["before"] | {"score": "100.0"}}


def with_another_digest(drill: Drill, plan: Plan) -> dict[str, Any]:
    return row_of(drill, next(plan.writes())) | {"before_sha256": "0" * 64}


def with_other_changes(drill: Drill, plan: Plan) -> dict[str, Any]:
    row = row_of(drill, next(plan.writes()))
    return row | {"after": row["after"] | {"sign_value": "QQ=="}}


def encrypted(folder: Path, plan: Plan, keys: Keys, name: str, rows: list[dict[str, Any]]) -> None:
    """With nothing but the bureau's certificate, which is public."""
    document = {"schema": "signature-before/1", "plan": plan.sha256, "rows": rows}
    path = images_folder(folder, plan.sha256) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cms.encrypt(canonical(document), keys.bureau))


def rolled_back(job: Job, plan: Plan, keys: Keys, key_folder: Path, folder: Path) -> None:
    database = Database(job.url, job.profile)
    try:
        Rollback(
            plan, job.profile, database, folder, keys.bureau, drill_key(key_folder)
        ).roll_back()
    finally:
        database.close()


def script_back(drill: Drill, plan: Plan, keys: Keys, key_folder: Path, folder: Path) -> None:
    settings = Settings(drill.folder / "profile.yml", drill.url, folder, drill.lab.now)
    Correction(settings).write_rollback_script(
        plan, keys.bureau, drill_key(key_folder), drill.folder / "back.sql"
    )


@pytest.mark.parametrize(
    "forge",
    [of_a_record_without_entry, of_another_column, with_another_digest, with_other_changes],
)
def test_what_the_plan_does_not_say_is_not_put_back(
    forge: Forge, tmp_path: Path, keys: Keys, keys_folder: Path
) -> None:
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    job, plan = drills.planned(drill)
    forged, work = forge(drill, plan), tmp_path / "work"
    applied(job, plan, keys, work)
    encrypted(work, plan, keys, "999999.p7m", [forged])
    after = contents(drill)
    with pytest.raises(PlanError, match="what the plan does not say") as caught:
        rolled_back(job, plan, keys, keys_folder, work)
    assert caught.value.where is not None
    assert caught.value.where.endswith("999999.p7m")
    assert contents(drill) == after
    with pytest.raises(PlanError, match="what the plan does not say"):
        script_back(drill, plan, keys, keys_folder, work)
    assert not (tmp_path / "back.sql").exists()


@pytest.mark.parametrize("content", ["QQ==", {"base64": "%"}])
def test_a_content_that_the_plan_did_not_see_is_not_put_back(
    content: Any, tmp_path: Path, keys: Keys, keys_folder: Path
) -> None:
    """Whoever forges the first image of a record finds that the approved digest is over all of it."""
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    job, plan = drills.planned(drill)
    row, work = row_of(drill, next(plan.writes())), tmp_path / "work"
    row["before"] = row["before"] | {"sign_value": content}
    applied(job, plan, keys, work)
    encrypted(work, plan, keys, "000000.p7m", [row])
    after = contents(drill)
    with pytest.raises(PlanError, match="not of what the plan saw"):
        rolled_back(job, plan, keys, keys_folder, work)
    assert contents(drill) == after
    with pytest.raises(PlanError, match="not of what the plan saw"):
        script_back(drill, plan, keys, keys_folder, work)


@pytest.mark.parametrize("rows", [[{}], [{"key": [{"x": 1}]}], ["x"]])
def test_what_is_no_image_is_named(
    rows: list[Any], tmp_path: Path, keys: Keys, keys_folder: Path
) -> None:
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}", records=4)
    job, plan = drills.planned(drill)
    encrypted(tmp_path, plan, keys, "000001.p7m", rows)
    with pytest.raises(PlanError, match="is no before-image"):
        rolled_back(job, plan, keys, keys_folder, tmp_path)


def test_a_record_that_is_there_twice_goes_back_once(
    tmp_path: Path, keys: Keys, keys_folder: Path
) -> None:
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    before = contents(drill)
    job, plan = drills.planned(drill)
    row, work = row_of(drill, next(plan.writes())), tmp_path / "work"
    written = applied(job, plan, keys, work).written
    encrypted(work, plan, keys, "000000.p7m", [row, row])
    database = Database(job.url, job.profile)
    back = Rollback(plan, job.profile, database, work, keys.bureau, drill_key(keys_folder))
    result = back.roll_back()
    database.close()
    assert (result.written, result.already, result.left_alone) == (written, 0, 0)
    assert contents(drill) == before

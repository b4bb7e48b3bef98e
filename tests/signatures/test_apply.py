"""Plan, apply, roll back: nothing wrong is written, nothing is lost, nothing is doubled."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pymssql
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.signatures import drills
from tests.signatures.applying import (
    applied,
    assert_only_right_values,
    contents,
    digest_of,
    drill_key,
    make,
)
from tests.signatures.conftest import NOW
from tests.winlab.sql_lab import SqlLab

from opsproof.evidence.keys import Keys
from opsproof.signatures import scripts, simulate
from opsproof.signatures.apply import Applier
from opsproof.signatures.database import Database, make_engine
from opsproof.signatures.errors import PlanError
from opsproof.signatures.model import RecordClass, key_digest
from opsproof.signatures.plan import Plan, load_plan
from opsproof.signatures.planner import make_plan
from opsproof.signatures.profile import TableName
from opsproof.signatures.rollback import Rollback


def left_in(journal: Path) -> list[str]:
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    return [name for line in lines for name in line["left"]]


def test_everything_repairable_is_repaired_and_all_else_is_left(
    url: str, tmp_path: Path, keys: Keys
) -> None:
    drill = make(tmp_path, url)
    before = contents(drill)
    job, plan = drills.planned(drill)
    result = applied(job, plan, keys, tmp_path / "work")
    assert result.left_alone == 0
    assert result.written == plan.footer.actions["write"]
    assert_only_right_values(drill, job, before)
    _, analysis = drills.analysed(drill)
    differing = sum(one.record_class is RecordClass.BASE_DIFFERS for one in drill.truth)
    assert {name: count for name, count in analysis.classes.items() if count} == {
        RecordClass.VALID: 40 - differing,
        RecordClass.BASE_DIFFERS: differing,
    }


def test_the_second_run_has_nothing_to_do(url: str, tmp_path: Path, keys: Keys) -> None:
    drill = make(tmp_path, url)
    job, plan = drills.planned(drill)
    first = applied(job, plan, keys, tmp_path / "work")
    after = contents(drill)
    again = applied(job, plan, keys, tmp_path / "work")
    assert (again.written, again.already) == (0, first.written)
    assert contents(drill) == after
    _, second = drills.planned(drill)
    assert second.footer.actions.get("write", 0) == 0


def test_rows_changed_since_the_plan_are_left_alone(url: str, tmp_path: Path, keys: Keys) -> None:
    drill = make(tmp_path, url)
    job, plan = drills.planned(drill)
    entries = list(plan.writes())
    touched = [entries[0].key[0], entries[-1].key[0]]
    engine = make_engine(drill.url)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.exec_driver_sql(
            f"update \"exam score\" set candidate = 'X' where id in ({touched[0]}, {touched[1]})"  # noqa: S608 - integers of ours
        )
    engine.dispose()
    now, state = contents(drill), digest_of(drill, plan)
    result = applied(job, plan, keys, tmp_path / "work")
    assert result.left_alone == 2
    names = [key_digest((key,)) for key in touched]
    assert result.left == names
    assert left_in(tmp_path / "work/journal.jsonl") == names
    applied(job, plan, keys, tmp_path / "work", batch=1)
    assert left_in(tmp_path / "work/journal.jsonl") == names * 2
    assert result.written == len(entries) - 2
    assert (result.before_sha256, result.after_sha256) == (state, digest_of(drill, plan))
    after = contents(drill)
    assert all(after[key] == now[key] for key in touched)


@pytest.mark.parametrize("now", ["qq==", "QQ== ", "ＱＱ=="])
def test_a_text_that_its_collation_takes_for_the_same_is_another(
    url: str, now: str, tmp_path: Path
) -> None:
    """A condition on the before-image means its bytes."""
    drill = simulate.simulate(
        tmp_path, drills.lab_of("ecdsa"), records=2, seed=1, url=url, damaged_percent=0
    )
    engine = make_engine(url)
    with engine.connect() as connection:
        for line in _CASELESS.get(engine.dialect.name, ()):
            connection.exec_driver_sql(line)
        connection.commit()
    engine.dispose()
    database = Database(url, drill.profile)
    with database.writing() as connection:
        [cells] = database.fetch(connection, [(1,)]).values()
        as_it_is = {"sign_value": dict(cells._mapping)["sign_value"]}
        assert database.update(connection, (1,), as_it_is, {"sign_value": "QQ=="}) == 1
        wrong = {"sign_value": now}
        assert database.update(connection, (1,), wrong, {"sign_value": "other"}) == 0
        right = {"sign_value": "QQ=="}
        assert database.update(connection, (1,), right, {"sign_value": None}) == 1
        assert database.update(connection, (1,), right, {"sign_value": "other"}) == 0
        assert database.update(connection, (1,), {"sign_value": None}, right) == 1
    database.close()


_CASELESS = {
    "sqlite": (
        "CREATE TABLE new (id INTEGER PRIMARY KEY, ticket_no, candidate, subject, score, held_on, note,"
        " sign_value TEXT COLLATE NOCASE, cert_serial, signed_at)",
        'INSERT INTO new SELECT * FROM "exam score"',
        'DROP TABLE "exam score"',
        'ALTER TABLE new RENAME TO "exam score"',
    ),
    "postgresql": (
        "CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level1', deterministic = false)",
        'ALTER TABLE "exam score" ALTER sign_value TYPE text COLLATE caseless',
    ),
}


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    base=st.booleans(),
    fresh=st.booleans(),
    shape=st.sampled_from([one for one in drills.SHAPES if one[0] in simulate.families()]),
)
def test_nothing_wrong_is_ever_written(
    seed: int,
    base: bool,
    fresh: bool,
    shape: tuple[str, str, str, str, str],
    tmp_path_factory: pytest.TempPathFactory,
    keys: Keys,
) -> None:
    folder = tmp_path_factory.mktemp("drill")
    family, form, encoding, flavour, reference = shape
    drill = simulate.simulate(
        folder,
        drills.lab_of(family),
        records=24,
        seed=seed,
        form=form,
        encoding=encoding,
        flavour=flavour,
        reference=reference,
        damaged_percent=70,
    )
    before = contents(drill)
    job, plan = drills.planned(drill, base=base, fresh=fresh)
    applied(job, plan, keys, folder / "work")
    assert_only_right_values(drill, job, before)
    repairable = {
        RecordClass.ENCODING_DAMAGE,
        RecordClass.WRONG_CONTAINER,
        RecordClass.WRONG_REFERENCE,
        RecordClass.SWAPPED,
    }
    written = {entry.key[0] for entry in plan.writes()}
    for one in drill.truth:
        if one.record_class in repairable:
            assert one.key in written, (one.key, one.record_class, one.fault)


def _rewritten(plan: Plan, change: Callable[[dict[str, Any]], None]) -> Plan:
    lines = plan.path.read_bytes().splitlines()
    from opsproof.evidence.canonical import canonical_line

    place = next(n for n, line in enumerate(lines) if b'"action":"write"' in line)
    entry = json.loads(lines[place])
    change(entry)
    lines[place] = canonical_line(entry).rstrip(b"\n")
    plan.path.write_bytes(b"\n".join(lines) + b"\n")
    return load_plan(plan.path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda entry: entry["changes"].update(sign_value="AAAA"),
            "the new value does not verify: ",
        ),
        (
            lambda entry: entry["changes"].update(score="150.0"),
            "changes columns that are not the signature's",
        ),
        (
            lambda entry: entry["changes"].update({"sign_value\" = ''; drop table x": "A"}),
            "changes columns that are not the signature's",
        ),
        (
            lambda entry: entry.update(data="0" * 64),
            "the new value does not verify: it is not what was planned",
        ),
        (
            lambda entry: entry.update(after="0" * 64),
            "the new value does not verify: it is not what was planned",
        ),
    ],
)
def test_a_plan_that_was_tampered_with_writes_nothing(
    change: Callable[[dict[str, Any]], None], text: str, tmp_path: Path, keys: Keys
) -> None:
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    before = contents(drill)
    job, plan = drills.planned(drill)
    bad = _rewritten(plan, change)
    assert bad.sha256 != plan.sha256
    with pytest.raises(PlanError) as caught:
        applied(job, bad, keys, tmp_path / "work", batch=1000)
    assert caught.value.what.startswith(text)
    database = Database(job.url, job.profile)
    made = scripts.forward(
        bad, job.profile, database, job.checker(), tmp_path / "script", keys.bureau
    )
    with pytest.raises(PlanError) as caught:
        list(made)
    database.close()
    assert caught.value.what.startswith(text)
    assert not (tmp_path / "script").exists()
    assert contents(drill) == before


def test_fresh_signatures_carry_their_own_time(tmp_path: Path) -> None:
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    _, plan = drills.planned(drill)
    fresh = [entry for entry in plan.writes() if entry.source == "fresh"]
    assert fresh
    local = (NOW + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S")
    assert {entry.changes["signed_at"] for entry in fresh} == {local}


def test_without_base_data_nothing_is_signed_anew(tmp_path: Path) -> None:
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    _, plan = drills.planned(drill, base=False)
    assert set(plan.footer.sources) == {"stored"}


def test_old_text_columns_of_sql_server(
    tmp_path: Path, sql_server: SqlLab, keys_folder: Path, keys: Keys
) -> None:
    """ntext and text take part in no comparison (errors 306 and 402): old databases are full of them."""
    url = sql_server.new_database()
    drill = simulate.simulate(
        tmp_path, drills.lab_of("ecdsa"), records=20, seed=5, url=url, damaged_percent=60
    )
    with sql_server.connect(database=url.rpartition("/")[2]) as link, link.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE old (id bigint PRIMARY KEY, ticket_no ntext, candidate ntext, subject ntext, "
            "score ntext, held_on ntext, note ntext, sign_value text, cert_serial ntext, signed_at text)"
        )
        names = "id, ticket_no, candidate, subject, score, held_on, note, sign_value, cert_serial, signed_at"
        cursor.execute(f"INSERT old SELECT {names} FROM [exam score]")  # noqa: S608 - of the test
        cursor.execute("DROP TABLE [exam score]")
        link.commit()
        before = _rows(cursor, names)
    profile = msgspec.structs.replace(drill.profile, table=TableName(name="old"))
    drill = dataclasses.replace(drill, profile=profile)
    job, plan = drills.planned(drill)
    database = Database(url, profile)
    result = Applier(plan, profile, database, job.checker(), tmp_path, keys.bureau).apply()
    database.close()
    assert result.written == plan.footer.actions["write"] > 0
    database = Database(url, profile)
    back = Rollback(
        plan, profile, database, tmp_path, keys.bureau, drill_key(keys_folder)
    ).roll_back()
    database.close()
    assert back.written == result.written
    with sql_server.connect(database=url.rpartition("/")[2]) as link, link.cursor() as cursor:
        assert _rows(cursor, names) == before


def _rows(cursor: pymssql.Cursor, names: str) -> list[Any]:
    cursor.execute(f"SELECT {names} FROM old ORDER BY id")  # noqa: S608 - of the test
    return list(cursor.fetchall())


def test_a_record_that_is_gone_since_the_analysis_stays_in_the_plan(tmp_path: Path) -> None:
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    job, analysis = drills.analysed(drill)
    gone = next(key for key, one in drills.found_by_key(job).items())
    engine = make_engine(drill.url)
    with engine.connect() as connection:
        connection.execute(sa.delete(sa.table("exam score")).where(sa.column("id") == gone))
    engine.dispose()
    plan = make_plan(job, analysis, tmp_path / "plan.jsonl", service=None, now=NOW)
    assert plan.footer.entries == analysis.records - analysis.classes[RecordClass.VALID]
    [entry] = [one for one in plan.entries() if one.key == (gone,)]
    assert (entry.action, entry.why) == (
        "ask-business-system",
        "the record is gone since it was analysed",
    )


def test_a_plan_is_for_its_own_database(tmp_path: Path, keys: Keys, keys_folder: Path) -> None:
    """A copy has the same records; what was approved for one is not approved for the other."""
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    job, plan = drills.planned(drill)
    shutil.copy(tmp_path / "records.db", tmp_path / "other.db")
    other = dataclasses.replace(job, url=f"sqlite:///{tmp_path / 'other.db'}")
    same = (tmp_path / "other.db").read_bytes()
    with pytest.raises(PlanError, match=r"was made on .*/records\.db, and this is .*/other\.db"):
        applied(other, plan, keys, tmp_path / "work")
    database = Database(other.url, job.profile)
    back = Rollback(plan, job.profile, database, tmp_path, keys.bureau, drill_key(keys_folder))
    with pytest.raises(PlanError, match="was made on"):
        back.roll_back()
    profile = msgspec.structs.replace(job.profile, id="other")
    with pytest.raises(PlanError, match="was made with another profile"):
        dataclasses.replace(back, profile=profile).roll_back()
    database.close()
    assert (tmp_path / "other.db").read_bytes() == same
    assert not (tmp_path / "work").exists()

"""The module plans, stores only with a ticket, says the same in check mode, and goes back."""

from __future__ import annotations

import csv
import importlib.util
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from jinja2 import Template
from tests.signatures import drills, tickets

from opsproof.evidence.keys import create_demo_keys
from opsproof.evidence.model import SubjectKind
from opsproof.evidence.schemas import validate
from opsproof.run.inventory import DEFAULT_TIME_ZONE
from opsproof.signatures import simulate
from opsproof.signatures.plan import load_plan
from opsproof.signatures.simulate import Drill

MODULE = Path(__file__).parents[2] / "library" / "signature_correction.py"
ROLE = Path(__file__).parents[2] / "roles" / "signatures"
DIGESTS = ("before_sha256", "after_sha256")
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("signature_correction", MODULE)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def run(module: ModuleType, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*, check: bool = False, **arguments: Any) -> dict[str, Any]:
        options = {**arguments, "_ansible_check_mode": check}
        with patch_module_args(options), pytest.raises(SystemExit):
            module.main()
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        return answer

    return call


@pytest.fixture
def drill(tmp_path: Path) -> Drill:
    create_demo_keys(tmp_path / "keys", now=drills.lab_of("ecdsa").now)
    return simulate.simulate(
        tmp_path, drills.lab_of("ecdsa"), records=25, seed=5, damaged_percent=60
    )


def arguments(drill: Drill, **more: Any) -> dict[str, Any]:
    folder = drill.folder
    return {
        "profile": str(folder / "profile.yml"),
        "database": drill.url,
        "work": str(folder / "work"),
        "certificates": [str(folder / "signers.pem")],
        "trusted": [str(folder / "ca.pem")],
        "revocations": [str(folder / "ca.crl")],
        "base": [str(folder / "base.csv")],
        "calendar": str(folder / "calendar.yml"),
        **more,
    }


def approved(drill: Drill, sha256: str) -> dict[str, Any]:
    folder = drill.folder
    tickets.write(folder / "ticket.yml", drill.lab.approver, sha256)
    return {
        "ticket": str(folder / "ticket.yml"),
        "approvers": str(folder / "approvers.pem"),
        "bureau": str(folder / "keys/bureau.pem"),
        "bureau_key": str(folder / "keys/bureau.key"),
    }


def test_the_whole_way(run: Run, drill: Drill) -> None:
    planned = run(state="planned", **arguments(drill))
    assert planned["changed"] is False
    assert planned["plan"]["sha256"] == load_plan(drill.folder / "work/plan.jsonl").sha256
    writes = planned["facts"]["to_write"]
    assert writes > 0
    validate("signatures", SubjectKind.RECORD_SET, planned["facts"])

    options = arguments(drill, **approved(drill, planned["plan"]["sha256"]))
    before = (drill.folder / "records.db").read_bytes()
    foreseen = run(check=True, state="applied", **options)
    assert foreseen["changed"] is True
    assert foreseen["diff"] == {
        "before": "0 records as wanted\n",
        "after": f"{writes} records as wanted\n",
    }
    assert (drill.folder / "records.db").read_bytes() == before

    first = run(state="applied", **options)
    assert (first["changed"], first["facts"]["written"]) == (True, writes)
    assert first["diff"] == foreseen["diff"]
    second = run(state="applied", **options)
    assert (second["changed"], second["facts"]["already"]) == (False, writes)

    back = run(state="rolled_back", **options)
    assert (back["changed"], back["facts"]["written"]) == (True, writes)
    digests = [one["facts"][name] for one in (first, back) for name in DIGESTS]
    assert digests[:2] == digests[:1:-1] != [None, None]
    again = run(state="rolled_back", **options)
    assert again["changed"] is False


def test_nothing_is_stored_without_a_ticket(run: Run, drill: Drill) -> None:
    run(state="planned", **arguments(drill))
    before = (drill.folder / "records.db").read_bytes()
    result = run(state="applied", **arguments(drill))
    assert result["failed"] is True
    assert result["msg"] == "the option ticket is needed for state applied"
    assert (drill.folder / "records.db").read_bytes() == before


def test_a_ticket_for_another_plan_is_refused(run: Run, drill: Drill) -> None:
    planned = run(state="planned", **arguments(drill))
    result = run(state="applied", **arguments(drill, **approved(drill, "0" * 64)))
    assert result["failed"] is True
    assert f"what would run is not what was approved: {planned['plan']['sha256']}" in result["msg"]


def test_analysis_counts_every_record_once(run: Run, drill: Drill) -> None:
    facts = run(state="analysed", **arguments(drill))["facts"]
    assert sum(one["records"] for one in facts["classes"]) == facts["records"] == 25
    assert facts["wrong"] == facts["records"] - facts["valid"]
    assert facts["plan_sha256"] is None


def test_base_data_of_a_query_is_as_good_as_that_of_a_file(run: Run, drill: Drill) -> None:
    folder = drill.folder
    with (folder / "base.csv").open(encoding="utf-8", newline="") as stream:
        names, *rows = csv.reader(stream)
    with closing(sqlite3.connect(folder / "business.db")) as database, database:
        database.execute(f"create table delivery ({', '.join(names)})")
        database.executemany(f"insert into delivery values ({', '.join('?' * len(names))})", rows)  # noqa: S608 - question marks
    (folder / "base.sql").write_text("select * from delivery")
    asked = {
        "base": [],
        "base_query": str(folder / "base.sql"),
        "base_database": f"sqlite:///{folder / 'business.db'}",
    }
    from_file = run(state="planned", **arguments(drill))["facts"]
    answer = run(state="planned", **arguments(drill, **asked))
    assert answer["facts"]["base_rows"] == len(rows)
    plan = {"plan_sha256": answer["plan"]["sha256"]}
    assert answer["facts"] == from_file | plan
    assert "business.db" not in json.dumps(answer)
    (folder / "base.sql").write_text("\n")
    empty = run(state="planned", **arguments(drill, **asked))
    assert empty["msg"] == f"{folder / 'base.sql'}: holds no query"


def test_evidence_names_no_record_and_no_person(run: Run, drill: Drill) -> None:
    text = json.dumps(run(state="planned", **arguments(drill))["facts"], ensure_ascii=False)
    base = (drill.folder / "base.csv").read_text(encoding="utf-8").splitlines()[1:]
    tickets_of = [line.split(",")[1] for line in base if line.count(",") > 5]
    assert tickets_of
    assert all(number not in text for number in tickets_of)


def test_failures_in_the_logs_are_held_against_the_table_as_it_is(run: Run, drill: Drill) -> None:
    folder = drill.folder
    logs = {
        "logs": [str(folder / "sign_interface.csv")],
        "log_patterns": str(folder / "log-patterns.yml"),
        "log_encoding": "gb18030",
    }
    planned = run(state="planned", **arguments(drill, **logs))
    found = planned["facts"]["interface"]
    unseen = [one for one in drill.truth if one.record_class.value in ("valid", "base-differs")]
    assert found["verification"]["wrong"] == len(drill.truth) - len(unseen)
    validate("signatures", SubjectKind.RECORD_SET, planned["facts"])

    options = arguments(drill, **approved(drill, planned["plan"]["sha256"]))
    before = (folder / "records.db").read_bytes()
    unread = run(state="applied", **options, **logs | {"logs": [str(folder / "none")]})
    assert unread["msg"] == f"{folder / 'none'}: there is no such log"
    assert (folder / "records.db").read_bytes() == before

    applied = run(state="applied", **options, **logs)
    repaired = applied["facts"]["written"]
    after = applied["facts"]["interface"]
    assert after["verification"]["wrong"] == found["verification"]["wrong"] - repaired
    assert after["verification"]["records"] == found["verification"]["records"]
    assert len(after["links"]) == after["verification"]["wrong"] + after["signing"]["wrong"]
    assert run(state="rolled_back", **options, **logs)["facts"]["interface"] == found
    assert [path.name for path in (folder / "work").glob(".links*")] == []


def test_freeze_days_are_those_of_a_zone_that_there_is(run: Run, drill: Drill) -> None:
    options = arguments(drill, **approved(drill, "0" * 64))
    nowhere = run(state="applied", time_zone="Asia", **options)
    assert nowhere["msg"] == "Asia: this is no time zone such as Asia/Shanghai"


def test_the_role_hands_over_all_that_the_module_takes(module: ModuleType) -> None:
    [task] = [
        one["signature_correction"]
        for one in yaml.safe_load((ROLE / "tasks/correct.yml").read_text())
        if "signature_correction" in one
    ]
    assert set(task) == set(module.ARGUMENTS)
    assert Template(task["time_zone"]).render() == DEFAULT_TIME_ZONE
    assert Template(task["time_zone"]).render(estate_time_zone="Asia/Urumqi") == "Asia/Urumqi"


def test_options_are_those_of_the_documentation(module: ModuleType) -> None:
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    plain = {
        name: {key: value for key, value in option.items() if key != "description"}
        for name, option in documented.items()
    }
    given = {
        name: {key: value for key, value in option.items() if key != "no_log"}
        for name, option in module.ARGUMENTS.items()
    }
    assert plain == given
    for name in ("database", "base_database"):
        assert module.ARGUMENTS[name]["no_log"] is True

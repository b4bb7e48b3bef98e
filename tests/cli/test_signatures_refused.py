"""What the verb refuses in one line, and what it never prints."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from tests.cli.correcting import base, gate, invoke, items
from tests.signatures import drills

from opsproof.cli.main import cli
from opsproof.errors import ExitCode, OpsproofError
from opsproof.evidence.keys import create_demo_keys
from opsproof.signatures import simulate, sm2
from opsproof.signatures.errors import NotVerifiableError
from opsproof.signatures.plan import load_plan
from opsproof.signatures.simulate import Drill


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,2\n", "base.csv:6: has 2 cells instead of 10"),
        ("999,20260001,王伟,语文,1.0,2026-06-07,,,,\n", "1 rows of the base data have no record"),
    ],
)
def test_base_data_that_is_not_right_is_not_nothing_wrong(
    row: str, said: str, tmp_path: Path
) -> None:
    lab = drills.lab_of("ecdsa")
    clean = simulate.simulate(tmp_path, lab, records=4, seed=9, damaged_percent=0)
    assert invoke(clean, "analyse", *base(clean)).return_value == ExitCode.OK
    with (tmp_path / "base.csv").open("a", encoding="utf-8") as stream:
        stream.write(row)
    result = invoke(clean, "analyse", *base(clean))
    assert said in result.stdout
    assert result.return_value == ExitCode.FINDINGS


def test_refused_without_the_bureaus_signature(drill: Drill) -> None:
    invoke(drill, "plan", *base(drill))
    result = invoke(drill, "apply", *gate(drill, "0" * 64))
    assert isinstance(result.exception, OpsproofError)
    assert result.exception.exit_code == ExitCode.REFUSED


def test_a_tampered_plan_is_named(drill: Drill) -> None:
    invoke(drill, "plan", *base(drill))
    path = drill.folder / "work/plan.jsonl"
    path.write_bytes(b"\n".join(path.read_bytes().splitlines()[:-1]) + b"\n")
    result = invoke(drill, "apply", *gate(drill, "0" * 64))
    assert isinstance(result.exception, OpsproofError)
    assert result.exception.exit_code == ExitCode.TAMPERED


def test_what_is_not_there_is_said_and_not_made(drill: Drill) -> None:
    ticket = gate(drill, "0" * 64)
    none = invoke(drill, "apply", *ticket)
    assert isinstance(none.exception, OpsproofError)
    assert (none.exception.exit_code, none.exception.what) == (
        ExitCode.USAGE,
        "there is no plan yet",
    )
    missing = drill.folder / "mistyped.db"
    found = invoke(drill, "analyse", "--database", f"sqlite:///{missing}")
    assert isinstance(found.exception, OpsproofError)
    assert found.exception.exit_code == ExitCode.NOT_EVALUATED
    assert not missing.exists()


def test_without_before_images_there_is_no_script_and_no_way_back(drill: Drill) -> None:
    invoke(drill, "plan", *base(drill))
    words = gate(drill, load_plan(drill.folder / "work/plan.jsonl").sha256)
    words += ["--bureau-key", str(drill.folder / "keys/bureau.key")]
    path = drill.folder / "back.sql"
    result = invoke(drill, "rollback", *words, "--script", str(path))
    assert isinstance(result.exception, OpsproofError)
    assert result.exception.exit_code == ExitCode.USAGE
    assert result.exception.what == "there are no before-images of this plan"
    assert not path.exists()


@pytest.mark.parametrize(
    ("part", "value", "text"),
    [
        ("table", {"name": 'x"; DROP TABLE "exam score'}, "there is no table "),
        ("key", ["id; --"], "has no column 'id; --'"),
        ("key", ["subject"], "the key (subject) is not unique in 'exam score'"),
    ],
)
def test_names_that_the_database_does_not_list_are_refused(
    part: str, value: object, text: str, drill: Drill
) -> None:
    path = drill.folder / "profile.yml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(document | {part: value}), encoding="utf-8")
    before = (drill.folder / "records.db").read_bytes()
    result = invoke(drill, "analyse")
    assert isinstance(result.exception, OpsproofError)
    assert text in result.exception.what
    assert (drill.folder / "records.db").read_bytes() == before


def test_without_the_library_sm2_records_are_not_verifiable_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = simulate.simulate(tmp_path, drills.lab_of("sm2"), records=6, seed=1, damaged_percent=0)
    monkeypatch.setattr(sm2, "library", None)
    result = invoke(made, "analyse", "--format", "json")
    assert result.return_value == ExitCode.NOT_EVALUATED
    summary = items(result)["summary"]
    assert summary["valid"] == 0
    assert {"record_class": "not-verifiable-here", "records": 6} in summary["classes"]


def test_without_the_library_sm2_values_are_neither_stored_nor_called_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = drills.lab_of("sm2")
    create_demo_keys(tmp_path / "keys", now=lab.now)
    made = simulate.simulate(tmp_path, lab, records=8, seed=1, damaged_percent=60)
    invoke(made, "plan", *base(made))
    words = gate(made, load_plan(tmp_path / "work/plan.jsonl").sha256)
    untouched = (tmp_path / "records.db").read_bytes()
    with monkeypatch.context() as without:
        without.setattr(sm2, "library", None)
        assert isinstance(invoke(made, "apply", *words).exception, NotVerifiableError)
        assert (tmp_path / "records.db").read_bytes() == untouched
    assert invoke(made, "apply", *words).return_value == ExitCode.OK
    monkeypatch.setattr(sm2, "library", None)
    stopped = invoke(made, "verify").exception
    assert isinstance(stopped, NotVerifiableError)
    assert stopped.exit_code == ExitCode.NOT_EVALUATED


def test_nothing_that_is_printed_or_kept_as_a_journal_speaks_of_a_person(drill: Drill) -> None:
    """Names, candidates' numbers, notes and signatures stay in the work folder's own files."""
    with (drill.folder / "base.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    secret = {row[name] for row in rows for name in ("ticket", "name", "note", "signature")}
    secret = {text for text in secret if len(text) > 1}
    printed = [invoke(drill, "analyse", *base(drill)).output]
    printed += [
        invoke(drill, "plan", *base(drill), "--format", form).output for form in ("table", "json")
    ]
    words = gate(drill, load_plan(drill.folder / "work/plan.jsonl").sha256)
    key = ["--bureau-key", str(drill.folder / "keys/bureau.key")]
    printed.append(invoke(drill, "apply", *words, "--format", "json").output)
    printed.append(invoke(drill, "verify", "--format", "json").output)
    printed.append(invoke(drill, "rollback", *words, *key, "--format", "json").output)
    journals = [path.read_text() for path in (drill.folder / "work").glob("*.jsonl")]
    kept = [text for text in journals if '"image"' in text]
    assert len(kept) == 2
    for text in (*printed, *kept):
        assert text
        assert not [one for one in secret if one in text]


def analysed_with(drill: Drill, words: list[str], **environment: str) -> Result:
    folder = drill.folder
    common = ["--profile", str(folder / "profile.yml"), "--work", str(folder / "work")]
    common += ["--certificates", str(folder / "signers.pem"), "--trusted", str(folder / "ca.pem")]
    return CliRunner().invoke(
        cli,
        ["signatures", "analyse", *common, "--workers", "1", "--quiet", *words],
        env={"OPSPROOF_DATABASE_URL": None, **environment},
        standalone_mode=False,
    )


def test_a_databases_url_comes_from_a_file_or_the_environment(drill: Drill) -> None:
    file = drill.folder / "url"
    file.write_text(f"{drill.url}\n")
    elsewhere = "sqlite:///nowhere.db"
    ways: list[tuple[list[str], dict[str, str]]] = [
        (["--database", drill.url], {}),
        (["--database-file", str(file)], {}),
        (["--database-file", str(file)], {"OPSPROOF_DATABASE_URL": elsewhere}),
        ([], {"OPSPROOF_DATABASE_URL_FILE": str(file)}),
        ([], {"OPSPROOF_DATABASE_URL": drill.url, "OPSPROOF_DATABASE_URL_FILE": "/no/file"}),
    ]
    for words, environment in ways:
        result = analysed_with(drill, words, **environment)
        assert result.return_value == ExitCode.FINDINGS, (words, environment)
        assert result.stderr == ""


def test_a_password_on_the_command_line_is_told_of_and_not_shown(drill: Drill) -> None:
    shown = "postgresql+psycopg://archive:s3cret-word@127.0.0.1:1/x"
    said = "--database: every user of this machine can read a password on the command line"
    found = analysed_with(drill, ["--database", shown])
    assert found.stderr.count("\n") == 1
    assert said in found.stderr
    hidden = analysed_with(drill, [], OPSPROOF_DATABASE_URL=shown)
    assert hidden.stderr == ""
    for one in (found, hidden):
        assert isinstance(one.exception, OpsproofError)
        assert "s3cret-word" not in one.output + str(one.exception)
    words = ["--database", drill.url, "--base-query", "q.sql", "--base-database", shown]
    (drill.folder / "q.sql").write_text("select 1")
    words[3] = str(drill.folder / "q.sql")
    assert "--base-database: every user" in analysed_with(drill, words).stderr


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "name the database: $OPSPROOF_DATABASE_URL, --database-file FILE or --database URL"),
        (["--database", "a", "--database-file", "b"], "give --database or --database-file, not bo"),
        (["--database-file", "/no/file"], "/no/file: cannot be read: No such file or directory"),
        (["--database-file", "empty"], "empty: holds no database URL, or more than one"),
        (
            ["--database", "sqlite://", "--base-sheet", "x", "--base", "base.csv"],
            "a sheet is named",
        ),
    ],
)
def test_a_database_or_sheet_that_is_not_clear_is_one_line(
    words: list[str], text: str, drill: Drill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(drill.folder)
    (drill.folder / "empty").touch()
    error = analysed_with(drill, words).exception
    assert isinstance(error, OpsproofError)
    assert error.exit_code == ExitCode.USAGE
    assert str(error).startswith(text)


def test_base_data_without_a_column_writes_nothing(drill: Drill) -> None:
    invoke(drill, "analyse", *base(drill))
    before = (drill.folder / "work/workbook.db").read_bytes()
    path = drill.folder / "base.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("subject", "subjects", 1))
    error = invoke(drill, "plan", *base(drill)).exception
    assert isinstance(error, OpsproofError)
    assert error.exit_code == ExitCode.USAGE
    assert (error.what, error.where) == ("there is no column 'subject'", f"{path}:1")
    assert (drill.folder / "work/workbook.db").read_bytes() == before
    assert not (drill.folder / "work/plan.jsonl").exists()

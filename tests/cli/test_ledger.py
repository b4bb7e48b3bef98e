from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.evidence import samples

from opsproof.cli.ledger import command
from opsproof.errors import ExitCode, IncompleteError, RefusedError, UsageError
from opsproof.evidence.ledger import Ledger
from opsproof.evidence.reader import corrections
from opsproof.evidence.verify import verify


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    samples.sealed_run(tmp_path / "reports", 1)
    return tmp_path / "reports"


def ledger(reports: Path, verb: str, *arguments: str) -> Result:
    options = ["--reports", str(reports)]
    if verb in ("correct", "prune", "repair"):
        options += ["--keys", str(samples.key_folder()), "--by", "engineer"]
    return CliRunner().invoke(command, [verb, *arguments, *options], standalone_mode=False)


def test_list_and_head(reports: Path) -> None:
    run = Ledger(reports).entries[0]
    assert ledger(reports, "list").output == f"     1 {run.at} run        {run.id}\n"
    document = json.loads(ledger(reports, "list", "--format", "json").output)
    assert document["items"][0]["id"] == run.id
    assert document["summary"] == {"head": str(Ledger(reports).head), "entries": 1}
    assert ledger(reports, "head").output.strip() == str(Ledger(reports).head)


def test_correct_adds_a_signed_record(reports: Path) -> None:
    run = Ledger(reports).entries[0].id
    result = ledger(
        reports, "correct", run, "--statement", "was a drill", "--reason", "mislabelled"
    )
    assert result.return_value is ExitCode.OK
    assert [(c.supersedes, c.statement, c.by) for c in corrections(reports)] == [
        (run, "was a drill", "engineer")
    ]
    assert verify(reports).exit_code is ExitCode.OK


def test_correct_refuses_what_does_not_exist(reports: Path) -> None:
    result = ledger(reports, "correct", "FND-1", "--statement", "x", "--reason", "y")
    assert isinstance(result.exception, UsageError)


def test_prune_refuses_young_evidence(reports: Path) -> None:
    later = samples.sealed_run(reports, 10_000 - int(timedelta(days=1).days))
    result = ledger(reports, "prune", later.name, "--reason", "space")
    assert isinstance(result.exception, RefusedError)
    assert list((later / "artifacts").iterdir())


def test_repair_is_explicit_and_recorded(reports: Path) -> None:
    with (reports / "ledger.jsonl").open("ab") as stream:
        stream.write(b'{"at')
    assert ledger(reports, "repair").return_value is ExitCode.OK
    assert Ledger(reports).entries[1].kind == "correction"
    assert verify(reports).exit_code is ExitCode.OK


def test_recover_names_what_it_found(reports: Path) -> None:
    path = reports / "ledger.jsonl"
    path.write_bytes(b"")
    (reports / "runs" / ".20261122T091500Z-daily-00ff.partial").mkdir()
    run = next((reports / "runs").glob("[!.]*")).name
    assert ledger(reports, "recover").output.splitlines() == [
        f"adopted: {run}",
        "interrupted, never sealed: 20261122T091500Z-daily-00ff",
    ]


@pytest.mark.parametrize("verb", ["list", "head", "recover"])
def test_every_verb_has_json_with_the_shared_top_keys(reports: Path, verb: str) -> None:
    document = json.loads(ledger(reports, verb, "--format", "json").output)
    assert sorted(document) == ["generated_at", "items", "schema", "summary", "tool"]
    assert document["summary"]["head"] == str(Ledger(reports).head)


@pytest.mark.parametrize("verb", ["list", "head", "recover"])
def test_a_torn_ledger_ends_with_6_and_the_remedy(reports: Path, verb: str) -> None:
    with (reports / "ledger.jsonl").open("ab") as stream:
        stream.write(b'{"at')
    error = ledger(reports, verb).exception
    assert isinstance(error, IncompleteError)
    assert error.exit_code is ExitCode.INCOMPLETE
    assert str(error) == (
        f"{reports}/ledger.jsonl:2: the last line is torn (opsproof ledger repair)"
    )


@pytest.mark.parametrize("verb", ["list", "head"])
def test_a_folder_that_is_not_there_has_no_ledger(verb: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [verb, "--reports", str(tmp_path / "typo")])
    assert result.exit_code == ExitCode.USAGE
    assert "does not exist" in result.output

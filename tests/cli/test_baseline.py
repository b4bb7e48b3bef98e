from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from opsproof.cli.baseline import command
from opsproof.errors import ExitCode, UsageError
from opsproof.policy.baseline_yaml import load

BASELINES = Path(__file__).resolve().parents[2] / "baselines"
TEXT = "Computer\nSoftware\\B\nName\nDWORD:1\n\nUser:Guests\nSoftware\\B\nName\nDELETE\n"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.txt"
    file.write_text(TEXT)
    return file


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(one) for one in arguments], standalone_mode=False)


def test_import_writes_a_baseline_and_names_what_it_left_out(policy: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.yml"
    result = run("import", policy, "--name", "made", "-o", made)
    assert result.return_value == ExitCode.OK
    assert [str(one.target) for one in load(made).settings] == ["HKLM\\Software\\B\\Name"]
    assert "Software\\B of User:Guests is not imported" in result.stderr
    assert "1 settings of 1 policies" in result.stderr


def test_import_prints_without_an_output_file(policy: Path) -> None:
    assert run("import", policy, "--name", "made").stdout.startswith("---\nbaseline: made\n")


def test_import_replaces_nothing_unless_told(policy: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.yml"
    made.write_text("mine")
    result = run("import", policy, "--name", "made", "-o", made)
    assert isinstance(result.exception, UsageError)
    assert made.read_text() == "mine"
    assert run("import", policy, "--name", "made", "-o", made, "--force").exception is None


def test_import_knows_code_pages(policy: Path) -> None:
    result = run("import", policy, "--name", "made", "--code-page", "cp0")
    assert isinstance(result.exception, UsageError)
    assert "cp0" in str(result.exception)


def test_diff_says_where_two_baselines_differ(policy: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one.yml", tmp_path / "two.yml"
    run("import", policy, "--name", "one", "-o", one)
    policy.write_text(TEXT.replace("DWORD:1", "DWORD:2"))
    run("import", policy, "--name", "two", "-o", two)
    result = run("diff", one, two, "--format", "json")
    assert result.return_value == ExitCode.FINDINGS
    document = json.loads(result.stdout)
    assert document["summary"] == {"left": 1, "right": 1, "different": 1}
    assert document["items"] == [
        {"target": "HKLM\\Software\\B\\Name", "left": "equal 1", "right": "equal 2"}
    ]
    assert run("diff", one, one).return_value == ExitCode.OK


def test_show_lists_layers(tmp_path: Path) -> None:
    alone = json.loads(run("show", BASELINES / "iis-server.yml", "--format", "json").stdout)
    both = json.loads(
        run("show", BASELINES / "iis-server.yml", "--layers", "--format", "json").stdout
    )
    base = len(load(BASELINES / "member-server.yml").settings)
    assert both["summary"]["settings"] == alone["summary"]["settings"] + base
    assert "HRD-IIS-001" in run("show", BASELINES / "iis-server.yml").stdout

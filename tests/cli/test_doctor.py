from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.run.sample_project import write_project

from opsproof.cli.doctor import command

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two hosts: one that nothing listens on, one that is not contacted itself."""
    folder = tmp_path / "project"
    write_project(folder)
    shutil.copy(ROOT / "playbooks" / "doctor.yml", folder / "playbooks")
    (folder / "inventory" / "hosts.yml").write_text(
        "all:\n  hosts:\n"
        "    web01: {ansible_connection: winrm, ansible_host: 127.0.0.1, ansible_port: 1}\n"
        "    sql01: {ansible_connection: local}\n"
    )
    monkeypatch.chdir(folder)
    return folder


def test_every_problem_is_one_line_with_its_remedy(project: Path) -> None:
    answer = CliRunner().invoke(command, ["--inventory", "inventory"], standalone_mode=False)
    lines = answer.output.splitlines()
    assert answer.return_value == 3
    assert (
        "web01: failed: tcp: 127.0.0.1 port 1: Connection refused "
        "-> is the host up, WinRM listening, the firewall open?"
    ) in lines
    assert "sql01: skipped: login not contacted itself" in lines
    assert any(line.startswith("controller: failed: keys: ") and " -> " in line for line in lines)
    assert any(line.startswith("controller: ok: openssl: ") for line in lines)


def test_json_holds_all_checks(project: Path) -> None:
    answer = CliRunner().invoke(
        command,
        ["--inventory", "inventory", "--limit", "web01", "--format", "json"],
        standalone_mode=False,
    )
    document = json.loads(answer.output)
    assert document["schema"] == "doctor/1"
    assert document["summary"]["hosts"] == {"web01": "failed"}
    assert [item["host"] for item in document["items"]] == ["controller", "web01"]
    assert document["items"][1]["checks"][0] == {
        "name": "name",
        "health": "ok",
        "detail": "127.0.0.1",
        "remedy": "",
    }


def test_help_shows_an_example_and_the_exit_codes() -> None:
    text = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert "opsproof doctor --inventory inventories/mine" in text
    assert "0 all is ready, 1 warnings, 2 usage, 3 a run would fail somewhere" in text

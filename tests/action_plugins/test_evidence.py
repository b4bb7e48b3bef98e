"""The evidence action in a real play on the controller, in both modes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from opsproof.evidence.collect import RESULT_KEY, read_result

PROJECT = Path(__file__).parents[2]
PASSWORD = "Lab-4711-Geheim"

PLAY = """\
- hosts: app-01
  gather_facts: false
  tasks:
    - evidence:
        activity: schedule
        collector: test 1
        clock_offset_ms: 7
        subjects:
          - kind: due-item
            id: daily
            facts:
              item: "login with {{ ansible_password }}"
              playbook: daily
              due_from: "2026-11-21T16:00:00Z"
              due_until: "2026-11-22T16:00:00Z"
              done: "{{ DONE }}"
              done_by: null
        artifacts:
          - {path: "{{ playbook_dir }}/play.yml", name: play.yml, media_type: text/yaml}
"""

pytestmark = pytest.mark.e2e


def play(folder: Path, done: str, *options: str) -> tuple[int, dict[str, Any]]:
    """Run the play; answers its exit code and the task's result."""
    (folder / "play.yml").write_text(PLAY.replace("{{ DONE }}", done), encoding="utf-8")
    (folder / "hosts").write_text("app-01 ansible_host=192.0.2.1 ansible_connection=winrm\n")
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_ACTION_PLUGINS": str(PROJECT / "action_plugins"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
    }
    variables = {
        "opsproof_run_id": "20261122T091500Z-daily-0001",
        "stem": PASSWORD.removesuffix("Geheim"),
        "ansible_password": "{{ stem }}Geheim",
    }
    command = ["ansible-playbook", "-i", "hosts", "play.yml", "-e", json.dumps(variables), *options]
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.stdout, ended.stderr
    document = json.loads(ended.stdout[ended.stdout.index("{") :])
    result: dict[str, Any] = document["plays"][0]["tasks"][0]["hosts"]["app-01"]
    return ended.returncode, result


@pytest.mark.parametrize("options", [(), ("--check", "--diff")], ids=["normal", "check"])
def test_observations_come_back_without_touching_the_host(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    code, result = play(tmp_path, "{{ true }}", *options)
    assert code == 0
    assert result["changed"] is False
    collected = read_result(result)
    assert collected is not None
    (observation,) = collected.observations
    assert observation.run == "20261122T091500Z-daily-0001"
    assert observation.subject.key == "app-01/due-item/daily"
    assert observation.facts["item"] == "login with [redacted:exact-secret]"
    assert observation.clock_offset_ms == 7
    assert collected.files[0].path == str(tmp_path / "play.yml")
    assert PASSWORD not in json.dumps(result[RESULT_KEY])


def test_facts_that_do_not_fit_fail_the_task_with_their_path(tmp_path: Path) -> None:
    code, result = play(tmp_path, "soon")
    assert code == 2
    assert result["msg"] == (
        "evidence: schedule/due-item: subjects[daily].facts.done: Expected `bool`, got `str`"
    )

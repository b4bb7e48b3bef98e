from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from opsproof.run import child, executor
from opsproof.run.environment import scrubbed
from opsproof.run.events import Tally
from opsproof.run.executor import Job, JobEnd, Stop, run

PROBE_FILTER = """
import os

HERE = os.getpid()


class FilterModule:
    def filters(self):
        return {"loaded_by": lambda _: HERE}
"""


def job(project: Path, **changes: Any) -> Job:
    folder = project.parent / "job"
    folder.mkdir(mode=0o700)
    fields: dict[str, Any] = {
        "playbook": project / "playbooks" / "daily.yml",
        "inventory": project / "inventory",
        "project": project,
        "folder": folder,
        "env": scrubbed({**os.environ, "API_TOKEN": "canary"}, project / "ansible.cfg"),
        "variables": {"opsproof_run_id": "x", "opsproof_staging": str(folder)},
    }
    return Job(**{**fields, **changes})


def test_a_missing_ansible_ends_without_a_single_host_and_says_why(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "tool", lambda name: f"/nowhere/{name}")
    tally = Tally("x")
    end = run(job(project), tally.feed, Stop())  # type: ignore[arg-type]
    assert end == JobEnd(127, False)
    assert not tally.finished
    assert tally.hosts == {}
    assert tally.errors == ["cannot start /nowhere/ansible-playbook: No such file or directory"]


@pytest.mark.e2e
def test_ansible_gets_the_scrubbed_environment_and_nothing_of_it_is_kept(project: Path) -> None:
    (project / "playbooks" / "daily.yml").write_text(
        "- hosts: h1\n  gather_facts: false\n  tasks:\n"
        "    - {name: Env, ansible.builtin.command: env, changed_when: false}\n"
        "    - {name: Plain, ansible.builtin.debug: {msg: '{{ opsproof_template }}'}}\n"
        "    - {name: Loader, ansible.builtin.debug: {msg: '{{ 1 | loaded_by }}'}}\n"
        "    - {name: Loader again, ansible.builtin.debug: {msg: '{{ 1 | loaded_by }}'}}\n"
    )
    (project / "playbooks" / "filter_plugins").mkdir()
    (project / "playbooks" / "filter_plugins" / "probe.py").write_text(PROBE_FILTER)
    seen: dict[str, Mapping[str, Any]] = {}

    def feed(event: Mapping[str, Any]) -> None:
        if event["event"] == "runner_on_ok":
            seen[event["event_data"]["task"]] = event["event_data"]["res"]

    variables = {
        "opsproof_map": {"h1": "mine"},
        "opsproof_template": "{{ opsproof_map[inventory_hostname] }}",
    }
    wanted = job(project, variables=variables, hosts=("h1",))
    os.environ["OPSPROOF_TEST_CANARY"] = "canary"
    try:
        assert run(wanted, feed, Stop()) == JobEnd(0, False)
    finally:
        del os.environ["OPSPROOF_TEST_CANARY"]
    assert "canary" not in seen["Env"]["stdout"]
    assert "LC_ALL=C.UTF-8" in seen["Env"]["stdout_lines"]
    # An account without a home has no ~/.ansible/tmp for modules that run here.
    assert f"ANSIBLE_REMOTE_TMP={wanted.folder / 'tmp'}" in seen["Env"]["stdout_lines"]
    assert seen["Plain"]["msg"] == "mine"
    # Filters are loaded once, before workers are forked, not once in every worker.
    assert seen["Loader"]["msg"] == seen["Loader again"]["msg"]
    events = list((wanted.folder / "data" / "artifacts" / "run" / "job_events").iterdir())
    assert events == []
    command = json.loads((wanted.folder / "data" / "artifacts" / "run" / "command").read_text())
    assert "canary" not in json.dumps(command)
    assert not (wanted.folder / "data" / "env").exists()


def test_a_wish_to_stop_that_came_first_starts_nothing(project: Path) -> None:
    stop = Stop()
    with stop.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        tally = Tally("x")
        assert run(job(project), tally.feed, stop).interrupted  # type: ignore[arg-type]
    assert tally.hosts == {}
    assert tally.tasks == 0


def test_signals_are_given_back_after_listening() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    stop = Stop()
    with stop.listening():
        assert signal.getsignal(signal.SIGINT) is not before[0]
        assert not stop.asked
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.asked
        assert not stop.must_kill()
    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert after == before


def test_ansible_is_killed_when_it_does_not_stop_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop(asked_at=100.0)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0 + executor.GRACE_SECONDS)
    assert not stop.must_kill()
    monkeypatch.setattr(time, "monotonic", lambda: 100.1 + executor.GRACE_SECONDS)
    assert stop.must_kill()


PARENT = """
import os, subprocess, sys, time
script, pid_file = sys.argv[1:]
me = str(os.getpid())
child = subprocess.Popen([sys.executable, "-I", script, me, pid_file, "/bin/sleep", "60"])
while not os.path.exists(pid_file) or not open(pid_file).read():
    time.sleep(0.01)
print(child.pid, flush=True)
time.sleep(60)
"""


def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(child.__file__), str(tmp_path / "pid")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert (tmp_path / "pid").read_text() == str(pid)
    parent.kill()
    parent.communicate()
    for _ in range(200):
        if (
            not Path(f"/proc/{pid}").exists()
            or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]
        ):
            return
        signal.sigtimedwait([], 0.02)
    pytest.fail("it goes on without its parent")


def test_a_child_whose_parent_is_gone_already_starts_nothing(tmp_path: Path) -> None:
    assert child.main(["1", str(tmp_path / "pid"), "/bin/false"]) == 127
    assert not (tmp_path / "pid").exists()

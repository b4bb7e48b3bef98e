"""`winlab` as a user types it: up, look, break, down; two labs side by side."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from winlab.cli import cli
from winlab.estate.state import StateFolder

pytestmark = pytest.mark.e2e

ESTATE = """
estate: 1
hosts:
  - name: web-01
    locale: en-US
    role: web
    iis:
      sites: [{name: Main, bindings: [{port: 8080}], content: {index.html: hello}}]
  - {name: off-01, down: true}
  - {name: old-01, os: 2008R2, winrm: {http: false, https: false}}
"""


class Lab:
    def __init__(self, folder: Path) -> None:
        self.folder = StateFolder(folder / "state")
        self.estate = folder / "estate.yml"
        self.estate.write_text(ESTATE)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["--state", str(self.folder.root), *arguments])

    def ok(self, *arguments: str) -> Any:
        result = self.run("--format", "json", *arguments)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def address(self, host: str) -> str:
        state = self.folder.read()
        assert state is not None
        return str(state["hosts"][host]["address"])


def answers(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((address, port)) == 0


def falls_silent(address: str, port: int) -> bool:
    """Whether nobody answers within some seconds: a site's socket closes after its host's."""
    end = time.monotonic() + 20
    while answers(address, port):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.run("down")


def test_a_lab_from_up_to_down(lab: Lab) -> None:
    state = lab.ok("up", str(lab.estate))
    assert list(state["hosts"]) == ["web-01", "off-01", "old-01"]
    assert answers(lab.address("web-01"), 5985)
    assert answers(lab.address("web-01"), 5986)
    assert not answers(lab.address("off-01"), 5985)
    assert state["hosts"]["old-01"]["http"] is None
    (site,) = state["hosts"]["web-01"]["sites"]
    with urllib.request.urlopen(site["url"]) as page:  # noqa: S310 - an http URL of the lab's own
        assert page.read() == b"hello"

    assert lab.ok("up", str(lab.estate))["pid"] == state["pid"]
    other = lab.estate.with_name("other.yml")
    other.write_text(ESTATE)
    refused = lab.run("up", str(other))
    assert refused.exit_code == 3
    assert "a lab with another estate runs here" in refused.stderr

    status = lab.ok("status")["hosts"]
    assert [(h["up"], h["managed"]) for h in status.values()] == [
        (True, True),
        (False, True),
        (True, False),
    ]
    assert "web-01" in lab.run("status").stdout
    assert lab.ok("dump", "WEB-01")["web-01"]["name"] == "WEB-01"
    unknown = lab.run("dump", "nobody")
    assert (unknown.exit_code, unknown.stderr) == (
        3,
        "winlab: there is no host 'nobody' (see winlab status)\n",
    )

    assert lab.ok("fault", "web-01", "down") == ["web-01"]
    assert not answers(lab.address("web-01"), 5985)
    assert falls_silent(lab.address("web-01"), 8080)
    assert lab.ok("fault", "all", "up") == ["web-01", "off-01", "old-01"]
    assert answers(lab.address("web-01"), 5985)
    assert answers(lab.address("off-01"), 5986)
    assert lab.ok("reset") == ["web-01", "off-01", "old-01"]
    assert not answers(lab.address("off-01"), 5986)

    assert lab.ok("counters")["total"]["commands"] == 0
    assert "requests" in lab.run("counters").stdout
    assert lab.run("guard", "on").stdout == "no writes\n"
    assert lab.run("snapshot", "a").stdout == "kept 3 hosts\n"
    assert lab.run("restore", "a").stdout == "restored 3 hosts\n"
    assert "has no snapshot 'b'" in lab.run("restore", "b").stderr

    assert lab.ok("down") == {"stopped": state["pid"]}
    assert not lab.folder.state.exists()
    assert not lab.folder.password.exists()
    assert lab.run("down").stdout == "no lab runs\n"
    assert lab.run("status").stderr == "winlab: no lab answers here (start one with winlab up)\n"


def test_everything_listens_on_loopback_only(lab: Lab) -> None:
    pid = lab.ok("up", str(lab.estate))["pid"]
    own = {str(e.readlink()) for e in Path(f"/proc/{pid}/fd").iterdir() if e.is_symlink()}
    listening = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in own:
                listening.append((table, fields[1]))
    assert len(listening) >= 3
    # proc(5): addresses are hexadecimal in host byte order, so 127.x.y.z ends in 7F.
    assert all(table == "tcp" and place[6:8] == "7F" for table, place in listening), listening


def test_two_labs_run_side_by_side(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    second = Lab(tmp_path / "second")
    lab.ok("up", str(lab.estate))
    try:
        second.ok("up", str(second.estate))
        assert lab.address("web-01") != second.address("web-01")
        second.ok("fault", "web-01", "down")
        assert answers(lab.address("web-01"), 5985)
    finally:
        second.run("down")
    assert answers(lab.address("web-01"), 5985)


def test_a_killed_lab_leaves_nothing_that_is_believed(lab: Lab) -> None:
    pid = lab.ok("up", str(lab.estate))["pid"]
    os.kill(pid, signal.SIGKILL)
    while lab.folder.owner() is not None:
        time.sleep(0.01)
    assert lab.folder.state.exists()
    assert lab.run("status").exit_code == 3
    assert lab.ok("up", str(lab.estate))["pid"] != pid


def test_an_estate_error_reaches_the_user_as_one_line(lab: Lab) -> None:
    lab.estate.write_text("estate: 1\nhosts: [{name: a, colour: red}]")
    failed = lab.run("up", str(lab.estate))
    assert failed.exit_code == 2
    assert failed.stderr == (
        f"winlab: {lab.estate}: hosts[0]: Object contains unknown field `colour` "
        "(see docs/winlab-coverage.md for the keys)\n"
    )
    assert lab.folder.owner() is None


def test_every_command_has_help_with_an_example() -> None:
    for name, command in cli.commands.items():
        shown = CliRunner().invoke(cli, [name, "--help"])
        assert shown.exit_code == 0
        assert f"Example: winlab {name}" in shown.stdout, name
        assert command.help

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from opsproof.cli.main import cli

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "packaging" / "systemd" / "opsproof@.service"
TIMER = ROOT / "packaging" / "systemd" / "opsproof-daily.timer"
CRON = ROOT / "packaging" / "cron" / "opsproof"


def settings(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"[A-Z][A-Za-z]+=", line))


def calls() -> list[list[str]]:
    cron = CRON.read_text(encoding="utf-8").splitlines()[-1]
    return [
        shlex.split(settings(SERVICE)["ExecStart"]),
        shlex.split(cron.split(" && ")[1]),
    ]


@pytest.mark.parametrize("call", calls())
def test_the_commands_exist_with_these_options(call: list[str]) -> None:
    assert call[0].endswith("/bin/opsproof")
    command = cli.get_command(click.Context(cli), call[1])
    assert command is not None
    words = [word.replace("%i", "daily") for word in call[2:]]
    command.make_context("run", words)


def test_a_run_that_has_findings_is_no_failed_unit_and_stopping_reaches_only_opsproof() -> None:
    found = settings(SERVICE)
    assert found["SuccessExitStatus"] == "1"
    assert found["KillMode"] == "mixed"


def test_the_timer_starts_the_service_at_the_time_of_the_documented_schedule() -> None:
    found = settings(TIMER)
    assert found["Unit"] == "opsproof@daily.service"
    guide = (ROOT / "docs" / "how-to" / "schedule.md").read_text(encoding="utf-8")
    at = re.search(r'at: "(\d\d:\d\d)"', guide)
    assert at is not None
    assert f" {at[1]}:00 Asia/Shanghai" in found["OnCalendar"]
    minute, hour = CRON.read_text(encoding="utf-8").splitlines()[-1].split()[:2]
    assert at[1] == f"{int(hour):02}:{int(minute):02}"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    text = SERVICE.read_text(encoding="utf-8")
    unit = tmp_path / "opsproof@daily.service"
    unit.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if "opsproof@daily" in line]
    assert complaints == []


def test_no_unit_holds_a_secret() -> None:
    for path in (ROOT / "packaging").rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8").lower()
            assert not re.search(r"(password|secret|token)\s*=\s*(?!/)", text), path.name

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from opsproof.cli import main
from opsproof.errors import ExitCode, RefusedError


def ends_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    def fail(**_options: object) -> NoReturn:
        raise error

    monkeypatch.setattr(main.cli, "main", fail)
    with pytest.raises(SystemExit) as stop:
        main.main()
    assert isinstance(stop.value.code, int)
    return stop.value.code


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "reports/x"),
            ExitCode.NOT_EVALUATED,
            "opsproof: reports/x: No space left on device\n",
        ),
        (OSError("odd"), ExitCode.NOT_EVALUATED, "opsproof: odd\n"),
        (
            RefusedError("no", where="here", remedy="wait"),
            ExitCode.REFUSED,
            "opsproof: here: no (wait)\n",
        ),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "interrupted\n"),
    ],
)
def test_every_failure_is_one_line_and_a_code(
    error: BaseException,
    code: ExitCode,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ends_with(monkeypatch, error) == code
    assert capsys.readouterr().err == line


def test_a_fault_of_our_own_is_no_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends_with(monkeypatch, AssertionError("ours")) == ExitCode.NOT_EVALUATED
    assert capsys.readouterr().err.endswith("AssertionError: ours\n")


def test_a_reader_who_goes_away_is_no_failure_of_the_tool(tmp_path: Path) -> None:
    script = "from opsproof.cli import main; import click\n"
    script += "main.cli.main = lambda **_: click.echo('x' * 1_000_000)\n"
    script += "main.main()\n"
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={},  # unbuffered, Python would not notice a write that was cut short
    )
    assert child.stdout is not None
    assert child.stderr is not None
    with child.stdout, child.stderr:
        child.stdout.read(1)
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(30) == ExitCode.INTERRUPTED

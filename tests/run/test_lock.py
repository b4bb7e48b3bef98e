from __future__ import annotations

import getpass
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from opsproof.errors import ExitCode, RefusedError
from opsproof.run.lock import inventory_lock, try_lock

HOLD = """
import sys
from pathlib import Path
from opsproof.run.lock import inventory_lock
with inventory_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_second_run_is_refused_and_told_who_holds_it_since_when(
    tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    try:
        with pytest.raises(RefusedError) as caught, inventory_lock(tmp_path):
            pass
    finally:
        end(other)
    assert caught.value.exit_code is ExitCode.REFUSED
    user = re.escape(getpass.getuser())
    assert re.fullmatch(
        rf"{tmp_path}: another run holds this inventory: process {other.pid} of {user}, "
        r"since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \(wait until it ends, or stop it\)",
        str(caught.value),
    )


def test_a_killed_process_holds_nothing(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    end(other)
    with inventory_lock(tmp_path):
        pass


def test_the_lock_is_given_back_even_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), inventory_lock(tmp_path):
        _ = 1 // 0
    with inventory_lock(tmp_path):
        pass


def test_a_child_process_does_not_inherit_the_lock(tmp_path: Path) -> None:
    with inventory_lock(tmp_path):
        child = subprocess.Popen(["sleep", "30"], close_fds=False)
    try:
        descriptor = try_lock(tmp_path)
        assert descriptor is not None
        os.close(descriptor)
    finally:
        child.kill()
        child.wait()


def test_two_inventories_do_not_disturb_each_other(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with inventory_lock(tmp_path / "a"), inventory_lock(tmp_path / "b"):
        pass

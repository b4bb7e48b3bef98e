"""Nothing that was unpacked stays, whatever ends the process."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

import pytest

from opsproof.logs import scratch as scratch_module
from opsproof.logs.scratch import scratch

HOLDS = """
import time
from opsproof.logs.scratch import scratch
with scratch() as folder:
    (folder / "Security.evtx").write_bytes(b"secret")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_a_folder_is_private_and_gone_afterwards(place: Path) -> None:
    with scratch() as folder:
        assert folder.parent == place
        assert folder.stat().st_mode & 0o077 == 0
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(place: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().decode().strip())
        with scratch():
            assert (theirs / "Security.evtx").exists()
        process.kill()
    assert theirs.exists()
    with scratch() as mine:
        assert list(place.iterdir()) == [mine]


def test_what_is_not_ours_is_left_alone(place: Path) -> None:
    kept = place / "elsewhere"
    kept.mkdir()
    (place / "opsproof-cab-link").symlink_to(kept)
    (kept / ".in-use").touch()
    # One that is being made just now has no lock yet.
    (place / "opsproof-cab-new").mkdir()
    with scratch():
        pass
    assert (kept / ".in-use").exists()
    assert (place / "opsproof-cab-new").exists()


def test_a_sweep_at_any_moment_leaves_a_folder_in_the_making_alone(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock

    def sweeps_first(file: IO[bytes], how: int) -> None:
        if how == fcntl.LOCK_EX:
            scratch_module._sweep(place)
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", sweeps_first)
    with scratch() as mine:
        assert list(place.iterdir()) == [mine]
        scratch_module._sweep(place)
        assert mine.exists()

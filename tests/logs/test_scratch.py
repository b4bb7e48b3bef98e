"""Nothing that was unpacked stays, whatever ends the process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

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

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from opsproof.errors import OpsproofError
from opsproof.run.workspace import workspace


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    with workspace(tmp_path / "inventory", "run-1") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "raw.evtx").write_bytes(b"x")
    assert list(tmp_path.glob("opsproof-*/*")) == []


def test_it_is_gone_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), workspace(tmp_path / "inventory", "run-1"):
        _ = 1 // 0
    assert list(tmp_path.glob("opsproof-*/*")) == []


def test_what_a_killed_run_left_goes_and_another_inventorys_stays(tmp_path: Path) -> None:
    with workspace(tmp_path / "other", "run-2") as other:
        with workspace(tmp_path / "inventory", "run-1") as first:
            left = first.parent / "killed"
            left.mkdir()
            with workspace(tmp_path / "inventory", "run-3"):
                assert not left.exists()
        assert other.is_dir()


def test_a_folder_of_somebody_else_or_open_to_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"opsproof-{os.getuid()}").mkdir(mode=0o755)
    with (
        pytest.raises(OpsproofError, match="it is not a private folder of this account"),
        workspace(tmp_path / "inventory", "run-1"),
    ):
        pass


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / f"opsproof-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(OpsproofError, match="it is not a private folder"),
        workspace(tmp_path / "inventory", "run-1"),
    ):
        pass

"""A file that takes another one's place is one writer's whole work."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from opsproof.evidence.files import replace_durably, replacing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def half_written(path: Path) -> None:
    with replacing(path) as stream:
        stream.write(b"half")
        raise RuntimeError


def test_two_that_replace_the_same_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    second = threading.Thread(target=replace_durably, args=(path, b"second"))
    with replacing(path) as stream:
        stream.write(b"first, and longer")
        stream.flush()
        second.start()
        second.join(0.2)
        assert second.is_alive()
        assert not path.exists()
    second.join()
    assert path.read_bytes() == b"second"
    assert names(tmp_path) == ["plan.jsonl"]


def test_many_at_once_leave_one_of_theirs_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    contents = [bytes([65 + number]) * (1000 * (number + 1)) for number in range(16)]
    threads = [threading.Thread(target=replace_durably, args=(path, one)) for one in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert names(tmp_path) == ["report.json"]


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError):
        half_written(path)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["report.json"]


def test_what_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    child = os.fork()
    if not child:
        with replacing(path) as stream:
            stream.write(b"x" * 1000)
            stream.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert names(tmp_path) == [".report.json.partial"]
    replace_durably(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["report.json"]

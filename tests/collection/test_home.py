"""What the store of a host does with cabinets, whatever their size and whatever was cut off before."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from cabarchive import CabArchive, CabFile

from opsproof.collection.home import Store, _unpacked


def cabinet(folder: Path, content: bytes) -> Path:
    archive = CabArchive()
    archive["0"] = CabFile(content)
    file = folder / "1.cab"
    file.write_bytes(archive.save(compress=True))
    return file


def test_what_a_killed_run_was_unpacking_is_removed(tmp_path: Path) -> None:
    left_behind = tmp_path / ".unpacked-killed"
    left_behind.mkdir()
    (left_behind / "00000").write_bytes(b"a log of somebody")
    Store(tmp_path).load(None)
    assert [path.name for path in tmp_path.iterdir()] == ["home.json"]


def test_a_cabinet_of_any_size_is_unpacked_in_little_memory(tmp_path: Path) -> None:
    file = cabinet(tmp_path, b"2026-11-22 00:00:00 GET /\r\n" * 1_200_000)
    tracemalloc.start()
    with _unpacked(file, tmp_path) as found:
        assert found[0].stat().st_size == 32_400_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
    assert [path.name for path in tmp_path.iterdir()] == ["1.cab"]

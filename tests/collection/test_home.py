"""What the store of a host does with cabinets, whatever their size and whatever was cut off before."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from cabarchive import CabArchive, CabFile
from tests.collection.lab import IIS, START, Collector, files, left, web_log

from opsproof import cabinets
from opsproof.collection.home import Store, _unpacked
from opsproof.collection.model import State


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


def test_a_cabinet_is_unpacked_once_where_its_logs_are_laid_out(
    lab: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To know what came it is read, and not written to the disk of the store."""
    places: list[Path] = []

    def noted(cabinet: Path, target: Path) -> list[cabinets.Member]:
        places.append(target)
        return unpack(cabinet, target)

    unpack = cabinets.unpack
    monkeypatch.setattr(cabinets, "unpack", noted)
    assert lab.collect().parts_fetched == 1
    [place] = places
    assert place.is_relative_to(lab.root / "staging" / "logs" / "web01")


def test_only_the_missing_cabinets_are_fetched_after_a_break(lab: Collector) -> None:
    lab.part_mb = 1
    for number in (1, 2):
        big = web_log("22", 30_000, lab.clock)
        lab.host.files.write(f"{IIS}\\W3SVC{number}\\u_ex261122.log", big)
    assert len(lab.look().parts) == 3
    seen = 0
    whole = lab.fetch

    def breaks(remote: str, local: Path) -> None:
        nonlocal seen
        seen += 1
        lab.broken = seen > 2
        whole(remote, local)

    lab.fetch = breaks  # type: ignore[method-assign]  # the connection breaks after two files
    first = lab.collect()
    assert (first.parts_fetched, first.parts_failed) == (2, 1)
    lab.fetch, lab.broken, lab.fetched = whole, 0, []  # type: ignore[method-assign]
    second = lab.collect()
    # Not sealed: both cabinets are handed over again, and one more is fetched.
    # (the second has the events of the time between).
    assert (second.parts_resumed, second.parts_fetched) == (2, 2)
    assert left(second) == {f"{IIS}\\W3SVC1\\u_ex261122.log": (State.UNCHANGED, 0)}
    assert {p for p in files(second).values() if "W3SVC" in p} == {
        f"{IIS}\\W3SVC{number}\\u_ex261122.log" for number in (1, 2)
    }


def test_a_sealed_run_takes_the_cabinets_out_of_the_store(lab: Collector) -> None:
    lab.collect()
    store = Store(lab.root / "store" / "web01")
    assert len(store.load("").parts) == 1
    assert len(store.load("2026-11-22T01:14:59Z").parts) == 1
    assert store.load("2026-11-22T01:15:00Z").parts == ()
    assert [path.name for path in store.folder.iterdir()] == ["home.json"]
    assert store.look("2026-11-22T01:15:00Z").released == "2026-11-22T01:15:00Z"


def test_a_ledger_that_does_not_hold_what_was_collected_begins_anew(lab: Collector) -> None:
    lab.collect()
    lab.sealed = lab.settings().now
    lab.clock.forward(minutes=5)
    assert len(lab.collect().staged) == 3
    lab.sealed = lab.settings().now
    lab.clock.forward(minutes=5)
    lab.collect()
    # The reports were restored from a backup, or others are written now.
    for sealed in (f"{START:%Y-%m-%dT%H:%M:%SZ}", ""):
        lab.sealed = sealed
        lab.clock.forward(minutes=5)
        assert "iis/W3SVC1/u_ex261122.log" in files(lab.collect())


def test_a_cabinet_that_was_lost_or_damaged_here_is_fetched_again(lab: Collector) -> None:
    lab.collect()
    [cabinet] = (lab.root / "store/web01").glob("*.cab")
    cabinet.write_bytes(b"MSCF, and then nothing")
    again = lab.collect()
    assert (again.parts_resumed, again.parts_fetched) == (0, 1)
    assert len(again.staged) == 5

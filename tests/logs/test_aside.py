"""Rows on disk are read and sorted as rows in memory are."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsproof.logs import aside
from opsproof.logs.aside import AsideError, Blobs, Sorter, Vector

FOLDER = aside.folder()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything goes to disk, a few rows at a time."""
    monkeypatch.setattr(aside, "STEP", 7)
    monkeypatch.setattr(aside, "_KEPT", 1)
    monkeypatch.setattr(aside, "_RUN", 3 * 8 * 11)
    monkeypatch.setattr(aside, "_LEAST", 2)


@pytest.mark.usefixtures("small")
def test_sorting_agrees_with_sorting_in_memory() -> None:
    source = np.random.default_rng(3)
    for size in (0, 1, 10, 11, 12, 400):
        for most in (1, 3, 1 << 62):
            rows = source.integers(-most, most, (size, 3))
            sorter = Sorter(FOLDER, 3, 2)
            for part in np.array_split(rows, 5):
                sorter.add(part)
            found = [tuple(row) for block in sorter.sorted() for row in block.tolist()]
            assert [row[:2] for row in found] == sorted(tuple(row[:2]) for row in rows.tolist())
            assert sorted(found) == sorted(map(tuple, rows.tolist()))


@pytest.mark.usefixtures("small")
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-50, 50), max_size=60).map(sorted),
    st.lists(st.integers(-60, 60), max_size=30).map(sorted),
    st.integers(0, 5),
)
def test_ascending_numbers_are_found(numbers: list[int], asked: list[int], begin: int) -> None:
    vector = Vector(FOLDER)
    vector.append(np.array(numbers[:20], dtype=np.int64))
    vector.append(np.array(numbers[20:], dtype=np.int64))
    begin = min(begin, len(numbers))
    found = vector.lower(np.array(asked, dtype=np.int64), begin, len(numbers))
    expected = begin + np.searchsorted(np.array(numbers[begin:]), asked) if numbers else found
    assert found.tolist() == list(expected)
    places = np.array(
        [number + 60 for number in asked if number + 60 < len(numbers)], dtype=np.int64
    )
    assert vector.take(places).tolist() == [numbers[place] for place in places.tolist()]
    assert np.concatenate([[], *(block for _, block in vector.blocks())]).tolist() == numbers


def test_rows_are_read_as_rows() -> None:
    table = Vector(FOLDER, width=2)
    table.append(np.arange(10).reshape(-1, 2))
    assert table.read(1, 3).tolist() == [[2, 3], [4, 5]]
    assert table.read(4, 99).tolist() == [[8, 9]]
    assert table.read(5, 5).shape == (0, 2)


def test_a_full_disk_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    blobs = Blobs(tmp_path)
    with pytest.raises(AsideError, match=f"{tmp_path}: .*No space left on device .*TMPDIR"):
        blobs.append(bytes(1 << 21))


def test_nothing_that_is_put_aside_has_a_name(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    blobs.append(bytes(1 << 21))
    assert not list(tmp_path.iterdir())
    assert blobs.read(5, 3) == bytes(3)

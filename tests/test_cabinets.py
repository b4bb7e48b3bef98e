"""Cabinets are unpacked as cabarchive unpacks them, whatever they hold and however they were damaged."""

from __future__ import annotations

import random
import struct
import tempfile
import zlib
from pathlib import Path

import cabarchive
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsproof.cabinets import CabinetError, Member, checksum, digests, unpack
from opsproof.evidence.sums import sha256_file

ROOM = 1 << 30

_names = st.text("abc_\u00e9\u4e2d", min_size=1, max_size=12)
_contents = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda one, times: one * times, st.binary(min_size=1, max_size=5), st.integers(0, 30_000)
    ),
)


def packed(members: dict[str, bytes], *, compress: bool = True) -> bytes:
    archive = cabarchive.CabArchive()
    for name, content in members.items():
        archive[name] = cabarchive.CabFile(content)
    data: bytes = archive.save(compress=compress)
    return data


def unpacked(data: bytes, folder: Path, room: int = ROOM) -> list[Member]:
    file = folder / "it.cab"
    file.write_bytes(data)
    target = folder / "out"
    target.mkdir(exist_ok=True)
    for old in target.iterdir():
        old.unlink()
    found = unpack(file, target, room)
    # What is hashed and not written is the same, whatever is wrong with it.
    assert [(one.name, one.size, one.sha256, one.fault) for one in digests(file, room)] == [
        (one.name, one.size, sha256_file(one.path), one.fault) for one in found
    ]
    return found


def contents(members: list[Member]) -> dict[str, bytes]:
    return {one.name.decode(): one.path.read_bytes() for one in members if not one.fault}


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(_names, _contents, max_size=6), st.booleans())
def test_what_was_packed_comes_out(members: dict[str, bytes], compress: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = unpacked(packed(members, compress=compress), Path(folder))
        assert contents(found) == members


def test_damaged_cabinets_cost_no_more_than_their_members(tmp_path: Path) -> None:
    """Flipped bits and cut ends: what cabarchive still reads is read alike, and all else is told."""
    source = random.Random(4)  # noqa: S311 - test data, no secret
    words = [source.randbytes(6) for _ in range(40)]
    members = {
        f"log{number}": b" ".join(source.choices(words, k=size))
        for number, size in enumerate((0, 3, 900, 12_000, 700))
    }
    alike = told = unlisted = 0
    for compress in (True, False):
        whole = packed(members, compress=compress)
        for round_ in range(250):
            data = bytearray(whole)
            if round_ % 5 == 0:
                del data[source.randrange(len(data)) :]
            for _ in range(source.choice([1, 1, 3])):
                if data:
                    place = source.randrange(min(len(data), source.choice([200, len(data)])))
                    data[place] ^= 1 << source.randrange(8)
            try:
                found = unpacked(bytes(data), tmp_path, 1 << 20)
            except CabinetError:
                unlisted += 1
                continue
            assert sum(one.path.stat().st_size for one in found) <= 1 << 20
            told += any(one.fault for one in found)
            try:
                other = cabarchive.CabArchive(bytes(data))
            except Exception:  # noqa: BLE001, S112 - what it cannot read it ends with any error
                continue
            good = {one.name: one.path.read_bytes() for one in found if not one.fault}
            if len(good) == len(other) == len(members):
                alike += 1
                assert sorted(good.values()) == sorted(file.buf for file in other.values())
    assert min(alike, told, unlisted) > 5


def cabinet(
    blocks: list[tuple[bytes, int]],
    files: list[tuple[bytes, int, int, int]],
    folders: int = 1,
    method: int = 1,
) -> bytes:
    """A cabinet of MSZIP whose folders all have these blocks (data and stated size), without checksums.
    Files are name, size, offset and folder.
    """
    listed = b"".join(
        struct.pack("<IIHHHH", size, offset, folder, 0, 0, 0x20) + name + b"\0"
        for name, size, offset, folder in files
    )
    files_at = 36 + 8 * folders
    data_at = files_at + len(listed)
    data = b"".join(struct.pack("<IHH", 0, len(one), size) + one for one, size in blocks)
    head = struct.pack(
        "<4sIIIIIBBHHHHH",
        *(b"MSCF", 0, data_at + len(data), 0, files_at, 0, 3, 1, folders, len(files), 0, 0, 0),
    )
    return head + struct.pack("<IHH", data_at, len(blocks), method) * folders + listed + data


def deflated(data: bytes) -> bytes:
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"CK" + pack.compress(data) + pack.flush()


ZEROS = (deflated(bytes(32768)), 32768)


def test_a_bomb_is_stopped_where_there_is_no_more_room(tmp_path: Path) -> None:
    size = 100 * 32768
    files = [(b"f%d" % number, size, number * size, 0) for number in range(4)]
    bomb = cabinet([ZEROS] * 400, files)
    assert len(bomb) < 30_000
    found = unpacked(bomb, tmp_path, 5_000_000)
    assert [one.path.stat().st_size for one in found] == [size, 52 * 32768, 0, 0]
    assert [bool(one.fault) for one in found] == [False, True, True, True]
    assert "may unpack to" in found[1].fault


def test_folders_that_share_blocks_or_have_empty_ones_cost_no_time(tmp_path: Path) -> None:
    shared = cabinet([ZEROS] * 20, [(b"%d" % one, 9, 600_000, one) for one in range(400)], 400)
    found = unpacked(shared, tmp_path)
    assert 1 <= sum(not one.fault for one in found) < 100
    assert "those of another folder too" in found[-1].fault
    files = [(b"%d" % one, 1, 0, one) for one in range(300)]
    empty = cabinet([(b"", 0)] * 5000, files, folders=300, method=0)
    found = unpacked(empty, tmp_path)
    assert all(one.fault for one in found)


def test_members_that_lie_on_one_another_are_not_written_again_and_again(tmp_path: Path) -> None:
    files = [(f"f{number:03d}".encode(), 32768, number % 2, 0) for number in range(200)]
    found = unpacked(cabinet([ZEROS, ZEROS], files), tmp_path)
    assert sum(not one.fault for one in found) == 1
    assert "lies on another member" in found[1].fault


def test_a_block_that_unpacks_to_more_than_it_says_is_damage(tmp_path: Path) -> None:
    (found,) = unpacked(
        cabinet([(deflated(bytes(50_000_000)), 32768)], [(b"f", 9, 0, 0)]), tmp_path
    )
    assert (
        found.fault == "0 of its 9 bytes could be unpacked: its block 0 is not of the stated size"
    )


def test_what_comes_before_the_damage_is_kept_and_other_folders_are_whole(tmp_path: Path) -> None:
    good = cabinet(
        [ZEROS, (b"CK\xff\xff\xff", 32768)],
        [
            (b"a", 10, 0, 0),
            (b"b", 50_000, 10, 0),
            (b"c", 5, 60_000, 0),
            (b"d", 4, 0, 1),
            (b"e", 4, 0, 9),
        ],
        folders=2,
    )
    found = {one.name: (one.path.stat().st_size, one.fault) for one in unpacked(good, tmp_path)}
    assert found[b"a"] == (10, "")
    assert found[b"b"] == (
        32758,
        "32758 of its 50000 bytes could be unpacked: its block 1 cannot be unpacked",
    )
    assert found[b"c"] == (0, "0 of its 5 bytes could be unpacked: its block 1 cannot be unpacked")
    assert found[b"d"] == (4, "")
    assert "a folder that is not there" in found[b"e"][1]


def test_the_checksum_is_that_of_the_format() -> None:
    assert checksum(bytes([1, 2, 3, 4, 5, 6, 7])) == 0x04030201 ^ 0x050607
    assert checksum(b"\x01", 6) == 7


@pytest.mark.parametrize("data", [b"", b"MSCF", b"MSCF" + bytes(100), b"x" * 100])
def test_what_is_no_cabinet_is_told(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(CabinetError, match=r"it\.cab: it"):
        unpacked(data, tmp_path)

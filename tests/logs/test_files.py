"""Which files and rules an audit takes in: none is lost for its name, its place or its rights."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cabarchive
import pytest

from opsproof import cabinets
from opsproof.evidence.canonical import canonical
from opsproof.logs.aside import AsideError
from opsproof.logs.audit import Options, audit
from opsproof.logs.files import READERS, collected
from opsproof.logs.model import Kind
from opsproof.logs.readers.base import Fields, Kept, Log, Notes
from opsproof.logs.rules.compiled import RuleSet
from opsproof.logs.rules.load import compile_texts, load
from opsproof.logs.table import Table

REQUEST = "#Fields: date time c-ip cs-method cs-uri-stem\n2026-01-05 10:00:00 10.0.0.{} GET /a\n"
RULE = (
    "title: Rule {0}\nid: 00000000-0000-0000-0000-0000000000{0:02d}\n"
    "logsource: {{category: webserver}}\ndetection: {{s: {{cs-method: GET}}, condition: s}}\n"
)


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return compile_texts([("a.yml", RULE.format(1).encode())])


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Logs of the same name on two servers."""
    for number in (1, 2):
        folder = tmp_path / f"srv{number}" / "W3SVC1"
        folder.mkdir(parents=True)
        (folder / "u_ex260105.log").write_text(REQUEST.format(number))
    monkeypatch.chdir(tmp_path)
    return [Path("srv1/W3SVC1"), Path("srv2/W3SVC1")]


@pytest.mark.parametrize("below", ["", "u_ex260105.log"])
def test_logs_of_one_name_in_two_places_are_two_logs(
    servers: list[Path], rules: RuleSet, below: str
) -> None:
    paths = [folder / below for folder in servers]
    report = audit(paths, rules)
    assert [one.file for one in report.sources] == [
        "srv1/W3SVC1/u_ex260105.log",
        "srv2/W3SVC1/u_ex260105.log",
    ]
    assert report.counts.hits == 2
    assert audit(paths[::-1], rules) == report


def test_a_file_reached_in_several_ways_is_read_once(servers: list[Path]) -> None:
    paths = [*servers, servers[0].resolve(), servers[0] / "u_ex260105.log"]
    with collected(paths) as files, collected(paths[::-1]) as backwards:
        assert len(files) == 2
        assert backwards == files


def test_names_are_told_apart_by_the_whole_path_where_nothing_shorter_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("a/x.log", "b/x.log", "q/a/x.log"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(place)
    monkeypatch.chdir(tmp_path)
    with collected([Path("a/x.log"), Path("b/x.log"), Path("q/a")]) as files:
        names = {one.path.read_text(): one.name for one in files}
    assert names["b/x.log"] == "b/x.log"
    assert len(set(names.values())) == 3


def test_rules_of_one_name_in_two_folders_are_two_rules(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "same.yml").write_text(RULE.format(number))
    folders = [tmp_path / "1", tmp_path / "2"]
    loaded = load(folders)
    assert [rule.meta.title["en"] for rule in loaded.rules] == ["Rule 1", "Rule 2"]
    assert not loaded.rejected
    assert load(folders[::-1]) == loaded
    assert len(load([*folders, tmp_path / "1" / "same.yml"]).rules) == 2


def test_a_folder_that_cannot_be_listed_is_told_and_the_rest_is_audited(
    servers: list[Path], rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def denied(path: Any) -> Any:
        if str(path).endswith("srv2"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    # Rights do not bind root, who may run this.
    monkeypatch.setattr(os, "scandir", denied)
    report = audit([servers[0].parent.parent, servers[1].parent], rules)
    assert [place.file for place in report.unreadable] == ["srv2"]
    assert report.unreadable[0].what.startswith("it cannot be read: ")
    assert report.counts.hits == 1


def test_a_file_that_goes_while_it_is_read_is_told_and_the_rest_is_audited(
    servers: list[Path], rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = READERS[Kind.W3C]

    def gone(log: Log, wanted: Fields, notes: Notes, _: Kept | None = None) -> Iterator[Table]:
        if log.name.startswith("srv1"):
            raise OSError(116, "Stale file handle")
        return real(log, wanted, notes)

    monkeypatch.setitem(READERS, Kind.W3C, gone)
    report = audit(servers, rules, options=Options(processes=1))
    assert [str(place) for place in report.unreadable] == [
        "srv1/W3SVC1/u_ex260105.log: reading it ended with an error: Stale file handle"
    ]
    assert report.counts.hits == 1


def test_a_name_in_other_bytes_than_utf_8_stands_in_the_report(
    tmp_path: Path, rules: RuleSet
) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/x\xff.log")).write_text(REQUEST.format(1))
    report = audit([tmp_path], rules)
    assert report.sources[0].file.endswith("/x\\udcff.log")
    assert canonical(report)


def test_of_a_damaged_cabinet_all_is_read_that_is_there(tmp_path: Path, rules: RuleSet) -> None:
    archive = cabarchive.CabArchive()
    archive["a.log"] = cabarchive.CabFile(REQUEST.format(1).encode())
    archive["b.log"] = cabarchive.CabFile((REQUEST.format(2) + "\n" * 50_000).encode())
    archive["c.log"] = cabarchive.CabFile(REQUEST.format(3).encode())
    data = bytearray(archive.save(compress=False))
    data[-200] ^= 1
    (tmp_path / "host.cab").write_bytes(data)
    report = audit([tmp_path / "host.cab"], rules)
    assert {hit.file for hit in report.hits} == {"host.cab!a.log", "host.cab!b.log"}
    told = {place.file: place.what for place in report.unreadable}
    assert told.keys() == {"host.cab!b.log", "host.cab!c.log"}
    assert (
        "of its 50082 bytes could be unpacked: the checksum of its block 1"
        in told["host.cab!b.log"]
    )


def test_many_cabinets_need_no_open_file_each(tmp_path: Path) -> None:
    names = ["a.log", "b.log"]
    for number in range(9):
        archive = cabarchive.CabArchive()
        for name in names:
            archive[name] = cabarchive.CabFile(REQUEST.format(f"{number}{name}").encode())
        (tmp_path / f"{number}.cab").write_bytes(archive.save(compress=True))
    opened = Path("/proc/self/fd")
    before = len(list(opened.iterdir()))
    with collected([tmp_path]) as files:
        assert len(list(opened.iterdir())) <= before + 1
        contents = {file.name.rpartition("/")[2]: file.path.read_text() for file in files}
    assert contents == {
        f"{number}.cab!{name}": REQUEST.format(f"{number}{name}")
        for number in range(9)
        for name in names
    }
    assert not any(file.path.exists() for file in files)


def test_a_cabinet_that_unpacks_to_too_much_is_told(tmp_path: Path, rules: RuleSet) -> None:
    archive = cabarchive.CabArchive()
    archive["a.log"] = cabarchive.CabFile(REQUEST.format(1).encode())
    archive["b.log"] = cabarchive.CabFile(REQUEST.format(2).encode() * 2000)
    (tmp_path / "host.cab").write_bytes(archive.save(compress=True))
    report = audit([tmp_path / "host.cab"], rules, options=Options(unpacked=50_000))
    assert {hit.file for hit in report.hits} == {"host.cab!a.log", "host.cab!b.log"}
    (place,) = (one for one in report.unreadable if "could be unpacked" in one.what)
    assert "host.cab!b.log: 3" in str(place)
    assert "holds more than the 50000 bytes it may unpack to" in str(place)


def test_a_full_disk_ends_the_audit_with_one_line(
    tmp_path: Path, rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "host.cab").write_bytes(b"MSCF")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cabinets, "unpack", full)
    with pytest.raises(AsideError, match=r"No space left on device .*TMPDIR"):
        audit([tmp_path / "host.cab"], rules)

"""win_stat, win_find, win_file, win_tempfile, slurp and win_wait_for on the host's files."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from tests.winlab.modules.calls import Call, LabClock, call_module

from winlab.host.files import Attributes
from winlab.host.host import Host


def test_stat_of_a_file(call: Call, host: Host) -> None:
    host.files.write("C:\\d.TXT", b"text")
    host.files.set_attributes("C:\\d.TXT", Attributes.READONLY | Attributes.HIDDEN)
    stat = call("win_stat", path="c:\\D.txt", checksum_algorithm="sha256")["stat"]
    assert stat == {
        "exists": True,
        "attributes": "ReadOnly, Hidden",
        "isarchive": False,
        "isdir": False,
        "ishidden": True,
        "isreadonly": True,
        "isshared": False,
        "isjunction": False,
        "islnk": False,
        "isreg": True,
        "nlink": 1,
        "hlnk_targets": [],
        "creationtime": 1795320306.0,
        "lastaccesstime": 1795320306.0,
        "lastwritetime": 1795320306.0,
        "path": "C:\\D.txt",
        "filename": "D.txt",
        "owner": "BUILTIN\\Administrators",
        "extension": ".txt",
        "checksum": "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1",
        "size": 4,
    }


def test_stat_of_a_file_that_nobody_may_read(call: Call, host: Host) -> None:
    host.files.write("C:\\d.txt", b"text")
    host.files.hold("C:\\d.txt", "app", share_read=False)
    assert call("win_stat", path="C:\\d.txt")["msg"] == (
        "Failed to get hash of file, set get_checksum to False to ignore this error: Exception "
        'calling "Open" with "4" argument(s): "The process cannot access the file \'C:\\d.txt\' '
        'because it is being used by another process."'
    )
    assert call("win_stat", path="C:\\d.txt", get_checksum=False)["stat"]["size"] == 4


@pytest.mark.parametrize("host", ["zh-CN"], indirect=True)
def test_dotnet_speaks_the_hosts_language(host: Host) -> None:
    host.files.write("C:\\d.txt", b"text")
    host.files.hold("C:\\d.txt", "app", share_read=False)
    assert (
        "文件“C:\\d.txt”正由另一进程使用" in call_module(host, "win_stat", path="C:\\d.txt")["msg"]
    )


def test_find_filters_by_name_age_size_and_kind(call: Call, host: Host, clock: LabClock) -> None:
    host.files.mkdir("C:\\logs\\old")
    host.files.write("C:\\logs\\old\\a.log", b"x" * 2048)
    clock.now += timedelta(days=3)
    host.files.write("C:\\logs\\b.log", b"x")
    host.files.write("C:\\logs\\c.txt", b"x" * 4096)

    def names(**options: object) -> list[str]:
        answer = call("win_find", paths=["C:\\logs"], recurse=True, **options)
        assert answer["matched"] == len(answer["files"])
        return [item["filename"] for item in answer["files"]]

    assert names() == ["b.log", "c.txt", "a.log"]
    assert names(patterns=["*.LOG"]) == ["b.log", "a.log"]
    assert names(patterns=["^[bc]"], use_regex=True) == ["b.log", "c.txt"]
    assert names(age="2d") == ["a.log"]
    assert names(age="-2d") == ["b.log", "c.txt"]
    assert names(size="1k") == ["c.txt", "a.log"]
    assert names(size="-1k") == ["b.log"]
    assert names(file_type="directory") == ["old"]
    assert names(depth=1) == ["b.log", "c.txt"]
    assert call("win_find", paths=["C:\\logs"], age="x")["msg"] == "Invalid age pattern specified"
    assert call("win_find", paths=["C:\\logs"], size="x")["msg"] == "Invalid size pattern specified"


def test_find_gives_local_clock_readings_and_warns_of_what_is_no_folder(
    call: Call, host: Host
) -> None:
    host.files.mkdir("C:\\logs")
    host.files.write("C:\\logs\\a", b"")
    answer = call("win_find", paths=["C:\\logs", "C:\\none", "C:\\logs\\a"])
    assert answer["files"][0]["lastwritetime"] == 1795320306.0 + 8 * 3600
    assert answer["warnings"] == [
        "Argument path 'C:\\none' does not exist or is not accessible, skipping",
        "Argument path 'C:\\logs\\a' is a file not a directory, skipping",
    ]


@pytest.mark.parametrize(
    ("path", "state", "message"),
    [
        ("C:\\Windows", "file", "path C:\\Windows is not a file"),
        ("C:\\x.txt", "directory", "path C:\\x.txt is not a directory"),
        ("C:\\none.txt", "file", "path C:\\none.txt will not be created"),
        ("Q:\\x", "directory", "Cannot find drive. A drive with the name 'Q' does not exist."),
    ],
)
def test_file_states_that_do_not_fit(
    call: Call, host: Host, path: str, state: str, message: str
) -> None:
    host.files.write("C:\\x.txt", b"")
    assert call("win_file", path=path, state=state)["msg"] == message


def test_folder_with_a_file_in_use_is_not_removed(call: Call, host: Host) -> None:
    host.files.mkdir("C:\\d")
    host.files.write("C:\\d\\f", b"")
    host.files.hold("C:\\d\\f", "app")
    answer = call("win_file", path="C:\\d", state="absent")
    assert answer["failed"]
    assert answer["msg"].startswith("Failed to delete C:\\d: The process cannot access the file")
    assert host.files.exists("C:\\d\\f")


def test_touch_makes_a_file_and_then_its_time(call: Call, host: Host, clock: LabClock) -> None:
    assert call("win_file", path="C:\\t", state="touch")["changed"] is True
    clock.now += timedelta(hours=1)
    assert call("win_file", path="C:\\t", state="touch")["changed"] is True
    assert host.files.stat("C:\\t").entry.modified == clock.now


def test_tempfile_makes_what_it_names_but_not_in_check_mode(call: Call, host: Host) -> None:
    made = call("win_tempfile", state="directory", suffix=".x")["path"]
    assert host.files.is_folder(made)
    assert made.startswith("C:\\Users\\Administrator\\AppData\\Local\\Temp\\ansible.")
    assert not host.files.exists(call("win_tempfile", check=True)["path"])
    refused = call("win_tempfile", path="C:\\none")["msg"]
    assert refused.startswith(
        "No random temporary file worked in 5 attempts. Error: Could not find a part of the path "
        "'C:\\none\\ansible."
    )


def test_slurp(call: Call, host: Host) -> None:
    host.files.write("C:\\f", b"\x00\xff")
    assert base64.b64decode(call("slurp", src="C:\\f")["content"]) == b"\x00\xff"
    assert call("slurp", path="C:\\Windows")["msg"] == "Path C:\\Windows is a directory"
    assert call("slurp", src="C:\\none")["msg"] == "Path C:\\none is not found"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"port": 9, "timeout": 3},
            "timeout while waiting for 127.0.0.1:9 to start listening",
        ),
        (
            {"port": 5985, "state": "stopped", "timeout": 3},
            "timeout while waiting for 127.0.0.1:5985 to stop listening",
        ),
        (
            {"path": "C:\\none", "timeout": 3},
            "timeout while waiting for file C:\\none to be present",
        ),
        (
            {"path": "C:\\f", "regex": "ready", "timeout": 3},
            "timeout while waiting for string regex ready in file C:\\f to match",
        ),
        (
            {"path": "C:\\f", "port": 1},
            "port and path parameter can not both be passed to win_wait_for",
        ),
        (
            {"path": "C:\\f", "state": "drained"},
            "state=drained should only be used for checking a port in the win_wait_for module",
        ),
    ],
)
def test_wait_for_what_does_not_come(
    call: Call, host: Host, options: dict[str, object], message: str
) -> None:
    host.files.write("C:\\f", b"starting")
    answer = call("win_wait_for", **options)
    assert (answer["failed"], answer["msg"]) == (True, message)


def test_wait_for_text_that_is_there(call: Call, host: Host) -> None:
    host.files.write("C:\\f", b"all READY")
    assert call("win_wait_for", path="C:\\f", regex="ready")["elapsed"] == 0

"""The four modes of win_copy."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile

import pytest
from tests.winlab.modules.calls import Call

from winlab.host.host import Host

SHA1_OF_TEXT = hashlib.sha1(b"text", usedforsecurity=False).hexdigest()


@pytest.fixture(autouse=True)
def source(host: Host) -> None:
    host.files.mkdir("C:\\src\\sub")
    host.files.write("C:\\src\\a.txt", b"text")
    host.files.write("C:\\src\\sub\\b.txt", b"more")


def test_query_asks_for_what_differs(call: Call, host: Host) -> None:
    host.files.mkdir("C:\\dst")
    host.files.write("C:\\dst\\same.txt", b"text")
    host.files.write("C:\\dst\\other.txt", b"old")
    files = [
        {"src": f"/c/{name}", "dest": name, "checksum": SHA1_OF_TEXT}
        for name in ("same.txt", "other.txt", "new.txt")
    ]
    folders = [{"src": "/c/x", "dest": "x"}, {"src": "/c", "dest": "."}]
    answer = call("win_copy", _copy_mode="query", dest="C:\\dst", files=files, directories=folders)
    assert answer == {
        "changed": False,
        "files": files[1:],
        "directories": folders[:1],
        "symlinks": [],
    }


def test_query_without_force_takes_what_is_there(call: Call, host: Host) -> None:
    files = [{"src": "/c/a.txt", "dest": "a.txt", "checksum": "x"}]
    answer = call("win_copy", _copy_mode="query", dest="C:\\src", files=files, force=False)
    assert answer["files"] == []


def test_query_on_a_drive_that_is_not_there(call: Call) -> None:
    files = [{"src": "/c/a", "dest": "a", "checksum": "x"}]
    assert call("win_copy", _copy_mode="query", dest="Q:\\", files=files)["msg"] == (
        "Unhandled exception while executing module: Cannot find drive. A drive with the name 'Q' "
        "does not exist."
    )


def test_single_into_a_folder_takes_the_original_name(call: Call, host: Host) -> None:
    answer = call(
        "win_copy",
        _copy_mode="single",
        src="C:\\src\\a.txt",
        dest="C:\\new\\",
        _original_basename="n",
    )
    assert answer == {"changed": True}
    assert host.files.read("C:\\new\\n") == b"text"


def test_single_into_a_folder_that_is_not_there(call: Call) -> None:
    answer = call("win_copy", _copy_mode="single", src="C:\\src\\a.txt", dest="C:\\no\\n")
    assert answer["msg"] == "Destination directory 'C:\\no' does not exist"


def test_single_keeps_a_backup(call: Call, host: Host) -> None:
    answer = call(
        "win_copy",
        _copy_mode="single",
        src="C:\\src\\a.txt",
        dest="C:\\src\\sub\\b.txt",
        backup=True,
    )
    assert answer["backup_file"].endswith(".20261122-120506.bak")
    assert host.files.read(answer["backup_file"]) == b"more"
    assert host.files.read("C:\\src\\sub\\b.txt") == b"text"


def test_single_without_its_source(call: Call) -> None:
    assert call("win_copy", _copy_mode="single", src="C:\\none", dest="C:\\x")["msg"] == (
        "Cannot copy src file: 'C:\\none' as it does not exist"
    )


def archive(*entries: tuple[str, bytes | None]) -> bytes:
    """An archive as the action plugin makes it: names in base64, folders without content."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as packed:
        for name, content in entries:
            coded = base64.b64encode(name.encode()).decode()
            packed.writestr(coded if content is not None else coded + "/", content or b"")
    return data.getvalue()


def test_explode_unpacks_names_in_any_script(call: Call, host: Host) -> None:
    packed = archive(("数据", None), ("数据/表.txt", b"1"), ("a.txt", b"2"))
    host.files.write("C:\\source.zip", packed)
    assert call("win_copy", _copy_mode="explode", src="C:\\source.zip", dest="C:\\dst")["changed"]
    assert host.files.read("C:\\dst\\数据\\表.txt") == b"1"
    assert host.files.read("C:\\dst\\a.txt") == b"2"


def test_remote_file_to_file_with_diff(call: Call) -> None:
    answer = call(
        "win_copy", _copy_mode="remote", src="C:\\src\\a.txt", dest="C:\\src\\c.txt", diff=True
    )
    assert answer == {
        "changed": True,
        "src": "C:\\src\\a.txt",
        "dest": "C:\\src\\c.txt",
        "operation": "file_copy",
        "original_basename": "a.txt",
        "checksum": SHA1_OF_TEXT,
        "size": 4,
        "diff": {"prepared": "+C:\\src\\c.txt\n"},
    }


def test_remote_folder_with_and_without_its_name(call: Call, host: Host) -> None:
    answer = call("win_copy", _copy_mode="remote", src="C:\\src", dest="C:\\dst")
    assert (answer["dest"], answer["size"]) == ("C:\\dst\\src", 8)
    call("win_copy", _copy_mode="remote", src="C:\\src\\", dest="C:\\dst")
    assert host.files.read("C:\\dst\\sub\\b.txt") == b"more"
    again = call("win_copy", _copy_mode="remote", src="C:\\src\\", dest="C:\\dst")
    assert again["changed"] is False


def test_remote_file_onto_a_file_in_use(call: Call, host: Host) -> None:
    host.files.hold("C:\\src\\sub\\b.txt", "app")
    answer = call("win_copy", _copy_mode="remote", src="C:\\src\\a.txt", dest="C:\\src\\sub\\b.txt")
    assert answer["msg"] == (
        "Unhandled exception while executing module: The process cannot access the file "
        "'C:\\src\\sub\\b.txt' because it is being used by another process."
    )

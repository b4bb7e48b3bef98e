"""State folders: one lab each, nothing believed of a dead one, secrets readable by the owner."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from winlab.estate.addresses import HOSTS_IN_BLOCK, Blocks, take_blocks
from winlab.estate.control import ControlServer, ask
from winlab.estate.state import StateFolder, state_folder
from winlab.server.errors import LabError


def test_the_folder_is_given_or_from_the_environment_or_local(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WINLAB_STATE", raising=False)
    assert state_folder() == tmp_path / ".lab"
    monkeypatch.setenv("WINLAB_STATE", "other")
    assert state_folder() == tmp_path / "other"
    assert state_folder("/x/y") == Path("/x/y")


def test_a_claimed_folder_is_refused_and_free_again_after_its_owner(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "lab")
    assert folder.owner() is None
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from winlab.estate.state import StateFolder\n"
        "held = StateFolder(Path(sys.argv[1])).claim()\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, folder.root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdin is not None
    assert other.stdout.readline() == "held\n"
    assert folder.owner() == other.pid
    with pytest.raises(LabError, match=r"^a lab already runs in .*lab \(run winlab down first\)$"):
        folder.claim()
    other.kill()
    other.wait()
    other.stdin.close()
    other.stdout.close()
    assert folder.owner() is None
    (folder.root / "state.json").write_text("{}")
    folder.claim().close()
    assert not folder.state.exists()


def test_files_are_written_whole_with_their_rights(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "lab")
    folder.create()
    folder.write(folder.password, "secret\n")
    assert folder.password.stat().st_mode & 0o777 == 0o600
    assert folder.root.stat().st_mode & 0o777 == 0o700
    folder.write(folder.state, json.dumps({"pid": 1}))
    assert folder.read() == {"pid": 1}
    folder.state.write_text("{")
    assert folder.read() is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        LabError, match=r"cannot make the state folder \(Not a directory\) \(set WIN"
    ):
        StateFolder(tmp_path / "file" / "lab").claim()


@pytest.mark.parametrize("call", ["owner", "claim"])
def test_a_folder_that_is_a_file_is_named(tmp_path: Path, call: str) -> None:
    (tmp_path / "lab").write_text("")
    with pytest.raises(LabError, match=r"the state folder \(.*\) \(set WINLAB_STATE to a folder"):
        getattr(StateFolder(tmp_path / "lab"), call)()


def test_two_labs_never_share_a_block() -> None:
    first = take_blocks(HOSTS_IN_BLOCK + 1, "same seed")
    second = take_blocks(3, "same seed")
    try:
        assert len(first.prefixes) == 2
        assert not set(first.prefixes) & set(second.prefixes)
        addresses = first.addresses(HOSTS_IN_BLOCK + 1)
        assert len(set(addresses)) == HOSTS_IN_BLOCK + 1
        assert addresses[0] == f"{first.prefixes[0]}.1"
        assert addresses[-1] == f"{first.prefixes[1]}.1"
    finally:
        first.release()
        second.release()
    again = take_blocks(3, "same seed")
    assert again.prefixes == [first.prefixes[0]]
    again.release()


def test_a_block_whose_first_host_is_served_by_another_is_not_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.241.7.1", 5985))
        blocks = Blocks()
        assert not blocks.claim("127.241.7")
        assert blocks.prefixes == []


async def _answer(request: Mapping[str, Any]) -> Any:
    if request["do"] == "fail":
        raise LabError("no such thing", where="a", remedy="use another")
    return {"you": request["n"]}


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def rights(path: Path) -> int:
    return path.stat().st_mode & 0o777 if path.exists() else 0


def _asked(path: Path, *requests: dict[str, Any]) -> list[Any]:
    async def whole() -> list[Any]:
        server = ControlServer(path, _answer)
        await server.start()
        assert rights(path) == 0o600
        found: list[Any] = []
        for request in requests:
            try:
                found.append(await asyncio.to_thread(ask, path, request))
            except LabError as exc:
                found.append(str(exc))
        await server.stop()
        assert rights(path) == 0
        return found

    return asyncio.run(whole())


@pytest.mark.parametrize("depth", [1, 30])
def test_the_control_socket_answers_json_lines_at_any_depth(tmp_path: Path, depth: int) -> None:
    folder = tmp_path.joinpath(*["deep-folder"] * depth)
    folder.mkdir(parents=True)
    before = open_files()
    assert _asked(
        folder / "control.sock",
        {"do": "say", "n": 1},
        {"do": "fail"},
        {"do": "say"},
        {"n": 1},
    ) == [
        {"you": 1},
        "a: no such thing (use another)",
        "bad request: 'n' (see winlab --help)",
        "bad request: a request is an object with the key 'do' (see winlab --help)",
    ]
    assert open_files() == before


def test_no_lab_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"^no lab answers here \(start one with winlab up\)$"):
        ask(tmp_path / "none.sock", {"do": "status"})

"""The file tree: NTFS-like names, errors, sizes, locks, and the same tree after a restore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from winlab.host import paths
from winlab.host.errors import WindowsError
from winlab.host.files import Attributes
from winlab.host.host import GIB, Host, HostSpec

NOW = datetime(2026, 11, 22, 1, 15, tzinfo=UTC)


def new_host() -> Host:
    return Host(HostSpec(name="files", admin_password="x"), lambda: NOW)


@pytest.mark.parametrize(
    ("path", "cwd", "expected"),
    [
        ("a\\b", "C:\\x", "C:\\x\\a\\b"),
        ("/a/./b/../c", "C:\\x", "C:\\a\\c"),
        ("c:foo", "C:\\x", "C:\\x\\foo"),
        ("D:", "C:\\x", "D:\\"),
        ("C:\\..\\..\\a. ", "C:\\", "C:\\a"),
        ("\\\\?\\C:\\long", "C:\\", "C:\\long"),
    ],
)
def test_normalise(path: str, cwd: str, expected: str) -> None:
    assert paths.normalise(path, cwd) == expected


@pytest.mark.parametrize(
    ("path", "code"), [("a<b", 123), ("C:\\a:b", 123), ("\\\\srv\\share", 53), ("x" * 40000, 206)]
)
def test_bad_names(path: str, code: int) -> None:
    with pytest.raises(WindowsError) as caught:
        paths.normalise(path)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("name", "pattern", "found"),
    [
        ("a.txt", "*.TXT", True),
        ("a.txt", "*.*", True),
        ("readme", "*.*", True),
        ("readme", "read*.*", True),
        ("a.txt", "?.t?t", True),
        ("ab.txt", "?.txt", False),
        ("a.log", "*.txt", False),
    ],
)
def test_wildcards(name: str, pattern: str, found: bool) -> None:
    assert paths.matches(name, pattern) is found


@given(st.text(max_size=60))
def test_normalise_answers_or_refuses_and_is_stable(text: str) -> None:
    try:
        full = paths.normalise(text)
    except WindowsError:
        return
    assert paths.normalise(full) == full


def code_of(call: object, *args: object, **kwargs: object) -> int:
    assert callable(call)
    with pytest.raises(WindowsError) as caught:
        call(*args, **kwargs)
    return caught.value.code


def test_each_refusal_has_windows_code() -> None:
    files = new_host().files
    files.mkdir("C:\\d\\sub")
    files.write("C:\\d\\f", b"x")
    assert code_of(files.read, "C:\\d\\none") == 2
    assert code_of(files.read, "C:\\none\\f") == 3
    assert code_of(files.read, "Q:\\f") == 3
    assert code_of(files.read, "C:\\d") == 5
    assert code_of(files.mkdir, "C:\\d") == 183
    assert code_of(files.rmdir, "C:\\d") == 145
    assert code_of(files.list, "C:\\d\\f") == 267
    files.set_attributes("C:\\d\\f", Attributes.READONLY)
    assert code_of(files.write, "C:\\d\\f", b"y") == 5
    assert code_of(files.remove, "C:\\d\\f") == 5
    files.remove("C:\\d\\f", force=True)
    assert not files.exists("C:\\D\\F")


def test_held_files_can_be_read_if_shared_but_not_removed() -> None:
    files = new_host().files
    files.mkdir("C:\\logs")
    files.write("C:\\logs\\a.log", b"1")
    files.hold("C:\\logs\\a.log", "http.sys")
    assert files.read("c:\\LOGS\\A.LOG") == b"1"
    assert code_of(files.remove, "C:\\logs\\a.log") == 32
    assert code_of(files.rmtree, "C:\\logs") == 32
    assert code_of(files.write, "C:\\logs\\a.log", b"") == 32
    files.write("C:\\logs\\a.log", b"2", append=True, by_holder="http.sys")
    assert files.read("C:\\logs\\a.log") == b"12"
    files.hold("C:\\logs\\a.log", "x", share_read=False)
    assert code_of(files.read, "C:\\logs\\a.log") == 32


def test_writing_uses_space_and_a_full_disk_refuses() -> None:
    host = Host(
        HostSpec(name="full", admin_password="x", system_drive_gib=10, system_used_gib=10),
        lambda: NOW,
    )
    assert host.files.free("C") == 0
    assert code_of(host.files.write, "C:\\f", b"x") == 112
    roomy = new_host().files
    before = roomy.free("C:")
    roomy.write("C:\\f", b"x" * 1000)
    assert before - roomy.free("C:") == 1000
    roomy.remove("C:\\f")
    assert roomy.free("C:") == before
    assert before < 100 * GIB


def test_hosts_share_the_base_image_and_not_their_changes() -> None:
    one, two = new_host(), new_host()
    one.files.rmtree("C:\\Windows\\Temp")
    one.files.write("C:\\Windows\\win.ini", b"mine")
    assert two.files.is_folder("C:\\Windows\\Temp")
    assert two.files.read("C:\\Windows\\win.ini") != b"mine"


@contextmanager
def refused_only(codes: set[int]) -> Iterator[None]:
    try:
        yield
    except WindowsError as exc:
        if exc.code not in codes:
            raise


class FileMachine(RuleBasedStateMachine):
    """Whatever is done, children have parents, and a snapshot brings the tree back."""

    names = st.sampled_from(["a", "B", "c"])

    def __init__(self) -> None:
        super().__init__()
        self.host = new_host()
        self.host.files.mkdir("C:\\t")
        self.start = self.host.files.free("C")
        self.snapshot = self.host.snapshot()
        self.dump = self.host.dump()

    def place(self, *names: str) -> str:
        return "\\".join(["C:\\t", *names])

    @rule(a=names, b=names, data=st.binary(max_size=8))
    def write(self, a: str, b: str, data: bytes) -> None:
        with refused_only({3, 5}):
            self.host.files.write(self.place(a, b), data)

    @rule(a=names, b=names)
    def mkdir(self, a: str, b: str) -> None:
        with refused_only({3, 183}):
            self.host.files.mkdir(self.place(a, b))

    @rule(a=names)
    def rmtree(self, a: str) -> None:
        with refused_only({2, 267}):
            self.host.files.rmtree(self.place(a))

    @rule(a=names, b=names)
    def move(self, a: str, b: str) -> None:
        with refused_only({2, 3, 5, 183}):
            self.host.files.move(self.place(a), self.place(b))

    @invariant()
    def every_item_is_found_again_and_paid_for(self) -> None:
        files = self.host.files
        items = list(files.walk("C:\\t"))
        for item in items:
            assert files.stat(item.path.upper()).entry == item.entry
        assert self.start - files.free("C") == sum(item.size for item in items)

    @rule()
    def restore(self) -> None:
        self.host.restore(self.snapshot)
        after = self.host.dump()
        after["guard"] = self.dump["guard"]
        assert after == self.dump


TestFileMachine = FileMachine.TestCase

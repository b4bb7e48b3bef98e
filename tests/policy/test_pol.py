from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.policy.damage import DamagedError
from opsproof.policy.pol import Action, Entry, parse, serialise, setting
from opsproof.policy.registry import RegistryType

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
ENTRIES = st.lists(
    st.one_of(
        st.builds(setting, TEXT.filter(bool), TEXT, st.just(RegistryType.SZ), TEXT),
        st.builds(
            setting, TEXT.filter(bool), TEXT, st.just(RegistryType.DWORD), st.integers(0, 2**32 - 1)
        ),
        st.builds(
            setting, TEXT.filter(bool), TEXT, st.just(RegistryType.QWORD), st.integers(0, 2**64 - 1)
        ),
        st.builds(setting, TEXT.filter(bool), TEXT, st.just(RegistryType.BINARY), st.binary()),
        st.builds(
            setting,
            TEXT.filter(bool),
            TEXT,
            st.just(RegistryType.MULTI_SZ),
            st.lists(TEXT.filter(bool), max_size=3).map(tuple),
        ),
        st.builds(Entry, TEXT.filter(bool), st.just("**del.X"), st.just(1), st.just(b" \0\0\0")),
    ),
    max_size=6,
)


@given(ENTRIES)
def test_what_is_written_reads_back_the_same(entries: list[Entry]) -> None:
    assert parse(serialise(entries), name="registry.pol") == tuple(entries)


@given(ENTRIES.filter(bool), st.data())
def test_a_cut_file_is_never_read_as_a_whole_one(entries: list[Entry], data: st.DataObject) -> None:
    whole = serialise(entries)
    end = data.draw(st.integers(0, len(whole) - 1))
    try:
        found = parse(whole[:end], name="registry.pol")
    except DamagedError:
        return
    assert found == tuple(entries[: len(found)])
    assert len(found) < len(entries)


@given(st.lists(TEXT.filter(bool), max_size=3).map(tuple))
def test_lists_keep_their_members(texts: tuple[str, ...]) -> None:
    assert setting("K", "V", RegistryType.MULTI_SZ, texts).content() == texts


def wide(text: str) -> bytes:
    return f"{text}\0".encode("utf-16-le")


@pytest.mark.parametrize(
    ("entry", "action", "names"),
    [
        (Entry("K", "**del.Old", 1, wide(" ")), Action.DELETE, ("Old",)),
        (Entry("K", "**delvals.", 1, wide(" ")), Action.DELETE_ALL_VALUES, ()),
        (Entry("K", "**DeleteValues", 1, wide("a;b")), Action.DELETE_VALUES, ("a", "b")),
        (Entry("K", "**DeleteKeys", 1, wide("a;b")), Action.DELETE_KEYS, ("a", "b")),
        (Entry("K", "**SecureKey", 4, b"\x01\0\0\0"), Action.SECURE_KEY, ()),
        (Entry("K", "**soft.Name", 4, b"\x01\0\0\0"), Action.SOFT, ("Name",)),
        (Entry("K", "", 0, b""), Action.CREATE_KEY, ()),
        (Entry("K", "Name", 4, b"\x01\0\0\0"), Action.SET, ("Name",)),
    ],
)
def test_instructions_are_told_from_values(
    entry: Entry, action: Action, names: tuple[str, ...]
) -> None:
    assert (entry.action, entry.names) == (action, names)


GOOD = serialise([setting("K", "V", RegistryType.DWORD, 1)])


@pytest.mark.parametrize(
    ("data", "offset", "what"),
    [
        (b"", 0, "does not begin with PReg, version 1"),
        (b"PReg\2\0\0\0", 0, "does not begin with PReg, version 1"),
        (GOOD + b"x\0", 40, "'[' should stand here"),
        (GOOD[:-2], 38, "']' should stand here"),
        (GOOD[:24], 22, "ends within a number"),
        (GOOD[:36], 34, "4 bytes of data are not there"),
        (GOOD.replace(b"\4\0\0\0;\0\4", b"\x63\0\0\0;\0\4"), 8, "there is no registry type 99"),
        (serialise([Entry("K", "V", 4, b"\1")]), 34, "K\\V: 1 bytes are no DWORD"),
        (serialise([Entry("", "V", 4, b"\1\0\0\0")]), 8, "an entry names no key"),
    ],
)
def test_damaged_files_are_refused_with_file_and_offset(
    data: bytes, offset: int, what: str
) -> None:
    with pytest.raises(DamagedError) as caught:
        parse(data, name="registry.pol")
    assert (caught.value.what, caught.value.where) == (what, f"registry.pol, byte {offset}")

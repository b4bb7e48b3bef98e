from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tests.evidence import samples

from opsproof.errors import IncompleteError, UsageError
from opsproof.evidence.canonical import CanonicalError
from opsproof.evidence.ledger import NO_PREVIOUS, EntryKind, Head, Ledger, LedgerEntry, line_sha256


def entry(seq: int, previous: str) -> LedgerEntry:
    return LedgerEntry(
        seq=seq,
        kind=EntryKind.RUN,
        id=f"run-{seq}",
        sums_sha256="0" * 64,
        previous=previous,
        at="2026-11-22T09:15:00Z",
    )


def test_an_empty_ledger_has_a_head_of_length_zero(tmp_path: Path) -> None:
    assert str(Ledger(tmp_path).head) == f"0:{NO_PREVIOUS}"
    assert Ledger(tmp_path).entries == []


def test_the_head_is_the_sha256_of_the_last_line(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append(entry(1, NO_PREVIOUS))
    ledger.append(entry(2, ledger.head.sha256))
    first, last = ledger.path.read_bytes().splitlines()
    assert ledger.head == Head(2, hashlib.sha256(last).hexdigest())
    assert ledger.entries[1].previous == line_sha256(first)


def test_the_line_has_the_keys_of_the_design_in_canonical_form(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append(entry(1, NO_PREVIOUS))
    assert ledger.path.read_text() == (
        '{"at":"2026-11-22T09:15:00Z","id":"run-1","kind":"run","previous":"' + "0" * 64 + '",'
        '"seq":1,"sums_sha256":"' + "0" * 64 + '"}\n'
    )


def test_a_torn_line_is_named_and_cut_only_on_request(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append(entry(1, NO_PREVIOUS))
    with ledger.path.open("ab") as stream:
        stream.write(b'{"at')
    with pytest.raises(IncompleteError, match=r"ledger\.jsonl:2: the last line is torn"):
        _ = ledger.entries
    assert ledger.cut_torn() == b'{"at'
    assert ledger.head.length == 1


def test_a_line_that_is_no_entry_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_bytes(b"{}\n")
    with pytest.raises(CanonicalError, match=r"ledger\.jsonl:1: is not a LedgerEntry record"):
        _ = Ledger(tmp_path).entries


@pytest.mark.parametrize(
    "text", ["", "3", "3:", "x:" + "0" * 64, "-1:" + "0" * 64, "03:" + "0" * 64]
)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a head"):
        Head.parse(text)


def test_a_head_is_read_as_it_is_printed(tmp_path: Path) -> None:
    samples.sealed_run(tmp_path, 1)
    head = Ledger(tmp_path).head
    assert Head.parse(f" {str(head).upper()}\n") == head

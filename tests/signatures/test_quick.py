"""The short way accepts nothing that the strict check refuses, and everything ordinary."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.signatures import drills

from opsproof.signatures import encodings, simulate
from opsproof.signatures.database import Database
from opsproof.signatures.errors import MalformedError
from opsproof.signatures.model import RecordClass
from opsproof.signatures.profile import SignatureColumn
from opsproof.signatures.quick import compile_decoder


@pytest.mark.parametrize("family", ["rsa", "ecdsa", "sm2"])
def test_it_agrees_with_the_strict_check(family: str, tmp_path: Path) -> None:
    drill = simulate.simulate(
        tmp_path, drills.lab_of(family), records=80, seed=21, damaged_percent=60
    )
    checker = drills.job_of(drill).checker()
    quick = checker.quick()
    assert quick is not None
    database = Database(drill.url, drill.profile)
    right = 0
    for batch in database.stream():
        for cells, good in zip(batch, quick.right(batch), strict=True):
            strict = checker.check(checker.row(cells))
            assert good == (strict.failed is None), cells[0]
            right += good
    database.close()
    assert right >= sum(one.record_class is RecordClass.VALID for one in drill.truth) > 0


def test_other_profiles_take_the_long_way(tmp_path: Path) -> None:
    drill = simulate.simulate(
        tmp_path, drills.lab_of("ecdsa"), records=2, seed=1, form="cms-detached", damaged_percent=0
    )
    assert drills.job_of(drill).checker().quick() is None


def ways_to_write(data: bytes) -> Iterator[Any]:
    """Base64 of these bytes, right and nearly right: padding, spare bits, blanks, other types."""
    text = base64.b64encode(data).decode()
    bare = text.rstrip("=")
    padding = text[len(bare) :]
    yield from (text, bare, f"{text}=", f"{text}==", f"{text}\n", f" {text}", text[:-1], f"{bare}A")
    yield from (bare[:-1] + last + padding for last in "ABQgwZ" if bare)
    yield from (f"{text[:2]}={text[2:]}", text.encode(), memoryview(text.encode()), "\uff31Q==")
    yield from (None, 5)


def strictly(cell: Any) -> bytes | None:
    try:
        return encodings.decode(cell, "base64")
    except MalformedError:
        return None


def test_base64_is_taken_only_as_it_is_written() -> None:
    """Cells alone and beside a right one, whole columns and damaged ones."""
    decode = compile_decoder(SignatureColumn(column="x"))
    cells = [one for size in range(9) for one in ways_to_write(bytes(range(200, 200 + size)))]
    right = [strictly(one) for one in cells]
    assert None in right
    assert b"\xc8" in right
    assert list(decode(cells)) == right
    for cell, found in zip(cells, right, strict=True):
        assert list(decode([cell])) == [found]
        assert list(decode([cell, "QUJD", cell])) == [found, b"ABC", found]


@pytest.mark.parametrize("text", ["QUJDRA==", "QUJDREU=", "QUJDREVG"])
def test_no_other_character_is_taken_for_one_of_base64(text: str) -> None:
    decode = compile_decoder(SignatureColumn(column="x"))
    others = [*range(0x180), 0x2028, 0xD800, 0xFF21, 0x1F600]
    for place in range(len(text)):
        for cell in (text[:place] + chr(one) + text[place + 1 :] for one in others):
            assert list(decode([cell])) == [strictly(cell)], (place, cell)
            longer = text[:place] + cell[place] + text[place:]
            assert list(decode([longer])) == [strictly(longer)], (place, longer)

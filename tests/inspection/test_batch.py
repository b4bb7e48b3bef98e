from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.errors import IncompleteError
from opsproof.inspection.batch import split_batch

ANSWER = (
    "##opsproof:asked 2026-11-22T09:00:00+00:00 \r\n"
    "##opsproof:begin disks \r\nNode,DeviceID\r\r\nA,C:\r\r\n##opsproof:end ok \r\n"
    "##opsproof:begin pending-cbs \r\n##opsproof:end failed \r\n"
    "##opsproof:absent iis\r\n##opsproof:scratch C:\\T\\x \r\n"
)


def test_splits_sections_with_their_success() -> None:
    batch = split_batch(ANSWER)
    assert batch.section("disks").text == "Node,DeviceID\nA,C:"
    assert batch.section("disks").ok
    assert not batch.section("pending-cbs").ok
    assert batch.absent == {"iis"}
    assert batch.scratch == "C:\\T\\x"
    assert batch.asked_at is not None
    assert batch.asked_at.isoformat() == "2026-11-22T09:00:00+00:00"


def test_missing_section_is_named() -> None:
    with pytest.raises(IncompleteError, match="lacks the section 'sites'"):
        split_batch(ANSWER).section("sites")


def test_cut_answer_is_an_error_and_not_an_empty_section() -> None:
    with pytest.raises(IncompleteError, match="ends within the section 'disks'"):
        split_batch(ANSWER.split("##opsproof:end")[0])


@given(st.text())
def test_any_text_is_split_or_refused(text: str) -> None:
    try:
        split_batch(text)
    except (IncompleteError, ValueError):
        return

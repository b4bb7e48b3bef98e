"""The approved list and the frozen set: what is refused, and what a digest depends on."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.errors import UsageError
from opsproof.patching.approved import Canary, age_days, digest, freeze, load_approved

ENTRY = {
    "kb": "KB5068787",
    "severity": "critical",
    "released": "2026-11-10",
    "approver": "Wang",
    "ticket": "CHG-1",
}
GUID = "fcab0224-af66-4157-8f47-622d3579586f"


def test_numbers_and_ids_are_written_in_one_way() -> None:
    first, second = load_approved(
        [ENTRY, {**ENTRY, "kb": None, "id": "{FCAB0224-AF66-4157-8F47-622D3579586F}"}]
    )
    assert (first.kb, first.key) == ("5068787", "KB5068787")
    assert (second.id, second.key) == (GUID, GUID)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kb": None}, "patching_approved[0]: the entry names no update"),
        ({"kb": "KB12"}, "patching_approved[0]: 'KB12' is no KB number"),
        ({"kb": "KB2267602"}, "patching_approved[0]: KB2267602 cannot be installed this way"),
        ({"kb": "5068787.*"}, "patching_approved[0]: '5068787.*' is no KB number"),
        ({"id": "x"}, "patching_approved[0]: 'x' is no update id"),
        ({"approver": " "}, "an approval names its approver and its ticket"),
        ({"ticket": ""}, "an approval names its approver and its ticket"),
        ({"released": "yesterday"}, "released is 'yesterday'"),
        ({"severity": "high"}, "Invalid enum value 'high'"),
        ({"sevrity": "low"}, "unknown field `sevrity`"),
    ],
)
def test_an_entry_that_approves_nothing_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_approved([{**ENTRY, **change}])
    assert message in str(caught.value)


def test_an_update_stands_there_once() -> None:
    with pytest.raises(UsageError) as caught:
        load_approved([ENTRY, {**ENTRY, "kb": "5068787", "ticket": "CHG-2"}])
    assert "5068787 stands there twice" in str(caught.value)


@given(st.lists(st.integers(1_000_000, 9_999_999), unique=True, min_size=1, max_size=6))
def test_a_digest_is_of_the_content_and_not_of_the_order(numbers: list[int]) -> None:
    entries = load_approved([{**ENTRY, "kb": str(number)} for number in numbers])
    assert digest(entries) == digest(tuple(reversed(entries)))
    assert digest(entries) != digest(entries[1:])


def test_age_counts_whole_days_and_never_below_zero() -> None:
    [entry] = load_approved([ENTRY])
    assert age_days(entry, date(2026, 11, 22)) == 12
    assert age_days(entry, date(2026, 11, 1)) == 0


def canary(*proven: tuple[str, str | None], approved: Any = (ENTRY,), **more: Any) -> Canary:
    values = {"run": "r", "approved_sha256": digest(load_approved(list(approved))), **more}
    return Canary(proven=proven, **values)


def test_the_frozen_set_is_what_canaries_have_of_the_approved_list() -> None:
    both = [ENTRY, {**ENTRY, "kb": "5066139"}]
    frozen = freeze(
        load_approved(both),
        {
            "b": canary(("KB5068787", GUID), ("KB5066139", None), approved=both, run="r2"),
            "a": canary(("KB5068787", None), ("KB9999999", "other"), approved=both),
        },
    )
    assert frozen.updates == {"KB5066139": (), "KB5068787": (GUID,)}
    assert frozen.proven_by == {"a": "r", "b": "r2"}
    assert (frozen.approved_sha256, frozen.refusals) == (digest(load_approved(both)), ())


@pytest.mark.parametrize(
    ("canaries", "refusal"),
    [
        ({}, "there is no canary: name them in the group patching_canary"),
        ({"c": None}, "canary c: neither this run nor a sealed one has patched it"),
        (
            {"c": canary(problem="it ended with unsound")},
            "canary c in run r: it ended with unsound",
        ),
        (
            {"c": canary(approved=[{**ENTRY, "ticket": "CHG-2"}])},
            "the approved list is not the one that canary c had in run r",
        ),
        (
            {"c": canary(approved=[], run="")},
            "the approved list is not the one that canary c had",
        ),
    ],
)
def test_every_canary_ended_well_with_this_very_list(
    canaries: dict[str, Canary | None], refusal: str
) -> None:
    good = {"a": canary(("KB5068787", GUID))} if canaries else {}
    assert freeze(load_approved([ENTRY]), {**good, **canaries}).refusals == (refusal,)

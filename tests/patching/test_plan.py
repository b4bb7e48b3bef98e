"""What is named to win_updates: the approved updates exactly, or nothing."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.errors import IncompleteError
from opsproof.patching.approved import Approved, Frozen, digest
from opsproof.patching.plan import (
    NOTHING,
    Found,
    Plan,
    found_in,
    make_plan,
    pattern,
    text_of,
    unexpected,
)

ROLLUP = Found(id="a" * 36, title="2026-11 Cumulative Update (KB5068787)", kb=("5068787",))
LONGER = Found(id="b" * 36, title="Preview (KB50687871)", kb=("50687871",))


def approved(kb: str | None = "5068787", **fields: Any) -> Approved:
    given_fields = {"approver": "W", "ticket": "T", "severity": "low", "released": "2026-11-10"}
    return Approved(kb=kb, **{**given_fields, **fields})


def plan(*entries: Approved, found: tuple[Found, ...] = (ROLLUP, LONGER), **more: Any) -> Plan:
    values: dict[str, Any] = {"frozen": None, "installed_kbs": (), "build": 20348, **more}
    return make_plan(approved=entries, found=found, **values)


def selects(patterns: tuple[str, ...], update: Found) -> bool:
    """As win_updates does: any pattern, anywhere in the text, without regard to case."""
    return any(re.search(p, text_of(update), re.IGNORECASE) for p in patterns)


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=40
)
NUMBERS = st.lists(st.from_regex(r"[0-9]{6,8}", fullmatch=True), max_size=3)
FOUND = st.builds(
    Found, id=st.uuids().map(str), title=TEXT, kb=NUMBERS.map(lambda numbers: tuple(numbers))
)


@given(st.lists(FOUND, max_size=6, unique_by=lambda f: f.id), st.data())
def test_patterns_select_what_is_planned_and_nothing_else(found: list[Found], data: Any) -> None:
    numbers = sorted({number for update in found for number in update.kb})
    wanted = data.draw(st.sets(st.sampled_from(numbers))) if numbers else set()
    made = plan(*(approved(number) for number in sorted(wanted)), found=tuple(found))
    selected = {update.id for update in found if selects(made.accept_list, update)}
    assert selected == {update.id for update in made.install}
    if not made.refusals:
        assert selected == {update.id for update in found if wanted & set(update.kb)}


@given(FOUND)
def test_the_search_selects_nothing(update: Found) -> None:
    assert not selects(NOTHING, update)
    assert selects((pattern(update),), update)


def test_a_number_is_not_the_beginning_of_another() -> None:
    made = plan(approved())
    assert [update.id for update in made.install] == [ROLLUP.id]
    assert not selects(made.accept_list, LONGER)
    assert (made.offered, made.others) == (2, 1)


def test_an_update_that_no_pattern_can_leave_out_refuses_everything() -> None:
    twin = Found(id="c" * 36, title=ROLLUP.title.upper(), kb=ROLLUP.kb)
    made = plan(approved(kb=None, id=ROLLUP.id), found=(ROLLUP, twin))
    assert made.install == ()
    assert made.refusals == (
        f"{twin.id} has the title and the numbers of an approved update and is none",
    )


def frozen(*entries: Approved, **updates: tuple[str, ...]) -> Frozen:
    return Frozen(approved_sha256=digest(entries), updates=updates, proven_by={"c": ""})


@pytest.mark.parametrize(
    ("updates", "refusal"),
    [
        ({"KB5068787": (ROLLUP.id,)}, None),
        ({"KB5068787": ()}, None),
        ({}, f"no canary has proven KB5068787 ({ROLLUP.id})"),
        ({"KB5068787": ("d",)}, f"KB5068787 is {ROLLUP.id} here and d on the canaries"),
    ],
)
def test_what_is_offered_is_held_against_the_frozen_set(
    updates: dict[str, tuple[str, ...]], refusal: str | None
) -> None:
    entry = approved()
    made = plan(entry, frozen=frozen(entry, **updates))
    assert made.refusals == ((refusal,) if refusal else ())
    assert bool(made.install) is (refusal is None)


def test_another_list_than_the_canaries_had_is_refused() -> None:
    made = plan(approved(ticket="other"), frozen=frozen(approved(), KB5068787=()))
    assert made.refusals == ("the approved list is not the one that the canaries had",)


def test_what_canaries_could_not_prove_holds_back_whoever_lacks_something() -> None:
    unproven = msgspec.structs.replace(
        frozen(approved(), KB5068787=()), refusals=("canary c: it ended with unsound",)
    )
    assert plan(approved(), frozen=unproven).refusals == ("canary c: it ended with unsound",)
    current = plan(approved(), frozen=unproven, found=(LONGER,), installed_kbs=("5068787",))
    assert (current.refusals, current.install) == ((), ())


@pytest.mark.parametrize(
    ("entry", "found", "fixes", "standing"),
    [
        (approved(), (ROLLUP,), (), "offered"),
        (approved(id="x"), (ROLLUP,), (), "not-applicable"),
        (approved(), (), ("5068787",), "installed"),
        (approved(), (), (), "unknown"),
        (approved(), (LONGER,), (), "not-applicable"),
        (approved(builds=(20348,)), (LONGER,), (), "not-offered"),
        (approved(builds=(14393,)), (), (), "not-applicable"),
    ],
)
def test_how_an_approved_update_stands(
    entry: Approved, found: tuple[Found, ...], fixes: tuple[str, ...], standing: str
) -> None:
    assert plan(entry, found=found, installed_kbs=fixes).entries[0].standing == standing


def test_an_empty_list_plans_nothing() -> None:
    assert plan().accept_list == ()


def test_an_update_is_never_named_twice() -> None:
    assert plan(approved(), tried=[ROLLUP.id]).install == ()


def test_what_was_selected_beside_the_plan_is_seen() -> None:
    assert unexpected(["a"], {"updates": {"A": {}, "B": {}}}) == ("B",)


def test_a_result_without_updates_is_no_empty_result() -> None:
    with pytest.raises(IncompleteError):
        found_in({"msg": "failed"})
    item = {"id": "A", "title": "T", "kb": ["1"]}
    assert found_in({"updates": {}, "filtered_updates": {"A": item}}) == (
        Found(id="a", title="T", kb=("1",)),
    )

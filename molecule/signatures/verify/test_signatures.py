"""How each story ended, held against the drill's own truth."""

from __future__ import annotations

import json
import os
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

DRILL = Path(os.environ["OPSPROOF_DRILL"])


def story(name: str) -> dict[str, Any]:
    found = json.loads((DRILL / f"{name}.story").read_text())
    assert isinstance(found, dict)
    return found


@cache
def writes() -> int:
    [path] = (DRILL / "work/approved").glob("*.jsonl")
    entries = [json.loads(line) for line in path.read_text().splitlines()[1:-1]]
    return sum(entry["action"] == "write" for entry in entries)


def test_without_the_signing_service_there_is_no_plan() -> None:
    ended = story("service-down")
    assert ended["failed"]
    assert "the signing service does not answer" in ended["msg"]
    assert ended["contents"] == story("planned")["contents"]


def test_the_plan_knows_the_truth_and_asks_the_lab_to_sign() -> None:
    planned = story("planned")
    lines = (DRILL / "truth.jsonl").read_text().splitlines()
    truth = Counter(json.loads(line)["record_class"] for line in lines)
    classes = {
        one["record_class"]: one["records"] for one in planned["facts"]["classes"] if one["records"]
    }
    assert classes == truth
    assert not planned["changed"]
    [path] = (DRILL / "work/approved").glob("*.jsonl")
    assert json.loads(path.read_text().splitlines()[-1])["sources"]["fresh"] > 0


def test_failures_in_the_data_log_are_linked_to_records_as_they_stand() -> None:
    told = [story(name)["facts"]["interface"] for name in ("planned", "after-kill", "rolled-back")]
    planned, stored, back = (one["verification"] for one in told)
    assert planned["wrong"] > stored["wrong"]
    assert stored["records"] == planned["records"] == back["records"]
    # All but one were put back; that one was changed by somebody and is wrong in any case.
    assert back["wrong"] == planned["wrong"]
    assert told[0]["unreadable"] == 0
    assert {one["standing"] for one in told[1]["links"]} == {"wrong"}


def test_the_ticket_of_another_plan_stores_nothing() -> None:
    ended = story("other-ticket")
    assert ended["failed"]
    assert ended["contents"] == story("planned")["contents"]


def test_after_a_kill_the_rest_is_stored_and_what_changed_is_left() -> None:
    facts = story("after-kill")["facts"]
    assert facts["already"] > 0
    assert facts["written"] > 0
    assert (facts["left_alone"], facts["already"] + facts["written"]) == (1, writes() - 1)


def test_once_more_changes_nothing() -> None:
    ended = story("once-more")
    assert not ended["changed"]
    assert ended["facts"]["already"] == writes() - 1
    assert ended["contents"] == story("after-kill")["contents"]


def test_the_way_back_leads_to_where_it_began() -> None:
    ended = story("rolled-back")
    assert ended["facts"]["written"] == writes() - 1
    stories = ("planned", "after-kill", "rolled-back")
    first, stored, back = (story(name)["contents"] for name in stories)
    # One record was changed by somebody, and stays so.
    assert len({first, stored, back}) == 3


def test_nothing_that_is_handed_over_names_a_person() -> None:
    names = {line.split(",")[2] for line in (DRILL / "base.csv").read_text().splitlines()[1:]}
    token = Path(os.environ["WINLAB_STATE"]) / "signing-token"
    for path in DRILL.glob("*.story"):
        text = path.read_text()
        assert not [name for name in names if len(name) > 1 and name in text], path.name
        assert token.read_text().strip() not in text

from __future__ import annotations

from typing import Any

from opsproof.evidence.model import Observation, Subject, SubjectKind
from opsproof.reports.events import events_of, references


def observation(facts: dict[str, Any]) -> Observation:
    return Observation(
        id="OBS-0123456789abcdef01234567",
        run="r",
        activity="inspection",
        subject=Subject(kind=SubjectKind.HOST, id="h", host="h"),
        collected_at="2026-11-22T00:30:20Z",
        clock_offset_ms=None,
        collector="c",
        facts=facts,
    )


def test_an_event_is_found_wherever_a_fact_names_file_and_record() -> None:
    facts = {
        "security": {"log_cleared": [{"sha256": "aa", "record_id": 7, "channel": "Security"}]},
        "later": {"deep": [{"x": {"sha256": "bb", "record_id": "9007199254740993"}}]},
    }
    found = events_of(observation(facts))
    assert [(f.path, f.event.sha256, f.event.record_id) for f in found] == [
        ("security.log_cleared", "aa", "7"),
        ("later.deep.x", "bb", "9007199254740993"),
    ]
    assert [f.event.anchor for f in found] == ["ev-0123456789ab-1", "ev-0123456789ab-2"]


def test_a_file_without_a_record_is_no_event() -> None:
    assert events_of(observation({"audit": {"sources": [{"sha256": "aa", "records": 3}]}})) == []


def test_the_same_record_is_listed_once_a_rule() -> None:
    hit = {"rule": "r1", "sha256": "aa", "record_id": 7}
    found = events_of(observation({"hits": [hit, hit, hit | {"rule": "r2"}]}))
    assert [f.event.rule for f in found] == ["r1", "r2"]


def test_the_fields_of_a_hit_and_its_other_facts_are_kept_as_text() -> None:
    hit = {"sha256": "a", "record_id": 1, "computer": "h", "redactions": 0, "fields": {"User": "x"}}
    [found] = events_of(observation({"hits": [hit]}))
    assert found.event.fields == {"computer": "h", "User": "x"}


def test_references_are_pairs_of_file_and_record() -> None:
    assert references({"a": [{"sha256": "f", "record_id": 3}], "b": 1}) == {("f", "3")}

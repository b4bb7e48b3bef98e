"""Signature data on the sheet: counts and digests of every table that a run of the day looked at."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
from tests.reports.estate import day_of, in_memory, lab
from tests.reports.page import Page
from tests.reports.sheets import sheet_of

from opsproof.evidence.model import Observation, Subject, SubjectKind
from opsproof.evidence.schemas.signatures import (
    ClassCount,
    FailureCounts,
    InterfaceFacts,
    LinkedRecord,
    RecordSetFacts,
)
from opsproof.reports.corrected_model import CorrectedSet
from opsproof.reports.html import render
from opsproof.reports.labels import labels
from opsproof.reports.model import LANGUAGES
from opsproof.reports.sources import Day
from opsproof.signatures.model import RecordClass

DIGEST = "ab" * 32


def facts(state: str, **changes: Any) -> RecordSetFacts:
    stored = state == "applied"
    made = RecordSetFacts(
        profile="score-archive",
        profile_sha256="01" * 32,
        state=state,
        records=1000,
        valid=985,
        wrong=15,
        classes=(
            ClassCount(record_class="valid", records=985),
            ClassCount(record_class="encoding-damage", records=12),
            ClassCount(record_class="swapped", records=3),
        ),
        base_rows=1000,
        bad_base_rows=2,
        base_without_record=3,
        table_sha256="02" * 32,
        plan_sha256=DIGEST,
        to_write=14,
        unsolved=1,
        ticket="CHG-202611-000007" if stored else None,
        approver_sha256="03" * 32 if stored else None,
        written=13 if stored else 0,
        already=0,
        left_alone=1 if stored else 0,
        before_sha256="be" * 32 if stored else None,
        after_sha256="af" * 32 if stored else None,
    )
    return msgspec.structs.replace(made, **changes)


def failures(**changes: Any) -> FailureCounts:
    none: dict[str, Any] = dict.fromkeys(FailureCounts.__struct_fields__, 0)
    return FailureCounts(**(none | {"first": None, "last": None, "settled": True} | changes))


def logs() -> InterfaceFacts:
    verification = failures(
        lines=31,
        records=12,
        right=9,
        wrong=2,
        absent=1,
        first="2026-11-21T17:00:02Z",
        last="2026-11-22T01:00:02Z",
        settled=False,
    )
    link = LinkedRecord(
        kind="verification-failed",
        record="5e" * 12,
        standing="wrong",
        record_class="swapped",
        lines=7,
        first=None,
        last=None,
        file="sign.csv",
        line=5,
    )
    return InterfaceFacts(
        files=3,
        lines=182034,
        unreadable=1,
        patterns_sha256="05" * 32,
        verification=verification,
        signing=failures(),
        links=(link,),
    )


def day(*states: RecordSetFacts | dict[str, Any]) -> Day:
    run = in_memory({"app-auth-01": lab()["app-auth-01"]})
    more = [
        Observation(
            id=f"OBS-{number}",
            run=run.entry.id,
            activity="signatures",
            subject=Subject(kind=SubjectKind.RECORD_SET, id="score-archive", host="archive"),
            collected_at=run.bundle.run.started_at,
            clock_offset_ms=0,
            collector="signature_correction/1",
            facts=msgspec.to_builtins(one),
        )
        for number, one in enumerate(states)
    ]
    bundle = dataclasses.replace(run.bundle, observations=[*run.bundle.observations, *more])
    return day_of(msgspec.structs.replace(run, bundle=bundle))


def test_a_day_without_signature_data_says_nothing_of_it() -> None:
    sheet = sheet_of(day())
    assert sheet.corrected == ()
    assert 'id="corrected"' not in render(sheet, "en")


def test_every_table_stands_with_its_counts_digests_and_evidence() -> None:
    found = day(facts("planned"), facts("applied"))
    sheet = sheet_of(found)
    [planned, applied] = sheet.corrected
    assert planned.classes == {"encoding-damage": 12, "swapped": 3}
    assert (planned.ticket, planned.before_sha256) == ("", "")
    assert (applied.written, applied.left_alone, applied.ticket) == (13, 1, "CHG-202611-000007")
    lines = [one.activity for one in found.runs[0].bundle.observations]
    assert [lines[one.line - 1] for one in sheet.corrected] == ["signatures", "signatures"]
    html = render(sheet, "en")
    text = Page(html).text
    assert "1000 records, 15 of them not right." in text
    assert "2 rows of the base data were not taken." in text
    assert "3 rows of the base data have no record in the table." in text
    assert "damaged encoding 12" in text
    assert "13 written, 0 written before, 1 left alone" in text
    for digest in (DIGEST, "be" * 32, "af" * 32, "02" * 32):
        assert digest in text
    assert html.count("observations.jsonl") >= 2


def test_failures_at_the_interface_stand_with_what_became_of_their_records() -> None:
    old = msgspec.to_builtins(facts("planned"))
    del old["interface"]
    [without] = sheet_of(day(old)).corrected
    assert without.interface is None
    found = sheet_of(day(facts("applied", interface=logs())))
    text = Page(render(found, "en")).text
    assert "182034 lines of 3 data logs, 1 of them not readable." in text
    assert "Failed verification: 31 lines, 12 records, right now 9, still wrong 2" in text
    assert "2026-11-22 01:00:02 – 2026-11-22 09:00:02" in text
    assert "Failed signing: 0 lines, 0 records" in text
    assert (
        "验签失败31次，涉及12条记录，现已正确 9，仍不正确 2，库中没有 1"
        in Page(render(found, "zh-CN")).text
    )
    label = labels("en")
    for name in ("right", "wrong", "absent", "not_verifiable", "nameless"):
        assert label(f"corrected.failures.{name}")


def test_a_way_back_is_told_as_one() -> None:
    back = facts("rolled-back", written=13, already=1, left_alone=2, ticket="CHG-202611-000007")
    sheet = sheet_of(day(back))
    english, chinese = (Page(render(sheet, language)).text for language in ("en", "zh-CN"))
    assert "13 put back, 1 put back before, 2 left alone" in english
    assert "恢复原值13条，先前已恢复1条" in chinese
    assert "written" not in english[english.index("Signature data") :][:900]


def test_hostile_names_are_shown_and_obeyed_by_nobody() -> None:
    name = '<script>alert(1)</script>"\x1b[31m\u202e=cmd|x'
    found = day(facts("applied", profile=name, ticket="<b>CHG</b>\x07", interface=logs()))
    for language in LANGUAGES:
        html = render(sheet_of(found), language)
        assert not {"script", "b"} & set(Page(html).tags)
        assert not {"\x1b", "\x07", "\u202e"} & set(html)
        assert "<script>alert(1)</script>" in Page(html).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_class_and_state_has_a_name(language: str) -> None:
    label = labels(language)
    for one in RecordClass:
        if one is not RecordClass.VALID:
            assert label(f"corrected.class.{one.value}")
    for state in ("analysed", "planned", "applied", "rolled-back"):
        made = day(facts(state))
        assert label(f"corrected.state.{state}") in Page(render(sheet_of(made), language)).text


def test_the_sheet_has_no_place_for_a_record_of_its_own() -> None:
    """Personal data cannot come onto a sheet by a field that is text: these are all there are."""
    texts = {one.name for one in msgspec.structs.fields(CorrectedSet) if one.type is str}
    assert texts == {
        "run", "at", "host", "profile", "state", "ticket",
        "plan_sha256", "table_sha256", "before_sha256", "after_sha256",
    }  # fmt: skip

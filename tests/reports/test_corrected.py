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
from opsproof.evidence.schemas.signatures import ClassCount, RecordSetFacts
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


def day(*states: RecordSetFacts) -> Day:
    run = in_memory({"app-auth-01": lab()["app-auth-01"]})
    more = [
        Observation(
            id=f"OBS-{number}",
            run=run.entry.id,
            activity="signatures",
            subject=Subject(kind=SubjectKind.RECORD_SET, id=one.profile, host="archive"),
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
    assert "damaged encoding 12" in text
    assert "13 written, 0 done before, 1 left alone" in text
    for digest in (DIGEST, "be" * 32, "af" * 32, "02" * 32):
        assert digest in text
    assert html.count("observations.jsonl") >= 2


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

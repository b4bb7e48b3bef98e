"""The patch block of the daily sheet, from facts as the role hands them over."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest
from tests.reports.estate import APPLICATIONS, MORNING, PROJECT, day_of, in_memory, lab
from tests.reports.page import Page
from tests.reports.sheets import sheet_of, states_of

from opsproof.controls.load import parse_controls
from opsproof.controls.scope import Known, evaluate_run
from opsproof.evidence.ids import content_id, timestamp
from opsproof.evidence.model import Observation, Outcome, Run, RunHost, Subject, SubjectKind
from opsproof.evidence.schemas import validate
from opsproof.evidence.schemas.patching import HostResult, Standing, UpdateResult
from opsproof.patching.hresult import code_of
from opsproof.reports import patches
from opsproof.reports.html import render
from opsproof.reports.labels import both, labels
from opsproof.reports.model import LANGUAGES, Group
from opsproof.reports.sources import SealedRun
from opsproof.reports.view import PATCH_LINES, View

CONTROLS = {
    name: (PROJECT / "controls" / name).read_bytes() for name in ("inspection.yml", "patching.yml")
}
NIGHT = MORNING + timedelta(hours=6)


def row(key: str, result: str, code: int | None = None, **more: Any) -> dict[str, Any]:
    return {
        "key": key,
        "id": None,
        "title": f"2026-11 Update ({key})",
        "severity": "critical",
        "approver": "Wang",
        "ticket": "CHG-7",
        "released": "2026-11-10",
        "age_days": 12,
        "before": "missing",
        "after": "installed" if result == "installed" else "missing",
        "result": result,
        "code": None if code is None else msgspec.to_builtins(code_of(code)),
        "minutes": 9,
        "restarted": result == "installed",
        **more,
    }


def facts(result: str, *rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "wave": "rest",
        "service": "",
        "result": result,
        "reasons": [],
        "build": 20348,
        "approved_sha256": "a" * 64,
        "approved": len(rows),
        "frozen": None,
        "frozen_by": None,
        "window_end": None,
        "started_at": "2026-11-22T06:30:00Z",
        "finished_at": "2026-11-22T06:50:00Z",
        "rounds": 1,
        "source": {
            "selection": "managed_server",
            "server": "http://wsus:8530",
            "used": True,
            "searched": "answered",
            "code": None,
            "offered": 3,
            "unapproved": 1,
        },
        "before": None,
        "partners": [],
        "updates": list(rows),
        "unplanned": [],
        "restart": {"due": True, "done": True, "seconds": 95, "boot_time": None},
        "health": {
            "sound": True,
            "services": [],
            "sites": [],
            "pools": [],
            "ports": [],
            "pending_restart": [],
        },
        **more,
    }


STORY: dict[str, dict[str, Any] | None] = {
    "app-crypt-01": facts(
        "patched",
        row("KB5068787", "installed"),
        row("KB5066139", "already-installed", before="installed", after="installed"),
        wave="canary",
    ),
    "app-perm-01": facts(
        "update-failed",
        row("KB5068787", "failed", 0x80073701),
        row("KB5066139", "installed"),
        reasons=["the component store of app-perm-01 is damaged"],
        frozen_by={"app-crypt-01": "20261121T153000Z-patch-1a2b", "other": ""},
    ),
    "app-auth-01": facts("rolled-back", row("KB5068787", "rolled-back", 0x800F0922)),
    "app-info-01": facts(
        "current",
        row("KB5068791", "not-applicable", before="not-applicable", after="not-applicable"),
    ),
    "app-icert-02": None,
}


def patch_run(
    story: Mapping[str, dict[str, Any] | None], *, seq: int = 2, nonce: str = "9999", **changes: Any
) -> SealedRun:
    """A sealed run of patching on top of a run record of the lab."""
    base = in_memory(lab(), nonce=nonce, seq=seq, controls=CONTROLS)
    run_id = f"{NIGHT:%Y%m%dT%H%M%SZ}-patch-{nonce}"
    known = {name: asset for name, *asset in APPLICATIONS}
    run: Run = msgspec.structs.replace(
        base.bundle.run,
        id=run_id,
        kind="patch",
        playbook="playbooks/patch.yml",
        started_at=timestamp(NIGHT),
        finished_at=timestamp(NIGHT + timedelta(minutes=30)),
        ticket="CHG-7",
        hosts={
            name: RunHost(
                outcome=Outcome.UNREACHABLE if told is None else Outcome.CHANGED,
                planned=True,
                seen=told is not None,
                activities=("patching",),
                reason="connection refused" if told is None else "",
                asset={"code": known[name][0] if name in known else name},
            )
            for name, told in story.items()
        },
        **changes,
    )
    drafts = [
        Observation(
            id="",
            run=run_id,
            activity="patching",
            subject=Subject(kind=SubjectKind.HOST, id=name, host=name),
            collected_at=timestamp(NIGHT),
            clock_offset_ms=0,
            collector="patching/1",
            facts=told,
        )
        for name, told in story.items()
        if told is not None
    ]
    observations = [msgspec.structs.replace(d, id=content_id("OBS", d)) for d in drafts]
    findings = evaluate_run(
        run, parse_controls(CONTROLS), observations, Known(), [], datetime.now(UTC)
    )
    bundle = replace(base.bundle, run=run, observations=observations, findings=findings)
    return SealedRun(bundle, msgspec.structs.replace(base.entry, id=run_id, seq=seq))


def test_the_facts_of_these_tests_are_facts() -> None:
    for told in STORY.values():
        if told is not None:
            validate("patching", SubjectKind.HOST, told)


def test_every_host_and_update_is_told_and_counted() -> None:
    block = sheet_of(day_of(in_memory(lab()), patch_run(STORY))).patches
    told = {host.host: host for host in block.hosts}
    assert {name: host.result for name, host in told.items()} == {
        "app-crypt-01": "patched",
        "app-perm-01": "update-failed",
        "app-auth-01": "rolled-back",
        "app-info-01": "current",
        "app-icert-02": "not-collected",
    }
    assert [host.mark for host in block.hosts] == ["fail", "fail", "not-collected", "pass", "pass"]
    assert block.results == Counter(host.result for host in block.hosts)
    assert told["app-icert-02"].reasons == ("connection refused",)
    assert told["app-perm-01"].frozen_by == ("20261121T153000Z-patch-1a2b",)
    failed = told["app-perm-01"].updates[0]
    assert (failed.before, failed.after, failed.mark) == ("missing", "missing", "fail")
    assert failed.code == "ERROR_SXS_ASSEMBLY_MISSING 0x80073701"
    assert failed.text["zh-CN"] == "组件存储缺少所引用的程序集"
    totals = {item.key: item for item in block.totals}
    rollup = totals["KB5068787"]
    assert (rollup.installed, rollup.failed, rollup.had) == (1, 2, 0)
    assert (totals["KB5066139"].installed, totals["KB5066139"].had) == (1, 1)
    assert totals["KB5068791"].not_applicable == 1


def test_the_newest_run_speaks_and_trials_do_not() -> None:
    again = {"app-perm-01": facts("patched", row("KB5068787", "installed"))}
    runs = [
        in_memory(lab()),
        patch_run(STORY),
        patch_run(again, seq=3, nonce="aaaa", limit="app-perm-01"),
        patch_run({"app-auth-01": facts("planned")}, seq=4, nonce="bbbb", check=True),
    ]
    told = {host.host: host.result for host in sheet_of(day_of(*runs)).patches.hosts}
    assert (told["app-perm-01"], told["app-auth-01"]) == ("patched", "rolled-back")


def test_findings_of_patching_stand_in_their_own_group() -> None:
    sheet = sheet_of(day_of(in_memory(lab()), patch_run(STORY)))
    blocks = {block.group: block for block in sheet.groups}
    rows = {(r.host, r.control) for r in blocks[Group.PATCHES].rows}
    assert ("app-perm-01", "PAT-RESULT-001") in rows
    assert states_of(sheet, "app-auth-01")["PAT-UPDATE-001"] == "fail"


def test_facts_that_cannot_be_read_are_not_collected() -> None:
    run = patch_run({"app-perm-01": {**facts("patched"), "result": "splendid"}})
    [host] = sheet_of(day_of(run)).patches.hosts
    assert (host.result, host.mark) == ("not-collected", "not-collected")
    assert "Invalid enum value 'splendid'" in host.reasons[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_it_in_words(language: str) -> None:
    page = Page(render(sheet_of(day_of(in_memory(lab()), patch_run(STORY))), language))
    assert "#patches" in page.links
    for text in (
        "KB5068787",
        "ERROR_SXS_ASSEMBLY_MISSING 0x80073701",
        "CHG-7",
        "connection refused",
    ):
        assert text in page.text
    assert code_of(0x800F0922).zh in page.text or code_of(0x800F0922).en in page.text
    own = page.words
    if language == "en":
        assert re.findall(r"[\u4e00-\u9fff]+", own.replace("国办发明电〔2025〕7号", "")) == []
    assert both("patch.result.rolled-back")[language] in own
    # Codes of facts are words in the columns Threshold and Measured too.
    assert "rolled-back" not in own
    assert not {"missing", "patched"} & set(own.split()) or language == "en"


def test_a_day_without_patching_has_no_such_block() -> None:
    page = Page(render(sheet_of(day_of(in_memory(lab()))), "en"))
    assert "patches" not in page.ids
    assert "No patching of this day is counted here." in page.text


def test_every_word_of_the_facts_has_a_label() -> None:
    for stem, words in (
        ("result", get_args(HostResult)),
        ("update", get_args(UpdateResult)),
        ("standing", get_args(Standing)),
        ("severity", ("critical", "important", "moderate", "low")),
        ("wave", ("canary", "share", "rest")),
    ):
        for word in words:
            assert set(both(f"patch.{stem}.{word}")) == set(LANGUAGES)


def test_the_page_stops_where_nobody_reads_on() -> None:
    many = {
        f"h{n:03}": facts("patched", row("KB1000001", "installed"), row("KB1000002", "installed"))
        for n in range(PATCH_LINES)
    }
    sheet = sheet_of(day_of(patch_run(many)))
    assert len(View(sheet, labels("en")).patched) == PATCH_LINES // 2
    assert f"{PATCH_LINES // 2} more host(s) are not printed" in Page(render(sheet, "en")).text
    assert sheet.patches.totals[0].installed == PATCH_LINES
    assert patches.patch_block([], {}).hosts == ()

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
import pytest
from tests.reports.estate import Host, day_of, healthy, in_memory, lab, troubled
from tests.reports.page import Page
from tests.reports.sheets import rows_of, sheet_of
from tests.reports.test_daily import silent

from opsproof.evidence.model import State
from opsproof.reports.daily import daily_sheet
from opsproof.reports.html import percent, render, template_sha256
from opsproof.reports.model import LANGUAGES, Group
from opsproof.reports.sources import read_day

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = (
    "<b>bold</b>",
    "a & b &lt;",
    "=cmd|' /C calc'!A1",
    "\x1b[31mred\x1b[0m",
    "nul\x00byte",
    "exe\u202egpj",
    "𠮷𰻞䶮",
    "\"quoted' {{ 7 * 7 }} {% raw %}",
    "</style><script>alert(1)</script>",
    "x" * 4096,
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_link_of_a_sealed_day_leads_somewhere(sealed_days: Path, language: str) -> None:
    sheet = daily_sheet(
        read_day(sealed_days, date(2026, 11, 22), previous_report="RPT-D-20261121"),
        template_sha256=template_sha256(),
    )
    page = Page(render(sheet, language, runs_href="../runs"))
    assert len(page.ids) == len(set(page.ids))
    inside = {link[1:] for link in page.links if link.startswith("#")}
    assert len(inside) > 50
    assert inside - set(page.ids) == set()
    outside = {link for link in page.links if not link.startswith("#")}
    files = {link for link in outside if link.startswith("../runs/")}
    assert len(files) > 20
    assert any("/inputs/controls/" in link for link in files)
    assert [f for f in files if not (sealed_days / "daily" / unquote(f)).resolve().is_file()] == []
    assert outside - files == {
        f"{sheet.id}.{'en' if language == 'zh-CN' else 'zh-CN'}.html",
        f"RPT-D-20261121.{language}.html",
    }


def test_every_figure_can_be_walked_back_to_a_line_of_the_bundle(sealed_days: Path) -> None:
    sheet = daily_sheet(
        read_day(sealed_days, date(2026, 11, 22)), template_sha256=template_sha256()
    )
    page = Page(render(sheet, "zh-CN"))
    by_state: dict[State, int] = {}
    for finding in sheet.findings:
        assert finding.id in page.ids
        lines = (sealed_days / "runs" / finding.run / "findings.jsonl").read_text("utf-8")
        assert finding.id in lines.splitlines()[finding.line - 1]
        by_state[finding.state] = by_state.get(finding.state, 0) + 1
        for name in finding.evidence if finding.state is State.FAIL else ():
            assert name in page.ids
    assert by_state[State.PASS] == sheet.counts.normal
    assert by_state[State.FAIL] == sheet.counts.abnormal
    for observation in sheet.observations:
        lines = (sealed_days / "runs" / observation.run / "observations.jsonl").read_text("utf-8")
        assert observation.id in lines.splitlines()[observation.line - 1]
        for artifact in observation.artifacts:
            assert artifact.stored_as
            assert (sealed_days / "runs" / observation.run / artifact.stored_as).is_file()


def test_the_page_needs_nothing_from_outside() -> None:
    page = Page(render(sheet_of(day_of(in_memory(troubled()))), "zh-CN"))
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not [link for link in page.links if urlsplit(link).scheme or urlsplit(link).netloc]
    assert "http" not in render(sheet_of(day_of(in_memory(troubled()))), "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_accessible(language: str) -> None:
    page = Page(render(sheet_of(day_of(in_memory(troubled()))), language))
    assert page.attributes["html"] == [{"lang": language}]
    assert page.tags.count("h1") == 1
    assert all(th.get("scope") in ("col", "row", "rowgroup") for th in page.attributes["th"])
    assert all(svg.get("aria-hidden") == "true" for svg in page.attributes["svg"])


def test_a_state_is_a_word_and_a_shape_never_colour_alone() -> None:
    html = render(sheet_of(day_of(in_memory(troubled()))), "zh-CN")
    for state, word in (("fail", "异常"), ("not-collected", "未采集"), ("error", "采集失败")):
        assert f'<use href="#i-{state}"/></svg>{word}</span>' in html


def test_the_sheet_says_who_judges_and_which_mappings_nobody_has_checked() -> None:
    text = Page(render(sheet_of(day_of(in_memory(troubled()))), "zh-CN")).text
    assert "是否符合等级保护要求由测评机构判定" in text
    assert "gbt22239-2019:8.1.5.4.c 待复核" in text
    assert "符合等保" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_zero_checks_never_look_good(language: str) -> None:
    hosts = {name: silent(host) for name, host in lab().items()}
    for sheet in (sheet_of(day_of()), sheet_of(day_of(in_memory(hosts)))):
        text = Page(render(sheet, language)).text
        assert "合格" not in text
        assert ("未知" in text) or ("unknown" in text)


def test_hostile_text_is_shown_and_does_nothing() -> None:
    hosts = lab()
    for number, value in enumerate(HOSTILE):
        name = f"evil-{number}"
        host = Host(name, {"code": value, "department": value, "owner": value}, healthy(name))
        assert host.facts is not None
        host.facts["iis"]["pools"] = [{"name": value, "state": value}]
        host.facts["security"]["hits"] = [
            {"sha256": "0" * 64, "record_id": 7, "rule": value, "title": value, "time": value,
             "channel": value, "severity": value, "fields": {value: value}}
        ]  # fmt: skip
        host.facts["security"]["serious_hits"] = 1
        hosts[name] = host
    sheet = sheet_of(day_of(in_memory(hosts)))
    for language in LANGUAGES:
        html = render(sheet, language)
        page = Page(html)
        assert not {"b", "script"} & set(page.tags)
        assert not set(html) & {"\x00", "\x1b", "\u202e"}
        assert "␛[31mred␛[0m" in page.text
        assert "exe‹U+202E›gpj" in page.text
        assert "𠮷𰻞䶮" in page.text
        assert "{{ 7 * 7 }}" in page.text
        assert "…(+" in page.text
        assert max(map(len, page.text.split())) < 2000


def test_two_thousand_hosts_make_a_page_of_bounded_size() -> None:
    small = "INS-DISK-001"
    hosts = {}
    for number in range(2000):
        name = f"h{number:04}"
        hosts[name] = Host(name, {"code": f"AST-{number:04}"}, healthy(name))
    for name in list(hosts)[::3]:
        silent(hosts[name])
    for name in list(hosts)[1::3]:
        facts = hosts[name].facts
        assert facts is not None
        facts["disks"][0] |= {"free_percent": 1}
    controls = {"small.yml": _only(small, "INS-MEMORY-001")}
    sheet = sheet_of(day_of(in_memory(hosts, controls=controls)))
    html = render(sheet, "zh-CN")
    assert len(html.encode()) < 3_000_000
    assert len(rows_of(sheet)) == 667 + 667
    page = Page(html)
    assert "另有" in page.text
    inside = {link[1:] for link in page.links if link.startswith("#")}
    assert inside - set(page.ids) == set()


def test_paper_is_set_tighter_only_when_little_is_wrong() -> None:
    assert '<body class="brief">' in render(sheet_of(day_of(in_memory(lab()))), "en")
    assert "<body>" in render(sheet_of(day_of(in_memory(troubled()))), "en")


def test_a_missed_run_is_not_denied_below_the_row_that_reports_it() -> None:
    denial = "Nothing was due and not run."
    sheet = sheet_of(day_of(in_memory(troubled())))
    assert denial in render(sheet, "en")
    row = rows_of(sheet)[0]
    groups = tuple(
        msgspec.structs.replace(block, rows=(row,)) if block.group is Group.SERVICES else block
        for block in sheet.groups
    )
    assert denial not in render(msgspec.structs.replace(sheet, groups=groups), "en")


def test_the_same_sheet_gives_the_same_bytes() -> None:
    sheets = [sheet_of(day_of(in_memory(troubled()))) for _ in range(2)]
    assert render(sheets[0], "zh-CN") == render(sheets[1], "zh-CN")


@pytest.mark.parametrize(
    ("part", "whole", "text"), [(1, 1, "100.0%"), (2999, 3000, "99.9%"), (0, 5, "0.0%")]
)
def test_a_share_is_never_rounded_up(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_the_golden_one(language: str) -> None:
    """``UPDATE_GOLDEN=1`` writes the files anew; look at the difference before committing it."""
    names = ("app-audit-01", "app-info-01", "app-icert-02", "app-perm-01")
    hosts = {name: host for name, host in troubled().items() if name in names}
    controls = {"inspection.yml": (GOLDEN / "controls.yml").read_bytes()}
    html = render(sheet_of(day_of(in_memory(hosts, controls=controls))), language)
    path = GOLDEN / f"daily.{language}.html"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(html, encoding="utf-8")
    assert html == path.read_text(encoding="utf-8")


def _only(*names: str) -> bytes:
    text = "activity: inspection\ncontrols:\n"
    for name, path in zip(names, ("disks", "memory"), strict=True):
        test = (
            "{every: disks, holds: {path: free_percent, at_least: 10}}"
            if path == "disks"
            else "{path: memory.free_percent, at_least: 5}"
        )
        text += (
            f"  - {{id: {name}, title: {{zh: 检查, en: check}}, remedy: {{zh: 处置, en: act}},"
            f" subject: host, severity: high, demands: [B-1], clauses: [], test: {test}}}\n"
        )
    return text.encode()

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from tests.reports.estate import PROJECT, day_of, in_memory, lab, missed, partial_run, troubled
from tests.reports.page import Page
from tests.reports.sheets import sheet_of

from opsproof.controls.load import load
from opsproof.reports.html import render
from opsproof.reports.labels import LabelError, both, catalogue, fill, labels
from opsproof.reports.model import LANGUAGES
from opsproof.reports.sources import SealedRun
from opsproof.reports.wording import fact_names

ALLOWED = {
    "IIS", "RPT", "SQL", "Server", "SHA", "MB", "ms", "w32time", "WAS", "ID", "SM3",
    # States as appcmd prints them, on every language of Windows.
    "Started", "Stopped",
}  # fmt: skip
"""Latin words that a zh-CN page may show outside of data: products, units, names of Windows."""

_NAMES = re.compile(r"\{(\w+)\}")
_LATIN = re.compile(r"[A-Za-z][A-Za-z0-9]+")


def test_every_label_has_every_language_and_the_same_names() -> None:
    for key, texts in catalogue().items():
        assert set(texts) == set(LANGUAGES), key
        assert all(text.strip() for text in texts.values()), key
        names = {tag: set(_NAMES.findall(text)) for tag, text in texts.items()}
        assert names["zh-CN"] == names["en"], key


def test_every_fact_has_every_language_and_a_known_unit() -> None:
    for key, name in fact_names().items():
        assert name.zh, key
        assert name.en, key
        assert not name.unit or f"unit.{name.unit}" in catalogue(), key


def test_no_label_is_unused() -> None:
    data = files("opsproof.reports") / "data"
    sources = [
        path.read_text(encoding="utf-8") for path in data.iterdir() if path.name.endswith(".j2")
    ]
    package = PROJECT / "src" / "opsproof" / "reports"
    sources += [path.read_text(encoding="utf-8") for path in package.glob("*.py")]
    text = "\n".join(sources)
    stems = {stem for name in fact_names().values() for stem in name.words}
    unused = []
    for key in catalogue():
        stem = key.rpartition(".")[0]
        built = f'"{stem}." ~' in text or f'f"{stem}.{{' in text or stem.startswith("wording")
        built = built or stem in stems
        if not built and f'"{key}"' not in text:
            unused.append(key)
    assert unused == []


def test_a_missing_label_names_itself() -> None:
    with pytest.raises(LabelError, match=re.escape("labels.yml: no label 'no.such' in en")):
        labels("en")("no.such")


def test_a_label_whose_value_is_missing_is_refused() -> None:
    with pytest.raises(LabelError):
        fill({"a": {"en": "{count} of {total}"}}, "a", "en", count=1)


def test_both_languages_come_at_once() -> None:
    assert both("state.fail") == {"zh-CN": "异常", "en": "Abnormal"}


def test_picking_falls_back_to_the_language_that_is_there() -> None:
    assert labels("en").pick({"zh-CN": "磁盘"}) == "磁盘"
    assert labels("en").pick({}) == ""


def words(text: str) -> list[str]:
    return _LATIN.findall(text)


def everything() -> list[SealedRun]:
    again = {"app-icert-02": lab()["app-icert-02"]}
    return [
        in_memory(lab(), nonce="1111", change=partial_run(check=True, dirty=True)),
        in_memory(troubled(), seq=2, change=partial_run(missed=missed("weekly"), ticket="CHG-1")),
        in_memory(again, nonce="2222", seq=3, change=partial_run(limit="app-icert-02")),
    ]


def test_a_chinese_page_shows_no_english_word_of_its_own() -> None:
    runs = everything()
    page = Page(render(sheet_of(day_of(*runs)), "zh-CN"))
    assert len(page.words) > 3000
    facts = " ".join(str(o.facts) for run in runs for o in run.bundle.observations)
    data = ALLOWED | {word for quoted in re.findall("'([^']*)'", facts) for word in words(quoted)}
    assert set(words(page.words)) - data == set()


def test_an_english_page_shows_no_chinese_of_its_own() -> None:
    page = Page(render(sheet_of(day_of(*everything())), "en"))
    own = page.words.replace("国办发明电〔2025〕7号", "")
    assert re.findall(r"[\u4e00-\u9fff]+", own) == []


def test_every_fact_that_a_control_tests_has_a_name() -> None:
    inside = re.compile(r"'(?:path|every|some|none)': '([^']+)'")
    found = {
        path.rpartition(".")[2]
        for control in load(PROJECT / "controls")
        for path in inside.findall(str(control.as_json()["test"]))
    }
    assert found
    assert found - set(fact_names()) == set()

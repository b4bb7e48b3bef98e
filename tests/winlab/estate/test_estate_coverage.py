"""The page that says what the lab emulates is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from winlab.commands.call import registered
from winlab.estate import coverage, schema
from winlab.modules.kit.registry import all_registered

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def page() -> str:
    return coverage.coverage_page()


def test_the_page_in_docs_is_up_to_date(page: str) -> None:
    kept = (ROOT / "docs" / "winlab-coverage.md").read_text(encoding="utf-8")
    assert kept == page, "run: winlab docs --output docs/winlab-coverage.md"


def test_every_module_option_and_executable_is_listed(page: str) -> None:
    for module in all_registered():
        row = next(
            line
            for line in page.splitlines()
            if line.startswith(f"| {module.collection}.{module.name} |")
        )
        for option in module.spec.options:
            assert option in module.internal or f"`{option}`" in row
    for name in registered():
        assert f"\n| {name} | " in page


def test_every_key_of_an_estate_is_explained(page: str) -> None:
    for kind in (schema.HostSpec, schema.SiteSpec, schema.IncidentSpec, schema.EstateSpec):
        section = page.partition(f"### {kind.__name__.removesuffix('Spec')}\n")[2].partition("###")[
            0
        ]
        for key in kind.__struct_fields__:
            assert f"\n| {key} | " in section


def test_assumptions_are_collected_from_docstrings_and_comments(page: str) -> None:
    listed = page.partition("## Assumed")[2]
    assert "`host/eventlogs.py`: 640 bytes a record on average" in listed
    assert len(re.findall(r"^- `", listed, re.MULTILINE)) >= 5


def test_sources_are_cited_for_every_layer_that_shows_windows(page: str) -> None:
    cited = page.partition("## Sources")[2].partition("## Assumed")[0]
    for layer in ("commands", "host", "server", "session", "wire"):
        assert f"- `{layer}/" in cited

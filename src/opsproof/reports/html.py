"""Renders the daily sheet as one HTML page. Pure: same sheet, same bytes; nothing from outside.

The page needs no script and no network: its style sheet is inlined as it is (Jinja2's escaping
would turn the quotes of font names into entities and lose the fonts), icons are inline SVG.
What is too much to read is capped here, and the page says where the rest stands.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from opsproof.evidence.canonical import canonical
from opsproof.evidence.model import Severity
from opsproof.evidence.readme import CHECK_SHA256, CHECK_SIGNATURE, DECRYPT
from opsproof.reports.labels import Labels, labels
from opsproof.reports.model import LANGUAGES, DailySheet
from opsproof.reports.text import RECORD_LIMIT, printable
from opsproof.reports.view import View, finding_anchor

_DATA = files("opsproof.reports") / "data"
_VERSIONED = (
    "annex.html.j2",
    "corrected.html.j2",
    "daily.css",
    "daily.html.j2",
    "facts.yml",
    "labels.yml",
    "parts.html.j2",
    "patches.html.j2",
    "services.html.j2",
    "settings.html.j2",
)


def render(
    sheet: DailySheet, language: str, *, runs_href: str = "../runs", switch: bool = True
) -> str:
    """The page in ``language``.

    ``runs_href`` is the relative address of the folder of bundles as seen from the page;
    ``switch`` says that the other language's page lies beside it.

    Raises:
        LabelError: the catalogue lacks a label.
    """
    label = labels(language)
    view = View(sheet, label)
    return (
        _environment()
        .get_template("daily.html.j2")
        .render(
            sheet=sheet,
            view=view,
            language=language,
            other_language=next(tag for tag in LANGUAGES if tag != language),
            css=Markup(_text("daily.css")),  # noqa: S704 - a file of this package
            runs_href=runs_href,
            switch=switch,
            t=label,
            pick=label.pick,
            when=when,
            clock=lambda text: when(text)[-8:-3],
            percent=percent,
            severity=lambda name: label(f"severity.{name if name in set(Severity) else 'other'}"),
            finding_anchor=finding_anchor,
            short_id=lambda name: name[:12],
            canonical=lambda value: canonical(value).decode(),
            check_sums=CHECK_SHA256,
            check_signature=CHECK_SIGNATURE,
            decrypt=DECRYPT,
            record_limit=RECORD_LIMIT,
            verdict=verdict(sheet, label),
        )
    )


def verdict(sheet: DailySheet, label: Labels) -> str:
    """The one sentence of section 1."""
    rows = [row for block in sheet.groups for row in block.rows if row.state == "fail"]
    hosts = {host for row in rows for host in row.hosts or (row.host,)}
    return label(
        f"verdict.{sheet.verdict}",
        due=sheet.counts.due,
        collected=sheet.counts.collected,
        abnormal=sheet.counts.abnormal,
        review=sheet.counts.review,
        missing=sheet.counts.not_collected,
        hosts=len(hosts),
    )


def when(text: str) -> str:
    """A time of the sheet for reading: ``2026-11-22 09:15:00``; the zone stands in the head."""
    return printable(text[:19]).replace("T", " ")


def percent(part: int, whole: int) -> str:
    """A share with one decimal, cut, not rounded: 99.96 % of all checks is not 100 %."""
    tenths = part * 1000 // whole
    return f"{tenths // 10}.{tenths % 10}%"


@cache
def template_sha256() -> str:
    """SHA-256 over the ``sha256sum`` lines of templates, style sheet and catalogues."""
    lines = [f"{hashlib.sha256(_text(name).encode()).hexdigest()}  {name}\n" for name in _VERSIONED]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=False,
        keep_trailing_newline=True,
    )
    environment.filters["printable"] = printable
    return environment


def _text(name: str) -> str:
    return (_DATA / name).read_text(encoding="utf-8")

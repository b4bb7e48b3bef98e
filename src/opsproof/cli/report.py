"""``opsproof report``: the contract's forms, made from sealed evidence."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from opsproof.cli.output import envelope
from opsproof.errors import ExitCode, UsageError
from opsproof.reports.daily import daily_sheet
from opsproof.reports.html import render, template_sha256
from opsproof.reports.model import LANGUAGES, DailySheet, Verdict
from opsproof.reports.shelf import Shelf
from opsproof.reports.sources import read_day, time_zone

_EXAMPLE = """
\b
Examples:
  opsproof report daily
  opsproof report daily --date 2026-11-22 --lang en
  opsproof report daily --format json
"""


_OLDEST = date(2000, 1, 1)


@click.group()
def command() -> None:
    """Make a report from what was sealed; a report never judges and never collects."""


@command.command(epilog=_EXAMPLE)
@click.option(
    "--date",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Day in the inventory's time zone; today when not given.",
)
@click.option(
    "--lang",
    type=click.Choice([*LANGUAGES, "both"]),
    default="both",
    show_default=True,
    help="Language of the page; the numbers are the same in all.",
)
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="Where bundles and the ledger lie.",
)
@click.option("--inventory", metavar="NAME", help="Whose runs, when the ledger holds several.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the sheet goes; REPORTS/daily when not given.",
)
@click.option("--format", "form", type=click.Choice(["html", "json"]), default="html")
def daily(
    day: datetime | None,
    lang: str,
    reports: Path,
    inventory: str | None,
    out: Path | None,
    form: str,
) -> ExitCode:
    """Make the daily monitoring sheet (系统日常监控单).

    Writes one HTML file a language and the same data as JSON. What was issued is never
    overwritten: a changed sheet of the same day gets the next revision number.

    Exit codes: 0 nothing wrong, 1 something is abnormal, 2 usage, 3 something due was not
    collected or did not run, 5 a bundle was altered, 6 the ledger or a bundle is incomplete.
    """
    if not reports.is_dir():
        raise UsageError(
            "there is no such reports folder", where=str(reports), remedy="opsproof run makes one"
        )
    when = _day(day, _today(reports, inventory))
    shelf = Shelf(out or reports / "daily")
    number = f"RPT-D-{when:%Y%m%d}"
    before = max(shelf.before(number), Shelf(reports / "daily").before(number))
    source = read_day(reports, when, inventory=inventory, previous_report=before)
    sheet = shelf.issue(
        lambda revision: daily_sheet(source, template_sha256=template_sha256(), revision=revision)
    )
    languages = LANGUAGES if lang == "both" else (lang,)
    runs = shelf.address_of(reports / "runs")
    pages = {tag: render(sheet, tag, runs_href=runs, switch=lang == "both") for tag in languages}
    try:
        written = shelf.put(sheet, pages)
    except OSError as error:
        raise UsageError(
            f"the sheet cannot be written there: {error.strerror}",
            where=str(shelf.folder),
            remedy="name another folder with --out",
        ) from error
    if form == "json":
        summary = {"id": sheet.id, "verdict": sheet.verdict, "counts": sheet.counts}
        click.echo(envelope(sheet.schema, _now(), summary, [sheet]))
    else:
        for path in written:
            click.echo(str(path))
    return _code(sheet)


def _day(asked: datetime | None, today: date) -> date:
    when = asked.date() if asked else today
    if not _OLDEST <= when <= today:
        raise UsageError(
            f"{when} is no day that can be reported on", remedy=f"from {_OLDEST} to {today}"
        )
    return when


def _today(reports: Path, inventory: str | None) -> date:
    return _now().astimezone(ZoneInfo(time_zone(reports, inventory))).date()


def _now() -> datetime:
    return datetime.now(UTC)


def _code(sheet: DailySheet) -> ExitCode:
    if sheet.counts.not_collected or sheet.verdict in (Verdict.NO_RUN, Verdict.NO_CHECK):
        return ExitCode.NOT_EVALUATED
    return ExitCode.FINDINGS if sheet.counts.abnormal else ExitCode.OK

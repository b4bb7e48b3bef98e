"""Prints a plan for the people who approve it, and base data for those who deliver it: a table, CSV
for a spreadsheet, JSON.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from opsproof.cli.output import envelope
from opsproof.cli.terminal import harmless, inert
from opsproof.signatures.basedata import BadRow
from opsproof.signatures.model import Entry
from opsproof.signatures.plan import Plan
from opsproof.signatures.trust import lines

ROWS: Final = 50
"""Records that the table shows; CSV and JSON have all."""

_COLUMNS: Final = ("key", "class", "action", "source", "changes", "why")


def print_plan(form: str, plan: Plan, entries: Iterable[Entry]) -> None:
    """Entries of a plan as ``table``, ``csv`` or ``json``. They name records."""
    if form == "csv":
        _csv(entries)
    elif form == "json":
        summary = {"plan_sha256": plan.sha256, "header": plan.header, "footer": plan.footer}
        click.echo(envelope("signatures-plan/1", datetime.now(UTC), summary, list(entries)))
    else:
        _table(plan, entries)


def print_bad_rows(form: str, count: int, rows: Iterable[BadRow]) -> None:
    """Every row of base data that was not taken, one after another but for ``json``."""
    if form == "json":
        summary = {"bad_base_rows": count}
        click.echo(envelope("signatures-bad-rows/1", datetime.now(UTC), summary, list(rows)))
        return
    if form == "csv":
        _line(("where", "what"))
    for row in rows:
        if form == "csv":
            _line((row.where, row.what))
        else:
            click.echo(harmless(f"{row.where}: {row.what}"))


def _row(one: Entry, changes: str) -> tuple[str, ...]:
    key = " ".join(map(str, one.key))
    return (key, one.record_class, one.action, one.source or "", changes, one.why or one.detail)


def _table(plan: Plan, entries: Iterable[Entry]) -> None:
    table = Table(header_style="bold")
    for name in _COLUMNS:
        table.add_column(name, overflow="fold")
    shown = more = 0
    for one in entries:
        if shown == ROWS:
            more += 1
            continue
        shown += 1
        table.add_row(*(Text(harmless(cell)) for cell in _row(one, ", ".join(one.changes))))
    console = Console()
    console.print(table)
    if more:
        click.echo(f"{more} more: --format csv has all")
    for line in lines(plan.header.trust.facts()):
        click.echo(harmless(line))
    click.echo(harmless(f"database: {plan.header.database}"))
    classes = ", ".join(f"{name} {count}" for name, count in plan.header.classes.items() if count)
    counts = {**plan.footer.actions, **plan.footer.sources}
    click.echo(harmless(f"{plan.header.records} records: {classes}"))
    click.echo(harmless(", ".join(f"{name} {count}" for name, count in counts.items())))
    click.echo(harmless(f"{plan.path}: SHA-256 {plan.sha256}"))


def _csv(entries: Iterable[Entry]) -> None:
    _line((*_COLUMNS, "detail", "before", "after", "data"))
    for one in entries:
        changes = msgspec.json.encode(one.changes).decode() if one.changes else ""
        _line((*_row(one, changes), one.detail, one.before, one.after, one.data))


def _line(cells: Iterable[str]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([inert(harmless(cell)) for cell in cells])
    click.echo(out.getvalue(), nl=False)

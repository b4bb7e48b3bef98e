"""Prints the report of ``opsproof audit``: a table, JSON, CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import UTC, datetime
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from opsproof.cli.output import envelope
from opsproof.cli.terminal import harmless, inert
from opsproof.evidence.model import Severity
from opsproof.logs.model import FAULTS, AuditReport, Count, Hit, Reason, RuleRun, Traffic

_COLUMNS: Final = ("time", "severity", "title", "computer", "channel", "file", "record")


_MOST_BLIND = 10
"""Rules of which it is told where they were blind."""


def _record(hit: Hit) -> str:
    return "" if hit.record_id is None else str(hit.record_id)


def _rows(report: AuditReport) -> list[tuple[str, ...]]:
    return [
        (
            hit.time or "",
            hit.severity.value,
            hit.title,
            hit.computer,
            hit.channel,
            hit.file,
            _record(hit),
        )
        for hit in report.hits
    ]


def _table(report: AuditReport) -> None:
    console = Console(highlight=False)
    console.width = max(console.width, 120)
    if report.hits:
        table = Table(header_style="bold")
        for name in ("time (UTC)", *_COLUMNS[1:]):
            # Who looks for the record needs time, file and number whole.
            whole = name in {"time (UTC)", "severity", "record"}
            table.add_column(name, no_wrap=whole, overflow="fold")
        for row in _rows(report):
            table.add_row(*(Text(harmless(value)) for value in (row[0][:19], *row[1:])))
        console.print(table)
    counts = report.counts
    lines = [
        f"{counts.files} files, {counts.bytes} bytes, {counts.records} records, "
        f"{counts.unreadable} unreadable, {counts.filtered} outside the time asked for",
        f"{counts.rules_run} rules run, {counts.rules_not_run} not run, {counts.hits} hits, "
        f"{counts.suppressed} suppressed",
    ]
    lines += _nothing(report)
    lines += [f"{rule.severity}: {rule.hits} {rule.title}" for rule in _with_hits(report)]
    lines += [f"not read: {place}" for place in report.unreadable]
    lines += [f"gap: {gap.file}: {gap.detail}" for gap in report.gaps]
    lines += [
        f"not run: {rule.title or rule.rule}: {rule.detail}"
        for rule in report.rules_not_run
        if rule.reason in FAULTS
    ]
    lines += [
        f"expired: {one.id} of {one.owner}, {one.expires}: {one.reason}"
        for one in report.suppressions
        if one.expired
    ]
    lines += _not_run(report)
    lines += _blind(report)
    for line in [*lines, *_traffic(report.traffic)]:
        click.echo(harmless(line))


def _nothing(report: AuditReport) -> list[str]:
    return [f"NOTHING WAS AUDITED: {report.nothing}"] if report.nothing else []


def _not_run(report: AuditReport) -> list[str]:
    """How many rules had nothing to look at: what did not hit because it could not is no all-clear."""
    reasons = Counter(rule.reason for rule in report.rules_not_run)
    told = {Reason.NO_SOURCE: "no such log", Reason.NO_FIELD: "no record with their fields"}
    counted = [f"{reasons[one]} with {text}" for one, text in told.items() if reasons[one]]
    return [f"not run: {', '.join(counted)} (--format json names them)"] if counted else []


def _blind(report: AuditReport) -> list[str]:
    """The rules that could see nothing in some files, worst first: what of those they are blind in."""
    first = {spot.rule: spot for spot in reversed(report.blind)}
    files = {rule.rule: rule.blind for rule in report.rules_run}
    told = [first[rule] for rule in dict.fromkeys(spot.rule for spot in report.blind)]
    lines = []
    for spot in told[:_MOST_BLIND]:
        event = f"event {spot.event} of " if spot.event else ""
        more = f" and {files[spot.rule] - 1} more" if files[spot.rule] > 1 else ""
        lines.append(
            f"blind: {spot.title}: no {', '.join(spot.fields)} in {event}{spot.file}{more}"
        )
    others = sum(1 for rule in report.rules_run if rule.blind) - len(lines)
    return [*lines, f"blind: {others} more rules (--format json names them)"] if others else lines


def _with_hits(report: AuditReport) -> list[RuleRun]:
    """The rules that hit, worst first."""
    order = list(Severity)
    found = [rule for rule in report.rules_run if rule.hits]
    return sorted(found, key=lambda rule: (order.index(rule.severity), -rule.hits, rule.title))


def _traffic(traffic: Traffic | None) -> list[str]:
    """What the web logs say apart from rules, in a few lines."""
    if traffic is None:
        return []
    listed = {
        "paths": traffic.top_paths,
        "clients": traffic.top_clients,
        "answered with 5xx": traffic.failed_paths,
        "not found": traffic.missed_paths,
        "slow": traffic.slow_paths,
    }
    return [
        f"web: {traffic.requests} requests of {traffic.clients} clients for "
        f"{traffic.paths} paths; {_named(traffic.classes)}; {_named(traffic.methods)}",
        f"web: {traffic.sent_bytes} bytes sent, {traffic.received_bytes} received; "
        f"{traffic.slow} slow requests, the slowest took {traffic.slowest_ms} ms",
        *(f"web: {name}: {_named(counts[:5])}" for name, counts in listed.items() if counts),
    ]


def _named(counts: tuple[Count, ...]) -> str:
    return ", ".join(f"{one.name} {one.count}" for one in counts)


def _json(report: AuditReport) -> None:
    click.echo(envelope(report.schema, datetime.now(UTC), report.counts, report))


def _csv(report: AuditReport) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*_COLUMNS, "sha256", "rule", "demands", "attack", "id"))
    for row, hit in zip(_rows(report), report.hits, strict=True):
        extra = (hit.sha256, hit.rule, " ".join(hit.demands), " ".join(hit.attack), hit.id)
        writer.writerow([inert(value) for value in (*row, *extra)])
    click.echo(out.getvalue(), nl=False)
    for line in _nothing(report):
        click.echo(line, err=True)


PRINTERS: Final = {"table": _table, "json": _json, "csv": _csv}
"""What prints a report, by the name of the format."""

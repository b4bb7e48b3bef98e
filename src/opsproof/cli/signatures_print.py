"""Prints what ``opsproof signatures`` found: counts and digests, no word of a record's own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from opsproof.cli.output import envelope
from opsproof.cli.terminal import harmless
from opsproof.errors import ExitCode
from opsproof.evidence.schemas.signatures import InterfaceFacts, RecordSetFacts
from opsproof.signatures import trust
from opsproof.signatures.basedata import BadRow
from opsproof.signatures.model import SHOWN
from opsproof.signatures.plan import Plan

_FEW: Final = 5
"""Records that are named where they are not what was asked for."""


def print_facts(
    form: str, facts: RecordSetFacts, bad_rows: Sequence[BadRow], plan: Plan | None = None
) -> None:
    """As text, or in the JSON envelope for the form ``json``."""
    if form == "json":
        click.echo(envelope("signatures/1", datetime.now(UTC), facts, bad_rows))
        return
    stored = facts.state in ("applied", "rolled-back")
    if not stored:  # the classes are those of the analysis, not what is there now
        table = Table("class", "records", header_style="bold")
        for one in facts.classes:
            table.add_row(one.record_class, str(one.records))
        Console().print(table)
    lines = [f"base data not taken: {row.where}: {row.what}" for row in bad_rows]
    if bad_rows and facts.bad_base_rows > len(bad_rows):
        more = facts.bad_base_rows - len(bad_rows)
        lines.append(f"base data not taken: {more} rows more: opsproof signatures show --bad-rows")
    if facts.base_without_record:
        lines.append(
            f"{facts.base_without_record} rows of the base data have no record in the table"
        )
    if facts.ambiguous:
        few = ", ".join(facts.ambiguous_records[:_FEW])
        lines.append(
            f"{facts.ambiguous} valid records hold the separator in a text: other data would have the "
            f"same signature, and no base data confirms these; the first are {few}"
        )
    if stored:
        reason = "changed since the plan"
        if facts.state == "rolled-back":
            reason = "changed since, or have no before-image in this folder"
        lines.append(
            f"plan {facts.plan_sha256}: {facts.written} written, {facts.already} were already so, "
            f"{facts.left_alone} left alone because they {reason}"
        )
        lines += [f"  left alone: record {one}" for one in facts.left[:_FEW]]
        more = facts.left_alone - _FEW
        if more > 0:
            journal = "journal" if facts.state == "applied" else "rollback"
            lines.append(f"  {more} more: {journal}.jsonl in the work folder")
    if plan is not None:
        lines += trust.lines(plan.header.trust.facts())
        lines.append(f"{facts.to_write} to write, {facts.unsolved} need somebody else")
        lines += [f"  {action}: {count}" for action, count in plan.footer.actions.items()]
        lines.append(f"{plan.path}: the ticket's content_sha256 is {plan.sha256}")
    for line in lines:
        click.echo(harmless(line))
    if facts.interface is not None:
        print_interface(facts.interface, shown=_FEW)


def print_interface(found: InterfaceFacts, *, shown: int = SHOWN) -> None:
    """Counts of failures by kind, and the first of the records that are not right."""
    lines = [
        f"{found.lines} lines of {found.files} data logs, {found.unreadable} of them not readable"
    ]
    lines += [
        f"failed {name}: {one.lines} lines, {one.nameless} of them name no record; "
        f"{one.records} records: {one.right} right now, {one.wrong} wrong, {one.absent} not in "
        f"the table, {one.not_verifiable} not verifiable here"
        for name, one in (("verification", found.verification), ("signing", found.signing))
    ]
    for link in found.links[:shown]:
        times = f", {link.first} to {link.last}" if link.first else ""
        named = f" ({link.record_class})" if link.record_class else ""
        lines.append(
            f"  {link.file}:{link.line}: {link.kind}: record {link.record}: "
            f"{link.standing}{named}, {link.lines} lines{times}"
        )
    more = len(found.links) - shown
    if more > 0:
        lines.append(f"  {more} more: opsproof signatures link")
    for line in lines:
        click.echo(harmless(line))


def interface_code(found: InterfaceFacts | None) -> ExitCode:
    """What failures in the logs end with; one that nobody can tell is not a right one."""
    if found is None:
        return ExitCode.OK
    settled = {found.verification.settled, found.signing.settled}
    if False in settled:
        return ExitCode.FINDINGS
    return ExitCode.NOT_EVALUATED if None in settled else ExitCode.OK

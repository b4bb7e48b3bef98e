"""``opsproof ledger``: show the chain, and add records that correct, prune or repair."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from opsproof.cli.output import envelope
from opsproof.errors import ExitCode
from opsproof.evidence import amend
from opsproof.evidence.keys import Signer, keys_folder, load_keys
from opsproof.evidence.ledger import Ledger
from opsproof.evidence.reader import recover

F = TypeVar("F", bound=Callable[..., Any])

_REPORTS = click.option(
    "--reports",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="The reports folder.",
)
_FORMAT = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")


def _signing(function: F) -> F:
    """Options of the subcommands that add a record."""
    for option in (
        _REPORTS,
        click.option(
            "--keys",
            type=click.Path(file_okay=False, path_type=Path),
            help="The keys folder; $OPSPROOF_KEYS or .keys by default.",
        ),
        click.option("--by", default=getpass.getuser, help="Who adds the record."),
        _FORMAT,
    ):
        function = option(function)
    return function


@click.group()
def command() -> None:
    """Show the ledger of sealed evidence, or add a record to it.

    \b
    Exit codes: 0 done; 2 usage; 4 refused; 6 the ledger's last line is torn.
    """


@command.command("list")
@_REPORTS
@_FORMAT
def list_entries(reports: Path, form: str) -> ExitCode:
    """Show every line: number, time of sealing, kind, id.

    \b
    Example:
      opsproof ledger list --format json
    """
    entries = Ledger(reports).entries
    lines = [f"{entry.seq:6} {entry.at} {entry.kind:10} {entry.id}" for entry in entries]
    return _show(form, reports, entries, lines)


@command.command()
@_REPORTS
@_FORMAT
def head(reports: Path, form: str) -> ExitCode:
    """Print LENGTH:SHA256 of the last line, as ``verify --head`` takes it.

    \b
    Example:
      opsproof ledger head
    """
    return _show(form, reports, [], [str(Ledger(reports).head)])


@command.command()
@click.argument("record")
@click.option("--run", help="The run that holds it, when it is a finding or an observation.")
@click.option("--statement", required=True, help="What holds instead.")
@click.option("--reason", required=True, help="Why the record was wrong.")
@_signing
def correct(
    record: str,
    run: str | None,
    statement: str,
    reason: str,
    reports: Path,
    keys: Path | None,
    by: str,
    form: str,
) -> ExitCode:
    """Supersede a sealed RECORD: a run, an earlier correction, or a record of --run.

    \b
    Example:
      opsproof ledger correct FND-0123... --run 20261122T091500Z-daily-7f3a \\
        --statement "the disk is D:, not E:" --reason "drive letters were swapped"
    """
    path = amend.correct(
        reports,
        _signer(keys),
        supersedes=record,
        run=run,
        statement=statement,
        reason=reason,
        by=by,
        now=datetime.now(UTC),
    )
    return _show(form, reports, [{"path": str(path)}], [str(path)])


@command.command()
@click.argument("run")
@click.option("--whole", is_flag=True, help="Remove the whole bundle, not its artifacts only.")
@click.option("--reason", required=True, help="Which retention rule ended.")
@_signing
def prune(
    run: str, whole: bool, reason: str, reports: Path, keys: Path | None, by: str, form: str
) -> ExitCode:
    """Remove the artifacts of a RUN older than 180 days; a signed record says what went.

    \b
    Example:
      opsproof ledger prune 20260101T091500Z-daily-7f3a --reason "raw logs: 180 days"
    """
    path = amend.prune(
        reports,
        _signer(keys),
        run=run,
        whole=whole,
        reason=reason,
        by=by,
        now=datetime.now(UTC),
    )
    return _show(form, reports, [{"path": str(path)}], [str(path)])


@command.command()
@_signing
def repair(reports: Path, keys: Path | None, by: str, form: str) -> ExitCode:
    """Cut off a torn last line; a signed record keeps its bytes.

    \b
    Example:
      opsproof ledger repair
    """
    path = amend.repair(reports, _signer(keys), by=by, now=datetime.now(UTC))
    return _show(form, reports, [{"path": str(path)}], [str(path)])


@command.command("recover")
@_REPORTS
@_FORMAT
def recover_folders(reports: Path, form: str) -> ExitCode:
    """Take sealed folders that a crash kept out into the ledger; name interrupted runs.

    Every run does this at its start.

    \b
    Example:
      opsproof ledger recover
    """
    found = recover(reports)
    items = [{"id": name, "state": "adopted"} for name in found.adopted]
    items += [{"id": name, "state": "interrupted"} for name in found.interrupted]
    words = {"adopted": "adopted", "interrupted": "interrupted, never sealed"}
    return _show(form, reports, items, [f"{words[i['state']]}: {i['id']}" for i in items])


def _show(form: str, reports: Path, items: Sequence[Any], lines: Sequence[str]) -> ExitCode:
    """Print the outcome in the asked form, with the ledger's head as it is now."""
    if form == "json":
        head = Ledger(reports).head
        summary = {"head": str(head), "entries": head.length}
        click.echo(envelope("ledger/1", datetime.now(UTC), summary, items))
    else:
        for line in lines:
            click.echo(line)
    return ExitCode.OK


def _signer(keys: Path | None) -> Signer:
    return load_keys(keys or keys_folder(Path.cwd())).signer

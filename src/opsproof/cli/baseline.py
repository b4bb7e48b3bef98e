"""``opsproof baseline``: import, compare and show hardening baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text as Styled

from opsproof.cli.output import envelope
from opsproof.controls.model import Text
from opsproof.errors import ExitCode, UsageError
from opsproof.policy.baseline import Baseline, Setting, layered
from opsproof.policy.baseline_write import dump, set_of
from opsproof.policy.baseline_yaml import load, load_layers
from opsproof.policy.compare import demand, differences
from opsproof.policy.gpo import import_policies

_RELEASES = ("2016", "2019", "2022")


@click.group()
def command() -> None:
    """Work on hardening baselines, which are files of settings."""


@command.command(
    "import",
    epilog="Example: opsproof baseline import gpo-backup/ extra.txt --name bureau -o baselines/bureau.yml",
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--name", required=True, help="Name of the baseline, such as member-server.")
@click.option("--title-en", default="", help="English title; the name when not given.")
@click.option("--title-zh", default="", help="Chinese title; the name when not given.")
@click.option(
    "--code-page", default="utf-8", help="Of files without a byte order mark: cp1252, gbk ..."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; else stdout.")
@click.option("--force", is_flag=True, help="Replace the file when it is there.")
def import_command(
    sources: tuple[Path, ...],
    name: str,
    title_en: str,
    title_zh: str,
    code_page: str,
    output: Path | None,
    force: bool,
) -> ExitCode:
    """Make a baseline of GPO backups and LGPO texts, merged in the order given."""
    try:
        "".encode(code_page)
    except LookupError:
        raise UsageError(f"there is no code page {code_page!r}", where="--code-page") from None
    baseline = import_policies(
        sources,
        name=name,
        title=Text(title_zh or name, title_en or name),
        releases=_RELEASES,
        code_page=code_page,
    )
    if output is None:
        click.echo(dump(baseline), nl=False)
    elif output.exists() and not force:
        raise UsageError("is there already", where=str(output), remedy="use --force to replace it")
    else:
        output.write_text(dump(baseline), encoding="utf-8")
    for warning in baseline.warnings:
        click.echo(f"left out: {warning}", err=True)
    click.echo(f"{len(baseline.settings)} settings of {len(baseline.sources)} policies", err=True)
    return ExitCode.OK


@command.command("diff", epilog="Ends with 0 when the two ask for the same, else 1.")
@click.argument("left", type=click.Path(path_type=Path))
@click.argument("right", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def diff_command(left: Path, right: Path, form: str) -> ExitCode:
    """Compare what two baselines ask for."""
    ours, theirs = _settings(left), _settings(right)
    found = differences(ours, theirs)
    if form == "json":
        summary = {"left": len(ours), "right": len(theirs), "different": len(found)}
        items = [asdict(one) for one in found]
        click.echo(envelope("baseline-diff/1", datetime.now(UTC), summary, items))
    else:
        if found:
            rows = [(one.target, one.left or "-", one.right or "-") for one in found]
            _print(("target", left.stem, right.stem), rows)
        click.echo(f"{len(found)} differences, {len(ours)} against {len(theirs)} settings")
    return ExitCode.FINDINGS if found else ExitCode.OK


@command.command("show", epilog="Example: opsproof baseline show baselines/iis-server.yml --layers")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--layers", is_flag=True, help="With the baselines that it is a layer over.")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
def show_command(file: Path, layers: bool, form: str) -> ExitCode:
    """List the settings of a baseline."""
    found = layered(load_layers([file.stem], file.parent)) if layers else load(file).settings
    if form == "json":
        items = [_item(one) for one in found]
        click.echo(envelope("baseline/1", datetime.now(UTC), {"settings": len(found)}, items))
    else:
        rows = [(one.id, one.severity.value, str(one.target), demand(one)) for one in found]
        _print(("id", "severity", "target", "demand"), rows)
        click.echo(f"{len(found)} settings")
    return ExitCode.OK


def _settings(path: Path) -> tuple[Setting, ...]:
    baseline: Baseline = load(path)
    return baseline.settings


def _item(setting: Setting) -> dict[str, object]:
    return {
        "id": setting.id,
        "title": {"zh": setting.title.zh, "en": setting.title.en},
        "category": setting.category,
        "set": set_of(setting.target),
        "compare": setting.comparison.value,
        "value": setting.value,
        "severity": setting.severity.value,
        "sources": setting.sources,
        "releases": setting.releases,
    }


def _print(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    console = Console(highlight=False)
    console.width = max(console.width, 140)
    table = Table(*heads, header_style="bold")
    for row in rows:
        table.add_row(*(Styled(cell) for cell in row))
    console.print(table)

"""``opsproof signatures simulate``: damaged data sets for training and drills."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import click

from opsproof.cli.secrets import database_url
from opsproof.errors import ExitCode, UsageError
from opsproof.signatures import simulate, sm2
from opsproof.signatures.profile import Reference


@click.command("simulate")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--records", default=1000, type=click.IntRange(1, 100_000_000))
@click.option("--seed", default=1)
@click.option("--family", type=click.Choice(list(simulate.ALGORITHMS)), default="rsa")
@click.option(
    "--shape", type=click.Choice(["raw", "rs", "cms-detached", "cms-attached"]), default="raw"
)
@click.option(
    "--reference",
    type=click.Choice(get_args(Reference)),
    default="serial-hex",
    help="How records name the signer's certificate.",
)
@click.option(
    "--damaged", default=10, type=click.IntRange(0, 100), help="Percent of wrong records."
)
@click.option("--database", help="Another database than SQLite in the folder.")
@click.option("--database-file", type=click.Path(path_type=Path), help="File that holds its URL.")
def drill(
    folder: Path,
    records: int,
    seed: int,
    family: str,
    shape: str,
    reference: str,
    damaged: int,
    **options: Any,
) -> ExitCode:
    """Make a damaged data set with known truth for drills: database, base data, keys, profile."""
    if family == "sm2" and not sm2.available():
        raise UsageError(sm2.NEEDED, where="--family")
    if reference == "embedded" and not shape.startswith("cms"):
        raise UsageError("only a signed message embeds a certificate", where="--reference")
    lab = simulate.new_lab(family, datetime.now(UTC).replace(microsecond=0))
    made = simulate.simulate(
        folder,
        lab,
        records=records,
        seed=seed,
        url=database_url(options, "database"),
        form=shape,
        reference=reference,
        flavour="chinese" if family == "sm2" else "international",
        damaged_percent=damaged,
    )
    for name, count in made.counts.items():
        click.echo(f"{count:>10} {name}")
    return ExitCode.OK

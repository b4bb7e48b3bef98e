"""``opsproof audit``: Sigma rules on event logs and IIS logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.control import Control
from rich.markup import escape
from rich.segment import ControlType

from opsproof.cli.audit_print import PRINTERS
from opsproof.cli.bar import Bar
from opsproof.cli.terminal import harmless
from opsproof.errors import ExitCode, UsageError, worst
from opsproof.logs import times
from opsproof.logs.aliases import checked
from opsproof.logs.audit import Limits, Options, Progress, Step, audit
from opsproof.logs.baseline import SHOWN, check_baseline, make_baseline, write_baseline
from opsproof.logs.cluster import Cluster, load_manifest
from opsproof.logs.explain import explain
from opsproof.logs.model import FAULTS, INCIDENTS, AuditReport
from opsproof.logs.options import cores
from opsproof.logs.rules.load import compile_texts, default_cache, default_rules, load
from opsproof.logs.schema import load_schemas
from opsproof.logs.suppress import load_suppressions

_EXAMPLE = """
\b
Examples:
  opsproof audit events.evtx W3SVC1/
  opsproof audit export.cab --since 2026-11-01 --format json
  opsproof audit logs/ --rules rules --rules ../sigma/rules/windows
  opsproof audit --explain 'Security log cleared'
  opsproof audit logs/ --write-baseline accepted.yml --owner zhang.san \\
    --reason 'state at hand-over, T-2026-118' --expires 2027-03-31
\b
Ends with 0 (no hit), 1 (hits, or logs that were cleared, lack records or days, or go back in
time), 2 (usage), 3 (a file or a rule could not be read, no record was looked at, as when all
are outside --since and --until, or no rule had anything to look at; worse than hits).
"""


_ERASED = Control((ControlType.ERASE_IN_LINE, 2))
"""Clears the line that the cursor is in."""


class _Moment(click.ParamType[datetime]):
    name = "time"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """ISO 8601; UTC unless it says otherwise."""
        moment = times.read(value)
        if moment is None:
            self.fail(
                f"{value!r} is no time such as 2026-11-22 or 2026-11-22T09:15:00Z", param, ctx
            )
        return moment


class _Zone(click.ParamType[ZoneInfo]):
    name = "zone"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> ZoneInfo:
        """A name of the IANA time zone database."""
        zone = times.zone(value)
        if zone is None:
            self.fail(f"{value!r} is no time zone such as Asia/Shanghai", param, ctx)
        return zone


@click.command(epilog=_EXAMPLE)
@click.argument("paths", nargs=-1, metavar="PATH...", type=click.Path(path_type=Path))
@click.option(
    "--rules",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder or file of Sigma rules; may be repeated. Default: the project's rules/.",
)
@click.option(
    "--no-rules", is_flag=True, help="Evaluate no rule: only completeness, gaps and statistics."
)
@click.option("--since", type=_Moment(), help="Only records from this time on.")
@click.option("--until", type=_Moment(), help="Only records before this time.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table")
@click.option(
    "--schema",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Schema map of data logs (CSV, JSON lines), or a folder of maps; may be repeated.",
)
@click.option("--zone", type=_Zone(), help="Time zone of IIS native logs, such as Asia/Shanghai.")
@click.option(
    "--suppress",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Accepted hits with owner, reason and expiry: counted, not shown; may be repeated.",
)
@click.option(
    "--retention",
    type=click.IntRange(1, 3650),
    metavar="DAYS",
    help="Report logs that reach back less than this (the law asks for six months).",
)
@click.option(
    "--alias",
    multiple=True,
    metavar="OLD=NEW",
    help="A computer that was renamed: count its old records as the new name's; may be repeated.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=cores,
    show_default="one a core, at most four",
    help="Worker processes for large logs; the report does not depend on it.",
)
@click.option(
    "--unpacked",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    metavar="GB",
    help="Gigabytes that one cabinet may unpack to; what is beyond is reported as unreadable.",
)
@click.option(
    "--scheduler", metavar="ADDRESS", help="Dask scheduler: tls://, or tcp:// on loopback."
)
@click.option("--tls-ca", type=click.Path(path_type=Path, exists=True), metavar="FILE")
@click.option("--tls-certificate", type=click.Path(path_type=Path, exists=True), metavar="FILE")
@click.option("--tls-key", type=click.Path(path_type=Path, exists=True), metavar="FILE")
@click.option(
    "--manifest",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Which files lie near which Dask workers.",
)
@click.option("--explain", metavar="RULE", help="Say what a rule (id, name or title) looks for.")
@click.option(
    "--write-baseline",
    "baseline",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Accept every hit shown: write them as a list for --suppress. Needs the next three.",
)
@click.option("--owner", metavar="NAME", help="Who answers for the baseline.")
@click.option("--reason", metavar="TEXT", help="Why its hits are accepted.")
@click.option(
    "--expires",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DAY",
    help="Its last day, at most a year away; after it the hits come back.",
)
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(
    paths: tuple[Path, ...],
    rules: tuple[Path, ...],
    since: datetime | None,
    until: datetime | None,
    form: str,
    explain: str | None,
    quiet: bool,
    no_rules: bool,
    baseline: Path | None,
    owner: str | None,
    reason: str | None,
    expires: datetime | None,
    **asked: Any,
) -> ExitCode:
    """Look for what the rules describe in event logs (EVTX), IIS logs (W3C) and cabinets of them."""
    chosen = list(rules) or [default_rules()]
    if explain is not None:
        click.echo(_explained(explain, chosen))
        return ExitCode.OK
    if not paths:
        raise click.UsageError("name at least one file or folder, or --explain RULE")
    if rules and no_rules:
        raise click.UsageError("--no-rules and --rules exclude each other")
    accepting = _accepting(baseline, owner, reason, expires)
    with _progress(quiet=quiet) as progress:
        report = audit(
            list(paths),
            compile_texts([]) if no_rules else chosen,
            cluster=_cluster(asked),
            options=_options(since, until, shown=SHOWN if accepting else None, **asked),
            progress=progress,
        )
    PRINTERS[form](report)
    code = exit_code(report)
    return code if accepting is None else accepting(report, code)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress | None]:
    """Files as they are identified (a line that changes, or a line each), then a bar of megabytes."""
    if quiet:
        yield None
        return
    console = Console(stderr=True, highlight=False)
    with ExitStack() as shown:
        status = console.status("")
        if console.is_terminal:
            # Its thread must not run yet where worker processes are begun: before the first step.
            console.print("reading rules", end="\r")
            shown.callback(console.control, _ERASED)
            shown.callback(status.stop)
        bar: Callable[[int, int], None] | None = None

        def tell(step: Step) -> None:
            nonlocal bar
            if step.unit == "bytes":
                if bar is None:
                    status.stop()
                    bar = shown.enter_context(Bar(quiet, "MB"))
                bar(step.done // 1_000_000, step.total // 1_000_000)
                return
            line = f"{step.done}/{step.total} {harmless(step.name)}"
            if console.is_terminal:
                if step.done == 1:
                    console.control(_ERASED)
                    status.start()
                status.update(escape(line))
            else:
                console.print(line, markup=False, soft_wrap=True)

        yield tell


def _accepting(
    file: Path | None, owner: str | None, reason: str | None, expires: datetime | None
) -> Callable[[AuditReport, ExitCode], ExitCode] | None:
    """What writes the baseline, checked before anything is read; None where none is asked for."""
    given = {"--owner": owner, "--reason": reason, "--expires": expires}
    if file is None:
        if any(value is not None for value in given.values()):
            raise click.UsageError("--owner, --reason and --expires belong to --write-baseline")
        return None
    missing = [name for name, value in given.items() if value is None]
    if owner is None or reason is None or expires is None:
        raise click.UsageError(f"--write-baseline needs {', '.join(missing)}")
    if file.exists():
        raise click.UsageError(f"{file} is there already; name another file")
    if not file.resolve().parent.is_dir():
        raise click.UsageError(f"there is no folder {file.parent} to write {file.name} into")
    today, last = datetime.now(UTC).date(), expires.date()
    check_baseline(owner, reason, last, today)

    def accept(report: AuditReport, code: ExitCode) -> ExitCode:
        """Hits that are accepted are no findings any more; what is uncovered still is."""
        made = make_baseline(report, owner=owner, reason=reason, expires=last, today=today)
        write_baseline(made, file)
        gaps = f" and {made.gaps} quiet days" if made.gaps else ""
        click.echo(
            f"{file}: {made.entries} entries accept {made.covered} hits{gaps} until {last}",
            err=True,
        )
        for title, count in made.uncovered.items():
            click.echo(f"not accepted: {count} of {title}", err=True)
        accepted = code is ExitCode.FINDINGS and not made.uncovered
        return ExitCode.OK if accepted else code

    return accept


def _cluster(asked: dict[str, Any]) -> Cluster | None:
    """The cluster that was asked for; its options are taken out of ``asked``."""
    address = asked.pop("scheduler")
    ca, certificate, key = (asked.pop(f"tls_{name}") for name in ("ca", "certificate", "key"))
    manifest = asked.pop("manifest")
    if address is None:
        return None
    return Cluster(address, ca, certificate, key, load_manifest(manifest) if manifest else {})


def _options(
    since: datetime | None,
    until: datetime | None,
    *,
    schema: tuple[Path, ...],
    zone: ZoneInfo | None,
    suppress: tuple[Path, ...],
    retention: int | None,
    processes: int,
    unpacked: int,
    alias: tuple[str, ...],
    shown: int | None,
) -> Options:
    now = datetime.now(UTC)
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--since is not before --until: no record can be between them")
    return Options(
        limits=Limits() if shown is None else Limits(hits_per_rule=shown),
        since=since,
        until=until,
        schemas=load_schemas(schema),
        zone=zone or UTC,
        suppressions=load_suppressions(suppress),
        today=now.date(),
        processes=processes,
        unpacked=unpacked * 10**9,
        aliases=checked(dict(_old_and_new(one) for one in alias)),
        retained_since=None if retention is None else (until or now) - timedelta(days=retention),
    )


def _old_and_new(alias: str) -> tuple[str, str]:
    old, _, new = alias.partition("=")
    return old, new


def exit_code(report: AuditReport) -> ExitCode:
    """Hits and logs that are not whole are findings. Nothing to read, what could not be read, or a
    rule that is none: not evaluated.
    """
    codes = [ExitCode.OK]
    if report.counts.hits or any(gap.kind in INCIDENTS for gap in report.gaps):
        codes.append(ExitCode.FINDINGS)
    if (
        report.nothing
        or report.unreadable
        or any(rule.reason in FAULTS for rule in report.rules_not_run)
    ):
        codes.append(ExitCode.NOT_EVALUATED)
    return worst(codes)


def _explained(wanted: str, chosen: list[Path]) -> str:
    text = explain(load(chosen, default_cache()), wanted)
    if text is None:
        raise UsageError(
            "there is no such rule",
            where=wanted,
            remedy="name its id, name or title, or the folder with --rules",
        )
    return text

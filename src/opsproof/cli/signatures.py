"""``opsproof signatures``: find wrong signatures over business records and put right ones back."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
import msgspec
import yaml
from asn1crypto import pem

from opsproof.cli.bar import Bar
from opsproof.cli.output import envelope
from opsproof.cli.secrets import database_url
from opsproof.cli.signatures_drill import drill
from opsproof.cli.signatures_plan import print_bad_rows, print_plan
from opsproof.cli.signatures_print import interface_code, print_facts, print_interface
from opsproof.cli.terminal import harmless
from opsproof.errors import ExitCode, UsageError, worst
from opsproof.evidence.files import replace_durably
from opsproof.evidence.keys import keys_folder, load_certificates, load_rsa_key
from opsproof.run.gates import load_ticket
from opsproof.signatures.analyse import Analysis
from opsproof.signatures.apply import unpacked_key
from opsproof.signatures.basedata import load_query
from opsproof.signatures.correction import Approval, Correction, Settings
from opsproof.signatures.model import Action, RecordClass, key_digest
from opsproof.signatures.plan import load_plan
from opsproof.signatures.profile import Profile
from opsproof.signatures.signing import HttpSigningService
from opsproof.signatures.ticket import ticket_bytes
from opsproof.signatures.workbook import Workbook
from opsproof.workers import cores

ENV_DATABASE = "OPSPROOF_DATABASE_URL"
ENV_BASE_DATABASE = "OPSPROOF_BASE_DATABASE_URL"
ENV_TOKEN_FILE = "OPSPROOF_SIGNING_TOKEN_FILE"  # noqa: S105 (a variable name)
_EXAMPLE = """
\b
Examples:
  opsproof signatures simulate drill --records 1000
  opsproof signatures analyse --profile profile.yml --database sqlite:///records.db --work work \\
    --certificates signers.pem --trusted ca.pem --crl ca.crl --base base.csv
  opsproof signatures plan   ... --signing-url https://sign.lab/sign --signing-key archive
  opsproof signatures apply  ... --ticket CHG-7.yml --approvers approvers.pem
  opsproof signatures verify ...
\b
Ends with 0 (nothing wrong), 1 (wrong records or base data, or records left alone), 2 (usage), 3 (not
verifiable here, or a source does not answer), 4 (refused: no ticket), 5 (the plan was tampered with).
The database's URL, which may hold a password, is better given as $OPSPROOF_DATABASE_URL or in a file
($OPSPROOF_DATABASE_URL_FILE, --database-file): every user of a machine can read a command line.
"""

F = TypeVar("F", bound=Callable[..., Any])
_PATH: Any = click.Path(path_type=Path)

_COMMON = (
    click.option("--profile", required=True, type=_PATH, help="The business system's profile."),
    click.option("--database", envvar=ENV_DATABASE, help=f"SQLAlchemy URL; also ${ENV_DATABASE}."),
    click.option(
        "--database-file",
        envvar=f"{ENV_DATABASE}_FILE",
        type=_PATH,
        help="File that holds it, password and all.",
    ),
    click.option("--work", required=True, type=_PATH, help="Folder of this correction."),
    click.option(
        "--certificates", multiple=True, type=_PATH, help="Signers and issuers (PEM, DER)."
    ),
    click.option("--trusted", multiple=True, type=_PATH, help="Trusted certificates."),
    click.option("--crl", multiple=True, type=_PATH, help="CRL or stored OCSP response."),
    click.option("--require-revocation", is_flag=True, help="Unknown revocation is not good."),
    click.option("--format", "form", type=click.Choice(["table", "json"]), default="table"),
    click.option("--quiet", is_flag=True, help="No progress on stderr."),
)
_ANALYSIS = (
    click.option("--workers", default=cores, show_default="cores", type=click.IntRange(1, 64)),
    click.option("--base", multiple=True, type=_PATH, help="Base data (.csv .jsonl .xlsx)."),
    click.option("--base-encoding", default="utf-8-sig", help="Code page of CSV and JSON lines."),
    click.option("--base-sheet", help="Sheet of a workbook that has several."),
    click.option("--base-query", type=_PATH, help="File with the SELECT that gives base data."),
    click.option(
        "--base-database",
        envvar=ENV_BASE_DATABASE,
        help=f"Where that query runs; also ${ENV_BASE_DATABASE}; default: --database.",
    ),
    click.option(
        "--base-database-file",
        envvar=f"{ENV_BASE_DATABASE}_FILE",
        type=_PATH,
        help="File that holds this URL.",
    ),
)
_SIGNING = (
    click.option("--signing-url", help="The signing service, for fresh signatures."),
    click.option("--signing-key", default="", help="Name of the key at the signing service."),
    click.option("--signing-ca", help="CA file of the signing service's TLS certificate."),
)
_LOGS = (
    click.option("--log", multiple=True, type=_PATH, help="Data log, folder, or name with *."),
    click.option("--log-patterns", type=_PATH, help="YAML list that says how its lines look."),
    click.option("--log-encoding", default="utf-8-sig", help="Code page of the data logs."),
)
_GATE = (
    click.option("--ticket", type=_PATH, required=True, help="The bureau's signed ticket."),
    click.option("--approvers", type=_PATH, required=True, help="Certificates of who may approve."),
    click.option("--calendar", type=_PATH, default=Path("calendar.yml"), help="Freeze days."),
    click.option("--time-zone", default="Asia/Shanghai"),
    click.option("--bureau", type=_PATH, help="Certificate that before-images are encrypted for."),
)


def _with(*groups: tuple[Callable[[F], F], ...]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed([one for group in groups for one in group]):
            function = option(function)
        return function

    return decorate


@click.group(epilog=_EXAMPLE)
def command() -> None:
    """Find wrong signatures over business records and put right ones back."""


@command.command()
@_with(_COMMON, _ANALYSIS, _LOGS)
def analyse(**options: Any) -> ExitCode:
    """Give every record its class."""
    correction = Correction(_settings(options))
    with Bar(options["quiet"], "records") as progress:
        analysis = correction.analyse(progress)
    _say_unsigned_key(correction.profile)
    facts = correction.facts("analysed", analysis=analysis)
    print_facts(options["form"], facts, analysis.bad_rows)
    return worst([_code(analysis), interface_code(facts.interface)])


@command.command()
@_with(_COMMON, _ANALYSIS, _LOGS)
@_with(_SIGNING)
def plan(**options: Any) -> ExitCode:
    """Say for every wrong record what would be stored, and why that verifies."""
    correction = Correction(_settings(options))
    with Bar(options["quiet"], "records") as progress:
        analysis = correction.analyse(progress)
    service = _service(options, correction.profile.signer_id)
    try:
        made = correction.plan(analysis, service)
    finally:
        if service is not None:
            service.close()
    _say_unsigned_key(correction.profile)
    facts = correction.facts("planned", analysis=analysis, plan=made)
    print_facts(options["form"], facts, analysis.bad_rows, made)
    return worst([_code(analysis), interface_code(facts.interface)])


@command.command()
@_with(_COMMON, _GATE, _LOGS)
@click.option("--script", type=_PATH, help="Write T-SQL for sqlcmd instead of storing anything.")
def apply(**options: Any) -> ExitCode:
    """Store what an approved plan says. Killed half-way, it is simply run again."""
    correction = Correction(_settings(options))
    approval = _approval(options)
    made, ticket, signer = correction.approved(approval)
    if options["script"] is not None:
        with Bar(options["quiet"], "records") as progress:
            count = correction.write_script(made, approval.bureau, options["script"], progress)
        click.echo(harmless(f"{options['script']}: {count} records of plan {made.sha256}"))
        return ExitCode.OK
    with Bar(options["quiet"], "records") as progress:
        result = correction.apply(made, approval.bureau, progress)
    facts = correction.facts("applied", plan=made, result=result, approval=(ticket, signer))
    print_facts(options["form"], facts, [])
    left = ExitCode.OK if result.done else ExitCode.FINDINGS
    return worst([left, interface_code(facts.interface)])


@command.command()
@_with(_COMMON, _GATE, _LOGS)
@click.option(
    "--bureau-key",
    type=_PATH,
    required=True,
    help="The bureau's private key (PEM). If encrypted, $OPSPROOF_KEY_PASSPHRASE_FILE names the "
    "file of its passphrase.",
)
@click.option("--script", type=_PATH, help="Write T-SQL for sqlcmd instead of storing anything.")
def rollback(**options: Any) -> ExitCode:
    """Put the before-images back where a plan's values still are."""
    correction = Correction(_settings(options))
    approval = _approval(options)
    made, ticket, signer = correction.approved(approval)
    key = load_rsa_key(options["bureau_key"])
    if options["script"] is not None:
        with Bar(options["quiet"], "records") as progress:
            count = correction.write_rollback_script(
                made, approval.bureau, key, options["script"], progress
            )
        click.echo(harmless(f"{options['script']}: {count} records of plan {made.sha256}"))
        return ExitCode.OK
    with Bar(options["quiet"], "steps") as progress:
        result = correction.roll_back(made, approval.bureau, key, progress)
    facts = correction.facts("rolled-back", plan=made, result=result, approval=(ticket, signer))
    print_facts(options["form"], facts, [])
    left = ExitCode.OK if result.done else ExitCode.FINDINGS
    return worst([left, interface_code(facts.interface)])


@command.command()
@_with(_COMMON)
@click.option("--ticket", type=_PATH, help="The ticket of the plan; the last plan without one.")
def verify(**options: Any) -> ExitCode:
    """Check every planned value as it is stored now."""
    correction = Correction(_settings(options))
    with Bar(options["quiet"], "records") as progress:
        made, standing = correction.standing(options["ticket"], progress)
    if options["form"] == "json":
        summary = {"plan_sha256": made.sha256, **msgspec.to_builtins(standing)}
        click.echo(envelope("signatures-verify/1", datetime.now(UTC), summary, []))
    else:
        click.echo(
            f"plan {made.sha256}: {standing.holds} hold, {standing.as_before} are as before, "
            f"{standing.other} are other"
        )
    return ExitCode.FINDINGS if standing.as_before or standing.other else ExitCode.OK


@command.command()
@click.option("--work", required=True, type=_PATH, help="Folder of a planned correction.")
@click.option(
    "--class", "classes", multiple=True, type=click.Choice([one.value for one in RecordClass])
)
@click.option("--action", "actions", multiple=True, type=click.Choice(get_args(Action)))
@click.option("--record", "records", multiple=True, help="Digest that evidence or a journal names.")
@click.option("--bad-rows", is_flag=True, help="Instead, all rows of base data not taken.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table")
def show(
    work: Path,
    classes: tuple[str, ...],
    actions: tuple[str, ...],
    records: tuple[str, ...],
    bad_rows: bool,
    form: str,
) -> ExitCode:
    """Show the plan record by record: class, what would change, why that verifies."""
    if bad_rows:
        if classes or actions or records:
            raise UsageError("--bad-rows shows no records to choose from")
        with closing(Workbook(work / "workbook.db")) as workbook:
            print_bad_rows(form, workbook.bad_count(), workbook.bad_rows())
        return ExitCode.OK
    made = load_plan(work / "plan.jsonl")
    entries = (
        one
        for one in made.entries()
        if (not classes or one.record_class in classes)
        and (not actions or one.action in actions)
        and (not records or key_digest(unpacked_key(one)) in records)
    )
    print_plan(form, made, entries)
    return ExitCode.OK


@command.command()
@_with(_COMMON, _LOGS)
def link(**options: Any) -> ExitCode:
    """Link failed signings and verifications in data logs to the records they speak of."""
    correction = Correction(_settings(options))
    with Bar(options["quiet"], "records") as progress:
        found = correction.interface(progress)
    if found is None:
        raise UsageError("name the data logs", where="--log")
    if options["form"] == "json":
        summary = msgspec.structs.asdict(found)
        del summary["links"]
        click.echo(envelope("signatures-link/2", datetime.now(UTC), summary, found.links))
    else:
        print_interface(found)
    return interface_code(found)


@command.command()
@_with(_SIGNING)
def certificate(**options: Any) -> ExitCode:
    """Print the certificate of a key at the signing service (PEM); plans need it at hand."""
    service = _service(options, "")
    if service is None:
        raise UsageError("name the signing service", where="--signing-url")
    try:
        found = service.certificate()
    finally:
        service.close()
    click.echo(pem.armor("CERTIFICATE", found.der).decode("ascii"), nl=False)
    return ExitCode.OK


@command.command("ticket")
@click.argument("ticket", type=_PATH)
@click.option("--signature", type=_PATH, help="Put this detached CMS signature (DER) into TICKET.")
def sign_ticket(ticket: Path, signature: Path | None) -> ExitCode:
    """Print the bytes of TICKET that an approver signs; with --signature, put it in.

    \b
    opsproof signatures ticket CHG-7.yml > CHG-7.bytes
    openssl cms -sign -binary -in CHG-7.bytes -signer wang.pem -inkey wang.key \\
      -outform DER -out CHG-7.p7s
    opsproof signatures ticket CHG-7.yml --signature CHG-7.p7s
    """
    found = load_ticket(ticket)
    if signature is None:
        click.echo(ticket_bytes(found), nl=False)
        return ExitCode.OK
    try:
        text = base64.b64encode(signature.read_bytes()).decode("ascii")
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(signature)) from error
    signed = msgspec.structs.replace(found, signature=text)
    content = yaml.safe_dump(msgspec.to_builtins(signed), allow_unicode=True, sort_keys=False)
    replace_durably(ticket, content.encode())
    return ExitCode.OK


command.add_command(drill)


def _settings(options: dict[str, Any]) -> Settings:
    query = options.get("base_query")
    database = database_url(options, "database", ENV_DATABASE)
    if database is None:
        raise UsageError(
            f"name the database: ${ENV_DATABASE}, --database-file FILE or --database URL"
        )
    return Settings(
        profile=options["profile"],
        database=database,
        work=options["work"],
        now=datetime.now(UTC),
        certificates=options["certificates"],
        trusted=options["trusted"],
        revocations=options["crl"],
        require_revocation=options["require_revocation"],
        base=options.get("base", ()),
        base_encoding=options.get("base_encoding", "utf-8-sig"),
        base_sheet=options.get("base_sheet"),
        base_database=database_url(options, "base_database", ENV_BASE_DATABASE),
        base_query=None if query is None else load_query(query),
        workers=options.get("workers", 1),
        logs=options.get("log", ()),
        log_patterns=options.get("log_patterns"),
        log_encoding=options.get("log_encoding", "utf-8-sig"),
    )


def _approval(options: dict[str, Any]) -> Approval:
    bureau = options["bureau"] or keys_folder(Path()) / "bureau.pem"
    return Approval(
        ticket=options["ticket"],
        approvers=options["approvers"],
        bureau=load_certificates(bureau)[0],
        calendar=options["calendar"],
        zone=options["time_zone"],
    )


def _service(options: dict[str, Any], signer_id: str) -> HttpSigningService | None:
    if not options["signing_url"]:
        return None
    token = os.environ.get(ENV_TOKEN_FILE)
    try:
        secret = Path(token).read_text(encoding="utf-8").strip() if token else None
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(token)) from error
    return HttpSigningService(
        options["signing_url"],
        options["signing_key"],
        options["signing_ca"],
        secret,
        signer_id=signer_id.encode(),
    )


def _say_unsigned_key(profile: Profile) -> None:
    if names := ", ".join(profile.unsigned_key):
        click.echo(
            harmless(
                f"note: no signature speaks of the key ({names}): a record that is copied whole to "
                "another key is valid too"
            ),
            err=True,
        )


def _code(analysis: Analysis) -> ExitCode:
    classes = analysis.classes
    if classes.get(RecordClass.NOT_VERIFIABLE):
        return ExitCode.NOT_EVALUATED
    wrong = sum(count for name, count in classes.items() if name is not RecordClass.VALID)
    delivered = analysis.bad_base_rows or analysis.base_without_record
    return ExitCode.FINDINGS if wrong or delivered else ExitCode.OK

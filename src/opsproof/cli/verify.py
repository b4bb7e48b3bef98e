"""``opsproof verify``: check sealed evidence without trusting who made it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from cryptography import x509

from opsproof.cli.output import envelope
from opsproof.errors import ExitCode, OpsproofError, UsageError
from opsproof.evidence.keys import load_certificates, load_rsa_key
from opsproof.evidence.ledger import Head
from opsproof.evidence.verify import Trust, Verification, verify
from opsproof.evidence.verify.run import Bureau

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--head", metavar="LENGTH:SHA256", help="The ledger's head from a signed report.")
@click.option("--ca", type=_FILE, help="CA certificate (PEM) that you got another way.")
@click.option(
    "--bureau-key",
    type=_FILE,
    help="The bureau's private key (PEM): opens artifacts and compares their content. If encrypted, "
    "$OPSPROOF_KEY_PASSPHRASE_FILE names the file of its passphrase.",
)
@click.option(
    "--bureau-cert", type=_FILE, help="Its certificate; bureau.pem beside the key by default."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def command(
    path: Path,
    head: str | None,
    ca: Path | None,
    bureau_key: Path | None,
    bureau_cert: Path | None,
    form: str,
) -> ExitCode:
    """Check a bundle, or a reports folder with its ledger.

    \b
    Exit codes: 0 whole; 2 usage; 5 tampered; 6 incomplete.

    \b
    Example:
      opsproof verify reports --head 12:9f2c...  --ca bureau-copy/ca.pem
    """
    trust = Trust(
        ca=_certificates(ca) if ca else None,
        head=Head.parse(head) if head else None,
        bureau=_bureau(bureau_key, bureau_cert) if bureau_key else None,
    )
    result = verify(path, trust)
    click.echo(_json(result) if form == "json" else _text(result))
    return result.exit_code


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return load_certificates(path)
    except OpsproofError as error:
        raise UsageError("holds no PEM certificate", where=str(path)) from error


def _bureau(key_path: Path, certificate_path: Path | None) -> Bureau:
    key = load_rsa_key(key_path)
    certificate = _certificates(certificate_path or key_path.with_name("bureau.pem"))[0]
    return Bureau(certificate, key)


def _json(result: Verification) -> str:
    summary = {
        "path": result.path,
        "exit_code": int(result.exit_code),
        "entries": result.entries,
        "head": result.head,
        "problems": len(result.problems),
        "done": dict(sorted(result.done.items())),
        "not_done": result.not_done,
        "notes": result.notes,
    }
    items = [msgspec.to_builtins(problem) for problem in result.problems]
    return envelope("verify/1", datetime.now(UTC), summary, items)


def _text(result: Verification) -> str:
    verdict = {
        ExitCode.OK: "nothing wrong found",
        ExitCode.TAMPERED: "TAMPERED",
        ExitCode.INCOMPLETE: "INCOMPLETE",
    }[result.exit_code]
    lines = [f"{problem.verdict}: {problem.where}: {problem.what}" for problem in result.problems]
    lines += [f"checked: {name}: {count}" for name, count in sorted(result.done.items())]
    lines += [f"not checked: {text}" for text in result.not_done]
    lines += [f"note: {text}" for text in result.notes]
    if result.head:
        lines.append(f"head: {result.head}")
    return "\n".join([*lines, f"{result.path}: {verdict}"])

"""How the tests of the verb type its commands."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result
from tests.signatures import tickets

from opsproof.cli.main import cli
from opsproof.signatures.simulate import Drill


def invoke(drill: Drill, verb: str, *words: str, quiet: bool = True) -> Result:
    folder = drill.folder
    common = ["--profile", str(folder / "profile.yml"), "--work", str(folder / "work")]
    common += ["--certificates", str(folder / "signers.pem"), "--trusted", str(folder / "ca.pem")]
    common += ["--crl", str(folder / "ca.crl")]
    common += ["--workers", "1"] if verb in ("analyse", "plan") else []
    common += ["--quiet"] if quiet else []
    environment = {"OPSPROOF_DATABASE_URL": drill.url}
    return CliRunner().invoke(
        cli, ["signatures", verb, *common, *words], env=environment, standalone_mode=False
    )


def gate(drill: Drill, sha256: str) -> list[str]:
    folder = drill.folder
    tickets.write(folder / "ticket.yml", drill.lab.approver, sha256)
    words = ["--ticket", str(folder / "ticket.yml"), "--bureau", str(folder / "keys/bureau.pem")]
    return [*words, "--approvers", str(folder / "approvers.pem")]


def base(drill: Drill) -> list[str]:
    return ["--base", str(drill.folder / "base.csv")]


def items(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.stdout)
    assert set(document) == {"schema", "tool", "generated_at", "summary", "items"}
    return document

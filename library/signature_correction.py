#!/usr/bin/python
"""Correct signature data. Thin over ``opsproof.signatures``; runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: signature_correction
short_description: Find wrong signatures over business records and put right ones back
version_added: "0.1.0"
description:
  - Verifies the signature of every record of a table, gives each record one class, plans repairs that verify,
    and stores them once the bureau has approved the plan with a signed ticket.
  - Nothing is stored that does not verify over the record's data under the right certificate.
author: opsproof (@opsproof)
options:
  state:
    description:
      - How far to go. C(analysed) and C(planned) only read the database; C(applied) stores an approved plan
        that C(planned) made; C(rolled_back) puts the before-images back.
    type: str
    choices: [analysed, planned, applied, rolled_back]
    required: true
  profile:
    description: The profile of the business system (YAML).
    type: path
    required: true
  database:
    description: URL of the database as SQLAlchemy writes it; it may hold a password.
    type: str
    required: true
  work:
    description: Folder of this correction on the controller; the same for all states.
    type: path
    required: true
  certificates:
    description: Files of signers' and issuers' certificates.
    type: list
    elements: path
    default: []
  trusted:
    description: Files of trusted certificates.
    type: list
    elements: path
    default: []
  revocations:
    description: Files of CRLs and stored OCSP responses.
    type: list
    elements: path
    default: []
  require_revocation:
    description: A certificate of which nothing newer than the signing is known is not good.
    type: bool
    default: false
  base:
    description: Base data as the business system delivered it (.csv, .jsonl, .xlsx).
    type: list
    elements: path
    default: []
  base_encoding:
    description: Code page of base data in CSV and JSON lines.
    type: str
    default: utf-8-sig
  base_sheet:
    description: Sheet of a workbook that has several, where the profile does not name it.
    type: str
  base_query:
    description: File with the SELECT that gives base data; its columns are named as those of a file.
    type: path
  base_database:
    description: URL of the database that is asked C(base_query), by default C(database).
    type: str
  signing_url:
    description: The signing service that fresh signatures come from; none without it.
    type: str
  signing_key:
    description: Name of the key at the signing service.
    type: str
    default: ""
  signing_ca:
    description: File of the CA of the signing service's TLS certificate.
    type: path
  signing_token:
    description: Bearer token of the signing service; from a vault.
    type: str
  ticket:
    description: The bureau's signed ticket; needed for C(applied) and C(rolled_back).
    type: path
  approvers:
    description: File of the certificates of those who may approve.
    type: path
  bureau:
    description: File of the certificate that before-images are encrypted for.
    type: path
  bureau_key:
    description:
      - File of the bureau's private key; needed for C(rolled_back).
      - If it is encrypted, E(OPSPROOF_KEY_PASSPHRASE_FILE) names the file of its passphrase.
    type: path
  calendar:
    description: File of maintenance windows and freeze days.
    type: path
    default: calendar.yml
  time_zone:
    description: Time zone of that calendar.
    type: str
    default: Asia/Shanghai
  workers:
    description: Processes that analyse.
    type: int
    default: 1
  logs:
    description:
      - Data logs of the signing and verification interface, files, folders or names with C(*), as the role
        C(log_collection) brings them home. Failures in them are linked to the records they concern.
    type: list
    elements: path
    default: []
  logs_missing:
    description:
      - Logs that should be among them and are not, each as a host and the name of its logs. While there
        are any, nobody can say that all that failed is right now.
    type: list
    elements: str
    default: []
  log_patterns:
    description: File of the patterns that say how the lines look (YAML); needed with C(logs).
    type: path
  log_encoding:
    description: Code page of the data logs.
    type: str
    default: utf-8-sig
attributes:
  check_mode:
    description: Stores nothing; C(applied) then says what it would store and needs no ticket;
      with one it speaks of the plan that it names, else of the last.
    support: full
  diff_mode:
    description: Returns how many records are right before and after.
    support: full
  platform:
    description: Where it runs.
    support: full
    platforms: posix
notes:
  - It is for the controller; delegate it to localhost.
"""

EXAMPLES = r"""
- name: Plan the correction of the score archive
  signature_correction:
    state: planned
    profile: profiles/score-archive.yml
    database: "{{ vault_archive_url }}"
    work: work/score-archive
    certificates: [pki/signers.pem]
    trusted: [pki/root.pem]
    revocations: [pki/root.crl]
    base: [delivery/base.csv]
  delegate_to: localhost

- name: Store what the bureau approved
  signature_correction:
    state: applied
    profile: profiles/score-archive.yml
    database: "{{ vault_archive_url }}"
    work: work/score-archive
    certificates: [pki/signers.pem]
    trusted: [pki/root.pem]
    revocations: [pki/root.crl]
    ticket: tickets/CHG-202611-000007.yml
    approvers: pki/approvers.pem
    bureau: pki/bureau.pem
  delegate_to: localhost
"""

RETURN = r"""
facts:
  description: Counts and hashes for evidence, without personal data; schema C(signatures/1).
  returned: success
  type: dict
  sample: {"profile": "score-archive", "state": "planned", "records": 1000, "wrong": 12, "to_write": 9}
plan:
  description:
    - The plan's file and digest, which a ticket names as C(content_sha256).
    - The database that it was made on and is for, and whom a valid signature trusts, a line each.
  returned: when there is a plan
  type: dict
  sample:
    path: work/score-archive/plan.jsonl
    sha256: 1a7aec32
    database: postgresql://db/archive
    trust: ["trusted: Common Name: root, SHA-256 77c1", "40 certificates at hand, 2 CRLs and OCSP responses"]
changed:
  description: Whether records were, or in check mode would be, written.
  returned: always
  type: bool
  sample: false
"""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from ansible.module_utils.basic import AnsibleModule
from cryptography.hazmat.primitives.asymmetric import rsa

from opsproof.errors import OpsproofError, UsageError
from opsproof.evidence.keys import load_certificates, load_rsa_key
from opsproof.signatures import trust
from opsproof.signatures.basedata import load_query
from opsproof.signatures.correction import Approval, Correction, Settings
from opsproof.signatures.signing import HttpSigningService

_PATHS: dict[str, Any] = {"type": "list", "elements": "path", "default": []}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "state": {
        "type": "str",
        "choices": ["analysed", "planned", "applied", "rolled_back"],
        "required": True,
    },
    "profile": {"type": "path", "required": True},
    "database": {"type": "str", "required": True, "no_log": True},
    "work": {"type": "path", "required": True},
    "certificates": _PATHS,
    "trusted": _PATHS,
    "revocations": _PATHS,
    "require_revocation": {"type": "bool", "default": False},
    "base": _PATHS,
    "base_encoding": {"type": "str", "default": "utf-8-sig"},
    "base_sheet": {"type": "str"},
    "base_query": {"type": "path"},
    "base_database": {"type": "str", "no_log": True},
    "signing_url": {"type": "str"},
    "signing_key": {"type": "str", "default": "", "no_log": False},
    "signing_ca": {"type": "path"},
    "signing_token": {"type": "str", "no_log": True},
    "ticket": {"type": "path"},
    "approvers": {"type": "path"},
    "bureau": {"type": "path"},
    "bureau_key": {"type": "path", "no_log": False},
    "calendar": {"type": "path", "default": "calendar.yml"},
    "time_zone": {"type": "str", "default": "Asia/Shanghai"},
    "workers": {"type": "int", "default": 1},
    "logs": _PATHS,
    "logs_missing": {"type": "list", "elements": "str", "default": []},
    "log_patterns": {"type": "path"},
    "log_encoding": {"type": "str", "default": "utf-8-sig"},
}


def paths(names: list[str]) -> tuple[Path, ...]:
    """The files of a list option."""
    return tuple(Path(name) for name in names)


def settings(options: dict[str, Any]) -> Settings:
    """The library's settings from the module's options."""
    return Settings(
        profile=Path(options["profile"]),
        database=options["database"],
        work=Path(options["work"]),
        now=datetime.now(UTC),
        base_encoding=options["base_encoding"],
        base_sheet=options["base_sheet"],
        base_query=load_query(Path(options["base_query"])) if options["base_query"] else None,
        base_database=options["base_database"],
        require_revocation=options["require_revocation"],
        workers=options["workers"],
        certificates=paths(options["certificates"]),
        trusted=paths(options["trusted"]),
        revocations=paths(options["revocations"]),
        base=paths(options["base"]),
        logs=paths(options["logs"]),
        logs_missing=tuple(options["logs_missing"]),
        log_patterns=Path(options["log_patterns"]) if options["log_patterns"] else None,
        log_encoding=options["log_encoding"],
    )


def approval(options: dict[str, Any]) -> Approval:
    """The bureau's word. Raises :class:`UsageError` naming the option that is missing."""
    for name in ("ticket", "approvers", "bureau"):
        if not options[name]:
            raise UsageError(f"the option {name} is needed for state {options['state']}")
    return Approval(
        ticket=Path(options["ticket"]),
        approvers=Path(options["approvers"]),
        bureau=load_certificates(Path(options["bureau"]))[0],
        calendar=Path(options["calendar"]),
        zone=options["time_zone"],
    )


def run_module(module: AnsibleModule) -> dict[str, Any]:
    """Go as far as asked; stop before storing in check mode."""
    options = module.params
    correction = Correction(settings(options))
    if options["state"] in ("analysed", "planned"):
        return look(correction, options)
    if module.check_mode:
        ticket = Path(options["ticket"]) if options["ticket"] else None
        return foresee(correction, options["state"], ticket)
    given = approval(options)
    plan, found, signer = correction.approved(given)
    if options["state"] == "applied":
        result = correction.apply(plan, given.bureau)
    else:
        result = correction.roll_back(plan, given.bureau, bureau_key(options))
    state = options["state"].replace("_", "-")
    facts = correction.facts(state, plan=plan, result=result, approval=(found, signer))
    return answer(facts, plan, changed=result.written, was=result.already)


def look(correction: Correction, options: dict[str, Any]) -> dict[str, Any]:
    """Analyse, and plan where that is asked; the database is only read."""
    analysis = correction.analyse()
    if options["state"] == "analysed":
        return answer(correction.facts("analysed", analysis=analysis), None)
    if options["signing_url"]:
        service = HttpSigningService(
            options["signing_url"],
            options["signing_key"],
            options["signing_ca"],
            options["signing_token"],
            signer_id=correction.profile.signer_id.encode(),
        )
        with closing(service):
            plan = correction.plan(analysis, service)
    else:
        plan = correction.plan(analysis, None)
    return answer(correction.facts("planned", analysis=analysis, plan=plan), plan)


def foresee(correction: Correction, state: str, ticket: Path | None) -> dict[str, Any]:
    """What storing or rolling back would change, seen from the table as it is."""
    plan, standing = correction.standing(ticket)
    correction.hold(plan, verifying=state == "applied")
    would = standing.as_before if state == "applied" else standing.holds
    was = standing.holds if state == "applied" else standing.as_before
    return answer(correction.facts("planned", plan=plan), plan, changed=would, was=was)


def answer(facts: Any, plan: Any, *, changed: int = 0, was: int = 0) -> dict[str, Any]:
    """The module's result; the difference counts records, it does not show them."""
    result: dict[str, Any] = {"changed": changed > 0, "facts": msgspec.to_builtins(facts)}
    if plan is not None:
        result["plan"] = {
            "path": str(plan.path),
            "sha256": plan.sha256,
            "database": plan.header.database,
            "trust": trust.lines(plan.header.trust.facts()),
        }
    result["diff"] = {
        "before": f"{was} records as wanted\n",
        "after": f"{was + changed} records as wanted\n",
    }
    return result


def bureau_key(options: dict[str, Any]) -> rsa.RSAPrivateKey:
    """The bureau's key. Raises :class:`UsageError` when it is not given or not RSA."""
    if not options["bureau_key"]:
        raise UsageError("the option bureau_key is needed for state rolled_back")
    return load_rsa_key(Path(options["bureau_key"]))


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = run_module(module)
    except (OpsproofError, OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    else:
        module.exit_json(**result)


if __name__ == "__main__":
    main()

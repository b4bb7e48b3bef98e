#!/usr/bin/python
"""Audit log files with Sigma rules. Thin over ``opsproof.logs``; runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: log_audit
short_description: Audit event logs and IIS logs with Sigma rules
version_added: "0.1.0"
description:
  - Reads Windows event logs (EVTX), IIS logs (W3C extended) and cabinets of them on the controller,
    evaluates Sigma rules, and returns hits together with an account of what could not be read.
  - Same files, rules and times give the same report, byte for byte.
author: opsproof (@opsproof)
options:
  paths:
    description: Files, folders (at any depth) or cabinets to audit.
    type: list
    elements: path
    required: true
  rules:
    description: Files and folders of Sigma rules. The default is the project's own C(rules/).
    type: list
    elements: path
  since:
    description: Only records from this time on (ISO 8601, UTC unless it says otherwise).
    type: str
  until:
    description: Only records before this time.
    type: str
  schemas:
    description: Schema maps of data logs (CSV, JSON lines), or folders of them.
    type: list
    elements: path
  suppressions:
    description: Lists of accepted hits with owner, reason and expiry; these are counted, not shown.
    type: list
    elements: path
  aliases:
    description: Former names of computers, each with the name it has now; their records count as one's.
    type: dict
    default: {}
  staging:
    description:
      - The folder in which the role C(log_collection) hands over logs. It tells of which days the web sites
        of hosts have logs, so that a day without one is seen though its neighbours were audited before.
    type: path
  today:
    description: The day on which suppressions are looked at (ISO 8601). The default is today, UTC.
    type: str
  zone:
    description: Time zone of local times in logs that do not say theirs (IIS log file format).
    type: str
    default: UTC
  unpacked:
    description: Bytes that one cabinet may unpack to; what is beyond is reported as not read.
    type: int
    default: 16000000000
  hits_per_rule:
    description: Hits of each rule that the report shows; all are counted.
    type: int
    default: 1000
  dest:
    description: Write the report to this file as canonical JSON (RFC 8785).
    type: path
  summary_only:
    description: Return only the report's counts; the whole is in C(dest).
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in check mode without changing anything.
    support: full
  diff_mode:
    description: Returns what would change.
    support: none
  platform:
    description: Where it runs.
    support: full
    platforms: posix
notes:
  - It is for the controller; delegate it to localhost.
"""

EXAMPLES = r"""
- name: Audit what was fetched from the host
  log_audit:
    paths: ["/var/lib/opsproof/staging/web1/logs.cab"]
    since: "2026-11-21T00:00:00Z"
  delegate_to: localhost
  register: audited
"""

RETURN = r"""
counts:
  description: The report's counts.
  returned: success
  type: dict
  sample: {"files": 1, "hits": 0}
report:
  description: The report, schema C(audit/1).
  returned: success, unless O(summary_only)
  type: dict
  sample: {"schema": "audit/1", "counts": {"files": 1, "hits": 0}}
changed:
  description: Whether C(dest) was, or in check mode would be, written with other content.
  returned: always
  type: bool
  sample: false
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from opsproof.cabinets import UNPACKED
from opsproof.collection.audited import site_days
from opsproof.errors import OpsproofError, UsageError
from opsproof.evidence.canonical import canonical, jsonable
from opsproof.evidence.files import replace_durably
from opsproof.logs import times
from opsproof.logs.aliases import checked
from opsproof.logs.audit import audit
from opsproof.logs.options import Limits, Options
from opsproof.logs.rules.load import default_rules
from opsproof.logs.schema import load_schemas
from opsproof.logs.suppress import load_suppressions

ARGUMENTS: dict[str, dict[str, Any]] = {
    "paths": {"type": "list", "elements": "path", "required": True},
    "rules": {"type": "list", "elements": "path"},
    "since": {"type": "str"},
    "until": {"type": "str"},
    "schemas": {"type": "list", "elements": "path"},
    "suppressions": {"type": "list", "elements": "path"},
    "aliases": {"type": "dict", "default": {}},
    "staging": {"type": "path"},
    "today": {"type": "str"},
    "zone": {"type": "str", "default": "UTC"},
    "unpacked": {"type": "int", "default": UNPACKED},
    "hits_per_rule": {"type": "int", "default": 1000},
    "dest": {"type": "path"},
    "summary_only": {"type": "bool", "default": False},
}


def moment(text: str | None) -> datetime | None:
    """The time of an option. Raises :class:`UsageError` where it is none."""
    known = times.read(text) if text else None
    if text and known is None:
        raise UsageError("this is no time in ISO 8601", where=text)
    return known


def write(dest: Path, content: bytes, *, check: bool) -> bool:
    """Write the file unless it already is so; whether it is, or would be, another one."""
    if dest.is_file() and dest.read_bytes() == content:
        return False
    if not check:
        dest.parent.mkdir(parents=True, exist_ok=True)
        replace_durably(dest, content)
    return True


def run_module(module: AnsibleModule) -> dict[str, Any]:
    """Read, audit, return; with ``dest`` also write."""
    options = module.params
    rules = [Path(one) for one in options["rules"] or ()] or [default_rules()]
    today = moment(options["today"]) or datetime.now(UTC)
    if options["hits_per_rule"] < 1:
        raise UsageError("a report shows one hit of each rule or more", where="hits_per_rule")
    if options["unpacked"] < 1:
        raise UsageError("a cabinet may unpack to one byte or more", where="unpacked")
    if options["summary_only"] and not options["dest"]:
        raise UsageError("without dest nobody would see the report", where="summary_only")
    zone = times.zone(options["zone"])
    if zone is None:
        raise UsageError("this is no time zone such as Asia/Shanghai", where=options["zone"])
    asked = Options(
        limits=Limits(hits_per_rule=options["hits_per_rule"]),
        since=moment(options["since"]),
        until=moment(options["until"]),
        schemas=load_schemas([Path(one) for one in options["schemas"] or ()]),
        suppressions=load_suppressions([Path(one) for one in options["suppressions"] or ()]),
        zone=zone,
        sites=site_days(Path(options["staging"])) if options["staging"] else (),
        today=today.date(),
        unpacked=options["unpacked"],
        aliases=checked({str(old): str(new) for old, new in options["aliases"].items()}),
    )
    report = audit([Path(one) for one in options["paths"]], rules, options=asked)
    changed = options["dest"] is not None and write(
        Path(options["dest"]), canonical(report), check=module.check_mode
    )
    if report.nothing:
        module.warn(f"nothing was audited: {report.nothing}")
    told = {"changed": changed, "counts": jsonable(report.counts)}
    return told if options["summary_only"] else told | {"report": jsonable(report)}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = run_module(module)
    except (OpsproofError, OSError) as error:
        module.fail_json(msg=str(error))
    else:
        module.exit_json(**result)


if __name__ == "__main__":
    main()

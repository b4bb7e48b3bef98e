"""`make demo`: one daily run of the embedded lab estate, from hosts to the sheet an auditor opens.

Succeeds when the estate gives exactly the outcome it was built for (inventories/lab/expected.yml),
wrong things included: a demonstration that finds nothing, or something else, has failed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from opsproof.errors import ExitCode
from opsproof.evidence.model import State
from opsproof.evidence.reader import load_bundle

PROJECT = Path(__file__).resolve().parents[1]
INVENTORY = PROJECT / "inventories/lab"
REPORTS = PROJECT / "reports/demo"
ZONE = ZoneInfo("Asia/Shanghai")


def tool(name: str, *arguments: str | Path, expect: set[ExitCode] | None = None) -> None:
    """Runs one of the project's commands as a user would and shows it."""
    command = [name, *(str(argument) for argument in arguments)]
    shown = " ".join(part.replace(f"{PROJECT}/", "") for part in command)
    print(f"\n$ {shown}", flush=True)
    code = subprocess.run(command, check=False, cwd=PROJECT).returncode
    if code not in (expect or {ExitCode.OK}):
        sys.exit(f"demo: `{shown}` ended with {code}")


def outcome(bundle: Path) -> dict[str, Any]:
    """What a run found that is not in order, in the form of expected.yml."""
    loaded = load_bundle(bundle)
    quiet = {State.PASS, State.NOT_APPLICABLE}
    found: dict[str, dict[str, list[str]]] = {}
    for finding in loaded.findings:
        if finding.state not in quiet:
            where = finding.subject.host or finding.subject.kind
            states = found.setdefault(where, {})
            states.setdefault(str(finding.state), []).append(finding.control)
    return {
        "hosts": {name: str(host.outcome) for name, host in sorted(loaded.run.hosts.items())},
        "findings": {
            host: {state: sorted(set(names)) for state, names in sorted(states.items())}
            for host, states in sorted(found.items())
        },
    }


def differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Every leaf where two nested dictionaries differ, in words."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return [
            line
            for key in sorted({*expected, *actual}, key=str)
            for line in differences(expected.get(key), actual.get(key), f"{path}/{key}")
        ]
    return [] if expected == actual else [f"{path}: expected {expected}, found {actual}"]


def start_anew() -> None:
    """Puts an earlier demonstration's reports aside: its window of events would be the next one's start."""
    if REPORTS.exists():
        REPORTS.rename(REPORTS.with_name(f"demo-{time.strftime('%Y%m%dT%H%M%S')}"))


def plan_since_yesterday() -> None:
    """Makes the daily run due since yesterday, so that the sheet shows one that nobody ran."""
    yesterday = datetime.now(ZONE).date() - timedelta(days=1)
    (INVENTORY / "schedule.yml").write_text(
        "---\n# Written by `make demo`; docs/how-to/schedule.md tells what it means.\nitems:\n"
        "  - id: daily-inspection\n    playbook: daily\n    every: daily\n"
        f'    at: "00:00"\n    tolerance: 24h\n    since: {yesterday}\n',
        encoding="utf-8",
    )


def main() -> int:
    """Runs the demonstration; 0 when the outcome is the expected one."""
    start_anew()
    plan_since_yesterday()
    tool("winlab", "down", expect={ExitCode.OK, ExitCode.FINDINGS})
    tool("winlab", "up", INVENTORY / "estate.yml")
    # The estate was built with faults and with a host that is down.
    began = time.monotonic()
    tool(
        "opsproof", "run", "daily", "--inventory", INVENTORY, "--reports", REPORTS,
        expect={ExitCode.NOT_EVALUATED},
    )  # fmt: skip
    seconds = time.monotonic() - began
    # What a sheet reports is also how the command ends: 3, for there is a host that did not answer.
    tool(
        "opsproof", "report", "daily", "--lang", "both", "--reports", REPORTS,
        expect={ExitCode.NOT_EVALUATED},
    )  # fmt: skip
    tool("opsproof", "verify", REPORTS)
    [bundle] = (REPORTS / "runs").iterdir()
    expected = yaml.safe_load((INVENTORY / "expected.yml").read_text(encoding="utf-8"))
    wrong = differences(expected, outcome(bundle))
    sheets = sorted((REPORTS / "daily").glob("*.html"))
    print(f"\nThe run took {seconds:.0f} s. Open these sheets in a browser:")
    for sheet in sheets:
        print(f"  {sheet.relative_to(PROJECT)}")
    print(f"Check the bundle with nothing of ours: see {bundle.relative_to(PROJECT)}/README.md")
    print("The lab is still running: `winlab status`, `winlab down`.")
    for line in wrong:
        print(f"demo: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""`make demo`: one daily run of the embedded lab estate, from hosts to the sheet an auditor opens.

Succeeds when the estate gives exactly the outcome it was built for (inventories/lab/expected.yml),
wrong things included: a demonstration that finds nothing, or something else, has failed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from opsproof.errors import ExitCode
from opsproof.evidence.ids import moment
from opsproof.evidence.model import State
from opsproof.evidence.reader import load_bundle

PROJECT = Path(__file__).resolve().parents[1]
ZONE = ZoneInfo("Asia/Shanghai")


def shown(path: str | Path) -> str:
    """A path as a person at the project's root would write it."""
    return str(path).replace(f"{PROJECT}/", "")


def tool(name: str, *arguments: str | Path, expect: set[ExitCode] | None = None) -> None:
    """Runs one of the project's commands as a user would and shows it."""
    command = [name, *(str(argument) for argument in arguments)]
    line = " ".join(shown(part) for part in command)
    print(f"\n$ {line}", flush=True)
    code = subprocess.run(command, check=False, cwd=PROJECT).returncode
    if code not in (expect or {ExitCode.OK}):
        sys.exit(f"demo: `{line}` ended with {code}")


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


def day_of(bundle: Path) -> date:
    """The day of the run's sheet, which is over when a run that began before midnight ends."""
    return moment(load_bundle(bundle).run.started_at).astimezone(ZONE).date()


def differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Every leaf where two nested dictionaries differ, in words."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return [
            line
            for key in sorted({*expected, *actual}, key=str)
            for line in differences(expected.get(key), actual.get(key), f"{path}/{key}")
        ]
    return [] if expected == actual else [f"{path}: expected {expected}, found {actual}"]


def start_anew(reports: Path) -> None:
    """Puts earlier reports aside: their window of events would be the next one's start."""
    if reports.exists():
        reports.rename(reports.with_name(f"{reports.name}-{time.strftime('%Y%m%dT%H%M%S')}"))


def plan_since_yesterday(inventory: Path) -> None:
    """Makes the daily run due since yesterday, so that the sheet shows one that nobody ran."""
    yesterday = datetime.now(ZONE).date() - timedelta(days=1)
    (inventory / "schedule.yml").write_text(
        "---\n# Written by `make demo`; docs/how-to/schedule.md tells what it means.\nitems:\n"
        "  - id: daily-inspection\n    playbook: daily\n    every: daily\n"
        f'    at: "00:00"\n    tolerance: 24h\n    since: {yesterday}\n',
        encoding="utf-8",
    )


def demonstrate(inventory: Path, reports: Path) -> int:
    """Runs the demonstration; 0 when the outcome is the expected one."""
    start_anew(reports)
    plan_since_yesterday(inventory)
    tool("winlab", "down", expect={ExitCode.OK, ExitCode.NOT_EVALUATED})
    tool("winlab", "up", inventory / "estate.yml")
    # The estate was built with faults and with a host that is down: both commands end with 3.
    began = time.monotonic()
    silent_host = {ExitCode.NOT_EVALUATED}
    tool(
        "opsproof", "run", "daily", "--inventory", inventory, "--reports", reports,
        expect=silent_host,
    )  # fmt: skip
    seconds = time.monotonic() - began
    [bundle] = (reports / "runs").iterdir()
    tool(
        "opsproof", "report", "daily", "--date", str(day_of(bundle)), "--lang", "both",
        "--reports", reports, expect=silent_host,
    )  # fmt: skip
    tool("opsproof", "verify", reports)
    expected = yaml.safe_load((inventory / "expected.yml").read_text(encoding="utf-8"))
    wrong = differences(expected, outcome(bundle))
    print(f"\nThe run took {seconds:.0f} s. Open these sheets in a browser:")
    for sheet in sorted((reports / "daily").glob("*.html")):
        print(f"  {shown(sheet)}")
    print(f"Check the bundle with nothing of ours: see {shown(bundle)}/README.md")
    print("The lab is still running: .venv/bin/winlab status, .venv/bin/winlab down")
    for line in wrong:
        print(f"demo: {line}", file=sys.stderr)
    return 1 if wrong else 0


def main() -> int:
    """``demo.py [INVENTORY REPORTS]``: the embedded estate and reports/demo when not given."""
    given = [Path(argument).resolve() for argument in sys.argv[1:3]]
    inventory, reports = given or [PROJECT / "inventories/lab", PROJECT / "reports/demo"]
    return demonstrate(inventory, reports)


if __name__ == "__main__":
    sys.exit(main())

"""Whether every host of an inventory is ready for a run, before the first run.

Network checks come first, from here; hosts that pass are then logged in to by a small playbook
(``playbooks/doctor.yml``) through the same Ansible that runs use: two module runs a host.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from opsproof.errors import OpsproofError
from opsproof.evidence.redaction import Redactor
from opsproof.inspection.batch import Batch, split_batch
from opsproof.inspection.command import step
from opsproof.inspection.parsers import volumes
from opsproof.run import executor
from opsproof.run.checks import Check, Health, failed, ok, warning
from opsproof.run.events import Tally, result_of
from opsproof.run.inventory import Inventory
from opsproof.run.reach import endpoint, reach
from opsproof.run.workspace import workspace

ADMINISTRATORS = "S-1-5-32-544"
"""Well-known SID of BUILTIN\\Administrators (Microsoft: Well-known SIDs)."""

CLOCK_WARNING_S = 5
CLOCK_FAILED_S = 300
"""Kerberos refuses a larger skew by default (Microsoft: Maximum tolerance for computer clock)."""

LEAST_POWERSHELL = 5
"""ansible-core 2.19 asks for PowerShell 5.1 on the target; setup tells the major version."""

LEAST_FREE_PERCENT = 5

COMMAND = " & ".join(
    (
        step("groups", "whoami /groups /fo csv /nh"),
        step("codepage", r"reg query HKLM\SYSTEM\CurrentControlSet\Control\Nls\CodePage /v OEMCP"),
        step(
            "disks",
            "wmic logicaldisk where DriveType=3 get DeviceID,FileSystem,FreeSpace,Size /format:csv <nul",
        ),
    )
)
"""What the playbook runs, as one line for cmd.exe. It only reads."""


class HostHealth(msgspec.Struct, frozen=True):
    """All checks of one host, in the order in which they were made."""

    host: str
    checks: list[Check]


@dataclass
class _Answers:
    """What the playbook brought back from one host."""

    facts: dict[str, Any] = field(default_factory=dict)
    asked: tuple[datetime, datetime] | None = None
    output: str | None = None


def check_hosts(
    inventory: Inventory,
    hosts: list[str],
    project: Path,
    env: Mapping[str, str],
    secrets: frozenset[str],
    stop: executor.Stop,
) -> list[HostHealth]:
    """Checks these hosts; the answer has one entry for each, in the same order."""
    points = {host: endpoint(host, inventory.hosts[host].variables) for host in hosts}
    reached: dict[str, list[Check]] = {}
    with ThreadPoolExecutor(max_workers=32) as pool:
        wanted = [(host, point) for host, point in points.items() if point is not None]
        for (host, _), checks in zip(
            wanted, pool.map(lambda one: reach(one[1]), wanted), strict=True
        ):
            reached[host] = checks
    ready = [
        host
        for host, checks in reached.items()
        if all(check.health is not Health.FAILED for check in checks)
    ]
    inside = _log_in(inventory, ready, project, env, secrets, stop) if ready else {}
    untouched = Check("login", Health.SKIPPED, "not contacted itself")
    return [
        HostHealth(host, [*reached.get(host, [untouched]), *inside.get(host, [])]) for host in hosts
    ]


def _log_in(
    inventory: Inventory,
    hosts: list[str],
    project: Path,
    env: Mapping[str, str],
    secrets: frozenset[str],
    stop: executor.Stop,
) -> dict[str, list[Check]]:
    redactor = Redactor(secrets)
    tally = Tally("doctor", clean=lambda text: redactor.text(text)[0])
    answers: dict[str, _Answers] = {host: _Answers() for host in hosts}

    def feed(event: Mapping[str, Any]) -> None:
        host = tally.feed(event)
        if host in answers and event.get("event") == "runner_on_ok":
            _note(answers[host], event["event_data"])

    with workspace(inventory.path, "doctor") as folder:
        job = folder / "job"
        job.mkdir(mode=0o700)
        executor.run(
            executor.Job(
                playbook=project / "playbooks" / "doctor.yml",
                inventory=inventory.path,
                project=project,
                folder=job,
                env=dict(env),
                variables={"opsproof_doctor_command": COMMAND},
                hosts=tuple(hosts),
            ),
            feed,
            stop,
        )
    return {host: list(_inside(answers[host], tally, host)) for host in hosts}


def _note(answers: _Answers, data: Mapping[str, Any]) -> None:
    result = data.get("res") or {}
    if "ansible_facts" in result:
        answers.facts = result["ansible_facts"]
        answers.asked = (
            datetime.fromisoformat(str(data["start"])),
            datetime.fromisoformat(str(data["end"])),
        )
    elif "stdout" in result:
        answers.output = str(result["stdout"])


def _inside(answers: _Answers, tally: Tally, host: str) -> Iterator[Check]:
    result = result_of(tally.hosts.get(host), planned=True)
    if not answers.facts:
        yield failed("login", result.reason, _login_remedy(result.reason))
        return
    yield ok("login", f"Windows {answers.facts.get('ansible_distribution_version', 'unknown')}")
    yield _powershell(answers.facts)
    yield _clock(answers)
    if answers.output is None:
        yield failed("commands", result.reason, "look at the host's cmd.exe and WMI")
        return
    try:
        batch = split_batch(answers.output)
        yield _rights(batch)
        yield _code_page(batch)
        yield _disks(batch)
    except (OpsproofError, ValueError, KeyError) as error:
        yield failed("commands", f"unreadable answer: {error}", "look at the host's WMI service")


def _login_remedy(reason: str) -> str:
    low = reason.lower()
    if "credential" in low or "unauthorized" in low or "401" in low:
        return "check ansible_user, ansible_password and what the listener's authentication allows"
    return "run the playbook doctor.yml with -vvv on this host"


def _powershell(facts: Mapping[str, Any]) -> Check:
    version = int(facts.get("ansible_powershell_version") or 0)
    if version < LEAST_POWERSHELL:
        return failed("powershell", f"version {version}", "install WMF 5.1")
    return ok("powershell", f"version {version}")


def _clock(answers: _Answers) -> Check:
    told = answers.facts.get("ansible_date_time", {}).get("iso8601")
    if told is None or answers.asked is None:
        return warning(
            "clock", "the host did not tell its time", "look at its Windows Time service"
        )
    begun, ended = answers.asked
    middle = begun + (ended - begun) / 2
    offset = (datetime.fromisoformat(str(told)) - middle).total_seconds()
    detail = f"{round(offset):+d} s (within {(ended - begun).total_seconds() / 2:.0f} s)"
    beyond = abs(offset) - (ended - begun).total_seconds() / 2 - 1
    if beyond > CLOCK_FAILED_S:
        return failed("clock", detail, "set the clock: Kerberos refuses more than 5 minutes")
    if beyond > CLOCK_WARNING_S:
        return warning("clock", detail, "look at the host's Windows Time service")
    return ok("clock", detail)


def _rights(batch: Batch) -> Check:
    rows = csv.reader(batch.section("groups").text.splitlines())
    if any(ADMINISTRATORS in row for row in rows):
        return ok("rights", "administrator")
    return failed(
        "rights", "the account is no administrator", f"make it a member of {ADMINISTRATORS}"
    )


def _code_page(batch: Batch) -> Check:
    words = batch.section("codepage").text.split()
    page = words[words.index("REG_SZ") + 1]
    return ok("code page", page)


def _disks(batch: Batch) -> Check:
    free = {
        disk.letter: 100 * disk.free // disk.size for disk in volumes(batch.section("disks").text)
    }
    detail = ", ".join(f"{letter}: {percent} % free" for letter, percent in free.items())
    if not free:
        return failed("disk", "no disk found", "look at the host's WMI service")
    if min(free.values()) < LEAST_FREE_PERCENT:
        return warning("disk", detail, "free space before the first run")
    return ok("disk", detail)

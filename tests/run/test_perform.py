"""Whole runs with real Ansible on this machine: seconds each, so few and each asks for much."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.signatures import tickets

from opsproof.evidence.ledger import Ledger
from opsproof.evidence.model import Outcome, State
from opsproof.evidence.reader import Bundle, load_bundle
from opsproof.run.environment import tool
from opsproof.run.gates import Scope
from opsproof.run.history import LONGEST_LOOK_BACK
from opsproof.signatures import lab

pytestmark = pytest.mark.e2e


class Done:
    """One call of the command and what it left."""

    def __init__(self, project: Path, *arguments: str, **env: str) -> None:
        command = [tool("opsproof"), "run", *arguments, "--inventory", "inventory"]
        answer = subprocess.run(
            [*command, "--format", "json"],
            cwd=project,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=False,
        )
        self.rc, self.stderr = answer.returncode, answer.stderr
        self.json: dict[str, Any] = json.loads(answer.stdout) if answer.stdout else {}

    @property
    def bundle(self) -> Bundle:
        return load_bundle(Path(self.json["summary"]["bundle"]))

    @property
    def id(self) -> str:
        return str(self.json["summary"]["run"])


def hosts(bundle: Bundle) -> dict[str, tuple[Outcome, bool, bool]]:
    return {name: (h.outcome, h.planned, h.seen) for name, h in bundle.run.hosts.items()}


def states(bundle: Bundle) -> dict[str, State]:
    return {finding.subject.key: finding.state for finding in bundle.findings}


def set_variable(project: Path, host: str, name: str, value: Any) -> None:
    folder = project / "inventory" / "host_vars"
    folder.mkdir(exist_ok=True)
    path = folder / f"{host}.yml"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, name: value}))


def leftovers(tmp_path: Path) -> list[Path]:
    return [path for path in tmp_path.glob("opsproof-*/*") if path.exists()]


@pytest.fixture
def rooted(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    return project


def test_a_run_leaves_a_sealed_bundle_and_nothing_else(rooted: Path, tmp_path: Path) -> None:
    done = Done(rooted, "daily")
    bundle = done.bundle
    assert done.rc == 1, done.stderr
    assert hosts(bundle) == dict.fromkeys(("h1", "h2", "h3"), (Outcome.OK, True, True))
    assert states(bundle) == {
        "h1/host/h1": State.PASS,
        "h2/host/h2": State.FAIL,
        "h3/host/h3": State.PASS,
    }
    assert bundle.run.hosts["h1"].asset == {"code": "AST-1"}
    assert {"ansible-core", "python", "openssl", "opsproof"} <= set(bundle.run.versions)
    assert json.loads(bundle.inputs["estate.json"])["time_zone"] == "Asia/Shanghai"
    assert json.loads(bundle.inputs["plan.json"])["targets"]["h1"] == ["probe"]
    [artifact] = bundle.observations[0].artifacts
    assert artifact.stored == "encrypted"
    assert str(Ledger(rooted / "reports").head) == done.json["summary"]["head"]
    assert leftovers(tmp_path) == []
    check = subprocess.run([tool("opsproof"), "verify", "reports"], cwd=rooted, check=False)
    assert check.returncode == 0


def test_trouble_on_hosts_is_told_and_a_retry_goes_on_with_them(rooted: Path) -> None:
    set_variable(rooted, "h1", "probe_command", "exit 3")
    set_variable(rooted, "h2", "ansible_connection", "ansible.builtin.ssh")
    set_variable(rooted, "h2", "ansible_host", "127.0.0.1")
    set_variable(rooted, "h2", "ansible_port", 1)
    first = Done(rooted, "daily")
    assert first.rc == 3
    assert hosts(first.bundle) == {
        "h1": (Outcome.FAILED, True, True),
        "h2": (Outcome.UNREACHABLE, True, True),
        "h3": (Outcome.OK, True, True),
    }
    assert first.bundle.run.hosts["h1"].reason.startswith("Look: ")
    assert states(first.bundle) == {
        "h1/host/h1": State.NOT_COLLECTED,
        "h2/host/h2": State.NOT_COLLECTED,
        "h3/host/h3": State.PASS,
    }
    for path in (rooted / "inventory" / "host_vars").iterdir():
        path.unlink()
    again = Done(rooted, "daily", "--retry", first.id)
    assert again.bundle.run.retry_of == first.id
    assert hosts(again.bundle) == {
        "h1": (Outcome.OK, True, True),
        "h2": (Outcome.OK, True, True),
        "h3": (Outcome.SKIPPED, False, False),
    }
    assert set(states(again.bundle)) == {"h1/host/h1", "h2/host/h2"}
    # h1 and h2 never succeeded before: they get the last 24 hours; h3 keeps its own past.
    since = {o.subject.host: o.facts["since"] for o in again.bundle.observations}
    begun = datetime.fromisoformat(again.bundle.run.started_at)
    assert datetime.fromisoformat(since["h1"]) == begun - timedelta(hours=24)
    third = Done(rooted, "daily")
    since = {o.subject.host: o.facts["since"] for o in third.bundle.observations}
    assert since == {
        "h1": again.bundle.run.started_at,
        "h2": again.bundle.run.started_at,
        "h3": first.bundle.run.started_at,
    }
    assert timedelta(hours=24) < LONGEST_LOOK_BACK
    nothing = Done(rooted, "daily", "--retry", third.id)
    assert nothing.rc == 2
    assert nothing.stderr.strip() == (
        f"opsproof: {third.id}: every host of it was reached and did not fail"
    )


def test_a_playbook_that_dies_is_not_evaluated_and_never_a_success(rooted: Path) -> None:
    (rooted / "playbooks" / "daily.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  any_errors_fatal: true\n  serial: 1\n"
        "  roles: [probe]\n"
    )
    set_variable(rooted, "h1", "probe_command", "exit 3")
    done = Done(rooted, "daily")
    assert done.rc == 3
    assert hosts(done.bundle) == {
        "h1": (Outcome.FAILED, True, True),
        "h2": (Outcome.FAILED, True, False),
        "h3": (Outcome.FAILED, True, False),
    }
    assert done.bundle.run.hosts["h2"].reason == "not collected: the run never got to it"
    assert set(states(done.bundle).values()) == {State.NOT_COLLECTED}


def test_evidence_longer_than_ansible_runners_limit_arrives(rooted: Path) -> None:
    set_variable(rooted, "h1", "said", "x" * 800_000)
    done = Done(rooted, "daily")
    [seen] = [o for o in done.bundle.observations if o.subject.host == "h1"]
    assert len(seen.facts["said"]) == 800_000


def test_limit_and_check_are_marked(rooted: Path) -> None:
    done = Done(rooted, "daily", "--limit", "web:!h2", "--check")
    run = done.bundle.run
    assert (run.limit, run.check, done.rc) == ("web:!h2", True, 0)
    assert [name for name, host in run.hosts.items() if host.planned] == ["h1"]


@pytest.mark.parametrize(
    ("arguments", "rc", "message"),
    [
        (("daily", "--limit", "nobody"), 2, "Specified inventory, host pattern and/or --limit"),
        (("weekly",), 2, "there is no such playbook (one of daily, or a path)"),
        (("daily", "--retry", "20200101T000000Z-daily-0000"), 2, "there is no such sealed run"),
        (("daily", "--limit", "h1", "--retry", "x"), 2, "--retry chooses the hosts itself"),
    ],
)
def test_what_cannot_run_leaves_no_trace(
    rooted: Path, arguments: tuple[str, ...], rc: int, message: str
) -> None:
    done = Done(rooted, *arguments)
    assert done.rc == rc
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (rooted / "reports" / "runs").exists()


def test_reports_that_cannot_be_written_are_told_before_any_host_is_asked(rooted: Path) -> None:
    (rooted / "full").write_text("a file, not a folder")
    done = Done(rooted, "daily", "--reports", "full")
    assert done.rc == 2
    assert done.stderr.splitlines()[-1].endswith(
        "full: reports cannot be written there: File exists (name another folder with --reports)"
    )


def test_a_broken_inventory_is_one_clear_line(rooted: Path) -> None:
    (rooted / "inventory" / "hosts.yml").write_text("all: [")
    done = Done(rooted, "daily")
    assert done.rc == 2
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_change_without_a_ticket_is_refused_and_with_one_it_runs(
    rooted: Path, tmp_path: Path
) -> None:
    (rooted / "playbooks" / "daily.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  vars: {opsproof_gate: change}\n  roles: [probe]\n"
    )
    refused = Done(rooted, "daily")
    assert refused.rc == 4
    assert len(refused.stderr.strip().splitlines()) == 1
    digest = refused.stderr.split("content_sha256 ")[1][:64]
    now = datetime.now(UTC)
    unsigned = tickets.ticket(
        digest, now=now, scope=Scope(hosts=("all",), activities=("probe",)), freeze_override=None
    )
    approvers = rooted / "inventory" / "approvers.pem"
    authority = lab.authority("lab CA", "ecdsa", serial=1, at=now)
    key, day = lab.new_key("ecdsa"), timedelta(days=1)
    certificate = lab.issue(
        "Wang", key, authority, serial=2, not_before=now - day, not_after=now + day
    )
    approvers.write_bytes(certificate.der)
    ticket = tmp_path / "ticket.json"
    tickets.save(ticket, unsigned)
    refused = Done(rooted, "daily", "--ticket", str(ticket))
    assert (refused.rc, "the ticket is not signed" in refused.stderr) == (4, True)
    tickets.save(ticket, tickets.signed(unsigned, lab.Signer(key, certificate)))
    done = Done(rooted, "daily", "--ticket", str(ticket))
    run = done.bundle.run
    assert run.ticket == unsigned.id
    assert run.ticket_signer == f"{certificate.name}, SHA-256 {certificate.fingerprint}"
    assert done.bundle.inputs["ticket"] == ticket.read_bytes()
    assert done.bundle.inputs["approvers.pem"] == approvers.read_bytes()


def test_what_was_due_and_did_not_run_is_a_finding(rooted: Path) -> None:
    yesterday = (datetime.now().astimezone() - timedelta(days=2)).date()
    (rooted / "inventory" / "schedule.yml").write_text(
        f"items:\n- {{id: backup, playbook: backup, every: daily, at: '00:00', tolerance: 1h, "
        f"since: {yesterday}}}\n"
        f"- {{id: inspection, playbook: daily, every: daily, at: '00:00', tolerance: 1d, "
        f"since: {datetime.now().astimezone().date() + timedelta(days=2)}}}\n"
    )
    done = Done(rooted, "daily")
    found = {key: state for key, state in states(done.bundle).items() if "due-item" in key}
    assert found
    assert set(found.values()) == {State.FAIL}
    assert all(key.startswith("/due-item/backup@") for key in found)
    assert [missed.item for missed in done.bundle.run.missed] == [
        key.removeprefix("/due-item/") for key in sorted(found)
    ]
    assert done.rc == 1


CANARIES = {
    "environment": "canary-env-5b1f",
    "inventory password": "canary-pw-77d0",
    "template password": "canary-tpl-c2a9",
    "secret variable": "canary-var-19ee",
    "secret in a dict": "canary-dict-e3b4",
    "no_log": "canary-nolog-8842",
}


def test_no_secret_is_anywhere_under_reports(rooted: Path, tmp_path: Path) -> None:
    (rooted / "secret").write_text(CANARIES["template password"])
    set_variable(rooted, "h1", "ansible_password", CANARIES["inventory password"])
    lookup = f"{{{{ lookup('ansible.builtin.file', '{rooted}/secret') }}}}"
    set_variable(rooted, "h2", "ansible_password", lookup)
    set_variable(rooted, "h3", "service_token", CANARIES["secret variable"])
    (rooted / "playbooks" / "daily.yml").write_text(
        f"""
- hosts: all
  gather_facts: true
  vars:
    settings: {{name: x, password: {CANARIES["secret in a dict"]}}}
    said: >-
      {{{{ ansible_password | default(service_token | default('')) }}}}
      {{{{ (ansible_password | default('')) | b64encode }}}}
  roles: [probe]
  tasks:
    - ansible.builtin.debug: {{var: settings}}
    - ansible.builtin.debug: {{msg: {CANARIES["no_log"]}}}
      no_log: true
    - ansible.builtin.command: "sh -c 'echo {{{{ ansible_password | default('') }}}} >&2; false'"
"""
    )
    done = Done(rooted, "daily", CI_TOKEN=CANARIES["environment"])
    assert done.rc == 3
    everything = [path for path in (rooted / "reports").rglob("*") if path.is_file()]
    assert len(everything) > 10
    for what, canary in CANARIES.items():
        forms = [canary.encode(), base64.b64encode(canary.encode())]
        holding = [path for path in everything if any(f in path.read_bytes() for f in forms)]
        assert holding == [], what
        assert canary not in done.stderr, what
        assert canary not in json.dumps(done.json), what
    assert any(o.redactions for o in done.bundle.observations)
    assert leftovers(tmp_path) == []

"""Whole patch runs against the lab: every way it can end, each under its own name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.evidence.samples import CONTROLS, observation, run_record
from tests.patching.hosts import ESTATE
from tests.patching.mutants import MUTANTS, write_mutants
from tests.patching.story import CANARIES, PROJECT, Stories

from opsproof.controls.scope import INPUT, Known
from opsproof.evidence.bundle import BundleBuilder
from opsproof.evidence.keys import ensure_keys
from opsproof.evidence.model import Outcome, RunHost, Subject, SubjectKind
from opsproof.evidence.reader import load_bundle
from opsproof.run.playbook import find

pytestmark = pytest.mark.e2e

# One wave for all, without the stop rule: each host tells its own story.
ONE_WAVE = """
- hosts: patching_canary
  gather_facts: false
  vars: {patching_wave: canary}
  roles: [patching]
- hosts: windows:!patching_canary:!lonely-partner
  gather_facts: false
  vars: {patching_wave: rest}
  roles: [patching]
"""
ROLLUP = "KB5068787"
NET = "KB5066139"
Facts = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stories]:
    found = Stories(tmp_path_factory.mktemp("stories"))
    ensure_keys(found.root / "keys")
    found.write_inventory()
    up = found.run("winlab", "up", ESTATE)
    assert up.returncode == 0, up.stderr
    yield found
    found.run("winlab", "down")


@pytest.fixture(scope="module")
def rehearsed(stories: Stories) -> Facts:
    """Check mode first, on the dirty estate, under the write guard."""
    stories.run("winlab", "guard", "on")
    facts = stories.play(
        PROJECT / "playbooks/patch.yml", "--check", "--limit", "patching_canary,pair-01,current"
    )
    guard = stories.run("winlab", "guard", "show")
    assert guard.returncode == 0, guard.stdout + guard.stderr
    stories.run("winlab", "guard", "off")
    return facts


FAILED: set[str] = set()


@pytest.fixture(scope="module")
def told(stories: Stories, rehearsed: Facts) -> Facts:
    playbook = stories.root / "one_wave.yml"
    playbook.write_text(ONE_WAVE, encoding="utf-8")
    FAILED.clear()
    return stories.play(playbook, failed=FAILED)


def rows(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in facts["updates"]}


def test_check_mode_says_what_would_be_installed_and_writes_nothing(
    rehearsed: Facts, told: Facts
) -> None:
    assert {host: facts["result"] for host, facts in rehearsed.items()} == {
        "canary": "planned",
        "canary-2019": "planned",
        "pair-01": "planned",
        "current": "current",
    }
    for host in ("canary", "pair-01"):
        planned = {row["id"] for row in rehearsed[host]["updates"] if row["result"] == "planned"}
        installed = {row["id"] for row in told[host]["updates"] if row["result"] == "installed"}
        assert planned == installed


@pytest.mark.parametrize(
    ("host", "result"),
    [
        ("canary", "patched"),
        ("canary-2019", "patched"),
        ("pair-01", "patched"),
        ("pair-02", "patched"),
        ("current", "current"),
        ("rolls-back", "rolled-back"),
        ("loops", "update-loop"),
        ("fails", "update-failed"),
        ("unreachable-wsus", "source-unreachable"),
        ("no-wsus", "source-not-configured"),
        ("approves-nothing", "source-approves-nothing"),
        ("approves-others", "current"),
        ("other-id", "refused"),
        ("breaks-service", "unsound"),
        ("next-to-broken", "blocked"),
        ("full-disk", "blocked"),
        ("restart-due", "blocked"),
        ("late", "window-over"),
        ("empty-list", "nothing-approved"),
        ("stays-away", "did-not-return"),
        ("cut-off", "connection-lost"),
        ("lonely", "blocked"),
    ],
)
def test_every_end_has_its_own_name(told: Facts, host: str, result: str) -> None:
    assert told[host]["result"] == result, told[host]["reasons"]


@pytest.mark.parametrize(
    ("host", "key", "result", "code"),
    [
        ("canary", ROLLUP, "installed", None),
        ("canary", "KB5068791", "not-applicable", None),
        ("canary-2019", "KB5068791", "installed", None),
        ("current", ROLLUP, "already-installed", None),
        ("rolls-back", ROLLUP, "rolled-back", "CBS_E_INSTALLERS_FAILED"),
        ("rolls-back", NET, "installed", None),
        ("loops", NET, "update-loop", "UPDATE_LOOP"),
        ("loops", ROLLUP, "installed", None),
        ("fails", ROLLUP, "failed", "ERROR_SXS_ASSEMBLY_MISSING"),
        ("approves-others", ROLLUP, "not-offered", None),
        ("late", ROLLUP, "not-started", None),
        ("other-id", ROLLUP, "not-started", None),
    ],
)
def test_every_update_has_its_own_result(
    told: Facts, host: str, key: str, result: str, code: str | None
) -> None:
    row = rows(told[host])[key]
    assert (row["result"], row["code"] and row["code"]["name"]) == (result, code)
    assert row["ticket"] == "CHG-1"


def test_what_the_hosts_have_is_what_was_said(stories: Stories, told: Facts) -> None:
    for host in ("canary", "pair-02", "loops", "fails", "approves-others", "other-id", "late"):
        said = {key for key, row in rows(told[host]).items() if row["result"] == "installed"}
        was = {"KB890830"} if host == "canary" else set()
        have = {f"KB{kb}" for kb in stories.dump(host)["updates"]["installed_kbs"]}
        assert have - was == said, host


def test_an_update_whose_number_only_begins_alike_stays_out(stories: Stories, told: Facts) -> None:
    model = stories.dump("pair-01")["updates"]
    assert "50661391" not in model["installed_kbs"]
    assert told["pair-01"]["source"]["unapproved"] == 2
    # Licence terms were accepted for what was installed, and for nothing else.
    assert sorted(model["accepted"]) == sorted(model["installed"])


def test_an_update_that_fails_is_tried_once(stories: Stories, told: Facts) -> None:
    attempts = stories.dump("fails")["updates"]["attempts"]
    assert set(attempts.values()) == {1}
    assert stories.dump("rolls-back")["lab"]["reboots"] == 1


def test_a_server_that_does_not_answer_restarts_nobody(stories: Stories, told: Facts) -> None:
    for host in (
        "unreachable-wsus",
        "no-wsus",
        "other-id",
        "late",
        "lonely",
        "full-disk",
        "next-to-broken",
    ):
        model = stories.dump(host)
        assert (model["lab"]["reboots"], model["updates"]["attempts"]) == (0, {}), host


def test_a_pair_is_never_out_together(stories: Stories, told: Facts) -> None:
    first, second = (told[f"pair-0{n}"] for n in (1, 2))
    booted = datetime.fromisoformat(first["restart"]["boot_time"])
    assert booted < datetime.fromisoformat(second["restart"]["boot_time"])
    assert second["partners"][0]["health"] == "sound"
    assert first["partners"][0]["health"] == "untouched"
    assert told["lonely"]["reasons"] == ["lonely-partner of the same service does not answer"]
    assert told["next-to-broken"]["reasons"] == [
        "breaks-service of the same service is unwell after its own patching"
    ]
    assert told["restart-due"]["reasons"] == [
        "a restart is pending: configuration-manager, file-rename"
    ]


def test_what_got_worse_is_named(told: Facts) -> None:
    assert told["breaks-service"]["health"]["services"] == ["ExamPortal"]
    assert told["canary"]["health"]["sound"] is True


def test_both_languages_tell_the_same(told: Facts) -> None:
    alike = ("result", "rounds", "updates", "health", "unplanned", "build")
    first, second = ({name: told[host][name] for name in alike} for host in ("pair-01", "pair-02"))
    for facts in (first, second):
        for row in facts["updates"]:
            row["minutes"] = 0
    assert first == second


def test_what_a_host_costs_in_module_runs(stories: Stories, told: Facts, rehearsed: Facts) -> None:
    runs = {
        host: stories.dump(host)["lab"]["counters"]["modules"]
        for host in ("pair-02", "current", "empty-list")
    }
    # Check mode took the same four on the host that was current before. An empty list never reaches
    # win_updates, which would take it for everything.
    assert runs == {"pair-02": 11, "current": 2 * 4, "empty-list": 1}


Ending = tuple[str, set[str], int, bool, bool]
ENDINGS: dict[str, Ending] = {
    # How a host's story ends: its result, what is installed, restarts, whether licence terms were
    # accepted for nothing else, whether the role failed it.
    "canary": ("patched", {"5068787", "5066139", "890830"}, 1, True, False),
    "approves-others": ("current", set(), 0, True, False),
    "fails": ("update-failed", {"5066139"}, 0, True, True),
    "rolls-back": ("rolled-back", {"5066139"}, 1, True, True),
    "breaks-service": ("unsound", {"5068787", "5066139"}, 1, True, True),
    "late": ("window-over", set(), 0, True, True),
    "lonely": ("blocked", set(), 0, True, True),
    "restart-due": ("blocked", set(), 0, True, True),
    "unreachable-wsus": ("source-unreachable", set(), 0, True, True),
}


def ending(stories: Stories, facts: Facts, failed: set[str], host: str) -> Ending:
    model = stories.dump(host)
    updates = model["updates"]
    return (
        facts[host]["result"] if host in facts else "nothing handed over",
        set(updates["installed_kbs"]),
        model["lab"]["reboots"],
        set(updates["accepted"]) <= set(updates["attempts"]),
        host in failed,
    )


@pytest.mark.parametrize("host", ENDINGS)
def test_how_each_story_ends(stories: Stories, told: Facts, host: str) -> None:
    assert ending(stories, told, FAILED, host) == ENDINGS[host]


MUTATED = """
- hosts: "{{ mutants | list }}"
  gather_facts: false
  # Each host has a role of its own: in step, one would wait for the tasks of all others.
  strategy: ansible.builtin.free
  vars: {patching_wave: canary}
  tasks:
    - ansible.builtin.include_role: {name: "{{ mutants[inventory_hostname] }}"}
"""


def test_with_any_task_broken_a_story_ends_in_another_way(stories: Stories, told: Facts) -> None:
    """Begins anew, so it and the next ones stand behind all that look at the first run.

    All mutants in one run, each on the host that shows it.
    """
    stories.run("winlab", "reset")
    roles = stories.root / "roles"
    names = write_mutants(roles)
    playbook = stories.root / "mutated.yml"
    playbook.write_text(MUTATED, encoding="utf-8")
    failed: set[str] = set()
    facts = stories.play(
        playbook, "-e", json.dumps({"mutants": names}), failed=failed, ANSIBLE_ROLES_PATH=str(roles)
    )
    alike = {
        name: seen
        for name, mutant in MUTANTS.items()
        if (seen := ending(stories, facts, failed, mutant.host)) == ENDINGS[mutant.host]
    }
    assert alike == {}


def ticket(stories: Stories, digest: str) -> Path:
    now = datetime.now(UTC)
    path = stories.root / "CHG-7.json"
    record = {
        "id": "CHG-7",
        "kind": "change",
        "approver": "Wang",
        "approved_at": (now - timedelta(days=1)).isoformat(),
        "scope": {"hosts": ["windows"], "activities": ["patching"]},
        "window": {
            "from": (now - timedelta(hours=1)).isoformat(),
            "to": (now + timedelta(hours=8)).isoformat(),
        },
        "content_sha256": digest,
    }
    path.write_text(json.dumps(record), encoding="utf-8")
    return path


def seal_canaries(stories: Stories, told: Facts) -> str:
    """A sealed run of yesterday with what the canaries of the first story handed over."""
    at = datetime.now(UTC) - timedelta(days=1)
    run_id = f"{at:%Y%m%dT%H%M%SZ}-patch-0000"
    canaries = {host: told[host] for host in CANARIES}
    bundle = BundleBuilder(stories.root / "reports", run_id)
    bundle.add_input("controls/sample.yml", CONTROLS)
    bundle.add_input("waivers.yml", b"[]\n")
    bundle.add_input(INPUT, Known(subjects=()).to_bytes())
    for host, facts in canaries.items():
        about = Subject(kind=SubjectKind.HOST, id=host, host=host)
        seen = observation(run_id, about, facts)
        bundle.add_observation(msgspec.structs.replace(seen, activity="patching"))
    hosts = {
        host: RunHost(outcome=Outcome.CHANGED, planned=True, seen=True, activities=("patching",))
        for host in canaries
    }
    record = run_record(
        run_id, at, kind="patch", inventory=str(stories.inventory), hosts=hosts, status="completed"
    )
    bundle.write(record, [])
    bundle.seal(ensure_keys(stories.root / "keys").signer, now=at)
    bundle.close()
    return run_id


def test_what_canaries_proved_yesterday_is_what_others_get_today(
    stories: Stories, told: Facts
) -> None:
    stories.run("winlab", "reset")
    yesterday = seal_canaries(stories, told)
    patch: list[str | Path] = ["opsproof", "run", "patch", "--inventory", stories.inventory]
    patch += ["--reports", stories.root / "reports", "--limit", "pair-01"]
    digest = find("patch", PROJECT).content_sha256
    ran = stories.run(*patch, "--ticket", ticket(stories, digest), "--format", "json")
    bundle = load_bundle(Path(json.loads(ran.stdout)["summary"]["bundle"]))
    [facts] = [o.facts for o in bundle.observations]
    assert facts["result"] == "patched", facts["reasons"]
    assert facts["frozen_by"] == dict.fromkeys(CANARIES, yesterday)
    assert facts["frozen"] == told["pair-01"]["frozen"]
    assert set(json.loads(bundle.inputs["canaries.json"])) == set(CANARIES)


def test_an_unwell_canary_stops_everything_and_the_bundle_says_so(stories: Stories) -> None:
    stories.run("winlab", "reset")
    stories.write_inventory(canaries=("breaks-service",))
    patch: list[str | Path] = ["opsproof", "run", "patch", "--inventory", stories.inventory]
    patch += ["--reports", stories.root / "reports", "--limit", "breaks-service,pair-01"]
    refused = stories.run(*patch)
    assert refused.returncode == 4, refused.stderr
    told = re.search(r"content_sha256 ([0-9a-f]{64})", refused.stderr)
    assert told is not None, refused.stderr
    ran = stories.run(*patch, "--ticket", ticket(stories, told[1]))
    assert ran.returncode == 3, ran.stdout + ran.stderr
    bundle = load_bundle(max((stories.root / "reports/runs").glob("*-patch-*")))
    assert bundle.run.ticket == "CHG-7"
    assert {name: host.outcome for name, host in bundle.run.hosts.items() if host.planned} == {
        "breaks-service": "failed",
        "pair-01": "failed",
    }
    states = {(f.subject.host, f.control): str(f.state) for f in bundle.findings}
    assert states["breaks-service", "PAT-HEALTH-001"] == "fail"
    assert states["breaks-service", "PAT-RESULT-001"] == "fail"
    assert states["breaks-service", "PAT-AGE-001"] == "pass"
    assert states["pair-01", "PAT-RESULT-001"] == "not-collected"
    [facts] = [o.facts for o in bundle.observations if o.subject.host == "breaks-service"]
    assert facts["window_end"] is not None
    assert stories.dump("pair-01")["updates"]["attempts"] == {}


REMOVE = {
    "kb": ROLLUP,
    "package": "Package_for_RollupFix~31bf3856ad364e35~amd64~~20348.4405.1.9",
    "severity": "critical",
    "released": "2026-11-10",
    "approver": "Wang",
    "ticket": "CHG-8",
}


def test_a_bad_update_is_taken_out_again(stories: Stories) -> None:
    """Goes on where the last story ended: the canary's service does not start any more."""
    facts = stories.play(
        PROJECT / "playbooks/uninstall_update.yml",
        "--limit",
        "breaks-service,pair-01",
        "-e",
        json.dumps({"patching_remove": REMOVE}),
    )
    assert facts["breaks-service"]["result"] == "removed", facts["breaks-service"]["reasons"]
    assert facts["pair-01"]["result"] == "current"
    model = stories.dump("breaks-service")
    assert "5068787" not in model["updates"]["installed_kbs"]
    assert model["services"]["all"]["ExamPortal"] == ["auto", "started"]


CUT = """
- hosts: current_service
  gather_facts: false
  vars: {patching_wave: rest}
  tasks:
    - ansible.builtin.include_role: {name: patching, tasks_from: uninstall}
"""


def test_when_a_connection_is_cut_the_other_host_of_the_service_is_left_alone(
    stories: Stories,
) -> None:
    """The package goes, the answer does not arrive: nobody knows how that host is."""
    pair = ("current", "current-too")
    for host in pair:
        stories.run("winlab", "fault", host, "drop", "--at", "module ansible.windows.win_hotfix")
    playbook = stories.root / "cut.yml"
    playbook.write_text(CUT, encoding="utf-8")
    failed: set[str] = set()
    facts = stories.play(playbook, "-e", json.dumps({"patching_remove": REMOVE}), failed=failed)
    assert failed == set(pair)
    assert sorted(facts[host]["result"] for host in pair) == ["blocked", "connection-lost"]
    [first, second] = sorted(pair, key=lambda host: facts[host]["result"], reverse=True)
    assert [facts[first]["updates"][0][key] for key in ("result", "after")] == ["unknown"] * 2
    assert facts[second]["reasons"] == [
        f"{first} of the same service is unwell after its own patching"
    ]
    assert stories.dump(first)["updates"]["removing"] != []
    assert stories.dump(second)["updates"]["removing"] == []

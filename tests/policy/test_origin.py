"""Settings that a domain sets, told apart from the host's own: read, planned, judged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsproof.controls import Control, evaluate, parse_controls
from opsproof.errors import IncompleteError
from opsproof.evidence.model import Observation, State, Subject, SubjectKind
from opsproof.evidence.schemas import validate
from opsproof.inspection.batch import Batch, Section, split_batch
from opsproof.policy.baseline import Setting, for_host, layered
from opsproof.policy.baseline_yaml import load_layers
from opsproof.policy.bundle import apply_command, cabinet
from opsproof.policy.command import CABINET, audit_command
from opsproof.policy.lockout import Connection
from opsproof.policy.observed import Observed, observe
from opsproof.policy.origin import CLASSES, UNNAMED, origins
from opsproof.policy.plan import Plan, plan
from opsproof.policy.role import Wanted, command
from opsproof.policy.role import planned as role_planned
from opsproof.policy.targets import Audit, Firewall, FirewallProperty, Profile, Registry, Right
from winlab.commands import run_cmd
from winlab.host.grouppolicy import Gpo, PolicyValue
from winlab.host.host import Host, HostSpec

BASELINES = Path(__file__).resolve().parents[2] / "baselines"
NOW = datetime(2026, 11, 22, 1, 15, tzinfo=UTC)
NTLM = Connection("ntlm", tls=False)
LOGOFF = "{0cce9216-69ae-11d9-bed3-505054503030}"
POWERSHELL = "SOFTWARE\\Policies\\Microsoft\\Windows\\PowerShell\\ScriptBlockLogging"
NAME = '域基线=2022, 服务器 (v2) & "x"'


@pytest.fixture(scope="module")
def settings() -> tuple[Setting, ...]:
    return for_host(layered(load_layers(["iis-server"], BASELINES)), release="2022", overrides={})


def gpo(name: str, **parts: object) -> Gpo:
    guid = f"{{{len(name):08}-1111-2222-3333-444455556666}}"
    return Gpo(name=name, guid=guid, domain="exam.example", **parts)  # type: ignore[arg-type]  # test


WEAK = gpo(
    NAME,
    registry=(PolicyValue(key=POWERSHELL, name="EnableScriptBlockLogging", data=0),),
    access={"MinimumPasswordLength": 8},
    rights={"SeBackupPrivilege": ("S-1-5-32-544", "S-1-5-32-551")},
    services={"WSearch": "auto"},
    audit={LOGOFF: 0},
)


def make(*gpos: Gpo, locale: str = "zh-CN") -> Host:
    host = Host(HostSpec(name="web01", locale=locale, admin_password="lab"), lambda: NOW)
    host.network.domain = "exam.example"
    host.group_policy.assign(gpos)
    host.group_policy.refresh()
    return host


def read(host: Host, settings: Sequence[Setting]) -> Observed:
    result = run_cmd(host, audit_command(settings, asked_at=NOW), user="Administrator")
    assert not host.unmodelled
    return observe(split_batch(result.stdout.decode(errors="replace")), settings)


def planned(host: Host, settings: Sequence[Setting]) -> Plan:
    return plan(settings, read(host, settings), NTLM)


def held(made: Plan) -> dict[str, str]:
    return {h.change.setting.id: h.why for h in made.held if "domain policy" in h.why}


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_what_a_gpo_sets_is_held_back_with_its_name(
    locale: str, settings: tuple[Setting, ...]
) -> None:
    found = held(planned(make(WEAK, locale=locale), settings))
    by_id = {one.id: str(one.target) for one in settings}
    assert sorted(by_id[name].rpartition("\\")[2] for name in found) == [
        "EnableScriptBlockLogging",
        "[Privilege Rights] SeBackupPrivilege",
        "[System Access] MinimumPasswordLength",
        f"audit {LOGOFF}",
        *(["service WSearch"] if "service WSearch" in by_id.values() else []),
    ]
    assert all(NAME in why for why in found.values())


def test_a_member_in_either_language_gives_the_same_plan(settings: tuple[Setting, ...]) -> None:
    one, other = (make(WEAK, locale=locale) for locale in ("zh-CN", "en-US"))
    assert read(one, settings) == read(other, settings)
    assert planned(one, settings) == planned(other, settings)


def test_what_a_gpo_sets_is_never_changed_and_the_second_run_is_quiet(
    settings: tuple[Setting, ...],
) -> None:
    host = make(WEAK)
    observed = read(host, settings)
    made = plan(settings, observed, NTLM)
    host.files.write(
        CABINET.replace("%SystemRoot%", "C:\\Windows"),
        cabinet(made, observed, revert_after=timedelta(minutes=10)),
    )
    for stage in range(1, len(made.stages) + 1):
        line = apply_command(stage=stage, scheduled=True)
        assert run_cmd(host, line, user="Administrator").rc == 0
    assert host.policy.access["MinimumPasswordLength"] == 8
    host.group_policy.refresh(force=True)
    again = planned(host, settings)
    assert again.changes == ()
    assert held(again) == held(made)


def test_reading_a_member_writes_nothing(settings: tuple[Setting, ...]) -> None:
    host = make(WEAK)
    host.guard.armed = True
    before = host.dump() | {"guard": None, "files": None}
    read(host, settings)
    host.guard.settle()
    assert host.guard.violations == []
    assert host.dump() | {"guard": None, "files": None} == before


def test_a_gpo_that_sets_the_right_value_holds_nothing_back(settings: tuple[Setting, ...]) -> None:
    host = make(gpo("good", access={"MinimumPasswordLength": 14}))
    observed = read(host, settings)
    target = next(one.target for one in settings if "MinimumPasswordLength" in str(one.target))
    assert observed.origins.gpo(target) == "good"
    assert held(plan(settings, observed, NTLM)) == {}


def test_the_gpo_that_wins_is_named(settings: tuple[Setting, ...]) -> None:
    low = gpo("low", access={"MinimumPasswordLength": 9}, rights={"SeBackupPrivilege": ()})
    high = gpo("highest", access={"MinimumPasswordLength": 8})
    found = read(make(low, high), settings).origins
    by_name = {str(one.target): one.target for one in settings}
    assert found.gpo(by_name["[System Access] MinimumPasswordLength"]) == "highest"
    assert found.gpo(Right("SeBackupPrivilege")) == "low"
    assert found.gpo(Right("SeDebugPrivilege")) is None


def test_a_firewall_property_counts_as_the_gpo_sets_it(settings: tuple[Setting, ...]) -> None:
    key = "SOFTWARE\\Policies\\Microsoft\\WindowsFirewall\\PublicProfile"
    value = PolicyValue(key=key, name="EnableFirewall", data=0)
    observed = read(make(gpo("fw", registry=(value,))), settings)
    target = Firewall(Profile.PUBLIC, FirewallProperty.ENABLED)
    assert observed.origins.gpo(target) == "fw"
    assert observed.value(target) == 0
    other = Firewall(Profile.PRIVATE, FirewallProperty.ENABLED)
    assert observed.origins.gpo(other) is None


def test_several_audit_gpos_are_all_named(settings: tuple[Setting, ...]) -> None:
    other = "{0cce9215-69ae-11d9-bed3-505054503030}"
    found = read(make(gpo("a", audit={LOGOFF: 1}), gpo("bb", audit={other: 3})), settings).origins
    assert found.gpo(Audit(LOGOFF)) == "a / bb"


def test_a_member_that_does_not_say_what_gpos_set_gets_no_registry_change(
    settings: tuple[Setting, ...],
) -> None:
    off = PolicyValue(
        key="SOFTWARE\\Policies\\Microsoft\\Windows\\System", name="RSoPLogging", data=0
    )
    host = make(gpo("quiet", registry=(off,), access={"MinimumPasswordLength": 8}))
    observed = read(host, settings)
    made = plan(settings, observed, NTLM)
    assert not observed.origins.readable
    assert not [c for c in made.changes if isinstance(c.setting.target, (Registry, Firewall))]
    assert any("does not say what Group Policy sets" in h.why for h in made.held)
    # secedit still tells what it delivers; only the name is not known.
    assert list(held(made).values()) == [f"the domain policy {UNNAMED!r} sets it: change it there"]
    assert {type(change.setting.target) for change in made.changes} >= {Right, Audit}


def test_a_host_without_a_domain_is_asked_for_no_rsop(settings: tuple[Setting, ...]) -> None:
    host = Host(HostSpec(name="web01", admin_password="lab"), lambda: NOW)
    observed = read(host, settings)
    assert not observed.origins.member
    assert observed.origins.gpos == {}


@pytest.fixture(scope="module")
def hardening() -> list[Control]:
    data = (BASELINES.parent / "controls" / "hardening.yml").read_bytes()
    return parse_controls({"hardening.yml": data})


def judged(host: Host, controls: list[Control]) -> dict[str, tuple[State, object]]:
    """State and observed facts of every control, by the role's own facts and the shipped controls."""
    wanted = Wanted(folder=str(BASELINES), baselines=["iis-server"], auth="ntlm", tls=True)
    result = run_cmd(host, command(wanted, now=NOW), user="Administrator")
    text = result.stdout.decode(errors="replace")
    planned = role_planned(
        wanted, text, apply_to=None, restore_to=None, revert_after=timedelta(minutes=10)
    )
    seen = Observation(
        id="OBS-1",
        run="run",
        activity="hardening",
        subject=Subject(kind=SubjectKind.HOST, id="web01", host="web01"),
        collected_at="2026-11-22T01:15:00Z",
        clock_offset_ms=0,
        collector="hardening/1",
        facts=validate("hardening", SubjectKind.HOST, planned["facts"]),
    )
    found = [evaluate(control, seen, [], NOW) for control in controls]
    return {finding.control: (finding.state, finding.observed) for finding in found}


@pytest.mark.parametrize("member", [True, False])
def test_both_languages_give_identical_findings_setting_by_setting(
    member: bool, hardening: list[Control]
) -> None:
    hosts = []
    for locale in ("zh-CN", "en-US"):
        host = make(WEAK, locale=locale)
        if not member:
            host = Host(HostSpec(name="web01", locale=locale, admin_password="lab"), lambda: NOW)
        hosts.append(judged(host, hardening))
    chinese, english = hosts
    assert chinese == english
    states = Counter(state for state, _ in chinese.values())
    assert set(states) == {State.PASS, State.FAIL} | (set() if member else {State.NOT_APPLICABLE})
    assert states[State.FAIL] > 200
    assert sum(states.values()) == len(hardening)


def test_a_deviation_that_a_domain_set_is_a_failed_finding_with_the_gpo_s_name(
    hardening: list[Control],
) -> None:
    found = judged(make(WEAK), hardening)
    state, observed = found["HRD-ACC-004"]
    assert state is State.FAIL
    assert observed == {
        "settings.hrd_acc_004.present": True,
        "settings.hrd_acc_004.value": 8,
        "settings.hrd_acc_004.gpo": NAME,
    }
    assert "settings.hrd_acc_005.gpo" not in str(found["HRD-ACC-005"])
    assert found["HRD-DOM-001"][0] is State.PASS
    off = PolicyValue(
        key="SOFTWARE\\Policies\\Microsoft\\Windows\\System", name="RSoPLogging", data=0
    )
    assert judged(make(gpo("quiet", registry=(off,))), hardening)["HRD-DOM-001"][0] is State.FAIL


# -- what hosts may answer -------------------------------------------------------------------------


def batch(**over: Section) -> Batch:
    template = '[Version]\nsignature="$CHICAGO$"\n'
    sections = {
        "domain": Section("\n\nDomain=exam.example\nPartOfDomain=TRUE\n\n", True),
        "merged": Section(template, True),
    }
    sections |= {f"rsop {name} get {asked}": Section("", True) for name, asked in CLASSES.items()}
    sections["rsop RSOP_GPO get id,name"] = Section("id=LocalGPO\nname=Local\n\n", True)
    return Batch(sections | {name.replace("_", " "): part for name, part in over.items()})


def test_no_answer_about_the_domain_is_never_taken_for_no_domain() -> None:
    for text in ("", "Domain=\n", "garbage"):
        with pytest.raises(IncompleteError, match="whether it is in a domain"):
            origins(batch(domain=Section(text, True)), ())
    with pytest.raises(IncompleteError, match="whether it is in a domain"):
        origins(batch(domain=Section("Domain=x\nPartOfDomain=FALSE\n", False)), ())


def test_an_export_of_merged_policy_that_failed_is_an_error() -> None:
    with pytest.raises(IncompleteError, match="could not be exported"):
        origins(batch(merged=Section("", False)), ())


def test_the_local_gpo_is_the_host_s_own() -> None:
    asked = f"rsop RSOP_RegistryPolicySetting get {CLASSES['RSOP_RegistryPolicySetting']}"
    text = "GPOID=LocalGPO\nprecedence=1\nregistryKey=Software\\X\nvalueName=Y\n\n"
    whole = batch()
    told = replace(whole, sections={**whole.sections, asked: Section(text, True)})
    assert origins(told, ()).gpos == {}
    text = text.replace("LocalGPO", "cn={1},cn=policies,DC=x")
    told = replace(whole, sections={**whole.sections, asked: Section(text, True)})
    assert origins(told, ()).gpos == {("registry", "HKLM", "software\\x", "y"): UNNAMED}


def test_nothing_that_is_compared_is_a_word_of_some_language(settings: tuple[Setting, ...]) -> None:
    line = audit_command(settings, asked_at=NOW)
    assert not re.search(r"[^\x00-\x7f]", line)
    assert 'find "TRUE"' in line

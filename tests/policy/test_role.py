from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cabarchive import CabArchive, CabFile

from opsproof.errors import IncompleteError, RefusedError, UsageError
from opsproof.evidence.model import SubjectKind
from opsproof.evidence.schemas import validate
from opsproof.inspection.batch import split_batch
from opsproof.policy.baseline import layered
from opsproof.policy.baseline_yaml import load_layers
from opsproof.policy.bundle import restore_cabinet, touched
from opsproof.policy.command import REVERT_TASK
from opsproof.policy.observed import observe
from opsproof.policy.plan import Change
from opsproof.policy.role import Wanted, command, planned, pushed, restoring, too_late
from winlab.commands import run_cmd
from winlab.host.host import Host, HostSpec
from winlab.host.tasks import Task

NOW = datetime(2026, 11, 22, 1, 15, tzinfo=UTC)
FOLDER = str(Path(__file__).resolve().parents[2] / "baselines")
WANTED = Wanted(folder=FOLDER, baselines=["member-server"], auth="ntlm", tls=True)
LATER = timedelta(minutes=10)


def make(release: str = "2022") -> Host:
    return Host(HostSpec(name="web01", release=release, admin_password="lab"), lambda: NOW)


def answer(host: Host, wanted: Wanted = WANTED) -> str:
    return run_cmd(host, command(wanted, now=NOW), user="Administrator").stdout.decode(
        errors="replace"
    )


def test_facts_fit_their_schema_and_hold_every_setting(tmp_path: Path) -> None:
    result = planned(
        WANTED,
        answer(make()),
        apply_to=tmp_path / "a.cab",
        restore_to=tmp_path / "b" / "r.cab",
        revert_after=LATER,
    )
    facts = validate("hardening", SubjectKind.HOST, result["facts"])
    assert facts["release"] == "2022"
    assert len(facts["settings"]) >= 250
    assert facts["settings"]["hrd_acc_004"] == {"present": True, "value": 0}
    assert (tmp_path / "a.cab").read_bytes().startswith(b"MSCF")
    assert (tmp_path / "b" / "r.cab").read_bytes().startswith(b"MSCF")
    assert len(facts["restore_sha256"]) == 64


def test_check_mode_writes_no_files(tmp_path: Path) -> None:
    planned(WANTED, answer(make()), apply_to=None, restore_to=None, revert_after=LATER)
    assert list(tmp_path.iterdir()) == []


def test_releases_choose_their_settings() -> None:
    old, new = (
        planned(WANTED, answer(make(release)), apply_to=None, restore_to=None, revert_after=LATER)
        for release in ("2016", "2022")
    )
    assert old["facts"]["release"] == "2016"
    assert set(old["facts"]["settings"]) < set(new["facts"]["settings"])


def test_a_host_that_deviates_is_not_changed_there_and_still_seen() -> None:
    wanted = Wanted(
        folder=FOLDER,
        baselines=["member-server"],
        auth="ntlm",
        tls=True,
        overrides={"HRD-ACC-004": 20, "HRD-URA-004": None},
    )
    result = planned(
        wanted, answer(make(), wanted), apply_to=None, restore_to=None, revert_after=LATER
    )
    changes = {change["id"]: change for change in result["changes"]}
    assert changes["HRD-ACC-004"]["after"] == "20"
    assert "HRD-URA-004" not in changes
    assert result["facts"]["settings"]["hrd_ura_004"]["present"]
    assert result["facts"]["left_alone"] == ["HRD-ACC-004", "HRD-URA-004"]


def test_an_apply_that_was_never_confirmed_blocks_the_next_one(tmp_path: Path) -> None:
    host = make()
    host.tasks.create(Task(name=REVERT_TASK, command="x", user="SYSTEM", due=NOW), force=False)
    with pytest.raises(RefusedError, match="waits for being taken back"):
        planned(
            WANTED,
            answer(host),
            apply_to=tmp_path / "a",
            restore_to=tmp_path / "r",
            revert_after=LATER,
        )
    planned(WANTED, answer(host), apply_to=None, restore_to=None, revert_after=LATER)


TOUCHED = frozenset({"HRD-ACC-004", "HRD-URA-004", "HRD-FWL-001"})


def save_point(path: Path, ids: frozenset[str]) -> Path:
    """A restore point that touches these settings."""
    iis = msgspec.structs.replace(WANTED, baselines=["iis-server"])
    settings = layered(load_layers(iis.baselines, Path(FOLDER)))
    observed = observe(split_batch(answer(make(), iis)), settings)
    changes = [Change(one, observed.value(one.target), None) for one in settings if one.id in ids]
    path.write_bytes(restore_cabinet(changes, observed))
    return path


@pytest.fixture
def point(tmp_path: Path) -> Path:
    return save_point(tmp_path / "point.cab", TOUCHED)


def test_a_restore_keeps_what_it_touches_and_nothing_else(point: Path, tmp_path: Path) -> None:
    back = tmp_path / "undone/back.cab"
    result = restoring(WANTED, answer(make()), point=point, restore_to=back)
    assert {change["id"] for change in result["changes"]} == TOUCHED
    assert touched(back.read_bytes()) == TOUCHED
    facts = validate("hardening", SubjectKind.HOST, result["facts"])
    assert facts["restore_sha256"] == hashlib.sha256(back.read_bytes()).hexdigest()
    assert len(facts["settings"]) >= 250


def test_in_check_mode_a_restore_keeps_nothing(point: Path, tmp_path: Path) -> None:
    before = list(tmp_path.iterdir())
    result = restoring(WANTED, answer(make()), point=point, restore_to=None)
    assert result["facts"]["restore_sha256"] is None
    assert list(tmp_path.iterdir()) == before


def test_of_a_point_that_names_nothing_everything_is_kept(tmp_path: Path) -> None:
    archive = CabArchive()
    archive["1.inf"] = CabFile(b"x")
    (tmp_path / "old.cab").write_bytes(archive.save())
    result = restoring(WANTED, answer(make()), point=tmp_path / "old.cab", restore_to=None)
    assert len(result["changes"]) == len(result["facts"]["settings"])


@pytest.mark.parametrize("cut", [0, 20, -1])
def test_a_point_that_is_not_whole_is_refused(point: Path, cut: int) -> None:
    point.write_bytes(point.read_bytes()[:cut])
    with pytest.raises(UsageError, match=r"point\.cab: it is no whole cabinet: "):
        restoring(WANTED, answer(make()), point=point, restore_to=None)


def test_a_point_of_other_baselines_is_refused(tmp_path: Path) -> None:
    other = save_point(tmp_path / "iis.cab", TOUCHED | {"HRD-IIS-001"})
    with pytest.raises(UsageError, match=r"iis\.cab: it puts back 1 setting.*: HRD-IIS-001 \("):
        restoring(WANTED, answer(make()), point=other, restore_to=None)


@pytest.mark.parametrize("there", [True, False])
def test_a_confirmation_that_comes_too_late_is_known(there: bool) -> None:
    host = make()
    if there:
        host.tasks.create(Task(name=REVERT_TASK, command="x", user="SYSTEM", due=NOW), force=False)
    line = command(WANTED, now=NOW, confirm=True)
    text = run_cmd(host, line, user="Administrator").stdout.decode(errors="replace")
    result = planned(WANTED, text, apply_to=None, restore_to=None, revert_after=LATER)
    assert result["confirmed"] is there


def test_what_is_different_between_two_answers_is_told_by_setting() -> None:
    host = make()
    earlier = answer(host)
    run_cmd(host, "net accounts /minpwlen:9", user="Administrator")
    result = planned(
        WANTED,
        answer(host),
        apply_to=None,
        restore_to=None,
        revert_after=LATER,
        earlier=earlier,
    )
    assert [(one["id"], one["before"], one["after"]) for one in result["moved"]] == [
        ("HRD-ACC-004", "0", "9")
    ]


def test_a_cut_answer_is_never_read_as_a_whole_one() -> None:
    whole = answer(make())
    with pytest.raises(IncompleteError):
        planned(
            WANTED, whole[: len(whole) // 2], apply_to=None, restore_to=None, revert_after=LATER
        )


def test_an_account_without_rights_is_told_so() -> None:
    host = make()
    host.accounts.create_user("weak", "x")
    text = run_cmd(host, command(WANTED, now=NOW), user="weak").stdout.decode(errors="replace")
    with pytest.raises(IncompleteError, match="the step 'security' failed"):
        planned(WANTED, text, apply_to=None, restore_to=None, revert_after=LATER)


def test_an_apply_that_did_not_end_is_no_success() -> None:
    text = "##opsproof:begin unpack\n##opsproof:end ok\n"
    assert pushed({"stdout": text}) == {"lost": False, "failed": ["end"]}
    assert pushed({"stdout": f"{text}##opsproof:begin secedit\n"}) == {"lost": True, "failed": []}
    text += "##opsproof:begin secedit\n##opsproof:end failed\n##opsproof:begin done\n##opsproof:end ok\n"
    assert pushed({"stdout": text}) == {"lost": False, "failed": ["secedit"]}


def test_no_answer_is_told_apart_from_a_stage_that_was_not_sent() -> None:
    assert pushed({"unreachable": True, "msg": "x"}) == {"lost": True, "failed": []}
    assert pushed({"skipped": True, "msg": "x"}) == {"lost": False, "failed": []}


RENAME = """---
baseline: rename
title: {zh: 重命名, en: Rename}
releases: ['2022']
sources: {bureau: {title: The bureau's rule, where: 'https://bureau.example'}}
settings:
  - id: RNM-ACC-001
    title: {zh: 管理员名称, en: Name of the administrator}
    category: account-policy
    set: {system_access: NewAdministratorName}
    compare: equal
    value: Boss
    severity: low
    sources: ['bureau:1']
"""


def renamed(folder: Path, **more: Any) -> dict[str, Any]:
    (folder / "rename.yml").write_text(RENAME, encoding="utf-8")
    wanted = Wanted(folder=str(folder), baselines=["rename"], auth="ntlm", tls=True, **more)
    return planned(
        wanted, answer(make(), wanted), apply_to=None, restore_to=None, revert_after=LATER
    )


@pytest.mark.parametrize("more", [{}, {"stage": ["RNM-ACC-001"]}, {"login_after": "Chef"}])
def test_a_rename_of_the_connecting_account_needs_the_name_to_go_on_with(
    more: dict[str, Any], tmp_path: Path
) -> None:
    result = renamed(tmp_path, **more)
    [held] = result["held"]
    assert "would be called Boss; hardening_login_after must say so" in held["reason"]
    assert (result["changes"], result["stages"], result["login"]) == ([], [], "")


def test_a_rename_is_staged_when_the_next_session_uses_the_new_name(tmp_path: Path) -> None:
    result = renamed(tmp_path, login_after="boss")
    assert (result["held"], result["stages"], result["login"]) == ([], [["RNM-ACC-001"]], "Boss")
    assert "Boss  # in the second stage" in result["after"]


def test_a_stage_of_a_setting_that_does_not_exist_is_refused() -> None:
    wanted = Wanted(
        folder=FOLDER, baselines=["member-server"], auth="ntlm", tls=True, stage=["HRD-X-1"]
    )
    with pytest.raises(UsageError, match="there is no setting HRD-X-1"):
        planned(wanted, answer(make()), apply_to=None, restore_to=None, revert_after=LATER)


def test_no_apply_begins_that_may_not_be_over_when_the_window_ends() -> None:
    end = "2026-11-22T09:45:00+08:00"
    assert not too_late(end, minutes=30, now=NOW)
    assert too_late(end, minutes=30, now=NOW + timedelta(seconds=1))
    assert too_late(end, minutes=31, now=NOW)
    assert not too_late("", minutes=30, now=NOW)
    for text in ("2026-11-22T09:45:00", "soon"):
        with pytest.raises(UsageError, match="no time with an offset"):
            too_late(text, minutes=30, now=NOW)


def test_unknown_authentication_is_refused() -> None:
    wanted = Wanted(folder=FOLDER, baselines=["member-server"], auth="magic", tls=True)
    with pytest.raises(UsageError, match="'magic' is not one of"):
        command(wanted, now=NOW)

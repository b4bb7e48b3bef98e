"""How a run's parts become one result: the worst thing that happened, by its own name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from tests.patching.hosts import NOW, hosts, look

from opsproof.errors import UsageError
from opsproof.evidence.model import SubjectKind
from opsproof.evidence.schemas import validate
from opsproof.patching.approved import Approved
from opsproof.patching.facts import GOOD, Story, canary_of, facts_of, message
from opsproof.patching.plan import found_in, make_plan
from opsproof.patching.removal import Removal, Target, load_removal, removal_facts, target_of
from opsproof.patching.rounds import read_round
from opsproof.patching.snapshot import Snapshot, UpdateEvent, compare

ID = "fcab0224-af66-4157-8f47-622d3579586f"
ENTRY = Approved(kb="5068787", severity="critical", released="2026-11-10", approver="W", ticket="T")
OFFER = {ID: {"id": ID, "title": "Rollup (KB5068787)", "kb": ["5068787"]}}
SEARCH = {"updates": {}, "filtered_updates": OFFER}
EMPTY: dict[str, Any] = {"updates": {}, "filtered_updates": {}}
BEFORE = look(hosts()["canary"])


def record(install: dict[str, Any], restart: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "planned": [ID],
        "install": install,
        "restart": restart or {"skipped": True},
        "started_at": NOW.isoformat(),
        "finished_at": (NOW + timedelta(seconds=61)).isoformat(),
    }


def story(**changes: Any) -> Story:
    plan = make_plan(
        approved=[ENTRY], frozen=None, found=found_in(SEARCH), installed_kbs=(), build=20348
    )
    values: dict[str, Any] = {
        "wave": "rest",
        "service": "",
        "check": False,
        "approved": (ENTRY,),
        "frozen": None,
        "selection": "managed_server",
        "window_end": None,
        "last_backup": None,
        "started_at": NOW,
        "finished_at": NOW,
        "before": BEFORE,
        "after": BEFORE,
        "blocked": (),
        "partners": (),
        "too_late": False,
        "search": SEARCH,
        "search_after": EMPTY,
        "plans": (plan,),
        "rounds": (),
        "differences": compare(BEFORE, BEFORE, ()),
        **changes,
    }
    return Story(**values)


DONE = {"updates": {ID: {"installed": True}}, "reboot_required": True}
BACK = {"rebooted": True, "elapsed": 40}


def rounds(install: dict[str, Any], restart: dict[str, Any] | None = None) -> Any:
    return (read_round(record(install, restart)),)


def seen(hresult: int) -> Snapshot:
    event = UpdateEvent(update=ID, hresult=hresult, at="2026-11-22T09:15:00Z")
    return msgspec.structs.replace(BEFORE, events=(event,))


@pytest.mark.parametrize(
    ("changes", "result", "update"),
    [
        ({"rounds": rounds(DONE, BACK)}, "patched", "installed"),
        ({"rounds": rounds({**DONE, "reboot_required": False})}, "patched", "installed"),
        ({"check": True, "rounds": ()}, "planned", "planned"),
        ({"rounds": rounds(DONE, {**BACK, "failed": True})}, "did-not-return", "restart-due"),
        ({"rounds": rounds(DONE), "blocked": ("b is out",)}, "blocked", "restart-due"),
        (
            {"rounds": rounds(DONE, BACK), "search_after": SEARCH, "after": seen(0x800F0922)},
            "rolled-back",
            "rolled-back",
        ),
        (
            {"rounds": rounds(DONE, BACK), "search_after": SEARCH, "after": seen(0)},
            "update-loop",
            "update-loop",
        ),
        ({"rounds": rounds(DONE, BACK), "search_after": SEARCH}, "rolled-back", "rolled-back"),
        (
            {"rounds": rounds(DONE, BACK), "differences": None, "after": None},
            "not-collected",
            "installed",
        ),
        ({"rounds": rounds({"unreachable": True, "msg": "gone"})}, "connection-lost", "unknown"),
        ({"rounds": rounds({"failed": True, "msg": "x"})}, "connection-lost", "unknown"),
        (
            {"rounds": rounds({"failed": True, "msg": "no", "updates": {ID: {}}})},
            "update-failed",
            "failed",
        ),
        (
            {"rounds": rounds({"updates": {ID: {"installed": True}, "other": {}}})},
            "selection-differs",
            "installed",
        ),
        (
            {"rounds": rounds(DONE, BACK), "search_after": {"failed": True}},
            "not-collected",
            "unknown",
        ),
        (
            {"too_late": True, "window_end": "2026-11-22T09:00:00+00:00"},
            "window-over",
            "not-started",
        ),
        ({"before": None, "plans": (), "search": None}, "not-collected", "unknown"),
        ({"search": None, "plans": ()}, "not-collected", "unknown"),
        ({"rounds": ()}, "not-collected", "not-started"),
    ],
)
def test_one_word_for_every_end(changes: dict[str, Any], result: str, update: str) -> None:
    facts = facts_of(story(**changes))
    assert (facts.result, facts.updates[0].result) == (result, update)
    validate("patching", SubjectKind.HOST, msgspec.to_builtins(facts))
    assert (facts.result in GOOD) is (result in {"patched", "planned"})


def test_an_empty_list_is_an_end_of_its_own() -> None:
    facts = facts_of(story(approved=(), plans=(), search=None))
    assert (facts.result, facts.updates) == ("nothing-approved", ())


def test_a_failed_kb_says_its_code_in_one_line() -> None:
    install = {
        "failed": True,
        "msg": "Failed to install all updates",
        "updates": {ID: {"failure_hresult_code": 0x80073701, "failure_msg": "x"}},
    }
    facts = facts_of(story(rounds=rounds(install)))
    assert message(facts) == (
        "update-failed: KB5068787 failed (The component store lacks an assembly, 0x80073701)"
    )
    assert facts.updates[0].minutes == 2


def test_a_code_of_the_whole_is_that_of_every_update_that_has_none() -> None:
    install = {
        "failed": True,
        "msg": "Searching for updates: Exception from HRESULT: 0x80244022",
        "updates": {},
    }
    [one] = rounds(install)
    assert not one.lost
    assert one.codes[ID].name == "WU_E_PT_HTTP_STATUS_SERVICE_UNAVAIL"
    [other] = rounds({**install, "updates": {ID: {"installed": True}}})
    assert other.codes == {ID: None}


def test_a_service_that_is_gone_outweighs_a_good_installation() -> None:
    worse = msgspec.structs.replace(compare(BEFORE, BEFORE, ()), services=("ExamPortal",))
    facts = facts_of(story(rounds=rounds(DONE, BACK), differences=worse))
    assert facts.result == "unsound"
    assert facts.reasons == ("service ExamPortal was there before and is not now",)


def test_a_canary_proves_what_it_installed_only_when_it_ended_well() -> None:
    good = msgspec.to_builtins(facts_of(story(rounds=rounds(DONE, BACK))))
    told = canary_of({**good, "wave": "canary"}, "r")
    assert (told.proven, told.problem) == ((("KB5068787", ID),), "")
    unsound = canary_of({**good, "wave": "canary", "result": "unsound"}, "r")
    assert (unsound.proven, unsound.problem) == ((), "it ended with unsound")
    assert canary_of(good, "r").problem == "it was not patched as a canary"


def removal(**more: Any) -> dict[str, Any]:
    entry = {"kb": "KB5068787", "severity": "low", "released": "2026-11-10"}
    return {**entry, "approver": "W", "ticket": "T", **more}


LCU = "Package_for_RollupFix~31bf~amd64~~20348.1"
KB = "Package_for_KB5068787~31bf~amd64~~10.0.1.1"


@pytest.mark.parametrize(
    ("package", "packages", "fixes", "found", "refusal"),
    [
        (LCU, {LCU: "Installed"}, (), LCU, None),
        (LCU, {LCU: "Uninstall Pending"}, (), None, "the package is Uninstall Pending"),
        (LCU, {}, (), None, None),
        (None, {KB: "Installed"}, (), KB, None),
        (None, {"Package_for_KB50687871~x": "Installed"}, (), None, None),
        (None, {KB: "Installed", KB + "2": "Installed"}, (), None, "several packages are called"),
        (
            None,
            {LCU: "Installed", "Package_for_RollupFix~old": "Superseded"},
            ("5068787",),
            None,
            f"no package is called so: give its name, such as {LCU}",
        ),
        (None, {}, ("5068787",), None, "no package is called so: give its name"),
    ],
)
def test_which_package_is_taken_out(
    package: str | None,
    packages: dict[str, str],
    fixes: tuple[str, ...],
    found: str | None,
    refusal: str | None,
) -> None:
    update, named = load_removal(removal(package=package))
    host = msgspec.structs.replace(BEFORE, packages=packages, fixes=fixes)
    target = target_of(update, named, host)
    assert target.package == found
    assert (target.refusal is None) if refusal is None else refusal in str(target.refusal)


CUT = {"failed": True, "changed": False, "msg": "Task failed: ('Connection aborted.', ...)"}


@pytest.mark.parametrize(
    ("hotfix", "result", "row", "after"),
    [
        (CUT, "connection-lost", "unknown", "unknown"),
        ({"unreachable": True, "msg": "timed out"}, "connection-lost", "unknown", "unknown"),
        ({**CUT, "reboot_required": False}, "update-failed", "not-removable", "installed"),
        (None, "not-collected", "not-started", "installed"),
    ],
)
def test_a_removal_whose_answer_was_cut_off_is_never_called_not_started(
    hotfix: dict[str, Any] | None, result: str, row: str, after: str
) -> None:
    made = Removal(
        wave="rest", service="", check=False, update=ENTRY, window_end=None, started_at=NOW,
        finished_at=NOW, before=BEFORE, after=None, target=Target(package=LCU), blocked=(),
        partners=(), too_late=False, hotfix=hotfix, restart=None, differences=None,
    )  # fmt: skip
    facts = removal_facts(made)
    [one] = facts.updates
    assert (facts.result, one.result, one.before, one.after) == (result, row, "installed", after)
    unread = removal_facts(msgspec.structs.replace(made, before=None, target=None))
    assert (unread.updates[0].before, unread.updates[0].after) == ("unknown", "unknown")


def test_a_search_that_no_word_of_windows_update_ended_blames_no_server() -> None:
    facts = facts_of(story(search={**CUT, "updates": {}, "filtered_updates": {}}, plans=()))
    assert facts.result == "not-collected"
    assert facts.reasons[0].startswith("the search failed: Task failed: ('Connection aborted.'")


@pytest.mark.parametrize("data", [{}, removal(package="a & b"), removal(ticket="")])
def test_a_removal_names_its_update_and_its_ticket(data: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        load_removal(data)


def test_times_are_utc() -> None:
    facts = facts_of(story(started_at=datetime(2026, 11, 22, 1, tzinfo=UTC)))
    assert facts.started_at == "2026-11-22T01:00:00Z"

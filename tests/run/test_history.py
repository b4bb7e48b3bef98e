from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsproof.errors import UsageError
from opsproof.evidence import standing
from opsproof.evidence.bundle import BundleBuilder
from opsproof.evidence.keys import Keys, create_demo_keys, load_keys
from opsproof.evidence.model import Outcome, Run, RunHost
from opsproof.run import history

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
INVENTORY = "inventories/lab"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys") / ".keys"
    create_demo_keys(folder, now=NOW)
    return load_keys(folder)


def made(run_id: str = "20261122T090000Z-daily-0000", **changes: Any) -> Run:
    hosts = {"h1": RunHost(outcome=Outcome.OK, planned=True, seen=True, activities=("probe",))}
    started = datetime.strptime(run_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    stamp = started.strftime("%Y-%m-%dT%H:%M:%SZ")
    run = Run(
        id=run_id,
        kind="daily",
        inventory=INVENTORY,
        playbook="playbooks/daily.yml",
        started_at=stamp,
        finished_at=stamp,
        evaluated_at=stamp,
        status=standing.COMPLETED,
        rc=0,
        operator="x",
        host="y",
        hosts=hosts,
    )
    return msgspec.structs.replace(run, **changes)


def host(outcome: Outcome, *, planned: bool = True, seen: bool = True) -> RunHost:
    return RunHost(outcome=outcome, planned=planned, seen=seen)


@pytest.mark.parametrize(
    "change",
    [
        {"check": True},
        {"limit": "h1"},
        {"retry_of": "x"},
        {"status": standing.ABORTED},
        {"status": standing.INTERRUPTED},
        {"hosts": {"h1": host(Outcome.FAILED, seen=False)}},
        {"hosts": {"h1": host(Outcome.UNREACHABLE)}},
        {"hosts": {}},
    ],
)
def test_what_satisfies_no_due_item(change: dict[str, Any]) -> None:
    assert standing.is_full(made())
    assert not standing.is_full(made(**change))


def test_a_full_run_with_trouble_on_every_host_is_full_all_the_same() -> None:
    bad = {"h1": host(Outcome.UNREACHABLE), "h2": host(Outcome.FAILED)}
    assert standing.is_full(made(hosts=bad))


def test_since_is_the_last_success_of_each_host_whatever_the_limit() -> None:
    older = made(
        "20261120T090000Z-daily-0000", hosts={"h1": host(Outcome.OK), "h2": host(Outcome.CHANGED)}
    )
    newer = made(
        "20261121T090000Z-daily-0000",
        limit="h1",
        hosts={"h1": host(Outcome.OK), "h2": host(Outcome.SKIPPED)},
    )
    trial = made("20261121T120000Z-daily-0000", check=True, hosts={"h2": host(Outcome.OK)})
    other = made("20261121T130000Z-weekly-0000", kind="weekly", hosts={"h1": host(Outcome.OK)})
    found = history.since_per_host([other, trial, newer, older], "daily", ["h1", "h2", "h3"], NOW)
    assert found == {
        "h1": datetime(2026, 11, 21, 9, tzinfo=UTC),
        "h2": datetime(2026, 11, 20, 9, tzinfo=UTC),
        "h3": NOW - timedelta(hours=24),
    }


def test_what_is_sealed_of_a_host_is_told_apart_from_how_far_back_to_look() -> None:
    good = made("20260101T090000Z-daily-0000", hosts={"h1": host(Outcome.CHANGED)})
    failed = made("20261121T090000Z-daily-0000", hosts={"h1": host(Outcome.FAILED)})
    assert history.sealed_per_host([failed, good], "daily") == {
        "h1": datetime(2026, 1, 1, 9, tzinfo=UTC)
    }
    assert history.sealed_per_host([failed], "daily") == {}
    assert history.sealed_per_host([good], "weekly") == {}


def test_since_is_bounded() -> None:
    old = made("20260101T090000Z-daily-0000")
    found = history.since_per_host([old], "daily", ["h1"], NOW)
    assert found["h1"] == NOW - history.LONGEST_LOOK_BACK


def test_a_retry_takes_what_failed_and_what_was_never_reached() -> None:
    run = made(
        hosts={
            "h4": host(Outcome.FAILED, seen=False),
            "h1": host(Outcome.OK),
            "h2": host(Outcome.UNREACHABLE),
            "h3": host(Outcome.FAILED),
            "h5": host(Outcome.SKIPPED, planned=False, seen=False),
        }
    )
    assert history.to_retry(run, "daily", INVENTORY) == ("h2", "h3", "h4")


@pytest.mark.parametrize(
    ("kind", "inventory", "message"),
    [
        ("weekly", INVENTORY, "it ran daily on inventories/lab, not weekly on inventories/lab"),
        ("daily", "other", "it ran daily on inventories/lab, not daily on other"),
        ("daily", INVENTORY, "every host of it was reached and did not fail"),
    ],
)
def test_a_retry_that_makes_no_sense_is_refused(kind: str, inventory: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        history.to_retry(made(), kind, inventory)
    assert message in str(caught.value)


def test_past_runs_are_read_newest_first_from_the_ledger_and_of_one_inventory(
    tmp_path: Path, keys: Keys
) -> None:
    def seal(run: Run) -> None:
        builder = BundleBuilder(tmp_path, run.id, bureau=keys.bureau)
        builder.add_input("waivers.yml", b"[]\n")
        builder.write(run, [])
        builder.seal(keys.signer, now=NOW)

    names = [f"202611{day}T090000Z-daily-0000" for day in (10, 18, 20)]
    for name in names:
        seal(made(name))
    seal(made("20261121T090000Z-daily-0000", inventory="other"))
    found = history.past_runs(tmp_path, INVENTORY, not_before=NOW - timedelta(days=7))
    assert [run.id for run in found] == [names[2], names[1]]
    assert history.sealed_run(tmp_path, names[0]).id == names[0]
    assert history.sealed_run(tmp_path, str(tmp_path / "runs" / names[0])).id == names[0]
    with pytest.raises(UsageError, match="there is no such sealed run"):
        history.sealed_run(tmp_path, "20200101T000000Z-daily-0000")

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from tests.reports.estate import ESTATE, MORNING, Host, Sealing, lab, partial_run

from opsproof.errors import IncompleteError, TamperedError, UsageError
from opsproof.evidence.amend import correct
from opsproof.evidence.ledger import Ledger, line_sha256
from opsproof.reports.sources import read_day, time_zone

TODAY = date(2026, 11, 22)


def few() -> dict[str, Host]:
    return {name: host for name, host in lab().items() if name == "mgmt-01"}


def test_the_runs_of_the_local_day_are_read_and_on_a_day_without_the_last_one_before(
    sealed_days: Path,
) -> None:
    day = read_day(sealed_days, TODAY)
    assert [run.entry.seq for run in day.runs] == [2, 3]
    assert day.basis is None
    quiet = read_day(sealed_days, TODAY + timedelta(days=1))
    assert quiet.runs == ()
    assert quiet.basis is not None
    assert quiet.basis.entry.seq == 2
    assert (day.zone, day.inventory) == ("Asia/Shanghai", "lab")


def test_the_sheet_is_cut_at_the_last_line_of_its_day(sealed_days: Path) -> None:
    lines, _ = Ledger(sealed_days).split()
    before = read_day(sealed_days, TODAY - timedelta(days=1))
    assert (before.length, before.ledger_line) == (1, lines[0])
    assert Ledger(sealed_days).head.sha256 == line_sha256(read_day(sealed_days, TODAY).ledger_line)


def test_a_day_begins_at_local_midnight(sealing: Sealing) -> None:
    late = MORNING.replace(day=21, hour=15, minute=59)
    early = MORNING.replace(day=21, hour=16, minute=0)
    sealing.run(few(), start=late, nonce="1111")
    sealing.run(few(), start=early, nonce="2222")
    assert [r.entry.seq for r in read_day(sealing.reports, TODAY).runs] == [2]


def test_an_estate_in_another_zone_has_its_own_days(sealing: Sealing) -> None:
    sealing.estate = ESTATE | {"time_zone": "Asia/Urumqi"}
    sealing.run(few())
    assert time_zone(sealing.reports) == "Asia/Urumqi"
    assert read_day(sealing.reports, TODAY).start.utcoffset() == timedelta(hours=6)


def test_several_inventories_must_be_told_apart(sealing: Sealing) -> None:
    sealing.run(few(), nonce="1111")
    sealing.run(few(), nonce="2222", change=partial_run(inventory="branch"))
    with pytest.raises(UsageError, match=r"2 inventories: branch, lab \(name one"):
        read_day(sealing.reports, TODAY)
    day = read_day(sealing.reports, TODAY, inventory="branch")
    assert [run.entry.seq for run in day.runs] == [2]


def test_an_empty_folder_is_an_empty_day(tmp_path: Path) -> None:
    day = read_day(tmp_path, TODAY)
    assert (day.runs, day.basis, day.length) == ((), None, 0)


def test_a_bundle_that_lost_a_file_is_not_reported_on(sealing: Sealing) -> None:
    bundle = sealing.run(few())
    (bundle / "findings.jsonl").unlink()
    with pytest.raises(IncompleteError, match=r"findings\.jsonl: is missing"):
        read_day(sealing.reports, TODAY)


@pytest.mark.parametrize("name", ["findings.jsonl", "observations.jsonl", "inputs/estate.json"])
def test_a_sheet_is_not_made_from_altered_evidence(sealing: Sealing, name: str) -> None:
    file = sealing.run(few()) / name
    file.write_bytes(file.read_bytes().replace(b"mgmt-01", b"mgmt-02").replace(b"lab", b"bar"))
    with pytest.raises(TamperedError, match=f"{name}: is not what was sealed"):
        read_day(sealing.reports, TODAY)


def test_new_sums_do_not_help_the_forger(sealing: Sealing) -> None:
    bundle = sealing.run(few())
    sums = bundle / "SHA256SUMS"
    sums.write_bytes(sums.read_bytes().replace(b"a", b"b"))
    with pytest.raises(TamperedError, match="SHA256SUMS: is not what was sealed"):
        read_day(sealing.reports, TODAY)


def test_a_correction_made_later_moves_the_cut_and_is_shown(sealing: Sealing) -> None:
    run = sealing.run(few())
    finding = read_day(sealing.reports, TODAY).runs[0].bundle.findings[0].id
    for supersedes, holder in ((finding, run.name), (run.name, None)):
        correct(
            sealing.reports,
            sealing.keys.signer,
            supersedes=supersedes,
            run=holder,
            statement="the store was read twice",
            reason="wrong count",
            by="li.qiang",
            now=MORNING + timedelta(days=3),
        )
    day = read_day(sealing.reports, TODAY)
    assert (day.length, [c.supersedes for c in day.corrections]) == (3, [finding, run.name])
    assert read_day(sealing.reports, TODAY - timedelta(days=1)).length == 0

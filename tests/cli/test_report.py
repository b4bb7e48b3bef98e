from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.reports.estate import Sealing, lab, partial_run, troubled

from opsproof.cli.report import command
from opsproof.errors import ExitCode, UsageError
from opsproof.evidence.keys import Keys, ensure_keys

DATE = ["--date", "2026-11-22"]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return ensure_keys(tmp_path_factory.mktemp("keys") / "keys")


@pytest.fixture(autouse=True)
def the_day_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opsproof.cli.report._now", lambda: datetime(2026, 11, 23, 1, tzinfo=UTC))


@pytest.fixture
def sealing(tmp_path: Path, keys: Keys) -> Sealing:
    return Sealing(tmp_path / "reports", keys)


def report(*arguments: str, code: ExitCode) -> Result:
    result = CliRunner().invoke(command, ["daily", *arguments], standalone_mode=False)
    assert result.exception is None, result.output
    assert result.return_value is code
    return result


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_quiet_day_ends_with_0_and_leaves_both_pages_and_the_data(sealing: Sealing) -> None:
    sealing.run(lab())
    folder = sealing.reports / "daily"
    result = report(*DATE, "--reports", str(sealing.reports), code=ExitCode.OK)
    assert names(folder) == [
        "RPT-D-20261122.en.html",
        "RPT-D-20261122.json",
        "RPT-D-20261122.zh-CN.html",
    ]
    assert result.stdout.splitlines() == [
        str(folder / "RPT-D-20261122.zh-CN.html"),
        str(folder / "RPT-D-20261122.en.html"),
    ]


def test_something_abnormal_ends_with_1(sealing: Sealing) -> None:
    hosts = {"app-info-01": troubled()["app-info-01"]}
    sealing.run(hosts)
    report(*DATE, "--reports", str(sealing.reports), code=ExitCode.FINDINGS)


def test_something_not_collected_ends_with_3(sealing: Sealing) -> None:
    sealing.run(troubled())
    report(*DATE, "--reports", str(sealing.reports), code=ExitCode.NOT_EVALUATED)


def test_a_day_without_evidence_ends_with_3_and_still_gives_a_sheet(tmp_path: Path) -> None:
    report(*DATE, "--reports", str(tmp_path), "--lang", "zh-CN", code=ExitCode.NOT_EVALUATED)
    page = (tmp_path / "daily" / "RPT-D-20261122.zh-CN.html").read_text(encoding="utf-8")
    assert "当日没有任何有效运行，系统状态未知" in page


def test_one_language_links_no_page_that_is_not_there(sealing: Sealing) -> None:
    sealing.run(lab())
    report(*DATE, "--reports", str(sealing.reports), "--lang", "en", code=ExitCode.OK)
    folder = sealing.reports / "daily"
    assert names(folder) == ["RPT-D-20261122.en.html", "RPT-D-20261122.json"]
    assert "zh-CN.html" not in (folder / "RPT-D-20261122.en.html").read_text(encoding="utf-8")


def test_making_it_again_changes_no_byte(sealing: Sealing) -> None:
    sealing.run(troubled())
    before = []
    for _ in range(2):
        report(*DATE, "--reports", str(sealing.reports), code=ExitCode.NOT_EVALUATED)
        folder = sealing.reports / "daily"
        before.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert before[0] == before[1]


def test_json_is_the_model_in_the_common_envelope(sealing: Sealing) -> None:
    sealing.run(lab())
    result = report(*DATE, "--reports", str(sealing.reports), "--format", "json", code=ExitCode.OK)
    document = json.loads(result.stdout)
    assert sorted(document) == ["generated_at", "items", "schema", "summary", "tool"]
    assert document["schema"] == "report-daily/1"
    assert document["summary"]["verdict"] == "normal"
    saved = json.loads((sealing.reports / "daily" / "RPT-D-20261122.json").read_text("utf-8"))
    assert document["items"] == [saved]


def test_pages_elsewhere_still_lead_to_the_bundles(sealing: Sealing, tmp_path: Path) -> None:
    bundle = sealing.run(lab())
    out = tmp_path / "signed" / "november"
    report(*DATE, "--reports", str(sealing.reports), "--out", str(out), code=ExitCode.OK)
    page = (out / "RPT-D-20261122.en.html").read_text(encoding="utf-8")
    assert f'href="../../reports/runs/{bundle.name}/run.json"' in page


def test_the_sheet_names_the_one_before(sealing: Sealing) -> None:
    sealing.run(lab())
    arguments = ["--reports", str(sealing.reports), "--lang", "en"]
    report("--date", "2026-11-21", *arguments, code=ExitCode.NOT_EVALUATED)
    report(*DATE, *arguments, code=ExitCode.OK)
    page = (sealing.reports / "daily" / "RPT-D-20261122.en.html").read_text(encoding="utf-8")
    assert 'href="RPT-D-20261121.en.html"' in page


def test_an_auditor_makes_the_same_data_again_elsewhere(sealing: Sealing, tmp_path: Path) -> None:
    sealing.run(troubled())
    arguments = ["--reports", str(sealing.reports)]
    report("--date", "2026-11-21", *arguments, code=ExitCode.NOT_EVALUATED)
    report(*DATE, *arguments, code=ExitCode.NOT_EVALUATED)
    report(*DATE, *arguments, "--out", str(tmp_path / "again"), code=ExitCode.NOT_EVALUATED)
    issued = sealing.reports / "daily" / "RPT-D-20261122.json"
    assert (tmp_path / "again" / issued.name).read_bytes() == issued.read_bytes()


def test_several_inventories_are_a_usage_error(sealing: Sealing) -> None:
    hosts = {"mgmt-01": lab()["mgmt-01"]}
    sealing.run(hosts, nonce="1111")
    sealing.run(hosts, nonce="2222", change=partial_run(inventory="branch"))
    result = CliRunner().invoke(command, ["daily", *DATE, "--reports", str(sealing.reports)])
    assert isinstance(result.exception, UsageError)
    assert result.exception.exit_code is ExitCode.USAGE
    arguments = ["--reports", str(sealing.reports), "--inventory", "inventories/branch"]
    report(*DATE, *arguments, code=ExitCode.OK)


def refused(*arguments: str) -> UsageError:
    error = CliRunner().invoke(command, ["daily", *arguments]).exception
    assert isinstance(error, UsageError)
    return error


def test_an_inventory_that_nobody_ran_is_a_usage_error_and_no_empty_sheet(
    sealing: Sealing,
) -> None:
    sealing.run({"mgmt-01": lab()["mgmt-01"]})
    error = refused(*DATE, "--reports", str(sealing.reports), "--inventory", "inventories/labb")
    assert str(error) == (
        "the ledger holds no run of an inventory 'inventories/labb' (it holds runs of lab)"
    )
    assert not (sealing.reports / "daily").exists()


def test_an_inventory_is_known_by_its_whole_path_and_by_its_last_part(sealing: Sealing) -> None:
    hosts = {"mgmt-01": lab()["mgmt-01"]}
    sealing.run(hosts, change=partial_run(inventory="inventories/lab"))
    for name in ("inventories/lab", "lab", "./inventories/lab"):
        report(*DATE, "--reports", str(sealing.reports), "--inventory", name, code=ExitCode.OK)


def test_a_reports_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    error = refused(*DATE, "--reports", str(tmp_path / "typo"))
    assert str(error).endswith("typo: there is no such reports folder (opsproof run makes one)")
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize("day", ["2026-11-24", "9999-12-31", "1999-12-31", "0001-01-01"])
def test_a_day_that_has_not_come_has_no_sheet(day: str, tmp_path: Path) -> None:
    error = refused("--date", day, "--reports", str(tmp_path))
    assert str(error) == (
        f"{day} is no day that can be reported on (from 2000-01-01 to 2026-11-23)"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_usage_error(sealing: Sealing, tmp_path: Path) -> None:
    sealing.run({"mgmt-01": lab()["mgmt-01"]})
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "daily"
    error = refused(*DATE, "--reports", str(sealing.reports), "--out", str(out))
    assert str(error) == (
        f"{out}: the sheet cannot be written there: Not a directory (name another folder with --out)"
    )

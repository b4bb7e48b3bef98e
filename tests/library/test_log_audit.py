"""The module runs on the controller, changes nothing but ``dest``, and says the same twice."""

from __future__ import annotations

import importlib.util
import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from cabarchive import CabArchive, CabFile
from jinja2 import Template

from opsproof.collection.home import HandedOver, write_list
from opsproof.collection.model import SiteLogs
from opsproof.evidence.canonical import canonical
from opsproof.run.inventory import DEFAULT_TIME_ZONE

PROJECT = Path(__file__).parents[2]
MODULE = PROJECT / "library" / "log_audit.py"
ROLE = PROJECT / "roles" / "log_audit"
LOG = """\
#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status
2026-01-05 10:00:00 203.0.113.9 GET /a.asp id=1'+union+select+1 500
2026-01-06 10:00:00 203.0.113.9 GET /b.asp - 200
"""

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Calls the module's ``main`` with arguments and returns what it printed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    spec = importlib.util.spec_from_file_location("log_audit", MODULE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(*, check: bool = False, **arguments: Any) -> dict[str, Any]:
        options = {**arguments, "_ansible_check_mode": check}
        with patch_module_args(options), pytest.raises(SystemExit):
            module.main()
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        return answer

    return call


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "u_ex260105.log"
    file.write_text(LOG)
    return file


def test_reports_hits_and_changes_nothing(run: Run, log: Path) -> None:
    result = run(paths=[str(log)])
    assert result["changed"] is False
    assert [hit["record_id"] for hit in result["report"]["hits"]] == [2]
    assert result["report"]["counts"]["records"] == 2


def test_limits_the_time(run: Run, log: Path) -> None:
    result = run(paths=[str(log)], since="2026-01-06", until="2026-01-07T00:00:00Z")
    assert result["report"]["hits"] == []
    assert result["report"]["counts"]["filtered"] == 1


def test_a_report_on_nothing_is_a_warning(
    run: Run, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    # Where a controller's display was loaded before, Ansible hands warnings to it, not to the result.
    monkeypatch.setattr(AnsibleModule, "warn", lambda _, text: warned.append(text))
    run(paths=[str(log)])
    assert warned == []
    result = run(paths=[str(log)], since="2030-01-01")
    [text] = warned
    assert text.startswith("nothing was audited: all 2 records are outside")
    assert result["report"]["nothing"] in text


def test_check_mode_says_that_dest_would_change_and_does_not_write(
    run: Run, log: Path, tmp_path: Path
) -> None:
    dest = tmp_path / "out" / "audit.json"
    assert run(check=True, paths=[str(log)], dest=str(dest))["changed"] is True
    assert not dest.exists()


def test_dest_is_canonical_and_written_once(run: Run, log: Path, tmp_path: Path) -> None:
    dest = tmp_path / "out" / "audit.json"
    first = run(paths=[str(log)], dest=str(dest))
    assert first["changed"] is True
    assert dest.read_bytes() == canonical(first["report"])
    again = run(paths=[str(log)], dest=str(dest))
    assert again["changed"] is False
    assert again["report"] == first["report"]
    assert [file.name for file in dest.parent.iterdir()] == ["audit.json"]


def test_a_full_disk_leaves_no_part_of_a_report(run: Run, log: Path, tmp_path: Path) -> None:
    dest = tmp_path / "out" / "audit.json"
    run(paths=[str(log)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        result = run(paths=[str(log)], dest=str(dest))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result["failed"] is True
    assert list(dest.parent.iterdir()) == []


@pytest.mark.parametrize(
    "time", ["yesterday", "0001-01-01T00:00:00+08:00", "9999-12-31T23:00:00-08:00"]
)
def test_wrong_time_fails_with_what_is_wrong(run: Run, log: Path, time: str) -> None:
    result = run(paths=[str(log)], since=time)
    assert result["failed"] is True
    assert result["msg"] == f"{time}: this is no time in ISO 8601"


def test_local_times_are_of_the_zone_that_is_named(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "u_in260105.log"
    rest = "W3SVC1, WEB01, 10.0.0.1, 5, 1, 2, 200, 0, GET, /a, -,"
    log.write_text(f"203.0.113.9, -, 1/5/2026, 8:00:00, {rest}\n")

    def first(**zone: str) -> str:
        answer: str = run(paths=[str(log)], **zone)["report"]["sources"][0]["first"]
        return answer

    assert first() == "2026-01-05T08:00:00.000000Z"
    assert first(zone="Asia/Shanghai") == "2026-01-05T00:00:00.000000Z"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Asia", "../x", ""])
def test_a_zone_that_is_none_fails(run: Run, log: Path, zone: str) -> None:
    result = run(paths=[str(log)], zone=zone)
    assert result["failed"] is True
    assert result["msg"].endswith("this is no time zone such as Asia/Shanghai")


def test_days_without_a_log_are_told_by_what_the_collection_knows(
    run: Run, log: Path, tmp_path: Path
) -> None:
    site = SiteLogs(folder="iis/W3SVC1", days={"2026-01-01": 10, "2026-01-05": 10})
    over = HandedOver(
        host="web01", since="2026-01-05T09:00:00Z", until="2026-01-06T09:00:00Z", sites=(site,),
        days_from="2026-01-04T09:00:00Z",
    )  # fmt: skip
    write_list(tmp_path / "staging", over)
    report = run(paths=[str(log)], staging=str(tmp_path / "staging"))["report"]
    assert [(gap["kind"], gap["first"][:10]) for gap in report["gaps"]] == [
        ("quiet-day", "2026-01-04")
    ]
    assert run(paths=[str(log)])["report"]["gaps"] == []
    (tmp_path / "staging/log_collection/web01.json").write_text("{}")
    failed = run(paths=[str(log)], staging=str(tmp_path / "staging"))
    assert failed["failed"] is True
    assert "web01.json" in failed["msg"]


def test_the_role_names_the_zone_of_the_inventory_and_what_was_handed_over() -> None:
    tasks = yaml.safe_load((ROLE / "tasks/audit.yml").read_text())
    inside = [task for outer in tasks for task in outer.get("block", ())]
    [audit] = [task["log_audit"] for task in inside if "log_audit" in task]
    assert audit["zone"] == "{{ log_audit_time_zone }}"
    assert audit["staging"] == "{{ __log_audit_staging }}"
    default = yaml.safe_load((ROLE / "defaults/main.yml").read_text())["log_audit_time_zone"]
    assert Template(default).render() == DEFAULT_TIME_ZONE
    assert Template(default).render(estate_time_zone="Asia/Urumqi") == "Asia/Urumqi"


def test_missing_path_fails(run: Run, tmp_path: Path) -> None:
    result = run(paths=[str(tmp_path / "none")])
    assert result["failed"] is True
    assert "no such file or folder" in result["msg"]


def test_a_cabinet_unpacks_to_no_more_than_asked(run: Run, tmp_path: Path) -> None:
    archive = CabArchive()
    archive["u_ex260105.log"] = CabFile(LOG.encode() * 1000)
    (tmp_path / "logs.cab").write_bytes(archive.save(compress=True))
    result = run(paths=[str(tmp_path / "logs.cab")], unpacked=1000)
    assert [one["what"] for one in result["report"]["unreadable"]] != []
    assert "1000 bytes" in str(result["report"]["unreadable"])
    assert "unpacked" in run(paths=[str(tmp_path)], unpacked=0)["msg"]


def test_options_are_those_of_the_documentation() -> None:
    spec = importlib.util.spec_from_file_location("log_audit", MODULE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    plain = {
        name: {key: value for key, value in option.items() if key != "description"}
        for name, option in documented.items()
    }
    assert plain == module.ARGUMENTS


def test_suppressed_hits_are_counted_until_they_expire(run: Run, log: Path, tmp_path: Path) -> None:
    accepted = tmp_path / "accepted.yml"
    accepted.write_text(
        "- {id: a, rule: '*', owner: li.si, reason: a test, expires: 2026-03-01, match: {c-ip: 203.*}}\n"
    )
    options = {"paths": [str(log)], "suppressions": [str(accepted)]}
    before = run(**options, today="2026-03-01")["report"]
    assert (before["hits"], before["counts"]["suppressed"]) == ([], 1)
    after = run(**options, today="2026-03-02")["report"]
    assert len(after["hits"]) == 1
    assert after["suppressions"][0]["expired"] is True


def test_data_logs_are_read_by_their_map(run: Run, tmp_path: Path) -> None:
    (tmp_path / "map.yml").write_text(
        "product: p\nmatch: '*.csv'\ntime: {column: t}\ncolumns: {u: user}\n"
    )
    (tmp_path / "a.csv").write_text("t,u\n2026-01-05 10:00:00,anna\n")
    result = run(paths=[str(tmp_path / "a.csv")], schemas=[str(tmp_path / "map.yml")])
    assert result["report"]["sources"][0]["kind"] == "data"


def test_a_report_for_a_file_alone_is_counted_and_bounded(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "u_ex260105.log"
    lines = LOG.splitlines()
    log.write_text("\n".join([*lines[:2], *[lines[1]] * 4]) + "\n")
    dest = tmp_path / "report.json"
    result = run(paths=[str(log)], hits_per_rule=2, dest=str(dest), summary_only=True)
    assert "report" not in result
    assert result["counts"]["hits"] == 5
    assert len(json.loads(dest.read_bytes())["hits"]) == 2
    assert "hits_per_rule" in run(paths=[str(log)], hits_per_rule=0)["msg"]
    assert "summary_only" in run(paths=[str(log)], summary_only=True)["msg"]

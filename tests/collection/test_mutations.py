"""Any task of the log roles broken shows: in what is handed over, on the host, or here.

Every host of a small lab is the same and runs its own copy of the roles, all in one run, and once
before in check mode. What the whole roles tell is stated; a broken copy must differ in what it breaks.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.collection.mutants import (
    HELD,
    PROJECT,
    REHEARSAL,
    RUN,
    WHOLE,
    Mutant,
    hosts,
    write,
)
from tests.e2e.conftest import Lab

from opsproof.collection.hold import hold

pytestmark = pytest.mark.e2e

PLAY = """
- hosts: all
  gather_facts: false
  strategy: ansible.builtin.free
  vars:
    log_collection_store: "{{ folder }}/{{ inventory_hostname }}"
    log_audit_store: "{{ folder }}/{{ inventory_hostname }}"
    log_collection_data: [{name: sign, folder: 'C:\\Sign', pattern: sign_*.csv, schema: sign-verify.yml}]
    log_audit_suppressions: ["{{ folder }}/accepted.yml"]
    log_audit_computer_aliases: {OLDNAME: NEWNAME}
  tasks:
    - ansible.builtin.include_role: {name: "log_collection_{{ inventory_hostname }}"}
    - ansible.builtin.include_role: {name: "log_audit_{{ inventory_hostname }}"}
"""
FIELDS = "#Fields: date time s-computername c-ip cs-method cs-uri-stem cs-uri-query sc-status\r\n"
ATTACK = "id=1'+union+select+1"
ACCEPTED = {
    "id": "scanner", "rule": "*", "match": {"c-ip": "203.0.113.7"}, "owner": "li.si",
    "reason": "our own scanner", "expires": "2099-12-31",
}  # fmt: skip

Seen = dict[str, Any]


def web_log(now: datetime) -> str:
    """One request long ago, an attack that is accepted, one that is not."""
    lines = [
        (timedelta(hours=40), "203.0.113.9", "-"),
        (timedelta(hours=2), "203.0.113.7", ATTACK),
        (timedelta(hours=1), "203.0.113.9", ATTACK),
    ]
    return FIELDS + "".join(
        f"{now - ago:%Y-%m-%d %H:%M:%S} OLDNAME {client} GET /a.asp {query} 500\r\n"
        for ago, client, query in lines
    )


def data_log(now: datetime) -> str:
    """One verification that failed."""
    local = now + timedelta(hours=8 - 1)
    return (
        "时间,系统,操作,结果,错误,密钥,用户,来源,文件大小,耗时\r\n"
        f"{local:%Y-%m-%d %H:%M:%S},阅卷,验签,失败,签名值不匹配,K-1,zhou,10.20.0.41,12,35\r\n"
    )


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    found = Lab(tmp_path_factory.mktemp("log-mutants"))
    now = datetime.now(UTC)
    name = f"u_ex{now - timedelta(hours=1):%y%m%d}.log"
    (found.root / name).write_text(web_log(now))
    names = sorted({*hosts(RUN), *hosts(REHEARSAL)})
    host = {
        "role": "web",
        "iis": {"sites": [{"name": "Exam", "bindings": [{"port": 8080}], "w3c": [name]}]},
        "files": [{"path": r"C:\Sign\sign_1.csv", "encoding": "gb18030", "text": data_log(now)}],
    }
    estate = {"estate": 1, "name": "mutants", "hosts": [{"name": one, **host} for one in names]}
    (found.root / "estate.yml").write_text(yaml.safe_dump(estate, allow_unicode=True))
    shutil.copytree(
        PROJECT / "inventories/lab/group_vars", found.inventory / "group_vars", dirs_exist_ok=True
    )
    shutil.copy(PROJECT / "inventories/lab/winlab.py", found.inventory)
    (found.inventory / "hosts.yml").write_text(
        yaml.safe_dump({"windows": {"hosts": {one: {} for one in names}}})
    )
    up = found.run("winlab", "up", found.root / "estate.yml")
    assert up.returncode == 0, up.stderr
    yield found
    found.run("winlab", "down")


def played(lab: Lab, mutants: dict[str, Mutant], *options: str) -> dict[str, Seen]:
    """What a run of every host's own roles looks like."""
    folder = lab.root / ("check" if options else "run")
    folder.mkdir()
    write(folder / "roles", mutants)
    for host in HELD:
        hold(folder / host)
    (folder / "accepted.yml").write_text(yaml.safe_dump([ACCEPTED]))
    playbook = folder / "play.yml"
    playbook.write_text(PLAY)
    ran = lab.run(
        "ansible-playbook", "-f", "20", "-i", lab.inventory, playbook, *options,
        "--limit", ",".join(hosts(mutants)), "-e", json.dumps({"folder": str(folder)}),
        env={
            "ANSIBLE_ROLES_PATH": str(folder / "roles"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        },
    )  # fmt: skip
    begin = ran.stdout.find("{\n")
    assert begin >= 0, ran.stdout + ran.stderr
    told = json.loads(ran.stdout[begin:])
    handed: dict[str, dict[str, list[Any]]] = {
        host: {"log_collection": [], "log_audit": []} for host in hosts(mutants)
    }
    for play in told["plays"]:
        for task in play["tasks"]:
            for host, result in task["hosts"].items():
                observed = result.get("opsproof_evidence", {}).get("observations")
                if observed:
                    handed[host][observed[0]["activity"]].append(observed)
    models = lab.json("winlab", "dump")
    return {
        host: seen(handed[host], told["stats"][host], models[host], folder / host)
        for host in hosts(mutants)
    }


def seen(
    handed: dict[str, list[Any]], stats: dict[str, int], model: dict[str, Any], store: Path
) -> Seen:
    """What the roles did with one host, thing by thing."""
    files = [path.suffix for path in store.rglob("*") if path.is_file()] if store.exists() else []
    found: Seen = {
        "failed": stats["failures"],
        "changed": stats["changed"],
        "collection": len(handed["log_collection"]),
        "audit": len(handed["log_audit"]),
        "leftover": [path for path in model["files"]["changed"] if "opsproof" in path.lower()],
        "store": files.count(".cab"),
        "book": [path.parent.parent.name for path in store.rglob("home.json")],
        "raw": sum(files.count(suffix) for suffix in (".evtx", ".log", ".csv")),
    }
    for observations in handed["log_collection"]:
        [host] = [one for one in observations if one["subject"]["kind"] == "host"]
        found |= collected(host) | {"sites": len(observations) - 1}
    for [observation] in handed["log_audit"]:
        found |= audited(observation)
    return found


def collected(observation: Any) -> Seen:
    facts = observation["facts"]
    since = datetime.fromisoformat(facts["since"])
    return {
        "channels": len(facts["channels"]),
        "required": sum(one["required"] for one in facts["channels"]),
        "sources": sorted({one["kind"] for one in facts["sources"]}),
        "files": None if facts["files"] is None else sorted({f["kind"] for f in facts["files"]}),
        "left": facts["left_count"],
        "since": round((datetime.now(UTC) - since) / timedelta(hours=1)),
        "cabinets": len(observation["artifacts"]),
        "clock": observation["clock_offset_ms"] is not None,
    }


def audited(observation: Any) -> Seen:
    facts = observation["facts"]
    audit, rules, hits = facts["audit"], facts["rules"], facts["hits"]
    return {
        "report": [artifact["name"] for artifact in observation["artifacts"]],
        "unreadable": None if facts["unreadable"] is None else len(facts["unreadable"]),
        "accepted": facts["suppressions"] and facts["suppressions"]["hits"],
        "examined": audit and audit["records"] - audit["examined"],
        "titles": rules
        and sorted((r["title"], r["hits"]) for some in rules.values() for r in some),
        "computers": hits and sorted({hit["computer"] for hit in hits if hit["computer"]}),
    }


WHOLE_RUN: Seen = {
    "failed": 0,
    "changed": 0,
    "collection": 1,
    "audit": 1,
    "leftover": [],
    "store": 0,
    "book": [".unsealed"],
    "raw": 0,
    "channels": 11,
    "required": 7,
    "sources": ["archive", "data", "httperr", "iis"],
    "files": ["data", "events", "iis"],
    "left": 0,
    "since": 24,
    "cabinets": 1,
    "clock": True,
    "sites": 1,
    "report": ["log-audit.json"],
    "unreadable": 0,
    "accepted": 1,
    # The request of long ago was read and not looked at.
    "examined": 1,
    "titles": [("SQL injection in a request", 1), ("Verification of a signature failed", 1)],
    "computers": ["NEWNAME"],
}
WHOLE_REHEARSAL: Seen = {
    **WHOLE_RUN,
    **dict.fromkeys(
        ("files", "left", "unreadable", "accepted", "examined", "titles", "computers"), None
    ),
    "book": [],
    "cabinets": 0,
    "report": [],
}


@pytest.fixture(scope="module")
def rehearsed(lab: Lab) -> dict[str, Seen]:
    """Before anything has run: check mode has to find its way alone."""
    return played(lab, REHEARSAL, "--check")


@pytest.fixture(scope="module")
def run(lab: Lab, rehearsed: dict[str, Seen]) -> dict[str, Seen]:
    assert rehearsed
    return played(lab, RUN)


def test_the_whole_roles_do_what_they_should(
    rehearsed: dict[str, Seen], run: dict[str, Seen]
) -> None:
    assert rehearsed[WHOLE] == WHOLE_REHEARSAL
    assert run[WHOLE] == WHOLE_RUN


def unlike(found: Seen, whole: Seen) -> set[str]:
    return {name for name in whole if found.get(name) != whole[name]}


@pytest.mark.parametrize("host", hosts(RUN)[1:])
def test_broken_tasks_show_in_what_they_break(run: dict[str, Seen], host: str) -> None:
    shows = [mutant.shows for mutant in RUN.values() if mutant.host == host]
    assert unlike(run[host], WHOLE_RUN) == frozenset().union(*shows), run[host]


@pytest.mark.parametrize("host", hosts(REHEARSAL)[1:])
def test_a_task_that_is_broken_in_check_mode_shows(rehearsed: dict[str, Seen], host: str) -> None:
    [mutant] = [mutant for mutant in REHEARSAL.values() if mutant.host == host]
    assert mutant.shows <= unlike(rehearsed[host], WHOLE_REHEARSAL), rehearsed[host]

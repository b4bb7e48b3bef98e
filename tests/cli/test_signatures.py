"""What the verb prints, and ends with, from the first look to the way back."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner, Result
from tests.cli.correcting import base, gate, invoke, items
from tests.signatures import tickets

from opsproof.cli.main import cli
from opsproof.errors import ExitCode, OpsproofError, UsageError
from opsproof.run.gates import load_ticket
from opsproof.signatures.certificates import load
from opsproof.signatures.model import key_digest
from opsproof.signatures.plan import load_plan
from opsproof.signatures.simulate import Drill
from opsproof.signatures.ticket import signer_of, ticket_bytes


def test_from_the_first_look_to_the_way_back(drill: Drill) -> None:
    planned = invoke(drill, "plan", *base(drill), "--format", "json")
    assert planned.return_value == ExitCode.FINDINGS
    summary = items(planned)["summary"]
    plan = load_plan(drill.folder / "work/plan.jsonl")
    assert summary["plan_sha256"] == plan.sha256
    assert invoke(drill, "verify").return_value == ExitCode.FINDINGS

    words = gate(drill, plan.sha256)
    applied = invoke(drill, "apply", *words, "--format", "json")
    assert applied.return_value == ExitCode.OK
    assert items(applied)["summary"]["written"] == summary["to_write"]
    verified = invoke(drill, "verify")
    assert verified.return_value == ExitCode.OK
    assert verified.stdout == (
        f"plan {plan.sha256}: {summary['to_write']} hold, 0 are as before, 0 are other\n"
    )
    key = ["--bureau-key", str(drill.folder / "keys/bureau.key")]
    assert invoke(drill, "rollback", *words, *key).return_value == ExitCode.OK
    assert invoke(drill, "verify").return_value == ExitCode.FINDINGS


def test_every_long_step_says_how_far_it_is(drill: Drill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opsproof.cli.bar.EVERY", 0.0)

    def last(verb: str, *words: str) -> str:
        told = invoke(drill, verb, *words, quiet=False)
        assert told.exception is None
        line, _, _ = told.stderr.splitlines()[-1].partition(",")
        return line

    assert last("plan", *base(drill)) == "30 of 30 records"
    plan = load_plan(drill.folder / "work/plan.jsonl")
    count = plan.footer.actions["write"]
    words = gate(drill, plan.sha256)
    script = ["--script", str(drill.folder / "out.sql")]
    back = [*words, "--bureau-key", str(drill.folder / "keys/bureau.key")]
    of_all = f"{count} of {count} records"
    assert last("apply", *words, *script) == of_all
    assert last("rollback", *back, *script) == of_all
    assert last("apply", *words) == of_all
    assert last("verify") == of_all
    assert last("rollback", *back) == f"{2 * count} of {2 * count} steps"
    assert re.fullmatch(r"([1-9]\d*) of \1 records", last("link", *logs(drill)))
    assert isinstance(invoke(drill, "verify", "--workers", "2").exception, click.NoSuchOption)


def test_a_key_that_no_signature_speaks_of_is_told(drill: Drill) -> None:
    result = invoke(drill, "analyse", "--format", "json")
    assert result.stderr == ""
    path = drill.folder / "profile.yml"
    profile = yaml.safe_load(path.read_text())
    profile["fields"] = [one for one in profile["fields"] if one["name"] != "id"]
    profile["variants"] = {}
    path.write_text(yaml.safe_dump(profile))
    result = invoke(drill, "analyse", "--format", "json")
    assert result.stderr.startswith("note: no signature speaks of the key (id): ")
    assert items(result)


def test_the_table_names_every_class(drill: Drill) -> None:
    result = invoke(drill, "analyse", *base(drill))
    assert result.return_value == ExitCode.FINDINGS
    assert all(name in result.stdout for name in drill.counts)


def test_of_many_bad_rows_the_first_are_named_and_all_can_be_seen(
    drill: Drill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsproof.signatures.analyse.SHOWN", 2)
    with (drill.folder / "base.csv").open("r+", encoding="utf-8") as stream:
        line = len(list(stream)) + 1
        stream.write("=1\n" * 5)
    rows = [f"base.csv:{line + number}: has 1 cells instead of 10" for number in range(5)]
    result = invoke(drill, "plan", *base(drill))
    said = [line for line in result.stdout.splitlines() if "not taken" in line]
    more = "3 rows more: opsproof signatures show --bad-rows"
    assert said == [f"base data not taken: {one}" for one in [*rows[:2], more]]
    header = load_plan(drill.folder / "work/plan.jsonl").header
    assert (header.bad_base_rows, len(header.bad_rows)) == (5, 2)

    def show(*words: str) -> Result:
        words = ("show", "--work", str(drill.folder / "work"), "--bad-rows", *words)
        return CliRunner().invoke(cli, ["signatures", *words], standalone_mode=False)

    assert show().stdout.splitlines() == rows
    found = list(csv.DictReader(show("--format", "csv").stdout.splitlines()))
    assert [f"{row['where']}: {row['what']}" for row in found] == rows
    told = items(show("--format", "json"))
    assert (told["summary"], told["items"]) == ({"bad_base_rows": 5}, found)
    assert isinstance(show("--action", "write").exception, UsageError)


def test_a_script_instead_of_storing(drill: Drill) -> None:
    invoke(drill, "plan", *base(drill))
    plan = load_plan(drill.folder / "work/plan.jsonl")
    before = (drill.folder / "records.db").read_bytes()
    path = drill.folder / "out.sql"
    result = invoke(drill, "apply", *gate(drill, plan.sha256), "--script", str(path))
    assert result.return_value == ExitCode.OK
    assert result.stdout == (
        f"{path}: {plan.footer.actions['write']} records of plan {plan.sha256}\n"
    )
    assert (drill.folder / "records.db").read_bytes() == before


def test_two_workers_find_the_same(drill: Drill) -> None:
    one = items(invoke(drill, "analyse", *base(drill), "--format", "json"))["summary"]
    two = items(invoke(drill, "analyse", *base(drill), "--format", "json", "--workers", "2"))[
        "summary"
    ]
    assert one == two


def test_a_plan_is_shown_to_those_who_approve_it(drill: Drill) -> None:
    invoke(drill, "plan", *base(drill))
    plan = load_plan(drill.folder / "work/plan.jsonl")

    def show(*words: str) -> str:
        words = ("signatures", "show", "--work", str(drill.folder / "work"), *words)
        result = CliRunner().invoke(cli, words, standalone_mode=False)
        assert result.return_value == ExitCode.OK
        return result.stdout

    table = show()
    assert f"SHA-256 {plan.sha256}" in table
    assert f"write {plan.footer.actions['write']}" in table
    rows = list(csv.DictReader(show("--format", "csv").splitlines()))
    entries = list(plan.entries())
    assert [row["key"] for row in rows] == [str(one.key[0]) for one in entries]
    assert [json.loads(row["changes"] or "{}") for row in rows] == [one.changes for one in entries]
    written = json.loads(show("--format", "json", "--action", "write"))
    assert len(written["items"]) == plan.footer.actions["write"]
    assert written["summary"]["plan_sha256"] == plan.sha256
    one = rows[0]["class"]
    chosen = list(csv.DictReader(show("--class", one, "--format", "csv").splitlines()))
    assert chosen == [row for row in rows if row["class"] == one]


def logs(drill: Drill) -> list[str]:
    folder = drill.folder
    words = ["--log", str(folder / "sign_interface.csv"), "--log-encoding", "gb18030"]
    return [*words, "--log-patterns", str(folder / "log-patterns.yml")]


def test_log_lines_are_linked_to_their_records(drill: Drill) -> None:
    invoke(drill, "analyse", *base(drill))
    wrong = next(one for one in drill.truth if one.record_class.value == "missing-signature")
    result = invoke(drill, "link", *logs(drill), "--format", "json")
    assert result.return_value == ExitCode.FINDINGS
    found = items(result)
    digest = key_digest((wrong.key,))
    linked = [one for one in found["items"] if one["record"] == digest]
    assert {(one["kind"], one["record_class"]) for one in linked} == {
        ("signing-failed", "missing-signature"),
        ("verification-failed", "missing-signature"),
    }
    printed = invoke(drill, "link", *logs(drill))
    assert f"record {digest}: wrong (missing-signature)" in printed.stdout
    missing = invoke(drill, "link")
    assert isinstance(missing.exception, OpsproofError)
    assert missing.exception.exit_code == ExitCode.USAGE


def test_simulate_counts_what_it_made(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        cli,
        ["signatures", "simulate", str(tmp_path / "d"), "--records", "20", "--family", "ecdsa"],
        standalone_mode=False,
    )
    assert result.return_value == ExitCode.OK
    assert sum(int(line.split()[0]) for line in result.stdout.splitlines()) == 20
    assert len((tmp_path / "d/truth.jsonl").read_text().splitlines()) == 20


@pytest.mark.parametrize(
    "verb", ["analyse", "plan", "show", "apply", "rollback", "verify", "simulate", "link"]
)
def test_every_verb_has_help(verb: str) -> None:
    result = CliRunner().invoke(cli, ["signatures", verb, "--help"])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 4


def test_a_ticket_is_signed_with_openssl_and_nothing_of_ours(drill: Drill) -> None:
    invoke(drill, "plan", *base(drill))
    plan = load_plan(drill.folder / "work/plan.jsonl")
    folder, runner = drill.folder, CliRunner()
    path = folder / "own.yml"
    tickets.save(path, tickets.ticket(plan.sha256, now=drill.lab.now))
    words = gate(drill, plan.sha256)
    words[1] = str(path)
    assert isinstance(invoke(drill, "apply", *words).exception, OpsproofError)
    printed = runner.invoke(cli, ["signatures", "ticket", str(path)], standalone_mode=False)
    (folder / "bytes").write_bytes(printed.stdout_bytes)
    sign = ["openssl", "cms", "-sign", "-binary", "-in", "bytes", "-signer", "approvers.pem"]
    sign += ["-inkey", "approver.key", "-outform", "DER", "-out", "p7s"]
    subprocess.run(sign, cwd=folder, check=True)
    put = ["signatures", "ticket", str(path), "--signature", str(folder / "p7s")]
    assert runner.invoke(cli, put, standalone_mode=False).return_value == ExitCode.OK
    before = load_ticket(path)
    assert ticket_bytes(before) == (folder / "bytes").read_bytes()
    approvers = load(folder / "approvers.pem")
    assert signer_of(before, approvers, "x") == drill.lab.approver.certificate


def test_a_record_that_is_left_alone_can_be_found(drill: Drill) -> None:
    invoke(drill, "plan", *base(drill))
    plan = load_plan(drill.folder / "work/plan.jsonl")
    [changed] = next(plan.writes()).key
    with closing(sqlite3.connect(drill.folder / "records.db")) as records, records:
        records.execute("update \"exam score\" set note = 'changed' where id = ?", (changed,))
    words = gate(drill, plan.sha256)
    told = invoke(drill, "apply", *words)
    assert told.return_value == ExitCode.FINDINGS
    name = key_digest((changed,))
    assert f"\n  left alone: record {name}\n" in told.stdout
    assert items(invoke(drill, "apply", *words, "--format", "json"))["summary"]["left"] == [name]
    words = ["signatures", "show", "--work", str(drill.folder / "work"), "--format", "csv"]
    shown = CliRunner().invoke(cli, [*words, "--record", name], standalone_mode=False)
    assert [row["key"] for row in csv.DictReader(shown.stdout.splitlines())] == [str(changed)]


def test_an_older_plan_can_still_be_rolled_back_with_its_own_ticket(drill: Drill) -> None:
    invoke(drill, "plan", *base(drill))
    first = load_plan(drill.folder / "work/plan.jsonl").sha256
    words = gate(drill, first)
    assert invoke(drill, "apply", *words).return_value == ExitCode.OK
    invoke(drill, "plan", *base(drill))
    assert load_plan(drill.folder / "work/plan.jsonl").sha256 != first
    ticket = words[:2]
    assert invoke(drill, "verify", *ticket).stdout.startswith(f"plan {first}: ")
    assert invoke(drill, "verify", *ticket).return_value == ExitCode.OK
    key = ["--bureau-key", str(drill.folder / "keys/bureau.key")]
    back = invoke(drill, "rollback", *words, *key, "--format", "json")
    assert back.return_value == ExitCode.OK
    assert items(back)["summary"]["written"] > 0
    assert invoke(drill, "verify", *ticket).return_value == ExitCode.FINDINGS
    gate(drill, "0" * 64)
    nowhere = invoke(drill, "verify", *ticket)
    assert isinstance(nowhere.exception, UsageError)

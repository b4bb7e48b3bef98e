"""``opsproof audit``: what a person sees, and the exit code."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from opsproof.cli.audit import command
from opsproof.errors import ExitCode, OpsproofError, UsageError
from opsproof.logs import aside
from opsproof.logs.audit import Options, Step, audit
from opsproof.logs.parts import Part, Unit
from opsproof.logs.rules.load import compile_texts
from opsproof.workers import Work, Workers
from winlab.host.events import EventRecord
from winlab.host.evtx_writer import evtx_bytes

CLEAN = """\
#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status
2026-01-05 10:00:00 203.0.113.9 GET /b.asp - 200
"""
ATTACK = CLEAN + "2026-01-05 10:00:01 203.0.113.9 GET /a.asp id=1'+union+select+1 500\n"
DAMAGED = ATTACK + "2026-01-05 10:00:02 203.0.113.9 GET\n"


def run(*arguments: str | Path) -> tuple[ExitCode, Result]:
    result = CliRunner().invoke(
        command, [str(one) for one in arguments], standalone_mode=False, catch_exceptions=False
    )
    return result.return_value, result


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "W3SVC1_u_ex260105.log"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (CLEAN, ExitCode.OK),
        (ATTACK, ExitCode.FINDINGS),
        (DAMAGED, ExitCode.NOT_EVALUATED),
        ("", ExitCode.NOT_EVALUATED),
    ],
)
def test_exit_code_is_the_worst(log: Path, text: str, code: ExitCode) -> None:
    log.write_text(text)
    assert run(log)[0] is code


def test_a_full_disk_is_one_line_and_could_not_be_evaluated(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    log.write_text(CLEAN + CLEAN.splitlines()[1].replace(" 200", " 404\n") * 3)
    monkeypatch.setattr(aside, "_KEPT", 1)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OpsproofError, match="No space left on device") as error:
        run(log)
    assert error.value.exit_code is ExitCode.NOT_EVALUATED
    assert str(error.value).count("\n") == 0


def test_logs_that_are_not_whole_are_findings(tmp_path: Path) -> None:
    """Somebody who takes records out leaves nothing that a rule could hit."""
    made = [
        EventRecord(
            record_id=number,
            time_created=datetime(2026, 1, 5, 10, 0, number, tzinfo=UTC),
            provider="Service Control Manager",
            event_id=7036,
            channel="System",
            computer=computer,
        )
        for number, computer in ((1, "OLD"), (2, "NEW"), (4, "NEW"))
    ]
    log = tmp_path / "System.evtx"
    log.write_bytes(evtx_bytes(made))
    code, result = run(log, "--no-rules")
    assert code is ExitCode.FINDINGS
    assert "--alias OLD=NEW" in result.stdout
    log.write_bytes(evtx_bytes(made[:2]))
    assert "--alias OLD=NEW" in run(log, "--no-rules")[1].stdout
    code, result = run(log, "--no-rules", "--alias", "OLD=NEW")
    assert code is ExitCode.OK
    assert "--alias" not in result.stdout
    with pytest.raises(UsageError, match="old=: an alias needs"):
        run(log, "--alias", "OLD")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (CLEAN, "all 1 records are outside the time asked for (from 2030-01-01T00:00:00.000000Z): "
         "they are of 2026-01-05T10:00:00.000000Z to 2026-01-05T10:00:00.000000Z"),
        ("", "there is one file and every one is empty"),
        ("dear diary\n", "there is one file and none is a log that opsproof reads"),
        ("#Fields: date time\n", "there is one file and no record could be read"),
    ],
)  # fmt: skip
def test_what_was_not_looked_at_is_not_clean(log: Path, content: str, told: str) -> None:
    """An empty report that looks like a clean one would be believed."""
    log.write_text(content)
    code, result = run(log, "--since", "2030-01-01")
    assert code is ExitCode.NOT_EVALUATED
    assert f"NOTHING WAS AUDITED: {told}" in result.stdout.splitlines()
    _, result = run(log, "--since", "2030-01-01", "--format", "csv", "--quiet")
    assert result.stderr == f"NOTHING WAS AUDITED: {told}\n"
    _, result = run(log, "--since", "2030-01-01", "--format", "json")
    assert json.loads(result.stdout)["items"]["nothing"] == told


def test_a_folder_without_files_is_not_clean(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    code, result = run(tmp_path / "logs")
    assert code is ExitCode.NOT_EVALUATED
    assert "NOTHING WAS AUDITED: there is no file" in result.stdout.splitlines()


def test_damage_is_one_line_and_the_rest_is_audited(log: Path) -> None:
    log.write_text(DAMAGED)
    _, result = run(log)
    assert (
        "not read: W3SVC1_u_ex260105.log: offset 186, record 4, a line has 4 values, not 7"
        in result.stdout.splitlines()
    )
    assert "SQL injection in a request" in result.stdout


def test_progress_goes_to_stderr(log: Path) -> None:
    log.write_text(CLEAN)
    _, result = run(log)
    assert result.stderr == "1/1 W3SVC1_u_ex260105.log\n"
    assert "1/1" not in result.stdout
    assert run("--quiet", log)[1].stderr == ""


def test_json_is_the_envelope_of_all_verbs(log: Path) -> None:
    log.write_text(ATTACK)
    document = json.loads(run(log, "--format", "json")[1].stdout)
    assert list(document) == ["schema", "tool", "generated_at", "summary", "items"]
    assert document["schema"] == "audit/1"
    (hit,) = document["items"]["hits"]
    assert (hit["channel"], hit["record_id"]) == ("W3SVC1", 3)


def test_csv_has_a_row_a_hit_and_no_formulas(log: Path) -> None:
    log.write_text(ATTACK)
    rows = list(csv.DictReader(io.StringIO(run(log, "--format", "csv")[1].stdout)))
    assert [(row["record"], row["title"]) for row in rows] == [("3", "SQL injection in a request")]
    (hit,) = json.loads(run(log, "--format", "json")[1].stdout)["items"]["hits"]
    assert rows[0]["id"] == hit["id"]
    formula = log.with_name("=cmd.log")
    formula.write_text(ATTACK)
    assert "\n2026-01-05T10:00:01.000000Z,high,SQL injection in a request,,IIS,'=cmd.log,3," in (
        run(formula, "--format", "csv")[1].stdout
    )


def test_since_leaves_earlier_records_out(log: Path) -> None:
    later = "2026-01-05 10:00:02 203.0.113.9 GET /b.asp - 200\n"
    log.write_text(ATTACK + later)
    assert run(log, "--since", "2026-01-05T10:00:02Z")[0] is ExitCode.OK
    assert run(log, "--since", "2026-01-05T18:00:01+08:00")[0] is ExitCode.FINDINGS


def test_a_faulty_rule_is_told_and_counts_as_not_evaluated(log: Path, tmp_path: Path) -> None:
    log.write_text(CLEAN)
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "bad.yml").write_text("title: Bad\nlogsource: {category: webserver}\n")
    code, result = run(log, "--rules", rules)
    assert code is ExitCode.NOT_EVALUATED
    assert "not run: Bad: bad.yml: Sigma rule must have a detection definitions" in result.stdout


def test_rules_that_were_blind_in_a_file_are_told(log: Path, tmp_path: Path) -> None:
    log.write_text("#Fields: date time cs-uri-stem cs-host\n2026-01-05 10:00:02 /b.asp a\n")
    for name in ("u_ex260106.log", "u_ex260107.log"):
        log.with_name(name).write_text(f"{CLEAN}#Remark: {name}\n")
    rules = tmp_path / "rules.yml"
    rule = (
        "title: T{0}\nlogsource: {{product: iis}}\ndetection: {{s: {{cs-host: x}}, condition: s}}\n"
    )
    rules.write_text("---\n".join(rule.format(number) for number in range(12)))
    _, result = run(log.parent, "--rules", rules)
    lines = [line for line in result.stdout.splitlines() if line.startswith("blind: ")]
    assert len(lines) == 11
    assert all("no cs-host in " in line and line.endswith(" and 1 more") for line in lines[:10])
    assert lines[10] == "blind: 2 more rules (--format json names them)"


def test_rules_that_had_nothing_to_look_at_are_counted_by_why(log: Path, tmp_path: Path) -> None:
    log.write_text(CLEAN)
    rules = tmp_path / "rules.yml"
    rule = "title: T{0}\nlogsource: {{product: {1}}}\ndetection: {{s: {{{2}: x}}, condition: s}}\n"
    texts = [rule.format(1, "iis", "cs-host"), rule.format(2, "windows", "Image")]
    rules.write_text("---\n".join(texts))
    code, result = run(log, "--rules", rules)
    told = (
        "not run: 1 with no such log, 1 with no record with their fields (--format json names them)"
    )
    assert told in result.stdout.splitlines()
    assert "NOTHING WAS AUDITED: none of 2 rules has anything to look at here" in result.stdout
    assert code is ExitCode.NOT_EVALUATED
    rules.write_text("---\n".join([*texts, rule.format(3, "iis", "cs-method")]))
    assert run(log, "--rules", rules)[0] is ExitCode.OK
    assert run(log, "--no-rules")[0] is ExitCode.OK


def test_explain_shows_what_is_evaluated() -> None:
    code, result = run("--explain", "Scanning for pages")
    assert code is ExitCode.OK
    assert "value_count of cs-uri-stem >= 20" in result.stdout
    assert "页面扫描" in result.stdout


def test_explain_of_an_unknown_rule_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="there is no such rule"):
        run("--explain", "no such rule")


def test_nothing_to_audit_is_a_usage_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [])
    assert result.exit_code == ExitCode.USAGE
    with pytest.raises(UsageError, match="no such file or folder"):
        run(tmp_path / "none")


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-05T10:00:00+99:00",
        "2026-01-05T10:00:61",
        "0001-01-01T00:00:00+08:00",
        "9999-12-31T23:00:00-08:00",
    ],
)
def test_a_time_that_no_clock_shows_is_a_usage_error(log: Path, time: str) -> None:
    log.write_text(CLEAN)
    with pytest.raises(click.BadParameter, match="is no time such as"):
        run(log, "--since", time)


def test_wrong_time_is_a_usage_error(log: Path) -> None:
    result = CliRunner().invoke(command, [str(log), "--since", "yesterday"])
    assert result.exit_code == ExitCode.USAGE
    assert "'yesterday' is no time such as 2026-11-22" in result.output


def test_help_has_an_example_and_the_exit_codes() -> None:
    text = CliRunner().invoke(command, ["--help"]).output
    assert "opsproof audit events.evtx" in text
    assert "Ends with 0" in text


def test_statistics_of_web_logs_are_shown_with_and_without_rules(log: Path) -> None:
    log.write_text(ATTACK)
    line = "web: 2 requests of 1 clients for 2 paths; 2xx 1, 5xx 1; GET 2"
    assert line in run(log)[1].stdout.splitlines()
    code, result = run(log, "--no-rules")
    assert (code, line in result.stdout.splitlines()) == (ExitCode.OK, True)
    assert "web: answered with 5xx: /a.asp 1" in result.stdout
    traffic = json.loads(run(log, "--no-rules", "--format", "json")[1].stdout)["items"]["traffic"]
    assert traffic["requests"] == 2


def test_no_rules_and_rules_exclude_each_other(log: Path) -> None:
    log.write_text(CLEAN)
    with pytest.raises(click.UsageError, match="exclude each other"):
        run(log, "--no-rules", "--rules", log)


def test_a_baseline_accepts_what_is_there_and_the_next_audit_is_quiet(
    log: Path, tmp_path: Path
) -> None:
    log.write_text(ATTACK)
    file = tmp_path / "accepted.yml"
    who = ("--owner", "li.si", "--reason", "test page", "--expires", tomorrow())
    code, result = run(log, "--quiet", "--write-baseline", file, *who)
    assert code is ExitCode.OK
    assert f"{file}: 1 entries accept 1 hits until {tomorrow()}" in result.stderr
    code, result = run(log, "--quiet", "--suppress", file)
    assert code is ExitCode.OK
    assert "0 hits, 1 suppressed" in result.stdout


def tomorrow() -> str:
    return f"{datetime.now(UTC).date() + timedelta(days=1)}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--write-baseline", "b.yml"], "--write-baseline needs --owner, --reason, --expires"),
        (["--write-baseline", "b.yml", "--owner", "x", "--reason", "y"], "needs --expires"),
        (["--owner", "x"], "belong to --write-baseline"),
    ],
)
def test_a_baseline_without_owner_reason_or_expiry_is_refused(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    log.write_text(ATTACK)
    with pytest.raises(click.UsageError, match=message):
        run(log, *options)
    assert not (tmp_path / "b.yml").exists()


def test_a_baseline_that_is_there_is_not_overwritten(log: Path, tmp_path: Path) -> None:
    log.write_text(ATTACK)
    file = tmp_path / "accepted.yml"
    file.write_text("- mine\n")
    who = ("--owner", "li.si", "--reason", "test page", "--expires", tomorrow())
    with pytest.raises(click.UsageError, match="is there already"):
        run(log, "--write-baseline", file, *who)


def test_a_baseline_for_no_folder_is_refused_before_anything_is_read(
    log: Path, tmp_path: Path
) -> None:
    who = ("--owner", "li.si", "--reason", "test page", "--expires", tomorrow())
    with pytest.raises(click.UsageError, match="there is no folder"):
        run(log, "--write-baseline", tmp_path / "gone" / "accepted.yml", *who)


def test_the_rules_that_hit_are_summed_up_worst_first(log: Path) -> None:
    log.write_text(ATTACK)
    _, result = run(log, "--quiet")
    assert "high: 1 SQL injection in a request" in result.stdout.splitlines()


def test_without_a_terminal_progress_is_a_line_a_file(log: Path) -> None:
    log.write_text(CLEAN)
    _, result = run(log)
    assert result.stderr == f"1/1 {log.name}\n"
    assert run(log, "--quiet")[1].stderr == ""


def test_no_thread_shows_progress_yet_when_worker_processes_are_begun(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process with threads is not copied: each worker would be a fresh interpreter."""
    begun: list[set[threading.Thread]] = []
    before = set(threading.enumerate())

    class Noted(Workers[Unit, Part]):
        def __init__(self, work: Work[Unit, Part], count: int) -> None:
            begun.append(set(threading.enumerate()) - before)
            super().__init__(work, min(count, 0))

    monkeypatch.setattr("opsproof.logs.audit.Workers", Noted)
    monkeypatch.setattr("opsproof.logs.audit.SIDE_BY_SIDE", 1)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    log.write_text(CLEAN)
    _, result = run(log, "--processes", "2", "--no-rules")
    assert begun == [set()]
    assert "reading rules" in result.stderr
    assert f"1/1 {log.name}" in result.stderr


def test_progress_goes_on_while_files_are_examined(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.log").write_text(
            CLEAN + f"2026-01-05 10:00:00 ::1 GET /{name} - 200\n" * 99
        )
    steps: list[Step] = []
    options = Options(processes=1, part_bytes=1000)
    audit([tmp_path], compile_texts([]), options=options, progress=steps.append)
    size = (tmp_path / "a.log").stat().st_size
    assert [step.done for step in steps if step.unit == "files"] == [1, 2]
    done = [step.done for step in steps if step.unit == "bytes"]
    assert len(done) > 4
    assert done == sorted(done)
    assert done[-1] == 2 * size == steps[-1].total


def test_a_time_that_ends_before_it_begins_is_a_usage_error(log: Path) -> None:
    log.write_text(CLEAN)
    with pytest.raises(click.UsageError, match="not before"):
        run(log, "--since", "2026-01-06", "--until", "2026-01-05")


def test_the_table_cuts_neither_times_nor_files(log: Path, tmp_path: Path) -> None:
    long = tmp_path / ("of_a_server_with_a_long_name_" * 4)
    long.mkdir()
    (long / log.name).write_text(ATTACK)
    text = run(long, "--quiet")[1].stdout
    assert "…" not in text
    assert "2026-01-05T10:00:01" in text


def test_a_name_commands_no_terminal(log: Path, tmp_path: Path) -> None:
    folder = tmp_path / "e\x1b[31mvil"
    folder.mkdir()
    (folder / log.name).write_text(DAMAGED)
    _, result = run(folder)
    assert "\x1b" not in result.stdout + result.stderr
    assert "\ufffd[31mvil" in result.stdout
    assert "\ufffd[31mvil" in result.stderr

from __future__ import annotations

import re
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from opsproof.cli import run as verb
from opsproof.cli.progress import Progress, Screen
from opsproof.errors import ExitCode
from opsproof.evidence.keys import KeysError
from opsproof.evidence.ledger import Head
from opsproof.evidence.model import (
    Finding,
    MissedItem,
    Outcome,
    Run,
    RunHost,
    Severity,
    State,
    Subject,
    SubjectKind,
)
from opsproof.run.account import exit_code
from opsproof.run.events import HostResult, Tally
from opsproof.run.perform import Performed

RUN = Run(
    id="20261122T091500Z-daily-7f3a",
    kind="daily",
    inventory="inventories/lab",
    playbook="playbooks/daily.yml",
    started_at="2026-11-22T09:15:00Z",
    finished_at="2026-11-22T09:16:00Z",
    evaluated_at="2026-11-22T09:16:00Z",
    status="completed",
    rc=0,
    operator="x",
    host="y",
    hosts={
        "app-01": RunHost(outcome=Outcome.OK, planned=True, seen=True),
        "app-02": RunHost(outcome=Outcome.UNREACHABLE, planned=True, seen=True, reason="timed out"),
        "sql-01": RunHost(
            outcome=Outcome.SKIPPED, planned=False, seen=False, reason="no play targets it"
        ),
    },
)


def finding(state: State, host: str = "app-01") -> Finding:
    return Finding(
        id="FND-1",
        run=RUN.id,
        control="INS-1",
        control_sha256="0" * 64,
        severity=Severity.HIGH,
        subject=Subject(kind=SubjectKind.HOST, id=host, host=host),
        state=state,
        expected=None,
        observed=None,
    )


def healthy(**changes: Any) -> Run:
    return msgspec.structs.replace(RUN, **{"hosts": {"app-01": RUN.hosts["app-01"]}, **changes})


@pytest.mark.parametrize(
    ("run", "states", "code"),
    [
        (healthy(), [State.PASS, State.WAIVED, State.NOT_APPLICABLE], ExitCode.OK),
        (healthy(), [], ExitCode.OK),
        (healthy(), [State.PASS, State.FAIL], ExitCode.FINDINGS),
        (healthy(missed=(MissedItem(item="a", due_at="b"),)), [State.PASS], ExitCode.FINDINGS),
        (healthy(), [State.FAIL, State.ERROR], ExitCode.NOT_EVALUATED),
        (healthy(), [State.NOT_COLLECTED], ExitCode.NOT_EVALUATED),
        (healthy(status="aborted"), [State.PASS], ExitCode.NOT_EVALUATED),
        (healthy(hosts={}), [], ExitCode.NOT_EVALUATED),
        (RUN, [State.PASS], ExitCode.NOT_EVALUATED),
    ],
)
def test_the_exit_code_is_the_worst(run: Run, states: list[State], code: ExitCode) -> None:
    assert exit_code(run, [finding(state) for state in states]) is code


def done(**changes: Any) -> Performed:
    fields: dict[str, Any] = {
        "run": RUN,
        "findings": [
            finding(State.PASS),
            finding(State.FAIL),
            finding(State.NOT_COLLECTED, "app-02"),
        ],
        "observations": [],
        "results": {"app-01": HostResult(Outcome.OK, "", True, 4321, 0)},
        "errors": [],
        "bundle": Path("reports/runs") / RUN.id,
        "head": Head(7, "ab" * 32),
        "code": ExitCode.NOT_EVALUATED,
    }
    return Performed(**{**fields, **changes})


def test_the_end_of_a_run_is_one_line_a_host_then_how_to_verify(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = msgspec.structs.replace(
        RUN, missed=(MissedItem(item="w@2026-11-20", due_at="x", reason="no full run of w by y"),)
    )
    verb._tell(done(run=run))
    assert capsys.readouterr().out.splitlines() == [
        "app-02  unreachable    0 observations  1 not-collected  0.0 s  (timed out)",
        "app-01  ok             0 observations  1 fail 1 pass  4.3 s",
        "not targeted: 1 more in the inventory",
        "due and not run: w@2026-11-20, no full run of w by y",
        "total   hosts: 1 unreachable, 1 ok; findings: 1 pass, 1 fail, 1 not-collected",
        f"bundle  reports/runs/{RUN.id}",
        f"head    7:{'ab' * 32}",
        f"verify  opsproof verify reports --head 7:{'ab' * 32}",
        f"        or without this tool: see reports/runs/{RUN.id}/README.md",
    ]


def test_what_counts_for_nothing_says_so_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    run = msgspec.structs.replace(RUN, check=True, limit="web*", retry_of="earlier", ticket="CHG-7")
    verb._tell(done(run=run))
    assert [line for line in capsys.readouterr().out.splitlines() if "satisfies" in line] == [
        "check mode: nothing was changed, and the run satisfies no due item",
        "limited to web*: the run satisfies no due item",
        "a retry of earlier: the run satisfies no due item",
    ]


def test_an_interrupted_run_names_no_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    verb._tell(done(bundle=None, head=None, errors=["killed"]))
    captured = capsys.readouterr()
    assert "bundle" not in captured.out
    assert captured.err.splitlines() == [
        "ansible: killed",
        f"interrupted: {RUN.id} is not sealed; the next run reports it",
    ]


def test_the_summary_for_machines_says_the_same() -> None:
    summary = verb._summary(done())
    assert summary["hosts"] == {"ok": 1, "unreachable": 1, "skipped": 1}
    assert summary["findings"] == {"pass": 1, "fail": 1, "not-collected": 1}
    assert (summary["exit_code"], summary["head"]) == (3, f"7:{'ab' * 32}")


def test_help_shows_an_example_and_every_exit_code() -> None:
    text = CliRunner().invoke(verb.command, ["--help"]).output
    assert "opsproof run daily --retry 20261122T091500Z-daily-7f3a" in text
    flat = " ".join(text.split())
    for code in (
        "0 nothing wrong",
        "1 findings",
        "2 usage",
        "3 something",
        "4 refused",
        "130 inter",
    ):
        assert code in flat


def event(name: str, host: str, **data: Any) -> dict[str, Any]:
    return {"event": name, "event_data": {"host": host, "task": "Look", "res": {}, **data}}


def feed(progress: Progress, tally: Tally, *events: dict[str, Any]) -> None:
    for one in events:
        progress.event(tally, tally.feed(one))


def test_without_a_terminal_progress_is_plain_lines_with_times() -> None:
    out = StringIO()
    console = Console(file=out, force_terminal=False, width=200)
    moment = datetime(2026, 11, 22, 9, 15, tzinfo=UTC)
    progress, tally = Progress(console, now=lambda: moment), Tally(RUN.id)
    progress._planned = 2
    feed(
        progress,
        tally,
        {"event": "playbook_on_task_start", "event_data": {"task": "Look"}},
        event("runner_on_ok", "app-01"),
        event("runner_on_unreachable", "app-02", res={"msg": "timed out [x]"}),
        {"event": "playbook_on_task_start", "event_data": {"task": "Hand over"}},
    )
    lines = out.getvalue().splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d  ", line) for line in lines)
    assert [line[10:] for line in lines] == [
        "0/2 hosts seen  Look",
        "app-02: unreachable: timed out [x]",
        "2/2 hosts seen, 1 unreachable  Hand over",
    ]


def test_the_screen_shows_who_is_at_work_and_who_is_in_trouble() -> None:
    progress, tally = Progress(Console(file=StringIO(), width=120)), Tally(RUN.id)
    progress._planned = 3
    feed(
        progress,
        tally,
        event("runner_on_start", "app-01"),
        event("runner_on_ok", "app-02"),
        event("runner_on_failed", "app-03", res={"msg": "boom"}),
    )
    out = StringIO()
    Console(file=out, width=120).print(progress.screen())
    text = out.getvalue()
    assert re.search(r"app-01\s+Look\s+0 s", text)
    assert re.search(r"app-03\s+failed: Look: boom", text)
    assert "app-02" not in text
    assert "3/3 hosts seen, 1 failed" in text


def test_a_large_fleet_does_not_flood_the_screen() -> None:
    progress, tally = Progress(Console(file=StringIO(), width=120)), Tally(RUN.id)
    feed(progress, tally, *(event("runner_on_start", f"h{n:04}") for n in range(2200)))
    table = progress.table()
    assert table.row_count == 20
    assert table.caption == "and 2180 more"


def test_keys_that_are_named_and_missing_are_not_replaced_by_demonstration_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPSPROOF_KEYS", str(tmp_path / "none"))
    with pytest.raises(KeysError):
        verb._keys(tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.delenv("OPSPROOF_KEYS")
    assert verb._keys(tmp_path).demo


def test_progress_goes_silent_when_nobody_reads_it() -> None:
    class Gone(StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    progress = Progress(Screen(file=Gone(), width=80))
    progress.note("one")
    progress.note("two")

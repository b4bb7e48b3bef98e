from __future__ import annotations

from typing import Any

import msgspec
import pytest

from opsproof.evidence.ids import content_id
from opsproof.evidence.model import Observation, Outcome, Subject, SubjectKind
from opsproof.run.events import HostResult, Tally, result_of

RUN = "20261122T091500Z-daily-7f3a"


def event(name: str, host: str = "h1", **data: Any) -> dict[str, Any]:
    base = {
        "host": host,
        "task": "Look",
        "task_action": "ansible.windows.win_shell",
        "duration": 0.25,
    }
    return {"event": name, "stdout": "", "event_data": {**base, **data}}


def observation(run: str = RUN, text: str = "x") -> dict[str, Any]:
    draft = Observation(
        id="",
        run=run,
        activity="probe",
        subject=Subject(kind=SubjectKind.HOST, id="h1", host="h1"),
        collected_at="2026-11-22T09:15:00Z",
        clock_offset_ms=0,
        collector="probe/1",
        facts={"text": text},
    )
    built: dict[str, Any] = msgspec.to_builtins(
        msgspec.structs.replace(draft, id=content_id("OBS", draft))
    )
    return built


def evidence(*records: dict[str, Any], **result: Any) -> dict[str, Any]:
    value = {"opsproof_evidence": {"observations": list(records), "files": []}, **result}
    return event("runner_on_ok", task="Hand over", task_action="evidence", res=value)


def outcome(*events: dict[str, Any], planned: bool = True) -> HostResult:
    tally = Tally(RUN)
    for one in events:
        tally.feed(one)
    return result_of(tally.hosts.get("h1"), planned=planned)


OK = event("runner_on_ok", res={"changed": False})
CHANGED = event("runner_on_ok", res={"changed": True})
SKIPPED = event("runner_on_skipped")
FAILED = event("runner_on_failed", res={"msg": "no such service"}, ignore_errors=None)
IGNORED = event("runner_on_failed", res={"msg": "no such service"}, ignore_errors=True)
AWAY = event("runner_on_unreachable", res={"msg": "timed out", "unreachable": True})
STATS = {"event": "playbook_on_stats", "event_data": {"rescued": {"h1": 1}}}


@pytest.mark.parametrize(
    ("events", "expected", "reason"),
    [
        ([OK], Outcome.OK, ""),
        ([OK, CHANGED, OK], Outcome.CHANGED, ""),
        ([SKIPPED], Outcome.SKIPPED, "every task was skipped"),
        ([OK, SKIPPED], Outcome.OK, ""),
        ([OK, FAILED], Outcome.FAILED, "Look: no such service"),
        ([CHANGED, AWAY], Outcome.UNREACHABLE, "timed out"),
        ([AWAY, OK], Outcome.UNREACHABLE, "timed out"),
        ([AWAY, OK, FAILED], Outcome.FAILED, "timed out; Look: no such service"),
        (
            [IGNORED, OK],
            Outcome.FAILED,
            "Look: no such service (ignored by the playbook)",
        ),
        ([FAILED, OK, STATS], Outcome.OK, "failed-rescued; Look: no such service"),
        ([FAILED, CHANGED, STATS], Outcome.CHANGED, "failed-rescued; Look: no such service"),
        (
            [FAILED, FAILED, STATS],
            Outcome.FAILED,
            "failed-rescued; Look: no such service; Look: no such service",
        ),
        ([event("runner_on_start")], Outcome.FAILED, "not collected: the run never got to it"),
        ([], Outcome.FAILED, "not collected: the run never got to it"),
    ],
)
def test_the_outcome_of_a_host(
    events: list[dict[str, Any]], expected: Outcome, reason: str
) -> None:
    result = outcome(*events)
    assert (result.outcome, result.reason) == (expected, reason)


def test_a_host_that_no_play_targets_is_skipped_and_not_seen() -> None:
    assert outcome(planned=False) == HostResult(Outcome.SKIPPED, "no play targets it", False, 0, 0)


def test_seconds_are_those_of_the_hosts_own_tasks() -> None:
    assert outcome(OK, OK, SKIPPED).busy_ms == 750


def test_evidence_is_taken_from_plain_tasks_and_from_loops_once_each() -> None:
    tally = Tally(RUN)
    tally.feed(evidence(observation(text="a"), observation(text="b")))
    item = {"opsproof_evidence": {"observations": [observation(text="c")], "files": []}}
    loop = event("runner_on_ok", task_action="evidence", res={"results": [item, item]})
    tally.feed(loop)
    assert sorted(one.facts["text"] for one in tally.observations.values()) == ["a", "b", "c"]
    assert tally.hosts["h1"].observations == 3
    assert tally.hosts["h1"].lost == []


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({}, "Hand over: its evidence arrived empty or cut off"),
        (
            {"censored": "the output has been hidden"},
            "Hand over: its evidence arrived hidden by no_log",
        ),
        (
            {"opsproof_evidence": {"observations": [], "files": []}},
            "Hand over: a job event holds evidence without observations",
        ),
        (
            {"opsproof_evidence": {"observations": [{"id": "OBS-1"}], "files": []}},
            "Hand over: a job event holds damaged evidence: ",
        ),
        (
            {"opsproof_evidence": {"observations": [observation("unsealed")], "files": []}},
            "Hand over: an observation of another run (unsealed)",
        ),
    ],
)
def test_lost_evidence_makes_the_host_failed(result: dict[str, Any], reason: str) -> None:
    found = outcome(event("runner_on_ok", task="Hand over", task_action="evidence", res=result))
    assert found.outcome is Outcome.FAILED
    assert found.reason.startswith(reason)
    assert found.observations == 0


def test_an_empty_result_of_another_task_is_no_lost_evidence() -> None:
    assert outcome(event("runner_on_ok", res={})).outcome is Outcome.OK


def test_two_observations_with_one_id_are_not_quietly_one() -> None:
    other = {**observation(text="b"), "id": observation(text="a")["id"]}
    found = outcome(evidence(observation(text="a"), other))
    assert found.outcome is Outcome.FAILED
    assert found.reason.startswith("Hand over: two observations have the id OBS-")


def test_messages_are_one_bounded_line_without_secrets() -> None:
    tally = Tally(RUN, clean=lambda text: text.replace("hunter22", "[redacted]"))
    tally.feed(event("runner_on_failed", res={"msg": "wrong\n password hunter22 " + "x" * 999}))
    [message] = tally.hosts["h1"].messages
    assert message.startswith("Look: wrong password [redacted] xxx")
    assert len(message) <= len("Look: ") + 300
    tally.feed({"event": "verbose", "stdout": "ERROR! hunter22\r\nmore"})
    assert tally.errors == ["ERROR! [redacted] more"]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"censored": "x", "msg": "secret"}, "failed (hidden by no_log)"),
        ({"msg": "non-zero return code", "stderr": "denied\r\n"}, "non-zero return code: denied"),
        ({"msg": "boom", "stderr": "noise"}, "boom"),
        ({}, "failed without a message"),
        (
            {
                "msg": "Task failed: ntlm: HTTPSConnectionPool(host='127.1.2.3', port=5986): Max "
                'retries exceeded with url: /wsman (Caused by NewConnectionError("HTTPSConnection('
                "host='127.1.2.3', port=5986): Failed to establish a new connection: "
                '[Errno 111] Connection refused"))'
            },
            "127.1.2.3 port 5986: Connection refused",
        ),
    ],
)
def test_why_a_task_failed(result: dict[str, Any], message: str) -> None:
    assert outcome(event("runner_on_failed", res=result)).reason == f"Look: {message}"


def test_a_run_without_statistics_has_not_finished() -> None:
    tally = Tally(RUN)
    tally.feed({"event": "playbook_on_play_start", "event_data": {"name": "Look"}})
    tally.feed({"event": "playbook_on_task_start", "event_data": {"task": "One"}})
    assert (tally.play, tally.task, tally.tasks, tally.finished) == ("Look", "One", 1, False)
    tally.feed({"event": "playbook_on_no_hosts_matched", "event_data": {}})
    assert tally.nothing_matched
    tally.feed(STATS)
    assert tally.finished


def test_the_task_at_work_is_known_while_it_runs() -> None:
    tally = Tally(RUN)
    assert tally.feed(event("runner_on_start")) == "h1"
    assert tally.hosts["h1"].task == "Look"
    tally.feed(OK)
    assert tally.hosts["h1"].task == ""

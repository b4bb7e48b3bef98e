"""Job events of ansible-runner -> what happened on each host, and the observations.

One event is a dict as ansible-runner's display callback writes it (ansible_runner
display_callback/callback/awx_display.py, 2.4.3): ``event`` names it, ``event_data`` holds ``host``,
``task``, ``task_action``, ``res``, ``duration``. A result longer than MAX_EVENT_RES arrives as
``{}`` and one of a ``no_log`` task as ``{"censored": ...}``; of the evidence action both mean that
evidence was lost, never that there was nothing to find.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from opsproof.errors import UsageError
from opsproof.evidence.collect import RESULT_KEY, Collected, read_result
from opsproof.evidence.model import Observation, Outcome

EVIDENCE_ACTION = "evidence"
_LONGEST_MESSAGE = 300
_SOCKET_ERROR = re.compile(
    r"host='(?P<host>[^']+)', port=(?P<port>\d+).*\[Errno -?\d+\] (?P<why>[^'\")\]]+)", re.DOTALL
)
"""How requests wraps an error of the socket, three layers deep (the winrm and psrp connections)."""


@dataclass
class HostTally:
    """What the events said of one host so far; ``busy_ms`` is time spent in its tasks."""

    name: str
    ok: int = 0
    changed: int = 0
    skipped: int = 0
    failed: int = 0
    ignored: int = 0
    rescued: int = 0
    unreachable: int = 0
    busy_ms: int = 0
    task: str = ""
    observations: int = 0
    messages: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


class HostResult(msgspec.Struct, frozen=True):
    """A host's outcome and, in few words, why it is not simply ok."""

    outcome: Outcome
    reason: str
    seen: bool
    busy_ms: int
    observations: int


@dataclass
class Tally:
    """The state of a run, built by feeding it every event in order.

    ``clean`` takes secrets out of text. ``files`` says where the file of an artifact lies, by its
    SHA-256. ``errors`` are lines that Ansible printed outside any task, ``finished`` says that it
    reached its own end and printed statistics, ``nothing_matched`` that a play found no host.
    """

    run_id: str
    clean: Callable[[str], str] = str
    hosts: dict[str, HostTally] = field(default_factory=dict)
    observations: dict[str, Observation] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    play: str = ""
    task: str = ""
    tasks: int = 0
    finished: bool = False
    nothing_matched: bool = False

    def feed(self, event: Mapping[str, Any]) -> str | None:
        """Takes one event; answers the host that it was about, if any."""
        name = str(event.get("event", ""))
        data = event.get("event_data") or {}
        host = data.get("host")
        if isinstance(host, str) and name.startswith("runner_"):
            tally = self.hosts.setdefault(host, HostTally(host))
            self._host_event(name, tally, data)
            return host
        self._run_event(name, data, str(event.get("stdout") or ""))
        return None

    def _run_event(self, name: str, data: Mapping[str, Any], stdout: str) -> None:
        match name:
            case "playbook_on_play_start":
                self.play = str(data.get("name") or data.get("play") or "")
            case "playbook_on_task_start":
                self.task = str(data.get("task") or data.get("name") or "")
                self.tasks += 1
            case "playbook_on_no_hosts_matched":
                self.nothing_matched = True
            case "playbook_on_stats":
                self.finished = True
                for host, count in (data.get("rescued") or {}).items():
                    tally = self.hosts.setdefault(host, HostTally(host))
                    tally.rescued = int(count)
            case "verbose" | "error" if stdout.strip():
                self.errors.append(_one_line(self.clean(stdout)))

    def _host_event(self, name: str, tally: HostTally, data: Mapping[str, Any]) -> None:
        task = str(data.get("task") or "")
        result = data.get("res")
        result = result if isinstance(result, dict) else {}
        tally.busy_ms += round(1000 * float(data.get("duration") or 0))
        match name:
            case "runner_on_start":
                tally.task = task
                return
            case "runner_on_ok":
                tally.ok += 1
                tally.changed += bool(result.get("changed"))
                self._evidence(tally, data, result)
            case "runner_on_skipped":
                tally.skipped += 1
            case "runner_on_failed" if data.get("ignore_errors"):
                tally.ignored += 1
                tally.messages.append(f"{task}: {self._message(result)} (ignored by the playbook)")
            case "runner_on_failed":
                tally.failed += 1
                tally.messages.append(f"{task}: {self._message(result)}")
            case "runner_on_unreachable":
                tally.unreachable += 1
                tally.messages.append(self._message(result))
            case _:
                return
        tally.task = ""

    def _evidence(
        self, tally: HostTally, data: Mapping[str, Any], result: Mapping[str, Any]
    ) -> None:
        action = str(data.get("task_action") or "").rpartition(".")[2]
        task = str(data.get("task") or "")
        handed = [one for one in _results(result) if RESULT_KEY in one]
        if not handed and action == EVIDENCE_ACTION:
            why = "hidden by no_log" if "censored" in result else "empty or cut off"
            tally.lost.append(f"{task}: its evidence arrived {why}")
        for one in handed:
            try:
                collected = read_result(one)
            except UsageError as error:
                tally.lost.append(f"{task}: {self.clean(str(error))}")
                continue
            if collected is not None:
                self._collected(tally, task, collected)

    def _collected(self, tally: HostTally, task: str, collected: Collected) -> None:
        self.files |= {file.sha256: file.path for file in collected.files}
        for observation in collected.observations:
            if observation.run != self.run_id:
                tally.lost.append(f"{task}: an observation of another run ({observation.run})")
            elif observation.id not in self.observations:
                tally.observations += 1
                self.observations[observation.id] = observation
            elif self.observations[observation.id] != observation:
                tally.lost.append(f"{task}: two observations have the id {observation.id}")

    def _message(self, result: Mapping[str, Any]) -> str:
        if "censored" in result:
            return "failed (hidden by no_log)"
        text = str(result.get("msg") or "")
        detail = str(result.get("stderr") or result.get("module_stderr") or "")
        if detail and text in ("", "non-zero return code", "MODULE FAILURE"):
            text = f"{text}: {detail}" if text else detail
        refused = _SOCKET_ERROR.search(text)
        if refused is not None:
            text = f"{refused['host']} port {refused['port']}: {refused['why'].strip()}"
        return _one_line(self.clean(text)) or "failed without a message"


def result_of(tally: HostTally | None, *, planned: bool) -> HostResult:
    """The outcome of one host; ``tally`` is None when no event named it.

    Failures that a playbook ignores, and evidence that got lost, are failures here: the run did
    not do what it meant to. A planned host without any event was never reached (an earlier host
    stopped the play, or Ansible died): that is a failure too, never ``skipped``.
    """
    if tally is None or not (
        tally.ok or tally.failed or tally.unreachable or tally.skipped or tally.ignored
    ):
        if planned:
            return HostResult(Outcome.FAILED, "not collected: the run never got to it", False, 0, 0)
        return HostResult(Outcome.SKIPPED, "no play targets it", False, 0, 0)
    outcome, reasons = _judge(tally)
    return HostResult(outcome, "; ".join(reasons), True, tally.busy_ms, tally.observations)


def _judge(tally: HostTally) -> tuple[Outcome, list[str]]:
    failures = tally.failed - tally.rescued
    reasons = [*tally.messages, *tally.lost]
    if tally.rescued:
        reasons.insert(0, "failed-rescued")
    if tally.unreachable and failures <= 0:
        return Outcome.UNREACHABLE, reasons
    # A host that failed after it could not be reached was waited for, and answered.
    if failures > 0 or tally.ignored or tally.lost:
        return Outcome.FAILED, reasons
    if tally.changed:
        return Outcome.CHANGED, reasons
    if tally.ok:
        return Outcome.OK, reasons
    if tally.rescued:
        return Outcome.FAILED, reasons
    return Outcome.SKIPPED, ["every task was skipped"]


def _results(result: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The result of a plain task, and those of every item of a loop."""
    yield result
    for item in result.get("results") or ():
        if isinstance(item, dict):
            yield item


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 1] + "…"

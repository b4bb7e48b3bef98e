"""async_wrapper.ps1 and async_watchdog.ps1: a job, its results file and its time-out.

The job's work happens at once; its results appear when its time is over, by the host's clock
(assumed: nothing looks at the host's state in between).
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from winlab.exec.actions.chain import Chain, WrapperError
from winlab.exec.outcome import Outcome
from winlab.host import paths
from winlab.host.errors import WindowsError
from winlab.modules.kit.context import user_context
from winlab.modules.kit.dotnet import io_message
from winlab.modules.kit.values import expand_variables

_BOM = b"\xef\xbb\xbf"


def start(chain: Chain) -> Outcome:
    """Write the results file, run the rest, answer that it has started."""
    host, context = chain.host, chain.context
    folder = expand_variables(str(chain.parameter("AsyncDir")), context.environment)
    number = 4 * (300 + host.ids.integer(2000))
    job = f"{chain.parameter('AsyncJid')}.{number}"
    place = paths.join(folder, job)
    begun: dict[str, Any] = {
        "started": True,
        "finished": False,
        "results_file": place,
        "ansible_job_id": job,
        "_ansible_suppress_tmpdir_delete": True,
        "ansible_async_watchdog_pid": number + 4,
    }
    first = _json(begun)
    try:
        with host.guard.exempt():
            host.files.ensure_folder(folder)
            host.files.write(place, first.encode())
    except WindowsError as error:
        raise WrapperError(io_message(error, place, host.locale.name)) from error
    if len(chain.actions) < 2 or chain.actions[1].name != "async_watchdog.ps1":
        raise WrapperError("Could not find the script 'async_watchdog.ps1'.")
    limit = float(chain.actions[1].params.get("Timeout", 0))
    own = user_context(host, context.user, context)
    outcome = chain.next(own, skip=2)
    late = own.duration > limit
    result = {**begun, "finished": True, **(_timed_out() if late else _merged(outcome))}
    due = host.now() + timedelta(seconds=min(own.duration, limit))
    host.deferred.write_at(due, place, _BOM + _json(result).encode() + b"\r\n")
    context.goes_down_after = own.goes_down_after
    return Outcome(lines=(first,))


def _merged(outcome: Outcome) -> dict[str, Any]:
    output = "\r\n".join(outcome.lines)
    begin, end = output.find("{"), output.rfind("}")
    if begin < 0:
        return {**_failure("No start of json char found in module result"), "stdout": output}
    merged: dict[str, Any] = json.loads(output[begin : end + 1])
    return merged


def _timed_out() -> dict[str, Any]:
    return {**_failure("timed out waiting for module completion"), "stdout": None, "stderr": ""}


def _failure(why: str) -> dict[str, Any]:
    return {
        "failed": True,
        "msg": f"failure during async watchdog: {why}",
        "exception": f"{why}\r\n+ CategoryInfo          : OperationStopped: (:) [], "
        "RuntimeException",
    }


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

"""ansible.windows.win_updates (win_updates.ps1, ansible.windows 3.3.0).

The script starts a task of its own and answers at once; the action plugin polls for its lines and
cancels it in the end. Here the task's work is done when it starts, and its lines come due by the
host's clock. As in the original, an entry of ``accept_list`` is tried against ONE string, the title
with all KB numbers behind it (a string plus an array is a string in PowerShell), and the licence
terms of every selected update are accepted while searching, in check mode too.

assumed: a pattern that .NET's expressions know and Python's do not is not used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from winlab.host.errors import NotModelledError
from winlab.host.updates import SUCCEEDED, Installed, Job, Update, UpdateError
from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.registry import Registered

_CATEGORIES = {
    "CriticalUpdates": "Critical Updates",
    "DefinitionUpdates": "Definition Updates",
    "DeveloperKits": "Developer Kits",
    "FeaturePacks": "Feature Packs",
    "SecurityUpdates": "Security Updates",
    "ServicePacks": "Service Packs",
    "UpdateRollups": "Update Rollups",
}
_PIPE_TIMEOUT = 300


class _Stop(Exception):  # noqa: N818  how the original's trap ends the task
    """The task ends with an exception of PowerShell or of COM."""

    def __init__(self, message: str, hresult: int | None = None) -> None:
        super().__init__(message)
        self.message, self.hresult = message, hresult


def run(module: BasicModule) -> None:
    """Start, poll or cancel."""
    options = module.params["_operation_options"] or {}
    operation = module.params["_operation"]
    jobs = module.host.updates.jobs
    if operation == "cancel":
        jobs.pop(str(options.get("cancel_id", "")).removeprefix("Global\\"), None)
    elif operation == "poll":
        module.result["output"] = _poll(module, str(options.get("pipe_name", "")))
    else:
        if options.get("wait"):
            raise NotModelledError("async of ansible.windows.win_updates")
        _start(module)
    module.exit()


def _start(module: BasicModule) -> None:
    task = f"Ansible.Windows.WinUpdates-{module.host.ids.guid()}"
    work = _Work(module)
    module.host.updates.jobs[task] = Job(lines=work.done())
    module.result["cancel_options"] = {
        "cancel_id": f"Global\\{task}",
        "task_pid": 2000 + 4 * module.host.ids.integer(1500),
    }
    module.result["poll_options"] = {"pipe_name": task}


def _poll(module: BasicModule, pipe: str) -> list[dict[str, Any]]:
    """Wait for the first line, then take what there is; ``exit`` is said until the cancel."""
    job = module.host.updates.jobs.get(pipe)
    if job is None:
        module.context.duration += _PIPE_TIMEOUT
        module.fail("Timed out waiting for server pipe to be available")
    now = module.host.now()
    first = job.lines[0][0]
    if first > now:
        module.context.duration += (first - now).total_seconds()
        now = first
    due = [line for at, line in job.lines if at <= now]
    job.lines = [(at, line) for at, line in job.lines if at > now or line["task"] == "exit"]
    return due


class _Work:
    """What Install-WindowsUpdate does; the lines it says, each with its time."""

    def __init__(self, module: BasicModule) -> None:
        self.module, self.params = module, module.params
        self.agent = module.host.updates
        self.now = module.host.now()
        self.lines: list[tuple[Any, dict[str, Any]]] = []
        self.exit: dict[str, Any] = {
            "changed": False,
            "failed": False,
            "reboot_required": self.agent.restart_required,
            "exception": None,
        }

    def done(self) -> list[tuple[Any, dict[str, Any]]]:
        try:
            self._work()
        except _Stop as stop:
            failure: dict[str, Any] = {"message": stop.message, "exception": stop.message}
            if stop.hresult is not None:
                failure["hresult"] = _signed(stop.hresult)
            self.exit |= {"failed": True, "exception": failure}
        self._say("exit", self.exit)
        return self.lines

    def _say(self, task: str, result: Mapping[str, Any]) -> None:
        self.lines.append((self.now, {"task": task, "result": dict(result)}))

    def _work(self) -> None:
        chosen = self._search()
        state = self.params["state"]
        if self.module.check_mode or state == "searched" or not chosen:
            self.exit["changed"] = bool(chosen) and state != "searched"
            return
        if self.exit["reboot_required"]:
            raise _Stop("A reboot is required before more updates can be installed")
        missing = [update for update in chosen if not self.agent.is_downloaded(update)]
        if missing:
            self._many("download", missing, self.agent.download, _download_progress)
        if state == "downloaded":
            return
        self._many("install", chosen, self.agent.install, _install_progress)
        self.exit["reboot_required"] = self.agent.restart_required

    def _search(self) -> list[Update]:
        try:
            found = self.agent.search(self.params["server_selection"])
        except UpdateError as error:
            text = f"Exception from HRESULT: 0x{error.hresult:08X}"
            if self.module.host.locale.chinese:
                text = f"异常来自 HRESULT:0x{error.hresult:08X}"
            raise _Stop(f"Searching for updates: {text}", error.hresult) from error
        chosen, filtered = [], []
        for update in found:
            reasons = self._reasons(update)
            if reasons:
                filtered.append({"id": update.id, "reasons": reasons})
                continue
            if not self.agent.eula_accepted(update):
                self.agent.accept_eula(update)
            chosen.append(update)
        described = [self._described(update) for update in found]
        self._say("search_result", {"updates": described, "filtered": filtered})
        return chosen

    def _reasons(self, update: Update) -> list[str]:
        kbs = [f"KB{number}" for number in update.kb]
        text = update.title + " ".join(kbs)
        accept, reject = self.params["accept_list"] or [], self.params["reject_list"] or []
        wanted = [_CATEGORIES.get(name, name).lower() for name in self.params["category_names"]]
        categories = {name.lower() for name in update.categories}
        reasons = []
        if accept and not _any_matches(accept, text):
            reasons.append("accept_list")
        if reject and _any_matches(reject, text):
            reasons.append("reject_list")
        if update.hidden:
            reasons.append("hidden")
        if wanted and "*" not in wanted and not categories.intersection(wanted):
            reasons.append("category_names")
        if self.params["skip_optional"] and update.browse_only:
            reasons.append("skip_optional")
        return reasons

    def _described(self, update: Update) -> dict[str, Any]:
        return {
            "id": update.id,
            "title": update.title,
            "description": "",
            "kb": [f"KB{number}" for number in update.kb],
            "type": "Software",
            "deployment_action": "Installation",
            "auto_select_on_websites": False,
            "browse_only": update.browse_only,
            "revision_number": update.revision,
            "categories": list(update.categories),
            "is_installed": False,
            "is_hidden": update.hidden,
            "is_present": False,
            "reboot_required": False,
            "impact": "Normal",
            "reboot_behaviour": "CanRequestReboot" if update.restart else "NeverReboots",
            "is_beta": False,
            "is_downloaded": self.agent.is_downloaded(update),
            "is_mandatory": False,
            "is_uninstallable": False,
            "auto_selection": "LetWindowsUpdateDecide",
            "auto_download": "LetWindowsUpdateDecide",
        }

    def _many(
        self,
        task: str,
        updates: Sequence[Update],
        action: Callable[[Sequence[Update]], list[Installed]],
        progress: Callable[[Sequence[Update], int], dict[str, Any]],
    ) -> None:
        """Download or install all, saying how far it is and what became of each."""
        results = action(updates)
        for index, result in enumerate(results):
            if task == "install":
                self.now += timedelta(seconds=result.update.seconds)
            outcome = {"HResult": _signed(result.hresult), "ResultCode": result.code}
            self._say(task, {"progress": progress(updates, index), "result": outcome})
        self.exit["changed"] = True
        info = [_info(result, task) for result in results]
        self._say(f"{task}_result", {"info": info})
        if any(result.restart for result in results):
            self.exit["reboot_required"] = True
        if any(result.code != SUCCEEDED for result in results):
            raise _Stop(f"Failed to {task} all updates - see updates for more information")


def _info(result: Installed, task: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": result.update.id,
        "result_code": result.code,
        "hresult": _signed(result.hresult),
    }
    return told | ({"reboot_required": result.restart} if task == "install" else {})


def _any_matches(patterns: Sequence[str], text: str) -> bool:
    """``-imatch`` of any pattern."""
    for pattern in patterns:
        try:
            if re.search(pattern, text, re.IGNORECASE):
                return True
        except re.error as error:
            raise _Stop(f'parsing "{pattern}" - {error}') from error
    return False


def _download_progress(updates: Sequence[Update], index: int) -> dict[str, Any]:
    total = sum(update.size for update in updates)
    so_far = sum(update.size for update in updates[: index + 1])
    return {
        "CurrentUpdateId": updates[index].id,
        "CurrentUpdateIndex": index,
        "CurrentUpdateBytesDownloaded": updates[index].size,
        "CurrentUpdateBytesToDownload": updates[index].size,
        "CurrentUpdateDownloadPhase": 3,
        "CurrentUpdatePercentComplete": 100,
        "PercentComplete": 100 * so_far // max(total, 1),
        "TotalBytesDownloaded": so_far,
        "TotalBytesToDownload": total,
    }


def _install_progress(updates: Sequence[Update], index: int) -> dict[str, Any]:
    return {
        "CurrentUpdateId": updates[index].id,
        "CurrentUpdateIndex": index,
        "CurrentUpdatePercentComplete": 100,
        "PercentComplete": 100 * (index + 1) // len(updates),
    }


def _signed(number: int) -> int:
    """An HRESULT as .NET's Int32."""
    return number - 2**32 if number >= 2**31 else number


MODULE = Registered("win_updates", basic=run, not_modelled=("log_path",))

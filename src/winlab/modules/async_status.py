"""ansible.windows.async_status (async_status.ps1, ansible.windows 3.3.0)."""

from __future__ import annotations

import json
from typing import Any

from winlab.host import paths
from winlab.modules.kit.context import ModuleEnd
from winlab.modules.kit.legacy import LegacyModule
from winlab.modules.kit.registry import Registered
from winlab.modules.kit.spec import Option


def run(module: LegacyModule) -> None:
    """Report or erase a job's results file."""
    job = module.get("jid", required=True)
    mode = module.get("mode", default="status", choices=["status", "cleanup"])
    folder = module.get("_async_dir", kind="path", required=True)
    files = module.host.files
    place = paths.join(folder, job)
    if not files.exists(place):
        text = f"could not find job at '{folder}'"
        known = {"ansible_job_id": job, "started": 1, "finished": 1, "changed": False}
        raise ModuleEnd({**known, "msg": text, "failed": True}, 1)
    if str(mode).lower() == "cleanup":
        files.remove(place)
        raise ModuleEnd({"ansible_job_id": job, "erased": place, "changed": False}, 0)
    raise ModuleEnd(_status(files.read(place), place, job), 0)


def _status(raw: bytes, place: str, job: str) -> dict[str, Any]:
    if not raw.strip():
        running = {"results_file": place, "ansible_job_id": job, "started": 1, "finished": 0}
        return {**running, "changed": False}
    data: dict[str, Any] = json.loads(raw.decode("utf-8-sig"))
    if "started" not in data:
        data.update(finished=1, ansible_job_id=job)
    data.setdefault("finished", 0)
    data.setdefault("changed", False)
    return data


MODULE = Registered("async_status", legacy=run, internal={"_async_dir": Option(type="path")})

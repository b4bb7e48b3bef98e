"""Stands in for the evidence action: hands over what the test's variables say, unchecked."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]
    """Returns ``observations`` as they are given, the run's id filled in."""

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        del tmp
        records = [
            {"run": str((task_vars or {})["opsproof_run_id"]), **record}
            for record in self._task.args["observations"]
        ]
        files = self._task.args.get("files", [])
        return {"changed": False, "opsproof_evidence": {"observations": records, "files": files}}

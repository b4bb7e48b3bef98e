"""Keeps a log store to one run at a time. Thin over ``opsproof.collection.hold``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from opsproof.collection.hold import hold
from opsproof.errors import OpsproofError

DOCUMENTATION = r"""
name: hold_store
short_description: Keep a log store to this run
description:
  - Refuses a store in which another run of Ansible works; the hosts and plays of one run share it.
  - Writes one file on the controller, which holds nothing any more once the run has ended.
options:
  store:
    description: Folder of the store.
    type: path
    required: true
"""


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible ships no types
    """Returns nothing of its own."""

    _requires_connection = False
    _supports_check_mode = False
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Hold it; an error becomes a failed task with a one-line message."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            hold(Path(str(self._task.args["store"])))
        except (OpsproofError, OSError) as error:
            return result | {"failed": True, "msg": f"hold_store: {error}"}
        return result | {"changed": False}

"""Compares what a host answered with its baselines. Thin over ``opsproof.policy.role``."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from ansible.plugins.action import ActionBase

from opsproof.errors import OpsproofError
from opsproof.policy.role import Wanted, planned, restoring

DOCUMENTATION = r"""
name: hardening_plan
short_description: Plan what hardening changes on a host
description:
  - Runs on the controller and touches no host. Changed when something is to be changed; C(--diff) shows it.
options:
  wanted:
    description: C(folder), C(baselines), C(overrides), C(auth) and C(tls) of the host.
    type: dict
    required: true
  stdout:
    description: What the audit command printed.
    type: str
    required: true
  apply_to:
    description: File on the controller for the cabinet that applies the changes. None in check mode.
    type: path
  restore_to:
    description: File on the controller for the cabinet that takes them back.
    type: path
  restore_from:
    description: Restore point on the controller that is to be put back, in place of the baselines' values.
    type: path
  revert_after:
    description: Seconds until the host takes an unconfirmed apply back.
    type: int
    default: 600
  earlier:
    description: What the audit command printed before, to tell what is different and what works no longer.
    type: str
    default: ""
"""


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible ships no types
    """Returns ``plan``, and ``diff`` with the settings as they are and as they should be."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Plan; an error becomes a failed task with a one-line message."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = json.loads(json.dumps(self._task.args))
        try:
            plan = _plan(arguments)
        except (OpsproofError, OSError, KeyError, msgspec.ValidationError) as error:
            return result | {"failed": True, "msg": f"hardening: {error}"}
        if "before" not in plan:
            return result | {"changed": False, "plan": plan}
        name = f"{(task_vars or {}).get('inventory_hostname', '')}: settings"
        diff = {
            "before": plan.pop("before"),
            "after": plan.pop("after"),
            "before_header": f"{name} as they are",
            "after_header": f"{name} as they should be",
        }
        return result | {"changed": bool(plan["changes"]), "diff": diff, "plan": plan}


def _plan(arguments: dict[str, Any]) -> dict[str, Any]:
    wanted = msgspec.convert(arguments["wanted"], Wanted)
    restore_to = _path(arguments.get("restore_to"))
    if (point := _path(arguments.get("restore_from"))) is not None:
        return restoring(wanted, arguments["stdout"], point=point, restore_to=restore_to)
    return planned(
        wanted,
        arguments["stdout"],
        apply_to=_path(arguments.get("apply_to")),
        restore_to=restore_to,
        revert_after=timedelta(seconds=int(arguments.get("revert_after", 600))),
        earlier=arguments.get("earlier", ""),
    )


def _path(text: Any) -> Path | None:
    return Path(str(text)) if text else None

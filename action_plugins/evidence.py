"""Hands facts over as evidence: the last task of every role. Thin over ``opsproof.evidence``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible.plugins.action import ActionBase

from opsproof.errors import OpsproofError
from opsproof.evidence.collect import RESULT_KEY, collect

DOCUMENTATION = r"""
name: evidence
short_description: Hand over what a role has seen
description:
  - Checks facts against the schema of their activity, removes secrets and personal numbers, hashes
    the files behind them, and returns observations that C(opsproof run) takes from the job events.
  - Runs on the controller, touches no host and changes nothing, in check mode too.
options:
  activity:
    description: The kind of maintenance, which is the name of its schema file.
    type: str
    required: true
  collector:
    description: What collected the facts, with its version.
    type: str
    required: true
  facts:
    description: Facts about the host itself.
    type: dict
  subjects:
    description: Facts about what lives on the host, each with C(kind), C(id) and C(facts).
    type: list
    elements: dict
  artifacts:
    description: Files on the controller that facts were read from; C(path), C(name), C(media_type).
    type: list
    elements: dict
  clock_offset_ms:
    description: Host clock minus controller clock in milliseconds.
    type: int
  schema:
    description: The schema the facts are written for, such as C(inspection/1).
    type: str
"""

_SECRET_VARIABLES = ("password", "pass", "passwd", "passphrase", "secret", "token")


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible ships no types
    """Returns ``opsproof_evidence: {observations, files}``."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Collect; an error becomes a failed task with a one-line message."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        try:
            collected = collect(
                self._task.args,
                run_id=str(variables.get("opsproof_run_id") or "unsealed"),
                host=str(variables["inventory_hostname"]),
                now=datetime.now(UTC),
                secrets=self._secrets(variables),
            )
        except (OpsproofError, OSError) as error:
            return result | {"failed": True, "msg": f"evidence: {error}"}
        return result | {"changed": False, RESULT_KEY: collected.to_result()}

    def _secrets(self, variables: dict[str, Any]) -> list[str]:
        """Values of this host's variables that are secret by their name, templates resolved."""
        names = [
            name
            for name in variables
            if name.startswith(("ansible_", "vault_", "opsproof_"))
            and name.rpartition("_")[2] in _SECRET_VARIABLES
        ]
        values = (self._templar.template(variables[name]) for name in names)
        return [str(value) for value in values if isinstance(value, str)]

"""Brings cabinets of a host home and checks them. Thin over ``opsproof.collection``."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import msgspec
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from opsproof.collection.plan import Plan
from opsproof.collection.role import Settings, Text, TransferError, bring
from opsproof.errors import OpsproofError

DOCUMENTATION = r"""
name: bring_home
short_description: Fetch the cabinets that a host has packed
description:
  - Fetches each cabinet over the connection of the play, without a module run, compares it with the
    SHA-256 that the host computed, and tries again over a new connection when it was cut or damaged.
  - What came whole stays in the store until a sealed run holds it; a later run does not fetch it again.
  - Writes on the controller only.
options:
  settings:
    description: The settings of the role C(log_collection).
    type: dict
    required: true
  plan:
    description: What the host was asked to pack.
    type: dict
    required: true
  answer:
    description: The registered result of the command that packed, skipped where there was nothing to pack.
    type: dict
    required: true
"""


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible ships no types
    """Returns ``brought``: the logs at home, and those that did not come, with the reason."""

    _supports_check_mode = False
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Fetch; an error becomes a failed task with a one-line message."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        # Ansible's values are tagged subclasses; ours are the plain types.
        arguments = json.loads(json.dumps(self._task.args))
        answer = arguments["answer"]
        try:
            brought = bring(
                msgspec.convert(arguments["settings"], Settings),
                msgspec.convert(arguments["plan"], Plan),
                None if answer.get("skipped") else Text.of(answer),
                self._fetch,
                self._fetch_anew,
            )
        except (OpsproofError, OSError, msgspec.ValidationError) as error:
            return result | {"failed": True, "msg": f"bring_home: {error}"}
        return result | {"changed": False, "brought": msgspec.to_builtins(brought)}

    def _fetch(self, remote: str, local: Path) -> None:
        try:
            # The connection plugin prints a traceback of its own; the error says the same.
            with contextlib.redirect_stderr(io.StringIO()):
                self._connection.fetch_file(remote, str(local))
        except (AnsibleError, OSError) as error:
            raise TransferError(str(error), where=remote) from error
        if not local.is_file():
            raise TransferError("nothing came", where=remote)

    def _fetch_anew(self, remote: str, local: Path) -> None:
        try:
            self._connection.reset()
        except AnsibleError as error:
            raise TransferError(str(error), where=remote) from error
        self._fetch(remote, local)

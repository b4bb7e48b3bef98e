"""Loads what every task's worker needs once, before Ansible forks its workers.

Ansible starts one process for each task and host, and loads filters and tests in it, at the first
expression that names one. All filter files of a project are loaded then, whichever of them is
asked for (``Jinja2Loader``, ansible-core 2.19), and all that they import: more than half of what a
task costs the controller. A forked worker finds loaded what its parent had loaded.
"""

from __future__ import annotations

from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import filter_loader, test_loader

DOCUMENTATION = r"""
name: preload
type: aggregate
short_description: Load filters and tests before workers are forked
description:
  - Spares every task the loading of all filter and test files of the project.
  - Prints nothing, records nothing, and changes nothing but the time a playbook takes.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible ships no types
    """Acts once, when the playbook starts."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "preload"
    CALLBACK_NEEDS_ENABLED = False

    def v2_playbook_on_start(self, playbook: object) -> None:
        """Looking one up loads them all; a file that cannot be loaded is told when it is used."""
        del playbook
        filter_loader.get("default")
        test_loader.get("defined")

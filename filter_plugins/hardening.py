"""Filters of the role hardening: the commands it sends and what failed of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from ansible.errors import AnsibleFilterError

from opsproof.filters import guarded
from opsproof.policy.bundle import apply_command
from opsproof.policy.role import Wanted, command, now, pushed, too_late


def _command(wanted: Mapping[str, Any], confirm: bool = False) -> str:
    return command(msgspec.convert(wanted, Wanted), now=now(), confirm=confirm)


def _apply(stage: int, scheduled: bool = True) -> str:
    return apply_command(stage=stage, scheduled=scheduled)


def _too_late(window_end: str, minutes: int) -> bool:
    return too_late(window_end, minutes=minutes, now=now())


class FilterModule:
    """The role's filters, by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Ansible's entry point."""
        functions: dict[str, Callable[..., Any]] = {
            "hardening_command": _command,
            "hardening_apply": _apply,
            "hardening_pushed": pushed,
            "hardening_too_late": _too_late,
        }
        return guarded(functions, AnsibleFilterError)

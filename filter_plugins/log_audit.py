"""Filters of the role log_audit: what is audited, and what the report says of a host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

from opsproof.collection.audited import host_facts, inputs
from opsproof.filters import guarded


def _inputs(staging: str) -> dict[str, Any]:
    return inputs(Path(staging))


def _facts(report: str, staging: str, host: str) -> dict[str, Any]:
    return host_facts(Path(staging), Path(report), host)


class FilterModule:
    """The role's filters, by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Ansible's entry point."""
        functions: dict[str, Callable[..., Any]] = {
            "log_audit_inputs": _inputs,
            "log_audit_facts": _facts,
        }
        return guarded(functions, AnsibleFilterError)

"""Filters of the role log_collection: what it sends, and the facts in the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from ansible.errors import AnsibleFilterError

from opsproof.collection import role
from opsproof.collection.facts import observation
from opsproof.collection.home import not_delivered
from opsproof.collection.pack import pack_command, pack_script
from opsproof.collection.plan import Plan
from opsproof.filters import guarded


def _settings(values: Mapping[str, Any]) -> role.Settings:
    return msgspec.convert(values, role.Settings)


def _look(settings: Mapping[str, Any]) -> str:
    return role.looking(_settings(settings))


def _listing(settings: Mapping[str, Any], look: Mapping[str, Any]) -> str:
    return role.listing(_settings(settings), role.Text.of(look))


def _plan(
    settings: Mapping[str, Any], look: Mapping[str, Any], listed: Mapping[str, Any]
) -> dict[str, Any]:
    plan = role.planning(_settings(settings), role.Text.of(look), role.Text.of(listed))
    built: dict[str, Any] = msgspec.to_builtins(plan)
    return built


def _script(plan: Mapping[str, Any]) -> str:
    return pack_script(msgspec.convert(plan, Plan))


def _facts(
    settings: Mapping[str, Any],
    required: list[str],
    look: Mapping[str, Any],
    listed: Mapping[str, Any],
    answered_at: str,
    plan: Mapping[str, Any],
    brought: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return observation(
        _settings(settings),
        required,
        role.Text.of(look),
        role.Text.of(listed),
        answered_at,
        msgspec.convert(plan, Plan),
        None if brought is None else msgspec.convert(brought, role.Brought),
    )


def _missing(
    staging: str, data: Mapping[str, Sequence[Mapping[str, str]]], name: str = "*"
) -> list[str]:
    expected = {host: [one["name"] for one in sources] for host, sources in data.items()}
    return list(not_delivered(Path(staging), expected, name))


class FilterModule:
    """The role's filters, by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Ansible's entry point."""
        functions: dict[str, Callable[..., Any]] = {
            "log_collection_look": _look,
            "log_collection_listing": _listing,
            "log_collection_plan": _plan,
            "log_collection_script": _script,
            "log_collection_pack": pack_command,
            "log_collection_facts": _facts,
            "log_collection_missing": _missing,
        }
        return guarded(functions, AnsibleFilterError)

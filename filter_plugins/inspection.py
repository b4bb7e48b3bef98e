"""Filters of the role inspection: the command it sends and the facts in the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from ansible.errors import AnsibleFilterError

from opsproof.filters import guarded
from opsproof.inspection.batch import split_batch
from opsproof.inspection.command import LogExport, inspection_command
from opsproof.inspection.facts import Exchange, Expectation, Inspected, inspect
from opsproof.inspection.legacy import inspect_legacy, legacy_command
from opsproof.logs.model import AuditReport


def _command(
    exports: Sequence[Mapping[str, Any]],
    since: str,
    until: str,
    w3c_root: str,
    scratch: str,
    collect_logs: bool,
) -> str:
    return inspection_command(
        asked_at=datetime.now(UTC),
        since=_moment(since),
        until=_moment(until),
        exports=[msgspec.convert(item, LogExport) for item in exports],
        w3c_root=w3c_root,
        scratch=scratch,
        collect_logs=collect_logs,
    )


def _facts(
    answer: Mapping[str, Any],
    setup: Mapping[str, Any],
    services: Sequence[Mapping[str, Any]],
    expectation: Mapping[str, Any],
    answered_at: str,
    since: str,
    until: str,
    audit: Mapping[str, Any] | None,
) -> dict[str, Any]:
    # win_shell tells when the command ran in UTC without saying so.
    return _observation(
        inspect(
            setup=setup,
            services=services,
            batch=split_batch(answer["stdout"]),
            exchange=Exchange(
                answered_at=_moment(answered_at),
                started=_moment(answer["start"]),
                ended=_moment(answer["end"]),
            ),
            expectation=msgspec.convert(expectation, Expectation),
            since=_moment(since),
            until=_moment(until),
            audit=None if audit is None else msgspec.convert(audit, AuditReport),
        )
    )


def _legacy_command(host: str) -> str:
    return legacy_command(host, asked_at=datetime.now(UTC))


def _scratch(answer: Mapping[str, Any]) -> str:
    """Where the host keeps the exports; empty when it could not pack them."""
    batch = split_batch(answer["stdout"])
    packed = batch.sections.get("cabinet")
    return batch.scratch if packed and packed.ok and batch.scratch else ""


def _legacy_facts(
    answer: Mapping[str, Any], via: str, expectation: Mapping[str, Any], answered_at: str
) -> dict[str, Any]:
    return _observation(
        inspect_legacy(
            via=via,
            batch=split_batch(answer["stdout"]),
            answered_at=_moment(answered_at),
            expectation=msgspec.convert(expectation, Expectation),
        )
    )


def _observation(inspected: Inspected) -> dict[str, Any]:
    subjects = [
        {"kind": "site", "id": site.name, "facts": msgspec.to_builtins(site)}
        for site in inspected.sites
    ] + [
        {
            "kind": "certificate",
            "id": f"{item.store}/{item.thumbprint}",
            "facts": msgspec.to_builtins(item),
        }
        for item in inspected.certificates
    ]
    return {
        "facts": msgspec.to_builtins(inspected.host),
        "subjects": subjects,
        "clock_offset_ms": inspected.clock_offset_ms,
    }


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


class FilterModule:
    """The role's filters, by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Ansible's entry point."""
        functions: dict[str, Callable[..., Any]] = {
            "inspection_command": _command,
            "inspection_facts": _facts,
            "inspection_scratch": _scratch,
            "inspection_legacy_command": _legacy_command,
            "inspection_legacy_facts": _legacy_facts,
        }
        return guarded(functions, AnsibleFilterError)

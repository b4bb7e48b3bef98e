"""Resolves variables that are templates or vaulted: secrets, and how a host is reached.

``python -m opsproof.run.vault INVENTORY`` runs in a process of its own, with Ansible's variable
manager, because only Ansible can resolve them, and prints JSON. Secrets go through a pipe to the
caller and are used for one thing: to redact them from what a run stores.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from opsproof.errors import OpsproofError
from opsproof.run.inventory import SHORTEST_SECRET, Inventory, is_secret, secrets

CONNECTION = frozenset(
    {
        "ansible_connection",
        "ansible_host",
        "ansible_port",
        "ansible_psrp_ca_cert",
        "ansible_psrp_cert_validation",
        "ansible_psrp_port",
        "ansible_psrp_protocol",
        "ansible_winrm_ca_trust_path",
        "ansible_winrm_port",
        "ansible_winrm_scheme",
        "ansible_winrm_server_cert_validation",
    }
)
"""What decides how a host is reached; none of it is secret."""


def known_secrets(inventory: Inventory, env: Mapping[str, str], project: Path) -> frozenset[str]:
    """Every secret value of the inventory; Ansible is asked only when some are not plain text.

    Raises :class:`OpsproofError` when Ansible cannot resolve them: a run that does not know its
    secrets cannot keep them out of the evidence.
    """
    known, hidden = secrets(inventory)
    if not hidden:
        return known
    return known | frozenset(_resolve(inventory.path, env, project).secrets)


def with_resolved(
    inventory: Inventory, env: Mapping[str, str], project: Path
) -> tuple[Inventory, frozenset[str]]:
    """The inventory with its connection variables resolved, and its secrets; raises likewise."""
    answer = _resolve(inventory.path, env, project)
    hosts = {
        name: msgspec.structs.replace(
            host, variables={**host.variables, **answer.connection.get(name, {})}
        )
        for name, host in inventory.hosts.items()
    }
    known, _ = secrets(inventory)
    return msgspec.structs.replace(inventory, hosts=hosts), known | frozenset(answer.secrets)


class _Answer(msgspec.Struct, frozen=True):
    secrets: list[str]
    connection: dict[str, dict[str, Any]]


def _resolve(inventory: Path, env: Mapping[str, str], project: Path) -> _Answer:
    done = subprocess.run(
        [sys.executable, "-m", "opsproof.run.vault", str(inventory)],
        env=dict(env),
        cwd=project,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise OpsproofError(
            f"its variables cannot be resolved: {lines[-1] if lines else 'no reason given'}",
            where=str(inventory),
            remedy="check the vault password and the lookups",
        )
    return msgspec.json.decode(done.stdout, type=_Answer)


def main(inventory: str) -> None:
    """Resolves with Ansible and prints an :class:`_Answer`."""
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import EncryptedString
    from ansible.plugins.loader import init_plugin_loader
    from ansible.template import Templar
    from ansible.vars.manager import VariableManager

    from ansible.cli import CLI  # isort: skip - needs the plugin loader's module first

    init_plugin_loader()
    loader = DataLoader()
    CLI.setup_vault_secrets(loader, vault_ids=_vault_ids(), auto_prompt=False)
    manager = InventoryManager(loader=loader, sources=[inventory])
    variables = VariableManager(loader=loader, inventory=manager)
    found: set[str] = set()
    connection: dict[str, dict[str, Any]] = {}
    for host in manager.get_hosts():
        known = variables.get_vars(host=host, include_hostvars=True)
        templar = Templar(loader=loader, variables=known)
        for name, value in known.items():
            secret = is_secret(name) or isinstance(value, EncryptedString)
            if name in CONNECTION:
                connection.setdefault(host.name, {})[name] = templar.template(value)
            if secret and isinstance(value, str | EncryptedString):
                found.add(str(templar.template(value)))
    answer = {
        "secrets": sorted(one for one in found if len(one) >= SHORTEST_SECRET),
        "connection": connection,
    }
    sys.stdout.write(json.dumps(answer))


def _vault_ids() -> list[str]:
    from ansible import constants

    return list(constants.DEFAULT_VAULT_IDENTITY_LIST)


if __name__ == "__main__":
    main(sys.argv[1])

"""Prints the secrets of an inventory whose variables are templates or vaulted, as JSON.

``python -m opsproof.run.vault INVENTORY`` runs in a process of its own, with Ansible's variable
manager, because only Ansible can resolve them. Values go through a pipe to the caller and are
used for one thing: to redact them from what a run stores.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from opsproof.errors import OpsproofError
from opsproof.run.inventory import SHORTEST_SECRET, is_secret


def resolved_secrets(inventory: Path, env: Mapping[str, str], project: Path) -> frozenset[str]:
    """The values of all secret variables of all hosts, resolved as a task would see them.

    Raises :class:`OpsproofError` when Ansible cannot: a run that does not know its secrets cannot
    keep them out of the evidence.
    """
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
            f"its secret variables cannot be resolved: {lines[-1] if lines else 'no reason given'}",
            where=str(inventory),
            remedy="check the vault password and the lookups",
        )
    return frozenset(json.loads(done.stdout))


def main(inventory: str) -> None:
    """Resolves with Ansible and prints a JSON list, sorted."""
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
    for host in manager.get_hosts():
        known = variables.get_vars(host=host, include_hostvars=True)
        templar = Templar(loader=loader, variables=known)
        for name, value in known.items():
            secret = is_secret(name) or isinstance(value, EncryptedString)
            if secret and isinstance(value, str):
                found.add(str(templar.template(value)))
    sys.stdout.write(json.dumps(sorted(one for one in found if len(one) >= SHORTEST_SECRET)))


def _vault_ids() -> list[str]:
    from ansible import constants

    return list(constants.DEFAULT_VAULT_IDENTITY_LIST)


if __name__ == "__main__":
    main(sys.argv[1])

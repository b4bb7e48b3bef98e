"""The environment that Ansible's processes get: a short allow list, and what this tool must fix.

ansible-runner copies the whole caller's environment into the child and into a file of its own
(``artifacts/ID/command``), so whatever is not on the list here never reaches either.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ALLOWED = (
    "HOME",
    "KRB5CCNAME",
    "KRB5_CLIENT_KTNAME",
    "KRB5_CONFIG",
    "LOGNAME",
    "PATH",
    "REQUESTS_CA_BUNDLE",
    "SSH_AUTH_SOCK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "USER",
    "WINLAB_STATE",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    "ANSIBLE_COLLECTIONS_PATH",
    "ANSIBLE_VAULT_IDENTITY_LIST",
    "ANSIBLE_VAULT_PASSWORD_FILE",
)
"""Names only, and none that by custom holds a secret: they are paths, caches and the account."""

MAX_EVENT_CHARACTERS = 64 * 1024 * 1024
"""ansible-runner replaces a longer task result by ``{}`` (its own limit is 700,000)."""


def tool(name: str) -> str:
    """Path of a command that lies beside this Python (``ansible-playbook`` and the like)."""
    return str(Path(sys.executable).parent / name)


def scrubbed(caller: Mapping[str, str], config: Path | None) -> dict[str, str]:
    """The allowed part of ``caller``, the locale Ansible insists on, and the project's ansible.cfg.

    ansible-core refuses to start where the locale's encoding is not UTF-8 (``LC_ALL=C``); C.UTF-8
    is there on every glibc system. Callback plugins that a project enables for people are off
    (``junit`` and the like write results to files outside the run); the list may not be empty, so
    it names the one that ansible-runner's own stdout callback stands in for.
    """
    found = {name: caller[name] for name in ALLOWED if name in caller}
    search = found.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    found["PATH"] = f"{Path(sys.executable).parent}:{search}"
    found |= {
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MAX_EVENT_RES": str(MAX_EVENT_CHARACTERS),
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.default",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_DEVEL_WARNING": "false",
    }
    if config is not None:
        found["ANSIBLE_CONFIG"] = str(config)
    return found

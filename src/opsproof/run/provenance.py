"""Who and what made a run: versions, the commit, the account, the machine."""

from __future__ import annotations

import os
import platform
import pwd
import re
import socket
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from opsproof import __version__
from opsproof.errors import UsageError
from opsproof.yaml_file import read_yaml


class Commit(msgspec.Struct, frozen=True):
    """The commit checked out in a folder, and whether files differ from it; empty without git."""

    id: str | None
    dirty: bool


def versions(project: Path) -> dict[str, str]:
    """Version of each tool that shapes a result, by name; collections by their full name."""
    found = {
        "opsproof": __version__,
        "ansible-core": metadata.version("ansible-core"),
        "ansible-runner": metadata.version("ansible-runner"),
        "python": platform.python_version(),
        "openssl": openssl_version() or "not found",
    }
    found |= {
        name: installed_collection(name) or "not installed" for name in pinned_collections(project)
    }
    return found


def pinned_collections(project: Path) -> dict[str, str]:
    """Collection -> version, from the project's ``requirements.yml``; empty when there is none."""
    path = project / "requirements.yml"
    if not path.is_file():
        return {}
    data = read_yaml(path)
    try:
        return {str(one["name"]): str(one["version"]) for one in data["collections"]}
    except (KeyError, TypeError) as error:
        raise UsageError(
            "it is not a list of collections with versions", where=str(path)
        ) from error


def installed_collection(name: str) -> str | None:
    """Version of a collection as the ``ansible`` package brought it, from its MANIFEST.json."""
    root = Path(str(metadata.distribution("ansible").locate_file("ansible_collections")))
    path = root / name.replace(".", "/") / "MANIFEST.json"
    if not path.is_file():
        return None
    manifest: Any = msgspec.json.decode(path.read_bytes())
    return str(manifest["collection_info"]["version"])


def openssl_version() -> str | None:
    """Version of the openssl command that an auditor would use too; None when there is none."""
    try:
        done = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    match = re.search(r"\d+\.\d+\.\d+\w*", done.stdout)
    return match[0] if match else None


def commit(folder: Path) -> Commit:
    """The state of the git checkout that ``folder`` lies in."""
    head = _git(folder, "rev-parse", "HEAD")
    if head is None:
        return Commit(None, False)
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return Commit(head.strip(), bool(changes and changes.strip()))


def operator(env: Mapping[str, str]) -> str:
    """The login name of whoever started the run; behind ``sudo`` the person, not root."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    behind = env.get("SUDO_USER")
    return behind if behind and name == "root" else name


def machine() -> str:
    """The controller's host name."""
    return socket.gethostname()


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None

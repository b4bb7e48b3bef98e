"""The inventory as Ansible resolves it, and the hosts that a playbook would reach.

Both answers come from Ansible's own commands (``ansible-inventory --list`` and
``ansible-playbook --list-hosts``), so patterns, groups and inventory plugins mean here what they
mean in the run itself.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from opsproof.errors import UsageError
from opsproof.run.environment import tool

DEFAULT_TIME_ZONE = "Asia/Shanghai"
_SECRET_NAME = re.compile(
    r"(?i)^vault_|(pass(word|wd|phrase)?|secret|token|private_key|api_?key)s?$"
)
_TEMPLATE = re.compile(r"\{\{|\{%")
SHORTEST_SECRET = 4
"""Shorter values would redact ordinary words, and a password of three letters is no secret."""


class InventoryHost(msgspec.Struct, frozen=True):
    """One host: its variables as written (templates unresolved) and every group it is in."""

    name: str
    groups: tuple[str, ...]
    variables: dict[str, Any]

    @property
    def asset(self) -> dict[str, Any]:
        """The host's entry in the asset register (contract F-1): its variable ``asset``."""
        value = self.variables.get("asset")
        return value if isinstance(value, dict) else {}


class Inventory(msgspec.Struct, frozen=True):
    """An inventory folder or file. ``sha256`` is of the names and contents of its files."""

    path: Path
    name: str
    sha256: str
    hosts: dict[str, InventoryHost]

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which days are cut: variable ``estate_time_zone``, else Asia/Shanghai."""
        names = {
            str(host.variables.get("estate_time_zone", DEFAULT_TIME_ZONE))
            for host in self.hosts.values()
        } or {DEFAULT_TIME_ZONE}
        if len(names) > 1:
            raise UsageError(
                f"hosts disagree on estate_time_zone: {', '.join(sorted(names))}",
                where=str(self.path),
                remedy="set it once, for the group all",
            )
        try:
            return ZoneInfo(names.pop())
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            # The last: a folder of the time zone database, such as "Asia".
            raise UsageError("estate_time_zone is not a time zone", where=str(self.path)) from error


def resolve(path: Path, env: Mapping[str, str], project: Path) -> Inventory:
    """Runs ``ansible-inventory --list``; :class:`UsageError` carries its first error line."""
    if not path.exists():
        raise UsageError("there is no such inventory", where=str(path), remedy="--inventory DIR")
    text = _ansible(["ansible-inventory", "-i", str(path), "--list"], env, project, str(path))
    data: dict[str, Any] = json.loads(text)
    variables = data.get("_meta", {}).get("hostvars", {})
    groups = _memberships(data)
    names = sorted(set(variables) | set(groups))
    if not names:
        raise UsageError("the inventory holds no host", where=str(path))
    hosts = {
        name: InventoryHost(name, tuple(sorted(groups.get(name, ()))), variables.get(name, {}))
        for name in names
    }
    return Inventory(path.resolve(), path.resolve().name, digest(path), hosts)


def planned(
    playbook: Path, inventory: Path, limit: str | None, env: Mapping[str, str], project: Path
) -> list[tuple[str, ...]]:
    """The hosts of each play, in the order of plays, after ``--limit``.

    Raises :class:`UsageError` for a limit that matches nothing and for a playbook that Ansible
    cannot read: neither may ever look like a run in which nothing was wrong.
    """
    command = ["ansible-playbook", "--list-hosts", "-i", str(inventory), str(playbook)]
    if limit is not None:
        command += ["--limit", limit]
    plays: list[list[str]] = []
    text = _ansible(command, env, project, str(playbook))
    for line in text.splitlines():
        if re.match(r"  play #\d+ \(", line):
            plays.append([])
        elif plays and re.match(r"      \S", line):
            plays[-1].append(line.strip())
    if not any(plays):
        raise UsageError(
            "no host is left to work on",
            where=str(playbook),
            remedy=f"check --limit {limit}" if limit else "check the plays' hosts",
        )
    return [tuple(sorted(hosts)) for hosts in plays]


def secrets(inventory: Inventory) -> tuple[frozenset[str], bool]:
    """Values that must never be stored: of variables whose name says so, and all vaulted ones.

    The second answer says whether any of them is a template or vaulted and so not known yet.
    """
    found: set[str] = set()
    hidden = False
    for host in inventory.hosts.values():
        for name, value in host.variables.items():
            if isinstance(value, dict) and "__ansible_vault" in value:
                hidden = True
            elif is_secret(name) and isinstance(value, str):
                hidden = hidden or _TEMPLATE.search(value) is not None
                found.add(value)
    return frozenset(
        value for value in found if len(value) >= SHORTEST_SECRET and not _TEMPLATE.search(value)
    ), hidden


def is_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def digest(path: Path) -> str:
    """SHA-256 over ``sha256sum`` lines of all files below, sorted by name; of a file, its own."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    files = sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and not file.name.startswith(".")
    )
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(path)}\n"
        for file in files
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _memberships(data: Mapping[str, Any]) -> dict[str, set[str]]:
    """Host -> every group above it, ``all`` included."""
    found: dict[str, set[str]] = {}

    def walk(group: str, above: tuple[str, ...]) -> None:
        if group in above:
            return
        entry = data.get(group, {})
        for host in entry.get("hosts", ()):
            found.setdefault(host, set()).update((*above, group))
        for child in entry.get("children", ()):
            walk(child, (*above, group))

    walk("all", ())
    return found


def _ansible(command: list[str], env: Mapping[str, str], project: Path, where: str) -> str:
    try:
        done = subprocess.run(
            [tool(command[0]), *command[1:]],
            env=dict(env),
            cwd=project,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
    except OSError as error:
        raise UsageError(
            f"{command[0]} cannot be started", where=where, remedy="make setup"
        ) from error
    if done.returncode != 0:
        raise UsageError(_first_error(done.stderr or done.stdout), where=where)
    return done.stdout


def _first_error(text: str) -> str:
    """The first ``[ERROR]`` paragraph as one line, else the last line of all."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if line.startswith(("[ERROR]:", "ERROR!")):
            return line.removeprefix("[ERROR]:").removeprefix("ERROR!").strip() or lines[number + 1]
    return lines[-1] if lines else "Ansible failed without a word"

"""What a playbook is before it runs: its files, its gate, its activities, and their digest.

Read from the YAML alone, without Ansible: plays in the order in which ansible-playbook numbers
them, imported playbooks followed. A role is an activity (design.md), so the activities of a play
are the roles it names, statically or by ``import_role`` and ``include_role`` in its task lists.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from opsproof.errors import UsageError

GATES = ("none", "change")
_ROLE_ACTIONS = ("import_role", "include_role")
_TASK_LISTS = ("pre_tasks", "tasks", "post_tasks", "handlers", "block", "rescue", "always")


class Play(msgspec.Struct, frozen=True):
    """One play: the roles it names, in order, and whether it declares that it changes things."""

    activities: tuple[str, ...]
    gate: str


class Playbook(msgspec.Struct, frozen=True):
    """A playbook found on disk.

    ``name`` is the file's stem and the kind of its runs; ``project`` the folder of ansible.cfg
    and the roles. ``sha256`` is of the file alone, ``content_sha256`` of every file that decides
    what it does: itself, the playbooks it imports and the roles they name, with their
    dependencies. Tickets approve the latter.
    """

    name: str
    path: Path
    project: Path
    plays: tuple[Play, ...]
    sha256: str
    content_sha256: str

    @property
    def gated(self) -> bool:
        """Whether any play changes things and so needs a ticket."""
        return any(play.gate == "change" for play in self.plays)

    @property
    def activities(self) -> tuple[str, ...]:
        """The activities of all plays, each once, in order."""
        return tuple(dict.fromkeys(name for play in self.plays for name in play.activities))


class _Loader(yaml.SafeLoader):
    """Reads Ansible's YAML; ``!vault`` and ``!unsafe`` values are of no interest here."""


def _ignored(loader: _Loader, _suffix: str, node: yaml.Node) -> None:
    del loader, node


_Loader.add_multi_constructor("!", _ignored)


def find(word: str, cwd: Path) -> Playbook:
    """The playbook of a name (``daily`` is ``playbooks/daily.yml``) or of a path.

    Raises :class:`UsageError` when there is none, or when it is not a playbook.
    """
    path = Path(word)
    if path.suffix not in (".yml", ".yaml"):
        if len(path.parts) != 1:
            raise UsageError("a playbook is a name or a path to a .yml file", where=word)
        path = cwd / "playbooks" / f"{word}.yml"
    path = (cwd / path).resolve()
    if not path.is_file():
        known = sorted(file.stem for file in (cwd / "playbooks").glob("*.yml"))
        raise UsageError(
            "there is no such playbook",
            where=str(path),
            remedy=f"one of {', '.join(known)}, or a path" if known else "give a path",
        )
    project = project_of(path)
    files = [path]
    plays = tuple(_plays(path, files))
    if not plays:
        raise UsageError("it holds no play", where=str(path))
    roles = [name for play in plays for name in play.activities]
    return Playbook(path.stem, path, project, plays, _sha256(path), _digest(project, files, roles))


def project_of(playbook: Path) -> Path:
    """The nearest folder above that holds an ansible.cfg, else the playbook's own."""
    return next(
        (folder for folder in playbook.parents if (folder / "ansible.cfg").is_file()),
        playbook.parent,
    )


def _plays(path: Path, files: list[Path]) -> Iterator[Play]:
    for entry in _entries(path):
        imported = entry.get("import_playbook", entry.get("ansible.builtin.import_playbook"))
        if imported is not None:
            below = (path.parent / str(imported)).resolve()
            if below in files:
                raise UsageError(f"it imports {below.name} twice or in a circle", where=str(path))
            files.append(below)
            yield from _plays(below, files)
            continue
        variables = entry.get("vars")
        gate = variables.get("opsproof_gate", "none") if isinstance(variables, dict) else "none"
        if gate not in GATES:
            raise UsageError(
                f"opsproof_gate is {gate!r}", where=str(path), remedy=f"one of {', '.join(GATES)}"
            )
        yield Play(tuple(dict.fromkeys(_roles(entry))), gate)


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise UsageError("the playbook cannot be read", where=str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(" ".join(str(error).split()), where=str(path)) from error
    if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
        raise UsageError("a playbook is a list of plays", where=str(path))
    return data


def _roles(block: dict[str, Any]) -> Iterator[str]:
    for role in block.get("roles") or ():
        name = role.get("role", role.get("name")) if isinstance(role, dict) else role
        if isinstance(name, str):
            yield name
    for key in _TASK_LISTS:
        for task in block.get(key) or ():
            if isinstance(task, dict):
                yield from _task_roles(task)
                yield from _roles(task)


def _task_roles(task: dict[str, Any]) -> Iterator[str]:
    for action in _ROLE_ACTIONS:
        arguments = task.get(action, task.get(f"ansible.builtin.{action}"))
        if isinstance(arguments, dict) and isinstance(arguments.get("name"), str):
            yield arguments["name"]


def _digest(project: Path, files: list[Path], roles: list[str]) -> str:
    """SHA-256 of ``sha256sum`` lines of all files, by path below the project, sorted."""
    pending, done = list(roles), set[str]()
    every = set(files)
    while pending:
        name = pending.pop()
        folder = project / "roles" / name
        if name in done or not folder.is_dir():
            continue
        done.add(name)
        every |= {path for path in folder.rglob("*") if path.is_file() and _counts(path)}
        pending += _dependencies(folder / "meta" / "main.yml")
    lines = sorted(f"{_sha256(path)}  {_below(path, project)}\n" for path in every)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _counts(path: Path) -> bool:
    return path.suffix != ".pyc" and "__pycache__" not in path.parts


def _dependencies(meta: Path) -> list[str]:
    if not meta.is_file():
        return []
    data = yaml.load(meta.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    return list(_roles({"roles": (data or {}).get("dependencies")}))


def _below(path: Path, project: Path) -> str:
    return str(path.relative_to(project)) if path.is_relative_to(project) else str(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

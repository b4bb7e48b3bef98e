"""Argument specifications, read from the documentation that ships with each module.

A module's ``DOCUMENTATION`` (a constant in its .py file, or a .yml sidecar) gives options, types,
defaults, choices and aliases. What only the .ps1 states (mutually exclusive sets, no_log, options
that are internal to an action plugin) is added where the emulation is registered. Reading one
documentation takes milliseconds, so each is read once per process, when the module is first used.
"""

from __future__ import annotations

import ast
import base64
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Relations between options, as an Ansible.Basic specification states them."""

    mutually_exclusive: tuple[tuple[str, ...], ...] = ()
    required_together: tuple[tuple[str, ...], ...] = ()
    required_one_of: tuple[tuple[str, ...], ...] = ()
    required_if: tuple[tuple[str, object, tuple[str, ...]], ...] = ()
    required_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option. ``type`` and ``elements`` are Ansible's names, and ``uint32`` for a delegate."""

    type: str = "str"
    elements: str | None = None
    default: Any = None
    required: bool = False
    choices: tuple[Any, ...] = ()
    aliases: tuple[str, ...] = ()
    no_log: bool = False
    options: Mapping[str, Option] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a module accepts."""

    module: str
    options: Mapping[str, Option]
    rules: Rules
    supports_check_mode: bool


@lru_cache(maxsize=16)
def module_folder(collection: str) -> Path:
    """The folder of a collection's modules as installed; raises LookupError when it is absent.

    It is looked for where Python's packages are: Ansible's own loader, once it runs in this
    process, answers for collections with places that have nothing to do with the installed ones.
    """
    inside = Path("ansible_collections", *collection.split("."), "plugins", "modules")
    for place in sys.path:
        if (found := Path(place) / inside).is_dir():
            return found
    raise LookupError(f"the collection {collection} is not installed")


def shipped_script(collection: str, name: str) -> str | None:
    """The base64 text of the module's .ps1 as a manifest carries it, or None when none ships."""
    return _script_text(collection, name)


@lru_cache(maxsize=256)
def _script_text(collection: str, name: str) -> str | None:
    path = module_folder(collection) / f"{name}.ps1"
    return base64.b64encode(path.read_bytes()).decode() if path.is_file() else None


@lru_cache(maxsize=256)
def documentation(collection: str, name: str) -> Mapping[str, Any]:
    """The module's parsed documentation; raises LookupError when the module ships none."""
    folder = module_folder(collection)
    sidecar = folder / f"{name}.yml"
    if sidecar.is_file():
        parsed = yaml.load(sidecar.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506  the loader is the C build of SafeLoader
        return dict(parsed["DOCUMENTATION"])
    source = folder / f"{name}.py"
    if not source.is_file():
        raise LookupError(f"{collection}.{name} ships no documentation")
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "DOCUMENTATION"
        ):
            return dict(yaml.load(ast.literal_eval(node.value), Loader=_LOADER))  # noqa: S506  as above
    raise LookupError(f"{source.name} has no DOCUMENTATION")


def documented_options(collection: str, name: str) -> dict[str, Option]:
    """The documented options of a module, in the order of its documentation."""
    return _options(documentation(collection, name).get("options") or {})


def _options(documented: Mapping[str, Any]) -> dict[str, Option]:
    return {name: _option(told or {}) for name, told in documented.items()}


def _option(told: Mapping[str, Any]) -> Option:
    choices: Iterable[Any] = told.get("choices") or ()
    return Option(
        type=told.get("type", "str"),
        elements=told.get("elements"),
        default=told.get("default"),
        required=bool(told.get("required", False)),
        choices=tuple(choices),
        aliases=tuple(told.get("aliases") or ()),
        options=_options(told.get("suboptions") or {}),
    )


def adjusted(options: Mapping[str, Option], path: str, **changes: Any) -> dict[str, Option]:
    """A copy with the option at ``path`` (dots lead into suboptions) changed; KeyError if absent."""
    name, _, rest = path.partition(".")
    option = options[name]
    if rest:
        option = replace(option, options=adjusted(option.options, rest, **changes))
    else:
        option = replace(option, **changes)
    return {**options, name: option}

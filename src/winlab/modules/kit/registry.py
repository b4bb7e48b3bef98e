"""Finding an emulated module by the name that a manifest gives its script.

Each file of ``winlab.modules`` is named as the module it emulates and has one ``MODULE``. A file is
imported when its module is first called, so that a lab pays only for what is used.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import winlab.modules
from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.legacy import LegacyModule
from winlab.modules.kit.spec import (
    Option,
    Rules,
    Spec,
    adjusted,
    documented_options,
    shipped_script,
)

_SCRIPT = re.compile(r"ansible_collections\.(\w+)\.(\w+)\.plugins\.modules\.(\w+)\.ps1")


@dataclass(frozen=True)
class Registered:
    """One emulated module: exactly one of ``basic`` and ``legacy`` runs it.

    ``internal`` are options that only action plugins send; ``not_modelled`` are documented options
    that the lab refuses by name; ``open_options`` lets unknown options pass (setup).
    """

    name: str
    basic: Callable[[BasicModule], None] | None = None
    legacy: Callable[[LegacyModule], None] | None = None
    collection: str = "ansible.windows"
    check_mode: bool = True
    rules: Rules = field(default_factory=Rules)
    internal: Mapping[str, Option] = field(default_factory=dict)
    action_only: tuple[str, ...] = ()
    no_log: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    group_rules: Mapping[str, Rules] = field(default_factory=dict)
    not_modelled: tuple[str, ...] = ()
    open_options: bool = False

    @cached_property
    def spec(self) -> Spec:
        """The specification: shipped documentation and what only the script states."""
        options: dict[str, Option] = documented_options(self.collection, self.name)
        for name in self.action_only:
            del options[name]
        for path in self.no_log:
            options = adjusted(options, path, no_log=True)
        for path, kind in self.types.items():
            options = adjusted(options, path, type=kind)
        for path, rules in self.group_rules.items():
            options = adjusted(options, path, rules=rules)
        return Spec(
            module=f"{self.collection}.{self.name}",
            options={**self.internal, **options},
            rules=self.rules,
            supports_check_mode=self.check_mode,
        )

    def open_spec(self, arguments: Mapping[str, object]) -> Spec:
        """The specification, with unknown ``arguments`` as raw options where that is allowed."""
        if not self.open_options:
            return self.spec
        unknown = {
            name: Option(type="raw")
            for name in arguments
            if not name.startswith("_") and name not in self.spec.options
        }
        return replace(self.spec, options={**self.spec.options, **unknown})

    def ships_as(self, script: str) -> bool:
        """Whether base64 ``script`` is the version of the module that this lab emulates."""
        return shipped_script(self.collection, self.name) == script


def find(script: str) -> Registered | None:
    """The emulation for a manifest's ``Script`` name, or None when the lab has none."""
    named = _SCRIPT.fullmatch(script)
    if named is None:
        return None
    found = by_name(named[3])
    return found if found and found.collection == f"{named[1]}.{named[2]}" else None


@lru_cache(maxsize=512)
def by_name(name: str) -> Registered | None:
    """The emulation in the file of that name, or None."""
    if name not in _files():
        return None
    registered = importlib.import_module(f"winlab.modules.{name}").MODULE
    if not isinstance(registered, Registered) or registered.name != name:
        raise TypeError(f"winlab.modules.{name} registers {registered!r}")
    return registered


def all_registered() -> Iterator[Registered]:
    """Every emulated module, by name."""
    for name in sorted(_files()):
        found = by_name(name)
        if found is not None:
            yield found


@lru_cache(maxsize=1)
def _files() -> frozenset[str]:
    places = winlab.modules.__path__
    return frozenset(item.name for item in pkgutil.iter_modules(places) if not item.ispkg)

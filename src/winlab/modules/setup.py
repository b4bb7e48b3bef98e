"""ansible.windows.setup (setup.ps1, ansible.windows 3.3.0).

As in the original, a positive ``gather_subset`` adds to the full set, so that only exclusions
("!all", "!hardware") make the answer smaller, and ``filter`` is accepted and ignored.
"""

from __future__ import annotations

import json
from typing import Any

from winlab.host import paths
from winlab.host.errors import NotModelledError, WindowsError
from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.facts import SUBSETS
from winlab.modules.kit.registry import Registered
from winlab.modules.kit.spec import Option

_GROUPS: dict[str, frozenset[str]] = {
    "min": frozenset(
        {
            "date_time",
            "distribution",
            "dns",
            "env",
            "local",
            "platform",
            "powershell_version",
            "user",
        }
    ),
    "network": frozenset(
        {"all_ipv4_addresses", "all_ipv6_addresses", "interfaces", "windows_domain", "winrm"}
    ),
    "hardware": frozenset({"bios", "memory", "processor", "uptime", "virtual"}),
    "external": frozenset({"facter"}),
}
_ALL = frozenset().union(*_GROUPS.values())


def run(module: BasicModule) -> None:
    """Gather the facts of the chosen subsets."""
    subset = module.params["gather_subset"]
    facts: dict[str, Any] = {"gather_subset": subset, "module_setup": True}
    chosen = _chosen(module, subset)
    for names, gather in SUBSETS.items():
        if chosen.intersection(names):
            facts.update(gather(module.context))
    if "local" in chosen and module.params["fact_path"]:
        facts.update(_local(module, module.params["fact_path"]))
    module.result["ansible_facts"] = facts
    module.exit()


def _chosen(module: BasicModule, asked: list[str]) -> frozenset[str]:
    explicit: set[str] = set()
    excluded: set[str] = set()
    groups = {**_GROUPS, "all": _ALL}
    for item in asked:
        name = item.removeprefix("!")
        if item.startswith("!"):
            whole = _ALL - _GROUPS["min"] if name == "all" else groups.get(name, {name} & _ALL)
            excluded |= whole
        elif name in groups or name in _ALL:
            explicit |= groups.get(name, frozenset({name}))
        else:
            module.warn(f"invalid value {name} specified in gather_subset")
    return (_ALL - excluded) | explicit


def _local(module: BasicModule, place: str) -> dict[str, Any]:
    files = module.host.files
    if not files.exists(place):
        module.warn(f"Non existing path was set for local facts - {place}")
        return {}
    facts: dict[str, Any] = {}
    found = files.list(place) if files.is_folder(place) else [files.stat(place)]
    for item in found:
        suffix = paths.suffix(item.name)
        if suffix == ".ps1":
            raise NotModelledError(f"the local facts script {item.path}")
        if suffix == ".json":
            name = item.name.removesuffix(suffix)
            facts[f"ansible_{name}"] = _json(module, item.path)
    return facts


def _json(module: BasicModule, path: str) -> Any:
    try:
        return json.loads(module.host.files.read(path).decode("utf-8-sig"))
    except (ValueError, WindowsError) as error:
        module.warn(f"Error when collecting local facts: {error}")
        return None


MODULE = Registered(
    "setup",
    basic=run,
    internal={"_measure_subset": Option(type="bool", default=False)},
    open_options=True,
)

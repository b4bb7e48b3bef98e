"""RSoP's WMI classes of a computer, namespace root\\rsop\\computer.

Sources: the RSOP_* class pages (Microsoft Learn), for their properties and that precedence 1 wins;
GPOID is the GPO's path in Active Directory or "LocalGPO" (RSOP_PolicySetting). Only properties that
policy tools ask for are modelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias, TypeVar

from winlab.host.grouppolicy import Gpo, template_data
from winlab.host.host import Host

Row: TypeAlias = "dict[str, str]"
T = TypeVar("T")

NAMESPACE = "root\\rsop\\computer"
_MODES = {"auto": "2", "manual": "3", "disabled": "4"}
_BOOLEAN = {
    "passwordcomplexity",
    "cleartextpassword",
    "forcelogoffwhenhourexpire",
    "requirelogontochangepassword",
    "lsaanonymousnamelookup",
    "enableadminaccount",
    "enableguestaccount",
}


def _flag(value: bool) -> str:
    return "TRUE" if value else "FALSE"


def _gpos(host: Host) -> list[Row]:
    logged = host.group_policy.logged
    if logged is None:
        return []
    local = {
        "accessDenied": "FALSE",
        "enabled": "TRUE",
        "fileSystemPath": "C:\\Windows\\System32\\GroupPolicy\\Machine",
        "filterAllowed": "TRUE",
        "guidName": "Local Group Policy",
        "id": "LocalGPO",
        "name": host.text("Local Group Policy", "本地组策略"),
        "version": "0",
    }
    return [local] + [
        {
            "accessDenied": "FALSE",
            "enabled": "TRUE",
            "fileSystemPath": f"\\\\{gpo.domain}\\sysvol\\{gpo.domain}\\Policies\\{gpo.guid}\\Machine",
            "filterAllowed": "TRUE",
            "guidName": gpo.guid,
            "id": gpo.path,
            "name": gpo.name,
            "version": str(gpo.version),
        }
        for gpo in logged
    ]


def _ranked(
    host: Host, items: Callable[[Gpo], Iterable[T]], key: Callable[[T], str]
) -> Iterator[tuple[T, Row]]:
    """Every item of every GPO with its GPO and rank; the GPO that comes last has precedence 1."""
    seen: dict[str, int] = {}
    for gpo in reversed(host.group_policy.logged or ()):
        for item in items(gpo):
            rank = seen[key(item)] = seen.get(key(item), 0) + 1
            yield item, {"GPOID": gpo.path, "precedence": str(rank)}


def _templates(host: Host) -> list[Row]:
    return [
        head
        | {
            "deleted": _flag(value.data is None),
            "registryKey": value.key,
            "valueName": value.name,
            "valueType": str(int(value.type)),
        }
        for value, head in _ranked(host, lambda gpo: gpo.registry, lambda v: "\\".join(v.folded))
    ]


def _settings(kind: str) -> Callable[[Host], list[Row]]:
    def rows(host: Host) -> list[Row]:
        found = []
        for (key, value), head in _ranked(
            host, lambda gpo: gpo.access.items(), lambda item: item[0].lower()
        ):
            if isinstance(value, str):
                own, shown = "string", value
            elif key.lower() in _BOOLEAN:
                own, shown = "boolean", _flag(value == 1)
            else:
                own, shown = "numeric", str(value)
            if own == kind:
                found.append(head | {"KeyName": key, "Setting": shown})
        return found

    return rows


def _rights(host: Host) -> list[Row]:
    return [
        head | {"AccountList": _accounts(host, who), "UserRight": right}
        for (right, who), head in _ranked(
            host, lambda gpo: gpo.rights.items(), lambda item: item[0].lower()
        )
    ]


def _accounts(host: Host, sids: tuple[str, ...]) -> str:
    names = ",".join(f'"{host.accounts.name_of(sid)}"' for sid in sids)
    return f"{{{names}}}"


def _values(host: Host) -> list[Row]:
    return [
        head
        | {
            "Data": template_data(value).strip('"'),
            "Path": f"MACHINE\\{value.key}\\{value.name}",
            "Type": str(int(value.type)),
        }
        for value, head in _ranked(
            host, lambda gpo: gpo.security_values, lambda v: "\\".join(v.folded)
        )
    ]


def _services(host: Host) -> list[Row]:
    return [
        head | {"Service": name, "StartupMode": _MODES[mode]}
        for (name, mode), head in _ranked(
            host, lambda gpo: gpo.services.items(), lambda item: item[0].lower()
        )
    ]


CLASSES: dict[str, Callable[[Host], list[Row]]] = {
    "rsop_gpo": _gpos,
    "rsop_registrypolicysetting": _templates,
    "rsop_registryvalue": _values,
    "rsop_securitysettingboolean": _settings("boolean"),
    "rsop_securitysettingnumeric": _settings("numeric"),
    "rsop_securitysettingstring": _settings("string"),
    "rsop_systemservice": _services,
    "rsop_userprivilegeright": _rights,
}

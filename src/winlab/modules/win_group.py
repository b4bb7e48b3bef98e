"""ansible.windows.win_group (win_group.ps1, ansible.windows 3.3.0)."""

from __future__ import annotations

from typing import Any

from winlab.host.accounts import Group
from winlab.host.errors import WindowsError
from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.dotnet import ModuleCrash, calling
from winlab.modules.kit.principals import account_name, not_translated, translate
from winlab.modules.kit.registry import Registered
from winlab.modules.kit.spec import Rules


def run(module: BasicModule) -> None:
    """Create, change or delete a local group and its members."""
    module.diff.update(before=None, after=None)
    module.result["sid"] = None
    group = _find(module)
    if group is not None:
        module.diff["before"] = _diff(module, group.description, group.members)
    if module.params["state"].lower() == "present":
        _present(module, group)
    elif group is not None:
        if not module.check_mode:
            try:
                module.host.accounts.delete_group(group.name)
            except WindowsError as error:
                locale = module.host.locale.name
                text = calling("Delete", 2, error.text(locale) + "\r\n", locale)
                raise ModuleCrash(text) from error
        module.result["changed"] = True
    module.exit()


def _find(module: BasicModule) -> Group | None:
    name = module.params["name"].lower()
    return next((g for g in module.host.accounts.groups() if g.name.lower() == name), None)


def _diff(module: BasicModule, description: str, members: Any) -> dict[str, Any]:
    names = sorted({account_name(module.host, sid) for sid in members}, key=str.lower)
    return {"name": module.params["name"], "description": description, "members": names}


def _present(module: BasicModule, group: Group | None) -> None:
    params, accounts = module.params, module.host.accounts
    if group is None:
        module.result["changed"] = True
        if module.check_mode:
            module.result["sid"] = "S-1-5-0000"
            module.diff["after"] = _diff(module, params["description"], ())
            return
        group = accounts.create_group(params["name"])
    module.result["sid"] = group.sid
    description = params["description"]
    if description is None:
        description = group.description
    elif description.lower() != group.description.lower():
        if not module.check_mode:
            accounts.change_group(group.name, description=description)
        module.result["changed"] = True
    members = _members(module, group)
    module.diff["after"] = _diff(module, description, members)


def _members(module: BasicModule, group: Group) -> list[str]:
    asked: dict[str, Any] = module.params["members"] or {}
    present = list(group.members)
    add: list[str] = []
    gone: list[str] = []
    if asked.get("set") is not None:
        wanted = _sids(module, asked["set"])
        add = [sid for sid in wanted if sid not in present]
        gone = [sid for sid in present if sid not in wanted]
    else:
        add = [sid for sid in _sids(module, asked.get("add") or ()) if sid not in present]
        removed = _sids(module, asked.get("remove") or ())
        gone = [sid for sid in present if sid in removed]
    if not module.check_mode:
        for sid in add:
            module.host.accounts.add_member(group.name, sid)
        for sid in gone:
            module.host.accounts.remove_member(group.name, sid)
    if add or gone:
        module.result["changed"] = True
    return [sid for sid in present if sid not in gone] + add


def _sids(module: BasicModule, names: Any) -> list[str]:
    found: list[str] = []
    for name in names:
        sid = translate(module.host, name)
        if sid is None:
            locale = module.host.locale.name
            inner = calling("Translate", 1, not_translated(locale), locale)
            raise ModuleCrash(f"Failed to translate '{name}' to a SecurityIdentifier: {inner}")
        if sid not in found:
            found.append(sid)
    return found


MODULE = Registered(
    "win_group",
    basic=run,
    group_rules={"members": Rules(mutually_exclusive=(("set", "add"), ("set", "remove")))},
)

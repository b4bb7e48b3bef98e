"""ansible.windows.win_group_membership (win_group_membership.ps1, ansible.windows 3.3.0)."""

from __future__ import annotations

from winlab.host.accounts import Group
from winlab.host.errors import WindowsError
from winlab.modules.kit.context import ModuleEnd
from winlab.modules.kit.dotnet import calling
from winlab.modules.kit.legacy import LegacyModule
from winlab.modules.kit.principals import account_name, not_translated, translate
from winlab.modules.kit.registry import Registered


def run(module: LegacyModule) -> None:
    """Add, remove or exactly set the members of a local group."""
    name = module.get("name", kind="str", required=True)
    members = module.get("members", kind="list", required=True)
    states = ["present", "absent", "pure"]
    state = module.get("state", kind="str", default="present", choices=states).lower()
    module.result["name"] = name
    if state != "absent":
        module.result["added"] = []
    if state != "present":
        module.result["removed"] = []
    group = _find(module, name)
    if group is None:
        module.fail(f"Could not find local group {name}")
    wanted = _sids(module, members)
    if state != "absent":
        _apply(module, group, [sid for sid in wanted if sid not in group.members], "added")
    if state == "absent":
        _apply(module, group, [sid for sid in wanted if sid in group.members], "removed")
    elif state == "pure":
        _apply(module, group, [sid for sid in group.members if sid not in wanted], "removed")
    _report(module, name)
    module.exit()


def _find(module: LegacyModule, name: str) -> Group | None:
    groups = module.host.accounts.groups()
    return next((group for group in groups if group.name.lower() == name.lower()), None)


def _sids(module: LegacyModule, names: list[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        sid = translate(module.host, str(name))
        if sid is None:
            locale = module.host.locale.name
            inner = calling("Translate", 1, not_translated(locale), locale)
            text = f"account_name {name} is not a valid account, cannot get SID: {inner}"
            raise ModuleEnd({"msg": text, "failed": True, "changed": False}, 1)
        if sid not in found:
            found.append(sid)
    return found


def _apply(module: LegacyModule, group: Group, sids: list[str], how: str) -> None:
    accounts = module.host.accounts
    for sid in sids:
        if not module.check_mode:
            try:
                if how == "added":
                    accounts.add_member(group.name, sid)
                else:
                    accounts.remove_member(group.name, sid)
            except WindowsError as error:
                locale = module.host.locale.name
                module.fail(calling(how, 1, error.text(locale) + "\r\n", locale))
        module.result[how].append(account_name(module.host, sid))
        module.result["changed"] = True


def _report(module: LegacyModule, name: str) -> None:
    group = _find(module, name)
    members = [account_name(module.host, sid) for sid in (group.members if group else ())]
    if module.check_mode:
        members += module.result.get("added", [])
        gone = module.result.get("removed", [])
        members = [member for member in members if member not in gone]
    module.result["members"] = members


MODULE = Registered("win_group_membership", legacy=run)

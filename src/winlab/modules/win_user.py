"""ansible.windows.win_user (win_user.ps1, ansible.windows 3.3.0)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from winlab.host.accounts import Group, User
from winlab.host.errors import WindowsError
from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.dotnet import ModuleCrash, calling
from winlab.modules.kit.principals import account_name, translate
from winlab.modules.kit.registry import Registered

# option -> field of User; the flag says whether case matters in the comparison.
_FIELDS = {
    "account_locked": ("account_locked", True),
    "fullname": ("full_name", True),
    "description": ("description", True),
    "home_directory": ("home_directory", False),
    "login_script": ("login_script", False),
    "password_expired": ("password_expired", True),
    "password_never_expires": ("password_never_expires", True),
    "profile": ("profile", False),
    "user_cannot_change_password": ("user_cannot_change_password", True),
}
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:?\d\d)?)?", re.IGNORECASE
)


def run(module: BasicModule) -> None:
    """Create, change, delete or report a local user."""
    params = module.params
    if params["account_locked"]:
        module.fail("account_locked must be set to 'no' if provided")
    _check_expiry(module, params["account_expires"])
    user = _find(module)
    module.diff["before"] = _diff(module, user)
    state = params["state"].lower()
    if state == "present":
        _present(module, user)
    elif state == "absent":
        _absent(module, user)
    else:
        module.result["msg"] = f"Querying user '{params['name']}'"
        module.diff["after"] = module.diff["before"]
    module.result["state"] = state if state != "query" else "present" if user else "absent"
    _report(module)
    module.exit()


def _find(module: BasicModule) -> User | None:
    name = module.params["name"].lower()
    return next((u for u in module.host.accounts.users() if u.name.lower() == name), None)


def _check_expiry(module: BasicModule, text: str | None) -> None:
    if not text or text.lower() == "never":
        return
    try:
        valid = bool(_DATE.fullmatch(text)) and bool(datetime.fromisoformat(text[:10]))
    except ValueError:
        valid = False
    if not valid:
        module.fail(
            "Failed to parse account_expires as datetime string. Expecting datetime in yyyy-MM-dd "
            "or yyyy-MM-ddTHH:mm:ss.FFFFFFFK format."
        )


def _expiry(text: str) -> datetime | None:
    if text.lower() == "never":
        return None
    parsed = datetime.fromisoformat(re.sub(r"(\.\d{6})\d", r"\1", text))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _diff(module: BasicModule, user: User | None) -> Any:
    if user is None:
        return ""
    shown: dict[str, Any] = {option: getattr(user, field) for option, (field, _) in _FIELDS.items()}
    expires = user.expires.isoformat() if user.expires else "never"
    groups = module.host.accounts.groups_of(user.sid)
    shown.update(
        account_disabled=not user.enabled,
        account_expires=expires,
        groups=[account_name(module.host, group.sid) for group in groups],
        name=user.name,
        password="REDACTED",  # noqa: S106  the original's text
    )
    return shown


def _present(module: BasicModule, user: User | None) -> None:
    params, accounts = module.params, module.host.accounts
    created = user is None
    if user is None:
        module.result["changed"] = True
        after: dict[str, Any] = {"name": params["name"]}
        if params["password"] is not None:
            after["password"] = "REDACTED"  # noqa: S105  the original's text
        module.diff["after"] = after
        if module.check_mode:
            return
        try:
            user = accounts.create_user(params["name"], params["password"])
        except WindowsError as error:
            raise _adsi_crash(module, "SetInfo", 0, error) from error
    after = dict(_diff(module, user))
    module.diff["after"] = after
    changes = _changes(module, user, after, created=created)
    if changes:
        module.result["changed"] = True
        if not module.check_mode:
            accounts.change_user(user.name, **changes)
    if params["groups"] is not None:
        _groups(module, user, after)


def _adsi_crash(module: BasicModule, call: str, count: int, error: WindowsError) -> ModuleCrash:
    locale = module.host.locale.name
    return ModuleCrash(calling(call, count, error.text(locale) + "\r\n", locale))


def _changes(
    module: BasicModule, user: User, after: dict[str, Any], *, created: bool
) -> dict[str, Any]:
    params = module.params
    changes: dict[str, Any] = {}
    always = params["update_password"].lower() == "always" and not created
    if params["password"] is not None and always:
        blind = not user.enabled or user.password_expired
        if blind or (user.password or "") != params["password"]:
            changes.update(password=params["password"], password_set=module.host.now())
            after["password"] = "CHANGED REDACTED"  # noqa: S105  the original's text
    disabled = params["account_disabled"]
    if disabled is not None and disabled != (not user.enabled):
        changes["enabled"] = not disabled
        after["account_disabled"] = disabled
    if params["account_expires"]:
        expires = _expiry(params["account_expires"])
        if expires != user.expires:
            changes["expires"] = expires
            after["account_expires"] = expires.isoformat() if expires else "never"
    for option, (field, exact) in _FIELDS.items():
        value, present = params[option], getattr(user, field)
        if value is None:
            continue
        same = value == present if exact else str(value).lower() == str(present).lower()
        if not same:
            changes[field] = value
            after[option] = value
    return changes


def _groups(module: BasicModule, user: User, after: dict[str, Any]) -> None:
    accounts, action = module.host.accounts, module.params["groups_action"].lower()
    wanted = [_group(module, name) for name in module.params["groups"] if name.strip()]
    present = accounts.groups_of(user.sid)
    have, want = {group.sid for group in present}, {group.sid for group in wanted}
    add = [group for group in wanted if group.sid not in have] if action != "remove" else []
    gone: list[Group] = []
    if action == "remove":
        gone = [group for group in present if group.sid in want]
    elif action == "replace":
        gone = [group for group in present if group.sid not in want]
    for group in add:
        if not module.check_mode:
            accounts.add_member(group.name, user.sid)
        after["groups"].append(group.name)
    for group in gone:
        if not module.check_mode:
            accounts.remove_member(group.name, user.sid)
        # The original takes the bare name out of a list of full names, which removes only
        # groups of this computer's own; the difference shows in the diff alone.
        if group.name in after["groups"]:
            after["groups"].remove(group.name)
    if add or gone:
        module.result["changed"] = True


def _group(module: BasicModule, name: str) -> Group:
    sid = translate(module.host, name)
    group = module.host.accounts.find_group(sid) if sid else None
    if group is None:
        module.fail(f"group '{name}' not found")
    return group


def _absent(module: BasicModule, user: User | None) -> None:
    module.diff["after"] = ""
    if user is None:
        module.result["msg"] = f"User '{module.params['name']}' was not found"
        return
    if not module.check_mode:
        try:
            module.host.accounts.delete_user(user.name)
        except WindowsError as error:
            raise _adsi_crash(module, "Delete", 2, error) from error
    module.result["changed"] = True
    module.result["msg"] = f"User '{user.name}' deleted successfully"


def _report(module: BasicModule) -> None:
    result, host = module.result, module.host
    result["name"] = module.params["name"]
    user = _find(module)
    if user is None:
        return
    start = f"WinNT://{host.network.domain}/{host.name}"
    groups = host.accounts.groups_of(user.sid)
    result.update(
        fullname=user.full_name,
        path=f"{start}/{user.name}",
        description=user.description,
        password_expired=user.password_expired,
        password_never_expires=user.password_never_expires,
        user_cannot_change_password=user.user_cannot_change_password,
        account_disabled=not user.enabled,
        account_locked=user.account_locked,
        sid=user.sid,
        groups=[{"name": group.name, "path": f"{start}/{group.name}"} for group in groups],
    )


MODULE = Registered("win_user", basic=run, no_log=("password",))

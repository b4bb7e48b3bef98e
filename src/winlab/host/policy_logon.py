"""Whether policy lets somebody in over the network, so that a lock-out in the lab is a real one.

Sources: "Access this computer from the network", "Deny access to this computer from the network"
(Microsoft Learn); KB951016 for the filtered token of local administrators. What a client is told
is assumed: 401, as for a wrong password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from winlab.host.errors import WindowsError

if TYPE_CHECKING:
    from winlab.host.host import Host

_SYSTEM = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System"
_WINRM = "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\WinRM\\Service"
_ADMINISTRATORS = "S-1-5-32-544"


def token_sids(host: Host, user: str) -> tuple[str, ...]:
    """Return the SIDs of a local account's network token, its own first (1332 for nobody)."""
    sid = host.accounts.sid_of(user)
    groups = [group.sid for group in host.accounts.groups_of(user)]
    local = ["S-1-5-113"] + (["S-1-5-114"] if _ADMINISTRATORS in groups else [])
    return (sid, "S-1-1-0", *groups, "S-1-5-2", "S-1-5-11", "S-1-5-15", *local)


def may_log_on(host: Host, user: str) -> bool:
    """Whether user rights and the token filter let an account use WinRM."""
    try:
        sids = set(token_sids(host, user))
    except WindowsError:
        return False
    rights = host.policy.rights
    if not sids & set(rights.get("SeNetworkLogonRight", ())):
        return False
    if sids & set(rights.get("SeDenyNetworkLogonRight", ())):
        return False
    return not _filtered(host, host.accounts.sid_of(user), sids)


def _number(host: Host, key: str, name: str) -> int | None:
    found = host.registry.value(key, name)
    return found.data if found is not None and isinstance(found.data, int) else None


def _filtered(host: Host, sid: str, sids: set[str]) -> bool:
    """Whether the token of a local administrator is filtered; quickconfig sets the policy to 1."""
    if _ADMINISTRATORS not in sids or _number(host, _SYSTEM, "EnableLUA") == 0:
        return False
    policy = _number(host, _SYSTEM, "LocalAccountTokenFilterPolicy")
    if sid.endswith("-500"):
        return _number(host, _SYSTEM, "FilterAdministratorToken") == 1 and policy != 1
    return policy == 0


def winrm_allows(host: Host, what: str) -> bool:
    """Whether policy leaves a WinRM service setting alone (AllowBasic, AllowUnencryptedTraffic)."""
    return _number(host, _WINRM, what) != 0

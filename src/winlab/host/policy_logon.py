"""Whether policy lets somebody in over the network, so that a lock-out in the lab is a real one.

Sources: "Access this computer from the network", "Deny access to this computer from the network"
(Microsoft Learn): a change counts from the next logon, and a session that is open goes on; KB951016
for the filtered token of local administrators; "Network security: LAN Manager authentication level",
"... Minimum session security for NTLM SSP based servers" and "... Restrict NTLM: Incoming NTLM
traffic" (Microsoft Learn), all without a restart; WindowsRemoteManagement.admx and
WindowsRemoteShell.admx for the values of WinRM's policy.

assumed: what a client is told is 401, as for a wrong password; policy values that are written count
at once, EnableLUA too, which Windows looks at when it starts; AllowAutoConfig counts when WinRM
starts, which the lab does not model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from winlab.host.errors import WindowsError

if TYPE_CHECKING:
    from winlab.host.host import Host

_SYSTEM = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System"
_WINRM = "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\WinRM\\Service"
_LSA = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lsa"
_ADMINISTRATORS = "S-1-5-32-544"
_REFUSES_NTLM_1 = 5
_DENY_ALL = 2


@dataclass(frozen=True, slots=True)
class NtlmPolicy:
    """What a host takes of NTLM: at all, version 1 of it, and session flags that must be agreed on."""

    allowed: bool = True
    version_1: bool = True
    required_flags: int = 0


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
    """Whether policy leaves a WinRM service setting alone (AllowBasic, AllowNegotiate ...)."""
    key = f"{_WINRM}\\WinRS" if what == "AllowRemoteShellAccess" else _WINRM
    return _number(host, key, what) != 0


def ntlm_policy(host: Host) -> NtlmPolicy:
    """What the host's policy says of NTLM now; local accounts are checked by the host itself."""
    level = _number(host, _LSA, "LmCompatibilityLevel")
    return NtlmPolicy(
        allowed=_number(host, f"{_LSA}\\MSV1_0", "RestrictReceivingNTLMTraffic") != _DENY_ALL,
        version_1=level is None or level < _REFUSES_NTLM_1,
        required_flags=_number(host, f"{_LSA}\\MSV1_0", "NTLMMinServerSec") or 0,
    )

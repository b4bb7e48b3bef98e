"""ansible.windows.win_whoami (win_whoami.ps1, ansible.windows 3.3.0).

Privileges and rights are those that the host's policy gives to the SIDs of the token; "Well-known
SIDs" and "Mandatory Integrity Control" (Microsoft Learn) for the labels.

assumed: every call stands in a network logon of its own that began when it was made, with all
privileges enabled, as WinRM gives them to an administrator.
"""

from __future__ import annotations

from typing import Any

from winlab.host.accounts import ADMINISTRATORS_SID
from winlab.host.errors import WindowsError
from winlab.host.host import Host
from winlab.host.policy_logon import token_sids
from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.principals import account_name
from winlab.modules.kit.registry import Registered

_ENABLED = ["Mandatory", "Enabled by default", "Enabled"]
_LABELS = {
    "S-1-16-16384": "System Mandatory Level",
    "S-1-16-12288": "High Mandatory Level",
    "S-1-16-8192": "Medium Mandatory Level",
}
_SYSTEM = "S-1-5-18"


def run(module: BasicModule) -> None:
    """Tell who runs the module, and what that logon may do."""
    host, user = module.host, module.context.user
    sids = _token(host, user)
    admin = ADMINISTRATORS_SID in sids
    label = "S-1-16-16384" if sids[0] == _SYSTEM else f"S-1-16-{12288 if admin else 8192}"
    now = host.clock.local()
    offset = f"{now:%z}"
    rights = {name: set(given) & set(sids) for name, given in host.policy.rights.items()}
    granted = sorted(name for name, held in rights.items() if held)
    module.result.update(
        account=_account(host, sids[0], "User"),
        authentication_package="Negotiate" if sids[0] == _SYSTEM else "NTLM",
        dns_domain_name="",
        groups=[
            {
                **_account(host, sid, "Alias" if sid.startswith("S-1-5-32-") else "WellKnownGroup"),
                "attributes": [*_ENABLED, *(["Owner"] if sid == ADMINISTRATORS_SID else [])],
            }
            for sid in sids[1:]
        ]
        + [{**_label(label), "attributes": ["Integrity", "Integrity enabled"]}],
        impersonation_level="SecurityAnonymous",
        label=_label(label),
        login_domain=host.name,
        login_time=f"{now:%Y-%m-%dT%H:%M:%S.%f}0{offset[:3]}:{offset[3:]}",
        logon_id=999
        if sids[0] == _SYSTEM
        else 0x100000 + 0x2B * host.eventlogs.channel("Security").next_id,
        logon_server=host.name,
        logon_type="Service" if sids[0] == _SYSTEM else "Network",
        privileges={name: "enabled-by-default" for name in granted if name.endswith("Privilege")},
        rights=[name for name in granted if "Logon" in name] if admin else [],
        token_type="TokenPrimary",  # noqa: S106 - a kind of token, no secret
        upn="",
        user_flags=[],
    )
    module.exit()


def _token(host: Host, user: str) -> tuple[str, ...]:
    try:
        sids = token_sids(host, user)
    except WindowsError:
        return (_SYSTEM, ADMINISTRATORS_SID, "S-1-1-0", "S-1-5-11")
    return (_SYSTEM, ADMINISTRATORS_SID, *sids[1:]) if sids[0] == _SYSTEM else sids


def _account(host: Host, sid: str, kind: str) -> dict[str, Any]:
    domain, _, name = account_name(host, sid).rpartition("\\")
    return {"account_name": name, "domain_name": domain, "sid": sid, "type": kind}


def _label(sid: str) -> dict[str, Any]:
    return {
        "account_name": _LABELS[sid],
        "domain_name": "Mandatory Label",
        "sid": sid,
        "type": "Label",
    }


MODULE = Registered("win_whoami", basic=run)

"""netsh advfirewall: set PROFILE and firewall rules. Source: "netsh advfirewall" (Microsoft Learn).

Where the local store keeps each property is [MS-GPFAS] 2.2, with SharedAccess for the policy key.
A rule's name is what netsh goes by, not the name of its registry value; a built-in rule's is a
resource, for which the lab takes the value's name.
"""

from __future__ import annotations

from winlab.commands.call import Call
from winlab.commands.tools.firewallrules import change_rules
from winlab.host.errors import NotModelledError
from winlab.host.firewall import STORE

_KEYS = {
    "domainprofile": ("DomainProfile",),
    "privateprofile": ("StandardProfile",),
    "publicprofile": ("PublicProfile",),
    "allprofiles": ("DomainProfile", "StandardProfile", "PublicProfile"),
}
_SWITCH = {"enable": 1, "disable": 0}


def _values(words: list[str]) -> dict[str, int] | None:
    """Return {value below the profile's key: number}; None for words netsh does not take."""
    match words:
        case ["state", ("on" | "off") as state]:
            return {"EnableFirewall": int(state == "on")}
        case ["firewallpolicy", policy]:
            inbound, _, outbound = policy.partition(",")
            if inbound not in {"blockinbound", "blockinboundalways", "allowinbound"}:
                return None
            if outbound not in {"blockoutbound", "allowoutbound"}:
                return None
            return {
                "DefaultInboundAction": int(inbound != "allowinbound"),
                "DoNotAllowExceptions": int(inbound == "blockinboundalways"),
                "DefaultOutboundAction": int(outbound == "blockoutbound"),
            }
        case ["settings", "unicastresponsetomulticast", told] if told in _SWITCH:
            return {"DisableUnicastResponsesToMulticastBroadcast": 1 - _SWITCH[told]}
        case ["logging", "maxfilesize", size] if size.isdecimal() and 1 <= int(size) <= 32767:
            return {"Logging\\LogFileSize": int(size)}
        case ["logging", "droppedconnections", told] if told in _SWITCH:
            return {"Logging\\LogDroppedPackets": _SWITCH[told]}
        case ["logging", "allowedconnections", told] if told in _SWITCH:
            return {"Logging\\LogSuccessfulConnections": _SWITCH[told]}
        case _:
            return None


def advfirewall(call: Call, words: list[str]) -> int:
    """Set a property of one profile or all, or change rules; ``words`` follow "advfirewall"."""
    rules = words[:1] == ["firewall"] and words[2:3] == ["rule"]
    if not rules and (words[:1] != ["set"] or len(words) < 3 or words[1] not in _KEYS):
        raise NotModelledError(f"netsh advfirewall {' '.join(words[:2])}".strip())
    if not call.admin:
        call.line(
            call.text(
                "The requested operation requires elevation (Run as administrator).",
                "请求的操作需要提升(作为管理员运行)。",
            )
        )
        return 1
    if rules:
        return change_rules(call, words[1], words[3:])
    values = _values(words[2:])
    if values is None:
        call.line(call.text("A specified value is not valid.", "指定的值无效。"))
        return 1
    for key in _KEYS[words[1]]:
        for place, number in values.items():
            below, _, name = place.rpartition("\\")
            path = f"{STORE}\\{key}" + (f"\\{below}" if below else "")
            found = call.host.registry.value(path, name)
            if found is None or found.data != number:
                call.host.registry.set_value(path, name, number)
    call.line(call.text("Ok.", "确定。"))
    call.line()
    return 0

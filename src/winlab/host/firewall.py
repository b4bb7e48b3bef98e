"""Whether the Windows firewall of a host passes a connection to one of its TCP ports.

Sources: [MS-GPFAS] 2.2.2.19 (the grammar of a rule, one REG_SZ a rule), 2.2.3 (values of a profile:
EnableFirewall, DoNotAllowExceptions, DefaultInboundAction, AllowLocalPolicyMerge) and [MS-FASP]
2.2.38; "Windows Firewall rules" on Microsoft Learn: explicit block rules precede allow rules, what no
rule allows is blocked. Group policy's values precede the local store's.

assumed: values that are written to either store count at once, as when netsh or the policy engine
writes them; a computer of a domain is in the domain profile, any other in the public one (unidentified
networks are public); whoever talks to the lab is in the local subnet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from winlab.host.errors import NotModelledError, WindowsError

if TYPE_CHECKING:
    from winlab.host.host import Host

STORE = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\Parameters\\FirewallPolicy"
"""The local store."""

_POLICY = "HKLM\\SOFTWARE\\Policies\\Microsoft\\WindowsFirewall"
_TCP = "6"
_EVERY_PROTOCOL = "256"
# Keys of a profile in the local store and below the policy, and its name in a rule.
_PROFILES = {
    "Domain": ("DomainProfile", "DomainProfile"),
    "Public": ("PublicProfile", "PublicProfile"),
}


def lets_in(host: Host, port: int) -> bool:
    """Whether a new packet of a connection to a TCP port passes; that ends open ones too.

    "ALE Reauthorization" on Microsoft Learn: after a change of policy the next packet of a flow that
    was allowed before is asked about again.
    """
    profile = "Public" if host.network.domain == "WORKGROUP" else "Domain"
    local, policy = _PROFILES[profile]

    def value(name: str, default: int) -> int:
        for key in (f"{_POLICY}\\{policy}", f"{STORE}\\{local}"):
            found = host.registry.value(key, name)
            if found is not None and isinstance(found.data, int):
                return found.data
        return default

    if value("EnableFirewall", 1) == 0:
        return True
    if value("DoNotAllowExceptions", 0) == 1:
        return False
    rules = list(_rules(host, f"{_POLICY}\\FirewallRules"))
    if value("AllowLocalPolicyMerge", 1) == 1:
        rules += _rules(host, f"{STORE}\\FirewallRules")
    actions = {rule.get("Action", ["Block"])[0] for rule in rules if _matches(rule, profile, port)}
    if "Block" in actions:
        return False
    return bool(actions) or value("DefaultInboundAction", 1) == 0


def _rules(host: Host, key: str) -> Iterator[Mapping[str, list[str]]]:
    try:
        values = host.registry.values(key)
    except WindowsError:
        return
    for value in values:
        fields: dict[str, list[str]] = {}
        for part in str(value.data).split("|")[1:]:
            name, _, text = part.partition("=")
            fields.setdefault(name, []).append(text)
        yield fields


def _matches(rule: Mapping[str, list[str]], profile: str, port: int) -> bool:
    if rule.get("Active", [""]) != ["TRUE"] or rule.get("Dir") != ["In"]:
        return False
    if rule.get("Profile") is not None and profile not in rule["Profile"]:
        return False
    if rule.get("Protocol", [_EVERY_PROTOCOL])[0] not in {_TCP, _EVERY_PROTOCOL}:
        return False
    # http.sys answers for WinRM, in the name of the system.
    if rule.get("App", ["System"])[0].lower() != "system":
        return False
    if any(text != "LocalSubnet" for text in rule.get("RA4", [])):
        raise NotModelledError(f"a firewall rule for the addresses {', '.join(rule['RA4'])}")
    ports = rule.get("LPort")
    return ports is None or str(port) in ports

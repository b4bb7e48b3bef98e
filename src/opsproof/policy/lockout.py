"""Settings that would take the connecting account's way in, found before anything is written.

Sources: "Access this computer from the network" and "Deny access ..." (security policy reference),
KB951016 (LocalAccountTokenFilterPolicy), "Installation and configuration for WinRM", "Network
security: Restrict NTLM: Incoming NTLM traffic", "TLS registry settings" on Microsoft Learn.

What is sure to cut is held back (:func:`cuts`). Whatever else decides who gets in (:func:`is_way_in`)
is applied in a stage of its own, under a scheduled revert that only a new session removes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from opsproof.policy.command import FIREWALL_KEY
from opsproof.policy.observed import Identity, Observed
from opsproof.policy.registry import RegistryPath, RegistryType
from opsproof.policy.targets import (
    Firewall,
    FirewallProperty,
    Profile,
    Registry,
    Right,
    Service,
    SystemAccess,
    Target,
    Value,
)

_SYSTEM = "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System"
_LSA = "SYSTEM\\CurrentControlSet\\Control\\Lsa"
_WINRM = "SOFTWARE\\Policies\\Microsoft\\Windows\\WinRM\\Service"
_FIREWALL = "SOFTWARE\\Policies\\Microsoft\\WindowsFirewall"
_PROTOCOLS = "SYSTEM\\CurrentControlSet\\Control\\SecurityProviders\\SCHANNEL\\Protocols"
_TLS12 = f"{_PROTOCOLS}\\TLS 1.2\\Server"
_EVERYBODY = frozenset({"S-1-1-0", "S-1-5-11", "S-1-5-2", "S-1-5-15"})
_TOKEN = ("LocalAccountTokenFilterPolicy", "FilterAdministratorToken", "EnableLUA")
_NTLM = {
    f"{_LSA}\\LmCompatibilityLevel",
    f"{_LSA}\\MSV1_0\\NTLMMinServerSec",
    f"{_LSA}\\MSV1_0\\RestrictReceivingNTLMTraffic",
}
_WAYS_IN = {name.lower() for name in (*_NTLM, *(f"{_SYSTEM}\\{name}" for name in _TOKEN))}
_WAYS_IN_BELOW = tuple(f"{key}\\".lower() for key in (_WINRM, _FIREWALL, FIREWALL_KEY))
_RIGHTS = {"senetworklogonright", "sedenynetworklogonright"}
_ACCOUNT = {"newadministratorname", "enableadminaccount"}
# WinRM depends on the other two.
_SERVICES = ("WinRM", "RpcSs", "HTTP")


@dataclass(frozen=True, slots=True)
class Connection:
    """How Ansible gets in: ``auth`` basic, ntlm, kerberos, credssp or certificate; over TLS or not.

    ``next_user`` is the name that the session after a rename of its account shall use, "" for none.
    """

    auth: str
    tls: bool
    next_user: str = ""


@dataclass(frozen=True, slots=True)
class Cut:
    """Why a change would cut the connection; ``provable`` whether a new session would show it at once."""

    why: str
    provable: bool = True


def _value(key: str, name: str) -> Registry:
    return Registry(RegistryPath("HKLM", key, name), RegistryType.DWORD)


class _After:
    """The state as it would be: what is observed, with the changes over it."""

    def __init__(self, observed: Observed, changes: Mapping[tuple[str, ...], Value | None]) -> None:
        self._observed, self._changes = observed, changes

    def __call__(self, target: Target) -> Value | None:
        folded = target.folded
        if folded in self._changes:
            return self._changes[folded]
        return self._observed.value(target)

    def touches(self, target: Target) -> bool:
        return target.folded in self._changes


def cuts(
    observed: Observed, changes: Mapping[tuple[str, ...], Value | None], connection: Connection
) -> dict[tuple[str, ...], Cut]:
    """Changes (by their target) that would cut the connecting account off, and why."""
    after = _After(observed, changes)
    found: dict[tuple[str, ...], Cut] = {}
    for rule in (_logon, _winrm, _firewall, _later, _token, _account):
        for target, cut in rule(after, observed.identity, connection).items():
            if after.touches(target):
                found[target.folded] = cut
    return found


def is_way_in(target: Target, who: Identity) -> bool:
    """Whether a target takes part in deciding if the connecting account gets in."""
    match target:
        case Firewall():
            return True
        case Right(name):
            return name.lower() in _RIGHTS
        case SystemAccess(key):
            return who.builtin_administrator and key.lower() in _ACCOUNT
        case Service(name):
            return name.lower() in {service.lower() for service in _SERVICES}
        case Registry(path) if path.hive == "HKLM":
            full = f"{path.key}\\{path.name}".lower()
            return full in _WAYS_IN or full.startswith(_WAYS_IN_BELOW)
        case _:
            return False


def _logon(after: _After, who: Identity, connection: Connection) -> dict[Target, Cut]:
    del connection
    own = {who.user, *who.groups} | _EVERYBODY
    allowed, denied = Right("SeNetworkLogonRight"), Right("SeDenyNetworkLogonRight")
    found: dict[Target, Cut] = {}
    may, may_not = after(allowed), after(denied)
    if isinstance(may, tuple) and not own & set(may):
        found[allowed] = Cut(
            "the connecting account would lose the right to log on from the network"
        )
    if isinstance(may_not, tuple) and own & set(may_not):
        found[denied] = Cut("the connecting account would be denied to log on from the network")
    return found


def _winrm(after: _After, who: Identity, connection: Connection) -> dict[Target, Cut]:
    del who
    basic = connection.auth == "basic"
    rules: list[tuple[Target, Callable[[Value | None], bool], str]] = [
        (
            _value(_WINRM, "AllowBasic"),
            lambda value: value == 0 and basic,
            "the connection uses Basic authentication",
        ),
        (
            _value(_WINRM, "AllowUnencryptedTraffic"),
            lambda value: value == 0 and basic and not connection.tls,
            "the connection is not encrypted",
        ),
        (
            _value(_WINRM, "AllowNegotiate"),
            lambda value: value == 0 and connection.auth in {"ntlm", "kerberos", "credssp"},
            "the connection uses Negotiate",
        ),
        (
            _value(f"{_WINRM}\\WinRS", "AllowRemoteShellAccess"),
            lambda value: value == 0,
            "WinRM would open no shell any more",
        ),
        (
            _value(f"{_LSA}\\MSV1_0", "RestrictReceivingNTLMTraffic"),
            lambda value: value == 2 and connection.auth == "ntlm",
            "the connection uses NTLM",
        ),
    ]
    return {target: Cut(why) for target, cut, why in rules if cut(after(target))}


def _firewall(after: _After, who: Identity, connection: Connection) -> dict[Target, Cut]:
    del who, connection
    why = {
        "AllowLocalPolicyMerge": (0, "the local firewall rule for WinRM would no longer count"),
        "DoNotAllowExceptions": (1, "the firewall would block every incoming connection"),
    }
    targets: list[tuple[Target, int, str]] = [
        (_value(f"{_FIREWALL}\\{profile}", name), cutting, text)
        for profile in ("DomainProfile", "PrivateProfile", "PublicProfile")
        for name, (cutting, text) in why.items()
    ]
    targets += [
        (Firewall(profile, FirewallProperty.SHIELDS), *why["DoNotAllowExceptions"])
        for profile in Profile
    ]
    return {target: Cut(text) for target, cutting, text in targets if after(target) == cutting}


def _later(after: _After, who: Identity, connection: Connection) -> dict[Target, Cut]:
    """What cuts when the host or WinRM starts again: no session of now can prove it harmless."""
    del who
    found: dict[Target, Cut] = {}
    for name in _SERVICES:
        if after(Service(name)) in {"disabled", "demand"} and name == "WinRM":
            found[Service(name)] = Cut("WinRM would not start again", provable=False)
        elif after(Service(name)) == "disabled":
            found[Service(name)] = Cut(f"WinRM needs {name}", provable=False)
    listen, where = _value(_WINRM, "AllowAutoConfig"), _value(_WINRM, "IPv4Filter")
    if after(listen) == 0 or (after(listen) == 1 and after(where) == ""):
        cut = Cut("WinRM would no longer listen", provable=False)
        found |= {listen: cut, where: cut}
    if connection.tls:
        off = {"Enabled": {0}, "DisabledByDefault": {1}}
        found |= {
            target: Cut("the connection uses TLS 1.2", provable=False)
            for name, values in off.items()
            if after(target := _value(_TLS12, name)) in values
        }
    return found


def _token(after: _After, who: Identity, connection: Connection) -> dict[Target, Cut]:
    """A local administrator whose network token is filtered is no administrator over WinRM."""
    del connection
    if not who.local:
        return {}
    targets = {name: _value(_SYSTEM, name) for name in _TOKEN}
    now = {name: after(target) for name, target in targets.items()}
    if now["LocalAccountTokenFilterPolicy"] == 1 or now["EnableLUA"] == 0:
        return {}
    if who.builtin_administrator and now["FilterAdministratorToken"] != 1:
        return {}
    why = "the connecting local administrator would get a filtered token over the network"
    # EnableLUA takes effect when the host starts again.
    return {target: Cut(why, provable=name != "EnableLUA") for name, target in targets.items()}


def _account(after: _After, who: Identity, connection: Connection) -> dict[Target, Cut]:
    if not who.builtin_administrator:
        return {}
    renamed, enabled = SystemAccess("NewAdministratorName"), SystemAccess("EnableAdminAccount")
    found: dict[Target, Cut] = {}
    name = after(renamed)
    if isinstance(name, str) and name.lower() != connection.next_user.lower():
        why = f"the connecting account would be called {name}; hardening_login_after must say so"
        found[renamed] = Cut(why, provable=False)
    if after(enabled) == 0:
        found[enabled] = Cut("the connecting account would be disabled")
    return found

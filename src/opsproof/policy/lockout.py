"""Settings that would take the connecting account's way in, found before anything is written.

Sources: "Access this computer from the network" and "Deny access ..." (security policy reference),
KB951016 (LocalAccountTokenFilterPolicy), "Installation and configuration for WinRM", "Network
security: Restrict NTLM: Incoming NTLM traffic" on Microsoft Learn. What is sure to cut is held back;
what only may cut (the firewall, the LAN Manager level) is applied under a scheduled revert.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from opsproof.policy.observed import Identity, Observed
from opsproof.policy.registry import RegistryPath, RegistryType
from opsproof.policy.targets import (
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
_EVERYBODY = frozenset({"S-1-1-0", "S-1-5-11", "S-1-5-2", "S-1-5-15"})
_TOKEN = ("LocalAccountTokenFilterPolicy", "FilterAdministratorToken", "EnableLUA")


@dataclass(frozen=True, slots=True)
class Connection:
    """How Ansible gets in: ``auth`` basic, ntlm, kerberos, credssp or certificate; over TLS or not."""

    auth: str
    tls: bool


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
) -> dict[tuple[str, ...], str]:
    """Changes (by their target) that would cut the connecting account off, and why."""
    after = _After(observed, changes)
    found: dict[tuple[str, ...], str] = {}
    for rule in (_logon, _winrm, _token, _account):
        for target, why in rule(after, observed.identity, connection).items():
            if after.touches(target):
                found[target.folded] = why
    return found


def risks(changes: Mapping[tuple[str, ...], Value | None]) -> list[str]:
    """Changes that may cut a connection off, so that they are made under a revert only."""
    risky: list[Target] = [
        _value(_LSA, "LmCompatibilityLevel"),
        _value(f"{_LSA}\\MSV1_0", "NTLMMinServerSec"),
        Right("SeNetworkLogonRight"),
        Right("SeDenyNetworkLogonRight"),
        *(_value(_SYSTEM, name) for name in _TOKEN),
        *(_value(_WINRM, name) for name in ("AllowBasic", "AllowUnencryptedTraffic")),
    ]
    found = [str(target) for target in risky if target.folded in changes]
    return found + [f"firewall {folded[1]}" for folded in changes if folded[0] == "firewall"]


def _logon(after: _After, who: Identity, connection: Connection) -> dict[Target, str]:
    del connection
    own = {who.user, *who.groups} | _EVERYBODY
    allowed, denied = Right("SeNetworkLogonRight"), Right("SeDenyNetworkLogonRight")
    found: dict[Target, str] = {}
    may, may_not = after(allowed), after(denied)
    if isinstance(may, tuple) and not own & set(may):
        found[allowed] = "the connecting account would lose the right to log on from the network"
    if isinstance(may_not, tuple) and own & set(may_not):
        found[denied] = "the connecting account would be denied to log on from the network"
    return found


def _winrm(after: _After, who: Identity, connection: Connection) -> dict[Target, str]:
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
            _value(_WINRM, "AllowAutoConfig"),
            lambda value: value == 0,
            "WinRM would no longer listen",
        ),
        (
            _value(f"{_LSA}\\MSV1_0", "RestrictReceivingNTLMTraffic"),
            lambda value: value == 2 and connection.auth == "ntlm",
            "the connection uses NTLM",
        ),
        (
            Service("WinRM"),
            lambda value: value == "disabled",
            "WinRM would not start again",
        ),
    ]
    rules += [
        (
            _value(f"{_FIREWALL}\\{profile}", "AllowLocalPolicyMerge"),
            lambda value: value == 0,
            "the local firewall rule for WinRM would no longer count",
        )
        for profile in ("DomainProfile", "PrivateProfile", "PublicProfile")
    ]
    return {target: why for target, cut, why in rules if cut(after(target))}


def _token(after: _After, who: Identity, connection: Connection) -> dict[Target, str]:
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
    return dict.fromkeys(targets.values(), why)


def _account(after: _After, who: Identity, connection: Connection) -> dict[Target, str]:
    del connection
    if not who.builtin_administrator:
        return {}
    renamed, enabled = SystemAccess("NewAdministratorName"), SystemAccess("EnableAdminAccount")
    found: dict[Target, str] = {renamed: "the connecting account would have another name"}
    if after(enabled) == 0:
        found[enabled] = "the connecting account would be disabled"
    return found

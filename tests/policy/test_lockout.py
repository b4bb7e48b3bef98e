from __future__ import annotations

import pytest

from opsproof.policy.lockout import Connection, cuts, is_way_in
from opsproof.policy.observed import Identity, Observed
from opsproof.policy.registry import RegistryPath, RegistryType, RegistryValue
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

SYSTEM = "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System"
WINRM = "SOFTWARE\\Policies\\Microsoft\\Windows\\WinRM\\Service"
ADMIN, GROUP = "S-1-5-21-1-2-3-500", "S-1-5-32-544"
OTHER, DOMAIN = "S-1-5-21-1-2-3-1004", "S-1-5-21-9-9-9-1104"
NTLM, BASIC = Connection("ntlm", tls=True), Connection("basic", tls=True)


def reg(key: str, name: str) -> Registry:
    return Registry(RegistryPath("HKLM", key, name), RegistryType.DWORD)


WINRS = f"{WINRM}\\WinRS"
TLS12 = (
    "SYSTEM\\CurrentControlSet\\Control\\SecurityProviders\\SCHANNEL\\Protocols\\TLS 1.2\\Server"
)
FIREWALL = "SOFTWARE\\Policies\\Microsoft\\WindowsFirewall\\PublicProfile"


def host(user: str = ADMIN, values: dict[str, int] | None = None) -> Observed:
    local = {"S-1-5-113", "S-1-5-114"} if user != DOMAIN else set()
    found = {name: reg(SYSTEM, name).path for name in values or {}}
    return Observed(
        identity=Identity(user, frozenset({GROUP, "S-1-1-0", *local})),
        release="2022",
        revert_pending=False,
        access={},
        rights={"senetworklogonright": ("S-1-1-0", GROUP)},
        audit={},
        registry={
            path.folded: RegistryValue(path, RegistryType.DWORD, (values or {})[name])
            for name, path in found.items()
        },
        services={},
    )


def cut(target: Target, value: Value, *, by: Connection = NTLM, on: Observed | None = None) -> bool:
    return bool(cuts(on or host(), {target.folded: value}, by))


@pytest.mark.parametrize(
    ("target", "value", "by", "lost"),
    [
        (Right("SeNetworkLogonRight"), (GROUP,), NTLM, False),
        (Right("SeNetworkLogonRight"), ("S-1-5-11",), NTLM, False),
        (Right("SeNetworkLogonRight"), ("S-1-5-32-551",), NTLM, True),
        (Right("SeNetworkLogonRight"), (), NTLM, True),
        (Right("SeDenyNetworkLogonRight"), ("S-1-5-32-546",), NTLM, False),
        (Right("SeDenyNetworkLogonRight"), ("S-1-5-113",), NTLM, True),
        (Right("SeDenyNetworkLogonRight"), ("S-1-5-114",), NTLM, True),
        (Right("SeDenyNetworkLogonRight"), (GROUP,), NTLM, True),
        (reg(WINRM, "AllowBasic"), 0, NTLM, False),
        (reg(WINRM, "AllowBasic"), 0, BASIC, True),
        (reg(WINRM, "AllowUnencryptedTraffic"), 0, BASIC, False),
        (reg(WINRM, "AllowUnencryptedTraffic"), 0, Connection("basic", tls=False), True),
        (reg(WINRM, "AllowNegotiate"), 0, NTLM, True),
        (reg(WINRM, "AllowAutoConfig"), 0, NTLM, True),
        (Service("WinRM"), "disabled", NTLM, True),
        (Service("WinRM"), "demand", NTLM, True),
        (Service("RpcSs"), "disabled", NTLM, True),
        (Service("Spooler"), "disabled", NTLM, False),
        (reg(WINRS, "AllowRemoteShellAccess"), 0, NTLM, True),
        (reg(TLS12, "Enabled"), 0, NTLM, True),
        (reg(TLS12, "Enabled"), 1, NTLM, False),
        (reg(TLS12, "DisabledByDefault"), 1, NTLM, True),
        (reg(TLS12, "Enabled"), 0, Connection("ntlm", tls=False), False),
        (reg(FIREWALL, "DoNotAllowExceptions"), 1, NTLM, True),
        (Firewall(Profile.PUBLIC, FirewallProperty.SHIELDS), 1, NTLM, True),
        (reg(FIREWALL, "AllowLocalPolicyMerge"), 0, NTLM, True),
        (reg(FIREWALL, "EnableFirewall"), 1, NTLM, False),
        (SystemAccess("NewAdministratorName"), "Boss", Connection("ntlm", True, "BOSS"), False),
        (SystemAccess("NewAdministratorName"), "Boss", Connection("ntlm", True, "Chef"), True),
        (SystemAccess("NewAdministratorName"), "Boss", NTLM, True),
        (SystemAccess("EnableAdminAccount"), 0, NTLM, True),
        (SystemAccess("EnableAdminAccount"), 1, NTLM, False),
    ],
)
def test_what_cuts_the_connecting_account_off(
    target: Target, value: Value, by: Connection, lost: bool
) -> None:
    assert cut(target, value, by=by) is lost


def test_the_token_filter_is_about_local_administrators() -> None:
    target = reg(SYSTEM, "FilterAdministratorToken")
    assert cut(target, 1)
    assert not cut(target, 1, on=host(DOMAIN))
    assert not cut(target, 1, on=host(values={"LocalAccountTokenFilterPolicy": 1}))
    policy = reg(SYSTEM, "LocalAccountTokenFilterPolicy")
    assert cut(policy, 0, on=host(OTHER, {"LocalAccountTokenFilterPolicy": 1}))
    assert not cut(policy, 0, on=host(ADMIN, {"LocalAccountTokenFilterPolicy": 1}))
    assert not cut(policy, 0, on=host(OTHER, {"EnableLUA": 0}))


def test_names_and_states_matter_for_the_account_that_connects_only() -> None:
    assert not cut(SystemAccess("NewAdministratorName"), "Boss", on=host(OTHER))
    assert not cut(SystemAccess("EnableAdminAccount"), 0, on=host(DOMAIN))


@pytest.mark.parametrize(
    ("target", "way_in"),
    [
        (Firewall(Profile.PUBLIC, FirewallProperty.INBOUND), True),
        (reg("SYSTEM\\CurrentControlSet\\Control\\Lsa", "LmCompatibilityLevel"), True),
        (reg(WINRM, "AllowBasic"), True),
        (reg(FIREWALL, "EnableFirewall"), True),
        (reg(SYSTEM, "LocalAccountTokenFilterPolicy"), True),
        (Right("SeDenyNetworkLogonRight"), True),
        (Right("SeBackupPrivilege"), False),
        (Service("WinRM"), True),
        (Service("Spooler"), False),
        (SystemAccess("MinimumPasswordLength"), False),
        (SystemAccess("NewAdministratorName"), True),
    ],
)
def test_what_decides_who_gets_in_is_known(target: Target, way_in: bool) -> None:
    assert is_way_in(target, host().identity) is way_in


def test_another_account_may_be_renamed_without_a_stage() -> None:
    assert not is_way_in(SystemAccess("NewAdministratorName"), host(OTHER).identity)


@pytest.mark.parametrize(
    ("target", "value", "provable"),
    [
        (Right("SeNetworkLogonRight"), (), True),
        (reg(WINRM, "AllowNegotiate"), 0, True),
        (Service("WinRM"), "disabled", False),
        (reg(WINRM, "AllowAutoConfig"), 0, False),
        (reg(TLS12, "Enabled"), 0, False),
        (SystemAccess("NewAdministratorName"), "Boss", False),
    ],
)
def test_what_a_session_of_now_cannot_prove_is_told_apart(
    target: Target, value: Value, provable: bool
) -> None:
    [cut] = cuts(host(), {target.folded: value}, NTLM).values()
    assert cut.provable is provable

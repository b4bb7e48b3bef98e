"""Security policy of one host: account policy, user rights and audit subcategories.

Sources: "Security policy settings" and "User Rights Assignment" (Microsoft Learn) for the values of
a stand-alone server, ntsecapi.h for the subcategories' GUIDs. Which subcategories a fresh server
audits is what the lists in 0x6d69636b/windows_hardening give as defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from winlab.host.accounts import Accounts
from winlab.host.errors import WindowsError

_ADMIN, _USERS, _BACKUP = "S-1-5-32-544", "S-1-5-32-545", "S-1-5-32-551"
_LOCAL, _NETWORK, _SERVICE = "S-1-5-19", "S-1-5-20", "S-1-5-6"

_ACCESS: dict[str, int | str] = {
    "MinimumPasswordAge": 0,
    "MaximumPasswordAge": 42,
    "MinimumPasswordLength": 0,
    "PasswordComplexity": 0,
    "PasswordHistorySize": 0,
    "LockoutBadCount": 0,
    "ResetLockoutCount": 30,
    "LockoutDuration": 30,
    "RequireLogonToChangePassword": 0,
    "ForceLogoffWhenHourExpire": 0,
    "ClearTextPassword": 0,
    "LSAAnonymousNameLookup": 0,
}

_RIGHTS: dict[str, tuple[str, ...]] = {
    "SeNetworkLogonRight": ("S-1-1-0", _ADMIN, _USERS, _BACKUP),
    "SeBackupPrivilege": (_ADMIN, _BACKUP),
    "SeChangeNotifyPrivilege": ("S-1-1-0", _LOCAL, _NETWORK, _ADMIN, _USERS, _BACKUP),
    "SeSystemtimePrivilege": (_LOCAL, _ADMIN),
    "SeCreatePagefilePrivilege": (_ADMIN,),
    "SeDebugPrivilege": (_ADMIN,),
    "SeRemoteShutdownPrivilege": (_ADMIN,),
    "SeAuditPrivilege": (_LOCAL, _NETWORK),
    "SeIncreaseQuotaPrivilege": (_LOCAL, _NETWORK, _ADMIN),
    "SeIncreaseBasePriorityPrivilege": (_ADMIN, "S-1-5-90-0"),
    "SeLoadDriverPrivilege": (_ADMIN,),
    "SeBatchLogonRight": (_ADMIN, _BACKUP, "S-1-5-32-559"),
    "SeServiceLogonRight": ("S-1-5-80-0",),
    "SeInteractiveLogonRight": (_ADMIN, _USERS, _BACKUP),
    "SeSecurityPrivilege": (_ADMIN,),
    "SeSystemEnvironmentPrivilege": (_ADMIN,),
    "SeProfileSingleProcessPrivilege": (_ADMIN,),
    "SeAssignPrimaryTokenPrivilege": (_LOCAL, _NETWORK),
    "SeRestorePrivilege": (_ADMIN, _BACKUP),
    "SeShutdownPrivilege": (_ADMIN, _BACKUP),
    "SeTakeOwnershipPrivilege": (_ADMIN,),
    "SeUndockPrivilege": (_ADMIN,),
    "SeManageVolumePrivilege": (_ADMIN,),
    "SeRemoteInteractiveLogonRight": (_ADMIN, "S-1-5-32-555"),
    "SeImpersonatePrivilege": (_LOCAL, _NETWORK, _ADMIN, _SERVICE),
    "SeCreateGlobalPrivilege": (_LOCAL, _NETWORK, _ADMIN, _SERVICE),
    "SeIncreaseWorkingSetPrivilege": (_USERS,),
    "SeTimeZonePrivilege": (_LOCAL, _ADMIN),
    "SeCreateSymbolicLinkPrivilege": (_ADMIN,),
}

SUBCATEGORIES: tuple[tuple[str, str], ...] = (
    ("Security State Change", "安全状态更改"),
    ("Security System Extension", "安全系统扩展"),
    ("System Integrity", "系统完整性"),
    ("IPsec Driver", "IPsec 驱动程序"),
    ("Other System Events", "其他系统事件"),
    ("Logon", "登录"),
    ("Logoff", "注销"),
    ("Account Lockout", "帐户锁定"),
    ("IPsec Main Mode", "IPsec 主模式"),
    ("IPsec Quick Mode", "IPsec 快速模式"),
    ("IPsec Extended Mode", "IPsec 扩展模式"),
    ("Special Logon", "特殊登录"),
    ("Other Logon/Logoff Events", "其他登录/注销事件"),
    ("File System", "文件系统"),
    ("Registry", "注册表"),
    ("Kernel Object", "内核对象"),
    ("SAM", "SAM"),
    ("Certification Services", "证书服务"),
    ("Application Generated", "已生成应用程序"),
    ("Handle Manipulation", "句柄操作"),
    ("File Share", "文件共享"),
    ("Filtering Platform Packet Drop", "筛选平台数据包丢弃"),
    ("Filtering Platform Connection", "筛选平台连接"),
    ("Other Object Access Events", "其他对象访问事件"),
    ("Sensitive Privilege Use", "敏感权限使用"),
    ("Non Sensitive Privilege Use", "非敏感权限使用"),
    ("Other Privilege Use Events", "其他权限使用事件"),
    ("Process Creation", "进程创建"),
    ("Process Termination", "进程终止"),
    ("DPAPI Activity", "DPAPI 活动"),
    ("RPC Events", "RPC 事件"),
    ("Audit Policy Change", "审核策略更改"),
    ("Authentication Policy Change", "身份验证策略更改"),
    ("Authorization Policy Change", "授权策略更改"),
    ("MPSSVC Rule-Level Policy Change", "MPSSVC 规则级别策略更改"),
    ("Filtering Platform Policy Change", "筛选平台策略更改"),
    ("Other Policy Change Events", "其他策略更改事件"),
    ("User Account Management", "用户帐户管理"),
    ("Computer Account Management", "计算机帐户管理"),
    ("Security Group Management", "安全组管理"),
    ("Distribution Group Management", "通讯组管理"),
    ("Application Group Management", "应用程序组管理"),
    ("Other Account Management Events", "其他帐户管理事件"),
    ("Directory Service Access", "目录服务访问"),
    ("Directory Service Changes", "目录服务更改"),
    ("Directory Service Replication", "目录服务复制"),
    ("Detailed Directory Service Replication", "详细的目录服务复制"),
    ("Credential Validation", "凭据验证"),
    ("Kerberos Service Ticket Operations", "Kerberos 服务票证操作"),
    ("Other Account Logon Events", "其他帐户登录事件"),
    ("Kerberos Authentication Service", "Kerberos 身份验证服务"),
    ("Network Policy Server", "网络策略服务器"),
    ("Detailed File Share", "详细的文件共享"),
    ("Removable Storage", "可移动存储"),
    ("Central Policy Staging", "中心策略暂存"),
    ("User / Device Claims", "用户/设备声明"),
    ("Plug and Play Events", "即插即用事件"),
    ("Group Membership", "组成员身份"),
    ("Token Right Adjusted Events", "令牌权限调整事件"),
)
"""English and Chinese names; the GUIDs count up from the first one's."""

CATEGORIES: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("System", "系统", tuple(range(5))),
    ("Logon/Logoff", "登录/注销", (*range(5, 13), 51, 55, 57)),
    ("Object Access", "对象访问", (*range(13, 24), 52, 53, 54)),
    ("Privilege Use", "特权使用", (24, 25, 26)),
    ("Detailed Tracking", "详细跟踪", (27, 28, 29, 30, 56, 58)),
    ("Policy Change", "策略更改", tuple(range(31, 37))),
    ("Account Management", "帐户管理", tuple(range(37, 43))),
    ("DS Access", "DS 访问", (43, 44, 45, 46)),
    ("Account Logon", "帐户登录", (47, 48, 49, 50)),
)
"""English and Chinese names of the categories and the places of their subcategories."""

_AUDITED = {
    "Security State Change": 1,
    "System Integrity": 3,
    "Other System Events": 3,
    "Logon": 3,
    "Logoff": 1,
    "Account Lockout": 1,
    "Special Logon": 1,
    "Audit Policy Change": 1,
    "Authentication Policy Change": 1,
    "User Account Management": 1,
    "Computer Account Management": 1,
    "Security Group Management": 1,
}

_CANONICAL = {name.lower(): name for name in (*_ACCESS, "NewAdministratorName", "NewGuestName")}
_CANONICAL |= {
    "enableadminaccount": "EnableAdminAccount",
    "enableguestaccount": "EnableGuestAccount",
}


def guid_of(number: int) -> str:
    """Return the GUID of the subcategory at a place in :data:`SUBCATEGORIES`."""
    return f"{{0cce{0x9210 + number:04x}-69ae-11d9-bed3-505054503030}}"


def category_guid_of(number: int) -> str:
    """Return the GUID of the category at a place in :data:`CATEGORIES`."""
    return f"{{{0x69979848 + number:08x}-797a-11d9-bed3-505054503030}}"


class SecurityPolicy:
    """The local policy. Names and states of the two built-in accounts live in the accounts."""

    __slots__ = ("_accounts", "_write", "access", "audit", "rights")

    def __init__(self, accounts: Accounts, write: Callable[[str], None]) -> None:
        """Start as a stand-alone server is installed; ``write`` is told of every change."""
        self._accounts = accounts
        self._write = write
        self.access: dict[str, int | str] = dict(_ACCESS)
        self.rights: dict[str, tuple[str, ...]] = dict(_RIGHTS)
        self.audit: dict[str, int] = {
            guid_of(n): _AUDITED.get(names[0], 0) for n, names in enumerate(SUBCATEGORIES)
        }

    def _builtin(self, rid: int) -> str:
        return f"{self._accounts.machine_sid}-{rid}"

    def account_policy(self) -> dict[str, int | str]:
        """Return what [System Access] of an export holds.

        Without a lockout threshold its two times do not exist.
        """
        shown = dict(self.access)
        if shown["LockoutBadCount"] == 0:
            del shown["ResetLockoutCount"], shown["LockoutDuration"]
        administrator = self._accounts.user(self._builtin(500))
        guest = self._accounts.user(self._builtin(501))
        shown["NewAdministratorName"] = administrator.name
        shown["NewGuestName"] = guest.name
        shown["EnableAdminAccount"] = int(administrator.enabled)
        shown["EnableGuestAccount"] = int(guest.enabled)
        return shown

    def set_access(self, values: dict[str, int | str]) -> None:
        """Set account policy as one (87 for a key or value that Windows does not take).

        The lockout's length may not be shorter than the time after which failures are forgotten.
        """
        known = {_CANONICAL.get(key.lower(), ""): value for key, value in values.items()}
        if "" in known:
            raise WindowsError(87, "System Access")
        after = {**self.access, **known}
        duration, window = after["LockoutDuration"], after["ResetLockoutCount"]
        if isinstance(duration, int) and isinstance(window, int) and -1 < duration < window:
            raise WindowsError(87, "LockoutDuration")
        for key, value in known.items():
            self._set_one(key, value)

    def _set_one(self, key: str, value: int | str) -> None:
        accounts = {
            "NewAdministratorName": (500, "name"),
            "NewGuestName": (501, "name"),
            "EnableAdminAccount": (500, "enabled"),
            "EnableGuestAccount": (501, "enabled"),
        }
        if key in accounts:
            rid, field = accounts[key]
            told = str(value) if field == "name" else value == 1
            self._accounts.change_user(self._builtin(rid), **{field: told})
        elif self.access.get(key) != value:
            self._write(f"policy {key}")
            self.access[key] = value

    def set_right(self, right: str, sids: tuple[str, ...]) -> None:
        """Give a right to these SIDs and no others."""
        if set(self.rights.get(right, ())) != set(sids):
            self._write(f"policy {right}")
            self.rights[right] = sids

    def set_audit(self, guid: str, flags: int) -> None:
        """Set a subcategory: success 1 + failure 2 (87 for a GUID that there is not)."""
        low = guid.lower()
        if low not in self.audit:
            raise WindowsError(87, guid)
        if self.audit[low] != flags:
            self._write(f"audit policy {low}")
            self.audit[low] = flags

    def save(self) -> Any:
        """Return the state for `load`."""
        return dict(self.access), dict(self.rights), dict(self.audit)

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        access, rights, audit = state
        self.access, self.rights, self.audit = dict(access), dict(rights), dict(audit)

    def dump(self) -> dict[str, Any]:
        """Return account policy, rights that anybody has, and what is audited."""
        return {
            "access": dict(sorted(self.account_policy().items())),
            "rights": {name: sorted(who) for name, who in sorted(self.rights.items()) if who},
            "audit": {guid: flags for guid, flags in sorted(self.audit.items()) if flags},
        }

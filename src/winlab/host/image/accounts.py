"""Built-in users and groups with their well-known SIDs and localised descriptions.

Source: "Local accounts" and "Active Directory security groups" on Microsoft Learn for names, SIDs
and English descriptions; Chinese descriptions as a zh-CN installation shows them.
"""

from __future__ import annotations

from winlab.host.accounts import Group, User

_USERS = (
    (
        "Administrator",
        500,
        True,
        "Built-in account for administering the computer/domain",
        "管理计算机(域)的内置帐户",
    ),
    (
        "DefaultAccount",
        503,
        False,
        "A user account managed by the system.",
        "系统管理的用户帐户。",
    ),
    (
        "Guest",
        501,
        False,
        "Built-in account for guest access to the computer/domain",
        "供来宾访问计算机或访问域的内置帐户",
    ),
    (
        "WDAGUtilityAccount",
        504,
        False,
        "A user account managed and used by the system for Windows Defender Application Guard"
        " scenarios.",
        "系统为 Windows Defender 应用程序防护方案管理和使用的用户帐户。",
    ),
)

_GROUPS = (
    (
        "Access Control Assistance Operators",
        579,
        "Members of this group can remotely query authorization attributes and permissions for"
        " resources on this computer.",
        "此组的成员可以远程查询此计算机上资源的授权属性和权限。",
    ),
    (
        "Administrators",
        544,
        "Administrators have complete and unrestricted access to the computer/domain",
        "管理员对计算机/域有不受限制的完全访问权",
    ),
    (
        "Backup Operators",
        551,
        "Backup Operators can override security restrictions for the sole purpose of backing up or"
        " restoring files",
        "备份操作员为了备份或还原文件可以替代安全限制",
    ),
    (
        "Certificate Service DCOM Access",
        574,
        "Members of this group are allowed to connect to Certification Authorities in the"
        " enterprise",
        "允许该组的成员连接到企业中的证书颁发机构",
    ),
    (
        "Cryptographic Operators",
        569,
        "Members are authorized to perform cryptographic operations.",
        "授权成员执行加密操作。",
    ),
    (
        "Device Owners",
        583,
        "Members of this group can change system-wide settings.",
        "此组的成员可以更改系统范围内的设置。",
    ),
    (
        "Distributed COM Users",
        562,
        "Members are allowed to launch, activate and use Distributed COM objects on this machine.",
        "成员允许启动、激活和使用此计算机上的分布式 COM 对象。",
    ),
    (
        "Event Log Readers",
        573,
        "Members of this group can read event logs from local machine",
        "此组的成员可以从本地计算机中读取事件日志",
    ),
    (
        "Guests",
        546,
        "Guests have the same access as members of the Users group by default, except for the"
        " Guest account which is further restricted",
        "按默认值，来宾跟用户组的成员有同等访问权，但来宾帐户的限制更多",
    ),
    (
        "Hyper-V Administrators",
        578,
        "Members of this group have complete and unrestricted access to all features of Hyper-V.",
        "此组的成员拥有对 Hyper-V 所有功能的完全且不受限制的访问权限。",
    ),
    (
        "IIS_IUSRS",
        568,
        "Built-in group used by Internet Information Services.",
        "Internet 信息服务使用的内置组。",
    ),
    (
        "Network Configuration Operators",
        556,
        "Members in this group can have some administrative privileges to manage configuration of"
        " networking features",
        "此组中的成员有部分管理权限来管理网络功能的配置",
    ),
    (
        "Performance Log Users",
        559,
        "Members of this group may schedule logging of performance counters, enable trace"
        " providers, and collect event traces both locally and via remote access to this computer",
        "该组中的成员可以计划进行性能计数器日志记录、启用跟踪记录提供程序，"
        "以及在本地或通过远程访问此计算机来收集事件跟踪记录",
    ),
    (
        "Performance Monitor Users",
        558,
        "Members of this group can access performance counter data locally and remotely",
        "此组的成员可以从本地和远程访问性能计数器数据",
    ),
    (
        "Power Users",
        547,
        "Power Users are included for backwards compatibility and possess limited administrative"
        " powers",
        "包括高级用户以向下兼容，高级用户拥有有限的管理权限",
    ),
    (
        "Print Operators",
        550,
        "Members can administer printers installed on domain controllers",
        "成员可以管理在域控制器上安装的打印机",
    ),
    (
        "RDS Endpoint Servers",
        576,
        "Servers in this group run virtual machines and host sessions where users RemoteApp"
        " programs and personal virtual desktops run.",
        "此组中的服务器运行虚拟机和主机会话，用户 RemoteApp 程序和个人虚拟桌面将在这些虚拟机和会话中运行。",
    ),
    (
        "RDS Management Servers",
        577,
        "Servers in this group can perform routine administrative actions on servers running"
        " Remote Desktop Services.",
        "此组中的服务器可以在运行远程桌面服务的服务器上执行例程管理操作。",
    ),
    (
        "RDS Remote Access Servers",
        575,
        "Servers in this group enable users of RemoteApp programs and personal virtual desktops"
        " access to these resources.",
        "此组中的服务器使 RemoteApp 程序和个人虚拟桌面用户能够访问这些资源。",
    ),
    (
        "Remote Desktop Users",
        555,
        "Members in this group are granted the right to logon remotely",
        "此组中的成员被授予远程登录的权限",
    ),
    (
        "Remote Management Users",
        580,
        "Members of this group can access WMI resources over management protocols (such as"
        " WS-Management via the Windows Remote Management service). This applies only to WMI"
        " namespaces that grant access to the user.",
        "此组的成员可以通过管理协议(例如，通过 Windows 远程管理服务的 WS-Management)访问 WMI 资源。"
        "这仅适用于授予用户访问权限的 WMI 命名空间。",
    ),
    ("Replicator", 552, "Supports file replication in a domain", "支持域中的文件复制"),
    (
        "Storage Replica Administrators",
        582,
        "Members of this group have complete and unrestricted access to all features of Storage"
        " Replica.",
        "此组的成员具有存储副本所有功能的不受限的完全访问权限。",
    ),
    (
        "System Managed Accounts Group",
        581,
        "Members of this group are managed by the system.",
        "此组的成员由系统管理。",
    ),
    (
        "Users",
        545,
        "Users are prevented from making accidental or intentional system-wide changes and can run"
        " most applications",
        "防止用户进行有意或无意的系统范围的更改，但是可以运行大部分应用程序",
    ),
)


def base_users(machine_sid: str, *, chinese: bool) -> list[User]:
    """Return the four built-in users under ``machine_sid``."""
    return [
        User(
            name=name,
            sid=f"{machine_sid}-{rid}",
            description=zh if chinese else en,
            enabled=enabled,
            password_never_expires=rid in {500, 501},
            user_cannot_change_password=rid == 501,
            password_required=rid not in {501, 503},
        )
        for name, rid, enabled, en, zh in _USERS
    ]


def base_groups(machine_sid: str, *, chinese: bool) -> list[Group]:
    """Return the built-in groups with their first members."""
    members = {
        544: (f"{machine_sid}-500",),
        545: ("S-1-5-4", "S-1-5-11"),
        546: (f"{machine_sid}-501",),
        568: ("S-1-5-17",),
        581: (f"{machine_sid}-503",),
    }
    return [
        Group(
            name=name,
            sid=f"S-1-5-32-{rid}",
            description=zh if chinese else en,
            members=members.get(rid, ()),
        )
        for name, rid, en, zh in _GROUPS
    ]

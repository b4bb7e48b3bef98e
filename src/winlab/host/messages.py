"""System error messages, as FormatMessage gives them.

Source: "System Error Codes" (Microsoft Learn, winerror.h) for the English texts; the Chinese texts
are those of a zh-CN installation's kernel32.dll.mui.
"""

from __future__ import annotations

_MESSAGES: dict[int, tuple[str, str]] = {
    0: ("The operation completed successfully.", "操作成功完成。"),
    1: ("Incorrect function.", "函数不正确。"),
    2: ("The system cannot find the file specified.", "系统找不到指定的文件。"),
    3: ("The system cannot find the path specified.", "系统找不到指定的路径。"),
    5: ("Access is denied.", "拒绝访问。"),
    13: ("The data is invalid.", "数据无效。"),
    14: (
        "Not enough memory resources are available to complete this operation.",
        "内存资源不足，无法完成此操作。",
    ),
    15: ("The system cannot find the drive specified.", "系统找不到指定的驱动器。"),
    18: ("There are no more files.", "没有更多文件。"),
    19: ("The media is write protected.", "介质受写入保护。"),
    21: ("The device is not ready.", "设备未就绪。"),
    32: (
        "The process cannot access the file because it is being used by another process.",
        "另一个程序正在使用此文件，进程无法访问。",
    ),
    50: ("The request is not supported.", "不支持该请求。"),
    53: ("The network path was not found.", "找不到网络路径。"),
    67: ("The network name cannot be found.", "找不到网络名。"),
    80: ("The file exists.", "文件存在。"),
    86: ("The specified network password is not correct.", "指定的网络密码不正确。"),
    87: ("The parameter is incorrect.", "参数错误。"),
    112: ("There is not enough space on the disk.", "磁盘空间不足。"),
    123: (
        "The filename, directory name, or volume label syntax is incorrect.",
        "文件名、目录名或卷标语法不正确。",
    ),
    145: ("The directory is not empty.", "目录不是空的。"),
    161: ("The specified path is invalid.", "指定的路径无效。"),
    183: (
        "Cannot create a file when that file already exists.",
        "当文件已存在时，无法创建该文件。",
    ),
    206: ("The filename or extension is too long.", "文件名或扩展名太长。"),
    259: ("No more data is available.", "没有更多可用的数据。"),
    267: ("The directory name is invalid.", "目录名称无效。"),
    1009: ("The configuration registry database is corrupt.", "配置注册表数据库损坏。"),
    1051: (
        "A stop control has been sent to a service that other running services are dependent on.",
        "已向服务发送停止控制，其他正在运行的服务依赖于此服务。",
    ),
    1052: ("The requested control is not valid for this service.", "请求的控件对此服务无效。"),
    1053: (
        "The service did not respond to the start or control request in a timely fashion.",
        "服务没有及时响应启动或控制请求。",
    ),
    1056: ("An instance of the service is already running.", "服务的实例已在运行中。"),
    1057: (
        "The account name is invalid or does not exist, or the password is invalid for the account"
        " name specified.",
        "帐户名无效或不存在，或者密码对于指定的帐户名无效。",
    ),
    1058: (
        "The service cannot be started, either because it is disabled or because it has no enabled"
        " devices associated with it.",
        "无法启动服务，原因可能是已被禁用或与其相关联的设备没有启动。",
    ),
    1060: (
        "The specified service does not exist as an installed service.",
        "指定的服务未安装。",
    ),
    1061: (
        "The service cannot accept control messages at this time.",
        "服务无法在此时接受控制信息。",
    ),
    1062: ("The service has not been started.", "服务尚未启动。"),
    1066: (
        "The service has returned a service-specific error code.",
        "服务返回服务特定的错误代码。",
    ),
    1067: ("The process terminated unexpectedly.", "进程意外终止。"),
    1068: ("The dependency service or group failed to start.", "依赖服务或组无法启动。"),
    1069: ("The service did not start due to a logon failure.", "由于登录失败而无法启动服务。"),
    1072: ("The specified service has been marked for deletion.", "指定的服务已标记为删除。"),
    1073: ("The specified service already exists.", "指定的服务已存在。"),
    1077: (
        "No attempts to start the service have been made since the last boot.",
        "上次启动之后，仍未尝试引导服务。",
    ),
    1115: ("A system shutdown is in progress.", "系统正在关机。"),
    1116: (
        "Unable to abort the system shutdown because no shutdown was in progress.",
        "因为没有任何进行中的关机过程，所以无法中断系统关机。",
    ),
    1190: ("A system shutdown has already been scheduled.", "已计划系统关机。"),
    1219: (
        "Multiple connections to a server or shared resource by the same user, using more than one"
        " user name, are not allowed.",
        "不允许一个用户使用一个以上用户名与服务器或共享资源的多重连接。",
    ),
    1314: (
        "A required privilege is not held by the client.",
        "客户端没有所需的特权。",
    ),
    1316: ("The specified account already exists.", "指定的帐户已存在。"),
    1317: ("The specified account does not exist.", "指定的帐户不存在。"),
    1318: ("The specified user already exists.", "指定的用户已存在。"),
    1319: ("The specified group does not exist.", "指定的组不存在。"),
    1326: ("The user name or password is incorrect.", "用户名或密码不正确。"),
    1327: (
        "Account restrictions are preventing this user from signing in.",
        "帐户限制会阻止此用户登录。",
    ),
    1331: (
        "This user can't sign in because this account is currently disabled.",
        "用户无法登录，因为帐户当前已禁用。",
    ),
    1332: (
        "No mapping between account names and security IDs was done.",
        "帐户名与安全标识间无任何映射完成。",
    ),
    1376: ("The specified local group does not exist.", "指定的本地组不存在。"),
    1377: (
        "The specified account name is not a member of the group.",
        "指定的帐户名不是此组的成员。",
    ),
    1378: (
        "The specified account name is already a member of the group.",
        "指定的帐户名已是此组的成员。",
    ),
    1379: ("The specified local group already exists.", "指定的本地组已存在。"),
    1387: (
        "A member could not be added to or removed from the local group because the member does"
        " not exist.",
        "由于成员不存在，无法将成员添加到本地组中，也无法从本地组将其删除。",
    ),
    1722: ("The RPC server is unavailable.", "RPC 服务器不可用。"),
    1500: ("The event log file is corrupted.", "事件日志文件已损坏。"),
    1639: (
        "Invalid command line argument. Consult the Windows Installer SDK for detailed command line"
        " help.",
        "无效的命令行参数。有关详细的命令行帮助，请参阅 Windows Installer SDK。",
    ),
    2182: ("The requested service has already been started.", "请求的服务已经启动。"),
    2185: ("The service name is invalid.", "服务名无效。"),
    2202: ("The specified username is invalid.", "指定的用户名无效。"),
    2220: ("The group name could not be found.", "找不到组名。"),
    2221: ("The user name could not be found.", "找不到用户名。"),
    2223: ("The group already exists.", "组已存在。"),
    2224: ("The account already exists.", "帐户已存在。"),
    2245: (
        "The password does not meet the password policy requirements. Check the minimum password"
        " length, password complexity and password history requirements.",
        "密码不满足密码策略的要求。检查最小密码长度、密码复杂性和密码历史的要求。",
    ),
    3521: ("The service is not started.", "没有启动服务。"),
    4201: (
        "The instance name passed was not recognized as valid by a WMI data provider.",
        "WMI 数据提供程序无法识别传递的实例名是否有效。",
    ),
    15001: ("The specified query is invalid.", "指定的查询无效。"),
    15007: (
        "The specified channel could not be found. Check channel configuration.",
        "找不到指定的通道。请检查通道配置。",
    ),
    15008: (
        "The specified XML text was not well-formed. See Extended Error for more details.",
        "指定的 XML 文本格式不正确。有关详细信息，请参阅扩展错误。",
    ),
}


def system_message(code: int, locale: str) -> str:
    """Return the text of Win32 error ``code`` in ``locale``; unknown codes name the number."""
    english, chinese = _MESSAGES.get(code, (f"Error 0x{code:x}.", f"错误 0x{code:x}。"))
    return chinese if locale == "zh-CN" else english

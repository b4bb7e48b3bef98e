"""Texts of .NET Framework and PowerShell exceptions, in the host's language.

English texts are those of mscorlib's resources (referencesource, ``mscorlib.txt``); Chinese ones
those of the zh-Hans language pack, which a zh-CN Windows Server carries.
"""

from __future__ import annotations

from winlab.host.errors import WindowsError

_IO: dict[int, tuple[str, str]] = {
    2: ("Could not find file '{0}'.", "未能找到文件“{0}”。"),
    3: ("Could not find a part of the path '{0}'.", "未能找到路径“{0}”的一部分。"),
    5: ("Access to the path '{0}' is denied.", "对路径“{0}”的访问被拒绝。"),
    32: (
        "The process cannot access the file '{0}' because it is being used by another process.",
        "文件“{0}”正由另一进程使用，因此该进程无法访问此文件。",
    ),
    80: ("The file '{0}' already exists.", "文件“{0}”已经存在。"),
}


class ModuleCrash(Exception):  # noqa: N818  named for what the module does: it crashes
    """A module's script met an exception that it does not catch; the message is PowerShell's."""


def null_argument(name: str) -> ModuleCrash:
    """What PowerShell's binder says of a null where a value is needed."""
    return ModuleCrash(f"Cannot bind argument to parameter '{name}' because it is null.")


def io_message(error: WindowsError, path: str, locale: str) -> str:
    """The message of the IOException that .NET makes of a Win32 error about ``path``."""
    texts = _IO.get(error.code)
    if texts is None:
        return error.text(locale)
    return texts[1 if locale == "zh-CN" else 0].format(path)


def calling(method: str, count: int, message: str, locale: str) -> str:
    """PowerShell's MethodInvocationException around the message of what a .NET method threw."""
    if locale == "zh-CN":
        return f"使用“{count}”个参数调用“{method}”时发生异常:“{message}”"
    return f'Exception calling "{method}" with "{count}" argument(s): "{message}"'

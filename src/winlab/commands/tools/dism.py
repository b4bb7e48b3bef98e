"""dism.exe: packages of the running Windows.

Source: "DISM Operating System Package (.cab or .msu) Servicing Command-Line Options" (Microsoft
Learn): /Online /Get-Packages, /Add-Package with a .cab (an .msu is for offline images only),
/Remove-Package, /Quiet, /NoRestart; exit code 3010 is a restart that is still due. Without /English the
texts follow the display language.
"""

from __future__ import annotations

from collections.abc import Callable

from winlab.commands.call import Call, program
from winlab.host import msu
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.updates import CBS_E_INVALID_PACKAGE, UpdateError

_ELEVATION = 740
_RESTART_DUE = 3010


@program("dism")
def dism(call: Call) -> int:
    """List or remove packages of the running system."""
    english = not call.chinese
    verb, packages, quiet, table = "", [], False, False
    for argument in call.args:
        name, _, value = argument.lstrip("/-").partition(":")
        match name.lower():
            case "online" | "norestart":
                pass
            case "english":
                english = True
            case "quiet":
                quiet = True
            case "format":
                table = value.lower() == "table"
            case "get-packages" | "add-package" | "remove-package":
                verb = name.lower()
            case "packagepath":
                packages.append(value.strip('"'))
            case "packagename":
                packages.append(value)
            case _:
                raise NotModelledError(f"dism /{name}")
    if not call.admin:
        call.line("\r\nError: 740\r\n\r\nElevated permissions are required to run DISM.")
        return _ELEVATION
    if verb == "get-packages":
        return _list(call, english=english, table=table)
    if verb == "remove-package":
        return _change(call, packages, call.host.updates.remove, quiet=quiet, english=english)
    if verb == "add-package":
        return _add(call, packages, quiet=quiet, english=english)
    raise NotModelledError("dism without /get-packages, /add-package or /remove-package")


def _head(call: Call, *, english: bool) -> None:
    build = f"10.0.{call.host.os.build}"
    call.line()
    if english:
        call.line("Deployment Image Servicing and Management tool")
        call.line(f"Version: {build}.1\r\n\r\nImage Version: {build}.{call.host.os.ubr}\r\n")
    else:
        call.line("部署映像服务和管理工具")
        call.line(f"版本: {build}.1\r\n\r\n映像版本: {build}.{call.host.os.ubr}\r\n")


def _list(call: Call, *, english: bool, table: bool) -> int:
    if not table:
        raise NotModelledError("dism /get-packages without /format:table")
    _head(call, english=english)
    rows = [
        (
            package.name,
            package.state if english else {"Installed": "已安装"}.get(package.state, "挂起"),
            "Security Update" if english else "安全更新程序",
            "3/12/2025 10:14 AM",
        )
        for package in call.host.updates.packages()
    ]
    names = ("Package Identity", "State", "Release Type", "Install Time")
    titles = names if english else ("程序包标识", "状态", "版本类型", "安装时间")
    widths = [max(len(row[i]) for row in (titles, *rows)) for i in range(4)]
    call.line("Packages listing:\r\n" if english else "程序包列表:\r\n")
    call.line(" | ".join("-" * width for width in widths))
    call.line(" | ".join(text.ljust(width) for text, width in zip(titles, widths, strict=True)))
    call.line(" | ".join("-" * width for width in widths))
    for row in rows:
        call.line(" | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)))
    call.line()
    call.line("The operation completed successfully." if english else "操作成功完成。")
    return 0


def _add(call: Call, paths: list[str], *, quiet: bool, english: bool) -> int:
    names = []
    for path in paths:
        if path.lower().endswith(".msu"):
            raise NotModelledError("dism /online /add-package with an .msu")
        try:
            names.append(msu.package_in(call.host.files.read(path, call.cwd)))
        except WindowsError as error:
            call.line(f"\r\nError: {error.code}\r\n\r\n{call.message(error.code)}")
            return error.code
        except msu.MsuError:
            call.line("\r\nError: 0x800f0805")
            return CBS_E_INVALID_PACKAGE - 2**32
    return _change(call, names, call.host.updates.add, quiet=quiet, english=english)


def _change(
    call: Call, packages: list[str], change: Callable[[str], bool], *, quiet: bool, english: bool
) -> int:
    if not quiet:
        _head(call, english=english)
    due = False
    for package in packages:
        try:
            due = change(package) or due
        except UpdateError as error:
            call.line(f"\r\nError: 0x{error.hresult:08x}")
            return error.hresult - 2**32
    if not quiet:
        call.line("The operation completed successfully." if english else "操作成功完成。")
    return _RESTART_DUE if due else 0

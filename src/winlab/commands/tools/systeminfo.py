"""systeminfo.exe. Source: "systeminfo" (Microsoft Learn): labels in the display language."""

from __future__ import annotations

from datetime import datetime

from winlab.commands.call import Call, program
from winlab.host.errors import NotModelledError


def _stamp(call: Call, when: datetime) -> str:
    local = call.host.clock.local(when)
    hour = local.hour % 12 or 12
    english = f"{local.month}/{local.day}/{local.year}, {hour}:{local:%M:%S %p}"
    return call.text(english, f"{local.year}/{local.month}/{local.day}, {local.hour}:{local:%M:%S}")


def _fields(call: Call) -> list[tuple[str, str, str]]:
    host, hardware = call.host, call.host.hardware
    total, free = hardware.memory_mb, hardware.free_memory_mb
    virtual = total + hardware.pagefile_mb
    unused = free + hardware.pagefile_mb
    mb = call.text("MB", "MB")
    code = "en-us;English (United States)"
    if host.locale.chinese:
        code = "zh-cn;中文(中国)"
    return [
        ("Host Name", "主机名", host.name),
        ("OS Name", "OS 名称", host.os.caption),
        (
            "OS Version",
            "OS 版本",
            f"{host.os.version} {call.text('N/A', '暂缺')} Build {host.os.build}",
        ),
        ("OS Manufacturer", "OS 制造商", "Microsoft Corporation"),
        ("OS Configuration", "OS 配置", call.text("Standalone Server", "独立服务器")),
        ("OS Build Type", "OS 构建类型", "Multiprocessor Free"),
        ("Registered Owner", "注册的所有人", call.text("Windows User", "Windows 用户")),
        ("System Boot Time", "系统启动时间", _stamp(call, host.power.boot_time)),
        ("System Manufacturer", "系统制造商", hardware.manufacturer),
        ("System Model", "系统型号", hardware.model),
        ("System Type", "系统类型", "x64-based PC"),
        ("Windows Directory", "Windows 目录", "C:\\Windows"),
        ("System Directory", "系统目录", "C:\\Windows\\system32"),
        ("Boot Device", "启动设备", "\\Device\\HarddiskVolume1"),
        ("System Locale", "系统区域设置", code),
        ("Input Locale", "输入法区域设置", code),
        ("Time Zone", "时区", host.clock.zone.caption(host.locale.name)),
        ("Total Physical Memory", "物理内存总量", f"{total:,} {mb}"),
        ("Available Physical Memory", "可用的物理内存", f"{free:,} {mb}"),
        ("Virtual Memory: Max Size", "虚拟内存: 最大值", f"{virtual:,} {mb}"),
        ("Virtual Memory: Available", "虚拟内存: 可用", f"{unused:,} {mb}"),
        ("Virtual Memory: In Use", "虚拟内存: 使用中", f"{virtual - unused:,} {mb}"),
        ("Domain", "域", host.network.domain),
    ]


@program("systeminfo")
def systeminfo(call: Call) -> int:
    """Describe the system; /fo list and csv are modelled."""
    words = [a.lower() for a in call.args]
    form = "list"
    if words[:1] == ["/fo"] and len(words) > 1:
        form = words[1]
        words = words[2:]
    header = words != ["/nh"]
    if (words and header) or form not in {"list", "csv"}:
        raise NotModelledError(f"systeminfo {' '.join(call.args)}")
    fields = _fields(call)
    call.console.duration += 2.0
    if form == "csv":
        if header:
            call.line(",".join(f'"{call.text(en, zh)}"' for en, zh, _ in fields))
        call.line(",".join(f'"{value}"' for _, _, value in fields))
        return 0
    call.line()
    for english, chinese, value in fields:
        label = call.text(english, chinese) + ":"
        wide = sum(1 for c in label if ord(c) > 0x2E80)
        width = 27 if not call.chinese else 18 - wide
        call.line(f"{label:<{width}}{value}")
    return 0

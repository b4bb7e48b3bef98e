"""w32tm.exe. Source: "Windows Time service tools and settings" (Microsoft Learn)."""

from __future__ import annotations

from datetime import timedelta

from winlab.commands.call import Call, program
from winlab.host.errors import NotModelledError

_NOT_STARTED = 0x80070426
_INVALID = 0x80070057


def _signed(code: int) -> int:
    """Return an HRESULT as the signed exit code a shell sees."""
    return code - 2**32 if code >= 2**31 else code


def _failed(call: Call, code: int, win32: int) -> int:
    head = call.text("The following error occurred:", "发生下列错误:")
    call.line(f"{head} {call.message(win32)} (0x{code:08X})")
    return _signed(code)


def _peer(source: str) -> str:
    return source.partition(",")[0]


def _query(call: Call, args: list[str]) -> int:
    if not call.host.pid_of("W32Time"):
        return _failed(call, _NOT_STARTED, 1062)
    source = call.host.clock.source
    if args == ["/source"]:
        call.line(source)
        return 0
    if args and args[0] == "/status":
        synced = "CMOS" not in source and "Free-running" not in source
        last = call.host.clock.local(call.host.now() - timedelta(minutes=17))
        when = call.text(f"{last:%m/%d/%Y %I:%M:%S %p}", f"{last:%Y/%m/%d %H:%M:%S}")
        leap = "0(no warning)" if synced else "3(not synchronized)"
        stratum = "4 (secondary reference - syncd by (S)NTP)" if synced else "0 (unspecified)"
        call.line(call.text(f"Leap Indicator: {leap}", f"Leap 指示符: {leap}"))
        call.line(call.text(f"Stratum: {stratum}", f"层次: {stratum}"))
        call.line(call.text("Precision: -23 (119.209ns per tick)", "精度: -23 (每刻度 119.209ns)"))
        call.line(call.text("Root Delay: 0.0312500s", "根延迟: 0.0312500s"))
        call.line(call.text("Root Dispersion: 7.7712468s", "根分散: 7.7712468s"))
        call.line(call.text(f"Last Successful Sync Time: {when}", f"上次成功同步时间: {when}"))
        call.line(call.text(f"Source: {source} ", f"源: {source} "))
        call.line(call.text("Poll Interval: 10 (1024s)", "轮询间隔: 10 (1024s)"))
        call.line()
        return 0
    raise NotModelledError(f"w32tm /query {' '.join(args)}")


def _stripchart(call: Call, args: list[str]) -> int:
    options = {a[1:].partition(":")[0]: a.partition(":")[2] for a in args}
    computer = options.get("computer")
    if not computer:
        return _failed(call, _INVALID, 87)
    samples = int(options.get("samples") or "1")
    address = call.host.network.names.get(computer.lower())
    if address is None and computer.lower() != _peer(call.host.clock.source).lower():
        call.line(
            call.text(
                f"Tracking {computer} [].\r\nerror: 0x80072AF9",
                f"正在跟踪 {computer} []。\r\n错误: 0x80072AF9",
            )
        )
        return _signed(0x80072AF9)
    now = call.host.clock.local()
    stamp = call.text(f"{now:%m/%d/%Y %I:%M:%S %p}", f"{now:%Y/%m/%d %H:%M:%S}")
    call.line(
        call.text(
            f"Tracking {computer} [{address or '10.0.0.2'}:123].",
            f"正在跟踪 {computer} [{address or '10.0.0.2'}:123]。",
        )
    )
    if samples > 1 or "samples" in options:
        call.line(call.text(f"Collecting {samples} samples.", f"收集 {samples} 个样本。"))
    call.line(call.text(f"The current time is {stamp}.", f"当前时间是 {stamp}。"))
    offset = -call.host.clock.offset.total_seconds()
    for number in range(samples):
        at = now + timedelta(seconds=2 * number)
        sign = "+" if offset >= 0 else "-"
        value = f"{sign}{abs(offset):010.7f}s"
        if "dataonly" in options:
            call.line(f"{at:%H:%M:%S}, {value}")
        else:
            call.line(f"{at:%H:%M:%S}, d:+00.0002214s o:{value}  [{' ' * 27}*{' ' * 27}]")
    call.console.duration += 2.0 * (samples - 1)
    return 0


def _resync(call: Call) -> int:
    call.line(
        call.text("Sending resync command to local computer", "正在向本地计算机发送 resync 命令")
    )
    if not call.admin:
        return _failed(call, 0x80070005, 5)
    if not call.host.pid_of("W32Time"):
        return _failed(call, _NOT_STARTED, 1062)
    if "CMOS" in call.host.clock.source:
        text = call.text(
            "The computer did not resync because no time data was available.",
            "此计算机没有重新同步，因为没有可用的时间数据。",
        )
        call.line(text)
        return _signed(0x80070426)
    call.host.writing("clock: resync")
    call.host.clock.offset = timedelta(0)
    call.line(call.text("The command completed successfully.", "命令成功完成。"))
    return 0


@program("w32tm")
def w32tm(call: Call) -> int:
    """Query and steer the time service."""
    args = [a.lower() for a in call.args]
    if not args:
        raise NotModelledError("w32tm's help")
    verb = args[0]
    if verb == "/query":
        return _query(call, args[1:])
    if verb == "/stripchart":
        return _stripchart(call, args[1:])
    if verb == "/resync":
        return _resync(call)
    if verb == "/tz":
        zone = call.host.clock.zone
        name = zone.standard(call.host.locale.name)
        call.line(f"Time zone: Current:TIME_ZONE_ID_UNKNOWN Bias: {-zone.minutes}min")
        call.line(f'  [Standard Name:"{name}" Bias:0min Date:(unspecified)]')
        return 0
    if verb in {"/config", "/monitor", "/ntte", "/ntpte", "/register", "/unregister", "/debug"}:
        raise NotModelledError(f"w32tm {verb}")
    call.line(
        call.text(f"The command {call.args[0]} is unknown.", f"命令 {call.args[0]} 是未知的。")
    )
    return _signed(_INVALID)

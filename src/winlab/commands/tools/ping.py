"""ping.exe. Source: "ping" (Microsoft Learn)."""

from __future__ import annotations

from winlab.commands.call import Call, program
from winlab.host.errors import NotModelledError

_WITH_VALUE = {"-n", "-l", "-i", "-w", "-s"}


@program("ping")
def ping(call: Call) -> int:
    """Answer for this host, its peers and known names; everything else has no address."""
    count, target, index = 4, "", 0
    args = [("-" + a[1:]) if a.startswith("/") else a for a in call.args]
    while index < len(args):
        low = args[index].lower()
        if low in _WITH_VALUE and index + 1 < len(args):
            if low == "-n" and args[index + 1].isdecimal():
                count = int(args[index + 1])
            index += 1
        elif low in {"-4", "-6", "-a", "-f"}:
            pass
        elif low == "-t":
            raise NotModelledError("ping -t")
        elif low.startswith("-"):
            call.line(call.text(f"Bad option {args[index]}.", f"选项 {args[index]} 不正确。"))
            return 1
        else:
            target = args[index]
        index += 1
    address = _address(call, target)
    if address is None:
        call.line(
            call.text(
                f"Ping request could not find host {target}. Please check the name and try again.",
                f"Ping 请求找不到主机 {target}。请检查该名称，然后重试。",
            )
        )
        return 1
    shown = address if address == target else f"{target} [{address}]"
    call.line()
    call.line(
        call.text(
            f"Pinging {shown} with 32 bytes of data:", f"正在 Ping {shown} 具有 32 字节的数据:"
        )
    )
    for _ in range(count):
        call.line(
            call.text(
                f"Reply from {address}: bytes=32 time<1ms TTL=128",
                f"来自 {address} 的回复: 字节=32 时间<1ms TTL=128",
            )
        )
    call.console.duration += float(max(0, count - 1))
    call.line()
    call.line(call.text(f"Ping statistics for {address}:", f"{address} 的 Ping 统计信息:"))
    call.line(
        call.text(
            f"    Packets: Sent = {count}, Received = {count}, Lost = 0 (0% loss),",
            f"    数据包: 已发送 = {count}，已接收 = {count}，丢失 = 0 (0% 丢失)，",
        )
    )
    call.line(
        call.text(
            "Approximate round trip times in milli-seconds:", "往返行程的估计时间(以毫秒为单位):"
        )
    )
    call.line(
        call.text(
            "    Minimum = 0ms, Maximum = 0ms, Average = 0ms",
            "    最短 = 0ms，最长 = 0ms，平均 = 0ms",
        )
    )
    return 0


def _address(call: Call, target: str) -> str | None:
    low = target.lower()
    network = call.host.network
    if low in {"localhost", "127.0.0.1"}:
        return "127.0.0.1"
    if low == call.host.name.lower():
        return network.adapters[0].address
    if low in network.names:
        return network.names[low]
    peer = network.peer(target)
    if peer is not None:
        return peer.network.adapters[0].address
    known = {a.address for a in network.adapters} | {a.gateway for a in network.adapters}
    return target if target in known or target in network.names.values() else None

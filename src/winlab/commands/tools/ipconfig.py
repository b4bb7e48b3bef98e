"""ipconfig.exe. Source: "ipconfig" (Microsoft Learn)."""

from __future__ import annotations

from winlab.commands.call import Call, program
from winlab.host.errors import NotModelledError


def _field(call: Call, label: str, value: str) -> None:
    width = 35 - sum(1 for c in label if ord(c) > 0x2E80)
    dotted = label + " "
    while len(dotted) < width:
        dotted += ". " if len(dotted) % 2 == 0 else " "
    call.line(f"   {dotted.rstrip()} : {value}".rstrip() + ("" if value else " "))


@program("ipconfig")
def ipconfig(call: Call) -> int:
    """Show adapters; /all adds DNS and hardware addresses, /flushdns empties the cache."""
    words = [a.lower() for a in call.args]
    if words == ["/flushdns"]:
        call.line()
        call.line(call.text("Windows IP Configuration", "Windows IP 配置"))
        call.line()
        call.line(
            call.text("Successfully flushed the DNS Resolver Cache.", "已成功刷新 DNS 解析缓存。")
        )
        return 0
    if words not in ([], ["/all"]):
        raise NotModelledError(f"ipconfig {' '.join(call.args)}")
    full = bool(words)
    network = call.host.network
    call.line()
    call.line(call.text("Windows IP Configuration", "Windows IP 配置"))
    call.line()
    if full:
        _field(call, call.text("Host Name", "主机名"), call.host.name)
        _field(call, call.text("Primary Dns Suffix", "主 DNS 后缀"), network.dns_suffix)
        _field(call, call.text("Node Type", "节点类型"), call.text("Hybrid", "混合"))
        _field(call, call.text("IP Routing Enabled", "IP 路由已启用"), call.text("No", "否"))
        _field(call, call.text("WINS Proxy Enabled", "WINS 代理已启用"), call.text("No", "否"))
        call.line()
    for adapter in network.adapters:
        call.line(call.text(f"Ethernet adapter {adapter.name}:", f"以太网适配器 {adapter.name}:"))
        call.line()
        suffix = call.text("Connection-specific DNS Suffix", "连接特定的 DNS 后缀")
        _field(call, suffix, network.dns_suffix)
        if full:
            _field(call, call.text("Description", "描述"), adapter.description)
            _field(call, call.text("Physical Address", "物理地址"), adapter.mac)
            yes, no = call.text("Yes", "是"), call.text("No", "否")
            _field(call, call.text("DHCP Enabled", "DHCP 已启用"), yes if adapter.dhcp else no)
        _field(call, call.text("Link-local IPv6 Address", "本地链接 IPv6 地址"), adapter.ipv6)
        _field(call, call.text("IPv4 Address", "IPv4 地址"), adapter.address)
        _field(call, call.text("Subnet Mask", "子网掩码"), adapter.mask)
        _field(call, call.text("Default Gateway", "默认网关"), adapter.gateway)
        if full:
            _field(call, call.text("DNS Servers", "DNS 服务器"), ", ".join(adapter.dns))
        call.line()
    return 0

"""netsh.exe. Source: "Netsh http commands" (Microsoft Learn)."""

from __future__ import annotations

from winlab.commands.call import Call, program
from winlab.commands.tools.advfirewall import advfirewall
from winlab.host.errors import NotModelledError
from winlab.host.network import SslRecord


def _show(call: Call, record: SslRecord) -> None:
    kind = ("Hostname:port", "主机名:端口") if record.sni else ("IP:port", "IP:端口")
    rows = (
        (kind, record.endpoint),
        (("Certificate Hash", "证书哈希"), record.thumbprint.lower()),
        (("Application ID", "应用程序 ID"), record.app_id),
        (("Certificate Store Name", "证书存储名称"), record.store or "(null)"),
    )
    for labels, value in rows:
        call.line(f"    {call.text(*labels):<29}: {value} ")
    for labels in (
        ("Verify Client Certificate Revocation", "验证客户端证书吊销"),
        ("Usage Check", "用法检查"),
    ):
        call.line(f"    {call.text(*labels)} : {call.text('Enabled', '已启用')} ")
    call.line()


@program("netsh")
def netsh(call: Call) -> int:
    """Flush the HTTP log buffer and show certificate bindings."""
    words = [a.lower() for a in call.args]
    if words[:3] == ["http", "flush", "logbuffer"]:
        call.line()
        call.line(call.text("Log buffers successfully flushed.", "已成功刷新日志缓冲区。"))
        call.line()
        return 0
    if words[:3] == ["http", "show", "sslcert"]:
        wanted = words[3].partition("=")[2] if len(words) > 3 else None
        records = [r for r in call.host.network.ssl_records if wanted in {None, r.endpoint.lower()}]
        call.line()
        call.line(call.text("SSL Certificate bindings: ", "SSL 证书绑定: "))
        call.line("------------------------- ")
        call.line()
        if wanted is not None and not records:
            call.line(call.message(2))
            call.line()
            return 1
        for record in records:
            _show(call, record)
        return 0
    if words[:1] == ["advfirewall"]:
        return advfirewall(call, words[1:])
    raise NotModelledError(f"netsh {' '.join(call.args[:3])}".strip())

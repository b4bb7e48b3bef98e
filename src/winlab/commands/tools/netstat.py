"""netstat.exe. Source: "netstat" (Microsoft Learn)."""

from __future__ import annotations

from winlab.commands.call import Call, program
from winlab.host.errors import NotModelledError


def _row(protocol: str, local: str, remote: str, state: str, pid: int | None) -> str:
    line = f"  {protocol:<6} {local:<22} {remote:<22} {state:<15}"
    return f"{line} {pid}" if pid is not None else line.rstrip()


def _usage(call: Call) -> int:
    call.line()
    call.line(
        call.text(
            "Displays protocol statistics and current TCP/IP network connections.",
            "显示协议统计信息和当前 TCP/IP 网络连接。",
        )
    )
    call.line()
    call.line(
        "NETSTAT [-a] [-b] [-e] [-f] [-n] [-o] [-p proto] [-r] [-s] [-t] [-x] [-y] [interval]"
    )
    return 1


@program("netstat")
def netstat(call: Call) -> int:
    """List listening ports and connections; -n and -o are modelled, names are never resolved."""
    letters = ""
    protocol: str | None = None
    args = list(call.args)
    while args:
        arg = args.pop(0)
        if arg.lower() in {"-p", "/p"} and args:
            protocol = args.pop(0).upper()
            continue
        if not arg.startswith(("-", "/")) or not set(arg[1:].lower()) <= set("abefnopqrstxy"):
            return _usage(call)
        letters += arg[1:].lower()
    for letter in letters:
        if letter not in "ano":
            raise NotModelledError(f"netstat -{letter}")
    if "n" not in letters:
        raise NotModelledError("netstat without -n")
    with_pid = "o" in letters
    call.line()
    call.line(call.text("Active Connections", "活动连接"))
    call.line()
    header = call.text(
        "  Proto  Local Address          Foreign Address        State",
        "  协议   本地地址               外部地址               状态",
    )
    call.line(f"{header}           PID" if with_pid else header)
    rows: list[tuple[str, str, str, str, int]] = []
    ports = call.host.network.open_ports() if "a" in letters else []
    for v6 in (False, True):
        for p in ports:
            if p.protocol != "TCP" or (v6 and not p.ipv6):
                continue
            local, remote = ("[::]", "[::]:0") if v6 else (p.address, "0.0.0.0:0")
            rows.append(("TCP", f"{local}:{p.port}", remote, "LISTENING", p.process_id))
        if not v6:
            rows += [
                ("TCP", c.local, c.remote, c.state, c.process_id)
                for c in call.host.network.connections
            ]
    for v6 in (False, True):
        for p in ports:
            if p.protocol == "UDP" and (not v6 or p.ipv6):
                local = "[::]" if v6 else p.address
                rows.append(("UDP", f"{local}:{p.port}", "*:*", "", p.process_id))
    for kind, local, remote, state, pid in rows:
        if protocol in {None, kind} or protocol == f"{kind}V6":
            call.line(_row(kind, local, remote, state, pid if with_pid else None))
    return 0

"""wmic.exe. Source: "wmic" (Microsoft Learn), Win32 class pages for the properties.

Lines end in CR CR LF when wmic writes to a pipe, as the real tool's do.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from winlab.commands.call import Call, program
from winlab.commands.tools import wmic_rsop
from winlab.commands.tools.wmic_classes import CLASSES, WRITABLE
from winlab.commands.tools.wmic_query import InvalidQueryError, parse_where
from winlab.host.errors import NotModelledError
from winlab.host.host import Host

Row: TypeAlias = "dict[str, str]"

_RPC = 0x800706BA
_INVALID_CLASS = 0x80041010
_INVALID_NAMESPACE = 0x8004100E
_CLIENT = "root\\ccm\\clientsdk"
_INVALID_QUERY = 0x80041017
_END = "\r\r\n"
_TOKEN = re.compile(r'"[^"]*"|\'[^\']*\'|\([^()]*\)|/[A-Za-z]+:"[^"]*"|[^\s"\'(]+')
_NAMESPACES = {"root\\cimv2": CLASSES, wmic_rsop.NAMESPACE: wmic_rsop.CLASSES}


def _signed(code: int) -> int:
    return code - 2**32


def _put(call: Call, text: str) -> None:
    call.write(text.replace("\n", _END))


def _fail(call: Call, node: str, code: int, english: str, chinese: str) -> int:
    text = call.text(
        f"Node - {node}\r\nERROR:\r\nDescription = {english}",
        f"节点 - {node}\r\n错误:\r\n描述 = {chinese}",
    )
    call.error(text)
    return _signed(code)


def _print_csv(call: Call, node: str, rows: list[Row], names: list[str]) -> None:
    names = sorted(names, key=str.lower)
    _put(call, "\n" + ",".join(["Node", *names]) + "\n")
    for row in rows:
        _put(call, ",".join([node, *(row[n].replace(",", ";") for n in names)]) + "\n")


def _print_value(call: Call, rows: list[Row], names: list[str]) -> None:
    _put(call, "\n\n")
    for row in rows:
        for name in names:
            _put(call, f"{name}={row[name]}\n")
        _put(call, "\n\n")


def _print_table(call: Call, rows: list[Row], names: list[str]) -> None:
    widths = {n: max(len(n), *(len(r[n]) for r in rows)) + 2 for n in names}
    _put(call, "".join(n.ljust(widths[n]) for n in names) + "\n")
    for row in rows:
        _put(call, "".join(row[n].ljust(widths[n]) for n in names) + "\n")
    _put(call, "\n")


def _parse(tail: str) -> list[str]:
    return _TOKEN.findall(tail)


@program("wmic")
def wmic(call: Call) -> int:
    """Read WMI classes of this host or of a peer."""
    words = _parse(call.tail)
    node: str | None = None
    namespace = "root\\cimv2"
    while words and words[0].startswith("/"):
        switch, _, value = words.pop(0).partition(":")
        if switch.lower() == "/node":
            node = value.strip("\"'")
        elif switch.lower() == "/namespace":
            namespace = value.strip("\"'").strip("\\").lower()
        elif switch.lower() not in {"/user", "/password"}:
            raise NotModelledError(f"wmic {switch}")
    if not words:
        raise NotModelledError("wmic without a class")
    target: Host | None = call.host
    if node is not None and node.lower() not in {"localhost", ".", call.host.name.lower()}:
        target = call.host.network.peer(node)
    shown = (node or call.host.name).upper()
    if target is None:
        return _fail(call, shown, _RPC, "The RPC server is unavailable.", "RPC 服务器不可用。")
    if namespace == _CLIENT and target.power.client != "none":
        return _client(call, target, shown, words)
    if namespace not in _NAMESPACES:
        return _fail(call, shown, _INVALID_NAMESPACE, "Invalid namespace", "无效命名空间")
    return _class(call, target, target.name if node is None else shown, namespace, words)


def _client(call: Call, host: Host, node: str, words: list[str]) -> int:
    """The one class of the Configuration Manager client that is modelled.

    Source: "DetermineIfRebootPending Method in Class CCM_ClientUtilities" (Configuration Manager SDK)
    for the out parameters. assumed: a broken client answers with a generic failure.
    """
    asked = ["path", "ccm_clientutilities", "call", "determineifrebootpending"]
    if [word.lower() for word in words] != asked:
        raise NotModelledError(f"wmic {' '.join(words)}")
    if host.power.client == "broken":
        return _fail(call, node, 0x80041001, "Generic failure", "一般性故障")
    due = "TRUE" if host.power.client == "restart-due" else "FALSE"
    call.line(
        call.text("Executing ", "执行 ") + "(CCM_ClientUtilities)->DetermineIfRebootPending()"
    )
    call.line(call.text("Method execution successful.", "方法执行成功。"))
    call.line(call.text("Out Parameters:", "外参数:"))
    call.line("instance of __PARAMETERS")
    call.line("{")
    for name, value in (
        ("DisableHideTime", '"00000000000000.000000+000"'),
        ("InGracePeriod", "FALSE"),
        ("IsHardRebootPending", "FALSE"),
        ("NotifyUI", "FALSE"),
        ("RebootDeadline", '"00000000000000.000000+000"'),
        ("RebootPending", due),
        ("ReturnValue", "0"),
    ):
        call.line(f"\t{name} = {value};")
    call.line("};")
    return 0


def _class(call: Call, host: Host, node: str, namespace: str, words: list[str]) -> int:
    alias = words.pop(0).lower()
    if alias == "path" and words:
        alias = words.pop(0).lower()
    reader = _NAMESPACES[namespace].get(alias)
    if reader is None:
        raise NotModelledError(f"wmic {alias}")
    if not call.admin:
        return _fail(call, node, 0x80070005, "Access denied.", "拒绝访问。")
    rows = reader(host)
    if words and words[0].lower() == "where":
        words.pop(0)
        if not words:
            return _invalid(call, "where")
        text = words.pop(0).strip('"')
        while words and words[0].lower() not in {"get", "list", "call"}:
            text += " " + words.pop(0)
        try:
            rows = _chosen(rows, text)
        except InvalidQueryError:
            return _fail(call, node, _INVALID_QUERY, "Invalid query", "无效查询")
    verb = words.pop(0).lower() if words else "list"
    if verb == "call" and words and (alias, words[0].lower()) in WRITABLE:
        return WRITABLE[alias, words[0].lower()](call, host, rows)
    if verb != "get":
        raise NotModelledError(f"wmic {alias} {verb}")
    return _get(call, node, rows, reader(host), words)


def _chosen(rows: list[Row], clause: str) -> list[Row]:
    if not rows:
        return []
    keep = parse_where(clause, frozenset(name.lower() for name in rows[0]))
    return [row for row in rows if keep(row)]


def _invalid(call: Call, what: str) -> int:
    call.error(call.text(f"{what} - Invalid alias verb.", f"{what} - 别名动词无效。"))
    return 44125


def _get(call: Call, node: str, rows: list[Row], every: list[Row], words: list[str]) -> int:
    names: list[str] = []
    form = "table"
    for word in words:
        if word.startswith("/"):
            switch, _, value = word.lower().partition(":")
            value = value.strip('"').removesuffix(".xsl")
            if switch == "/value" or (switch == "/format" and value in {"value", "list"}):
                form = "value"
            elif switch == "/format" and value == "csv":
                form = "csv"
            elif switch == "/format" and value == "table":
                form = "table"
            else:
                raise NotModelledError(f"wmic get {word}")
        else:
            names += [n for n in word.split(",") if n]
    known = {k.lower(): k for k in (every[0] if every else {})}
    picked = (
        [known.get(n.lower(), "") for n in names]
        if names and names != ["*"]
        else list(known.values())
    )
    if every and "" in picked:
        return _fail(call, node, _INVALID_QUERY, "Invalid query", "无效查询")
    if not rows:
        call.error(call.text("No Instance(s) Available.", "没有可用实例。"))
        return 0
    if form == "csv":
        _print_csv(call, node, rows, picked)
    elif form == "value":
        _print_value(call, rows, sorted(picked, key=str.lower))
    else:
        _print_table(call, rows, sorted(picked, key=str.lower))
    return 0

"""wevtutil.exe. Source: "wevtutil" (Microsoft Learn): verbs, options and their long forms."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from winlab.commands.call import Call, program
from winlab.commands.eventquery import Selection, parse_structured, run_selection
from winlab.commands.tools.wevtutil_text import channel_lines, event_text, local_stamp
from winlab.host import paths
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.eventlogs import Channel
from winlab.host.events import EventRecord, event_xml
from winlab.host.evtx_reader import EvtxUnreadableError, read_evtx
from winlab.host.evtx_writer import evtx_bytes
from winlab.host.host import Host

Options: TypeAlias = "dict[str, str]"

_LONG = {
    "enum-logs": "el",
    "get-log": "gl",
    "set-log": "sl",
    "get-log-info": "gli",
    "query-events": "qe",
    "export-log": "epl",
    "clear-log": "cl",
    "enum-publishers": "ep",
    "get-publisher": "gp",
    "install-manifest": "im",
    "uninstall-manifest": "um",
    "archive-log": "al",
}
_REMOTE = {"r": "remote", "u": "username", "p": "password", "a": "authentication"}
_OPTIONS: dict[str, dict[str, str]] = {
    "el": {},
    "gl": {"f": "format"},
    "sl": {
        "e": "enabled",
        "q": "quiet",
        "fm": "filemax",
        "i": "isolation",
        "lfn": "logfilename",
        "rt": "retention",
        "ab": "autobackup",
        "ms": "maxsize",
        "l": "level",
        "k": "keywords",
        "ca": "channelaccess",
        "c": "config",
    },
    "gli": {"lf": "logfile"},
    "qe": {
        "lf": "logfile",
        "sq": "structuredquery",
        "q": "query",
        "bm": "bookmark",
        "sbm": "savebookmark",
        "rd": "reversedirection",
        "f": "format",
        "l": "locale",
        "c": "count",
        "e": "element",
    },
    "epl": {"lf": "logfile", "sq": "structuredquery", "q": "query", "ow": "overwrite"},
    "cl": {"bu": "backup"},
}
_INVALID = (87, "The parameter is incorrect.", "参数错误。")


def _parse(call: Call, verb: str) -> tuple[list[str], Options]:
    """Return (names, options by short name); an unknown option is an error of its own."""
    known = {**_OPTIONS[verb], **_REMOTE}
    names: list[str] = []
    options: Options = {}
    for arg in call.args[1:]:
        if not arg.startswith(("/", "-")) or len(arg) < 2:
            names.append(arg)
            continue
        key, _, value = arg[1:].partition(":")
        short = next((s for s, long in known.items() if key.lower() in {s, long}), None)
        if short is None:
            raise _OptionError(arg)
        options[short] = value
    return names, options


class _OptionError(Exception):
    """An option the verb does not have."""


def _fail(call: Call, doing: tuple[str, str], code: int) -> int:
    """Write wevtutil's two lines about a failure; the exit code is the Win32 code.

    Form: "Failed to clear log NAME." and the system's text on the next line, as recorded in
    clong/DetectionLab issue 171; codes from winerror.h.
    """
    call.error(call.text(*doing))
    call.error(call.message(code))
    return code


def _true(text: str | None) -> bool:
    return (text or "").lower() in {"true", "1", "yes"}


def _host(call: Call, options: Options) -> Host:
    """Return the host a verb works on: this one, or the one /r: names (1722 when unreachable)."""
    name = options.get("r")
    if not name or name.strip("\\").lower() in {call.host.name.lower(), "localhost", "."}:
        return call.host
    peer = call.host.network.peer(name)
    if peer is None:
        raise WindowsError(1722, name)
    return peer


def _channel(call: Call, host: Host, name: str) -> Channel:
    """Return a channel the user may read (15007 absent, 5 refused)."""
    channel = host.eventlogs.channel(name)
    if channel.config.name == "Security" and not _may_read(call, host):
        raise WindowsError(5, name)
    return channel


def _may_read(call: Call, host: Host) -> bool:
    if call.admin:
        return True
    readers = host.accounts.find_group("S-1-5-32-573")
    try:
        sid = host.accounts.sid_of(call.user)
    except WindowsError:
        return False
    return readers is not None and sid in readers.members


def _enum(call: Call, names: list[str], options: Options) -> int:
    if names:
        return _usage(call)
    for name in _host(call, options).eventlogs.names():
        call.line(name)
    return 0


def _usage(call: Call) -> int:
    """Write what wevtutil says to too few or too many arguments.

    assumed: the text; the exit code 87 is ERROR_INVALID_PARAMETER.
    """
    call.error(
        call.text(
            "Too few arguments are specified or the arguments are invalid. The parameter is"
            " incorrect.",
            "指定的参数太少或参数无效。参数错误。",
        )
    )
    return 87


def _get(call: Call, names: list[str], options: Options) -> int:
    if len(names) != 1:
        return _usage(call)
    if options.get("f", "text").lower() == "xml":
        raise NotModelledError("wevtutil gl /f:xml")
    doing = (
        "Failed to read configuration for log " + names[0] + ".",
        f"无法读取日志 {names[0]} 的配置。",
    )
    try:
        channel = _host(call, options).eventlogs.channel(names[0])
    except WindowsError as exc:
        return _fail(call, doing, exc.code)
    for line in channel_lines(channel):
        call.line(line)
    return 0


def _info(call: Call, names: list[str], options: Options) -> int:
    if len(names) != 1:
        return _usage(call)
    doing = (
        f"Failed to get log information on log {names[0]}.",
        f"无法获取日志 {names[0]} 的信息。",
    )
    try:
        host = _host(call, options)
        if _true(options.get("lf")):
            records = _from_file(call, names[0])
            channel = None
        else:
            channel = _channel(call, host, names[0])
            records = list(channel.readable())
    except WindowsError as exc:
        return _fail(call, doing, exc.code)
    if channel is not None:
        size, full = channel.size, channel.size >= channel.config.max_size
        times = [
            ("creationTime", channel.created),
            ("lastAccessTime", channel.written),
            ("lastWriteTime", channel.written),
        ]
        attributes = 32
    else:
        stat = call.host.files.stat(names[0], call.cwd)
        size, full, attributes = stat.size, False, int(stat.attributes)
        entry = stat.entry
        times = [
            ("creationTime", entry.created),
            ("lastAccessTime", entry.accessed),
            ("lastWriteTime", entry.modified),
        ]
    for label, when in times:
        call.line(f"{label}: {local_stamp(host, when)}")
    call.line(f"fileSize: {size}")
    call.line(f"attributes: {attributes}")
    call.line(f"numberOfLogRecords: {len(records)}")
    call.line(f"oldestRecordNumber: {records[0].record_id if records else 0}")
    if full:
        call.line("full: true")
    return 0


def _from_file(call: Call, name: str) -> list[EventRecord]:
    data = call.host.files.read(name, call.cwd)
    try:
        return read_evtx(data)
    except EvtxUnreadableError as exc:
        raise WindowsError(1500, name) from exc


def _selections(call: Call, target: str, options: Options) -> list[Selection]:
    if _true(options.get("sq")):
        data = call.host.files.read(target, call.cwd)
        text = data.decode("utf-16" if data[:2] == b"\xff\xfe" else "utf-8", "replace")
        return parse_structured(text)
    return [Selection(target, (options.get("q", "*") or "*",))]


def _collect(call: Call, target: str, options: Options) -> list[EventRecord]:
    """Return the wanted records in the order of time and record id."""
    host = _host(call, options)
    now: datetime = host.now()
    found: list[EventRecord] = []
    from_file = _true(options.get("lf"))
    for selection in _selections(call, target, options):
        if from_file:
            records = _from_file(call, selection.channel)
        else:
            records = list(_channel(call, host, selection.channel).readable())
        found += run_selection(records, selection, now)
    found.sort(key=lambda r: (r.time_created, r.channel, r.record_id))
    return found


def _query(call: Call, names: list[str], options: Options) -> int:
    if len(names) != 1:
        return _usage(call)
    for option in ("bm", "sbm", "l"):
        if option in options:
            raise NotModelledError(f"wevtutil qe /{option}")
    doing = ("Failed to read events.", "无法读取事件。")
    try:
        records = _collect(call, names[0], options)
    except WindowsError as exc:
        return _fail(call, doing, exc.code)
    if _true(options.get("rd")):
        records.reverse()
    if "c" in options:
        if not options["c"].isdecimal():
            return _usage(call)
        records = records[: int(options["c"])]
    form = options.get("f", "xml").lower()
    if form not in {"xml", "text", "renderedxml"}:
        return _usage(call)
    if form == "renderedxml":
        raise NotModelledError("wevtutil qe /f:renderedxml")
    element = options.get("e")
    if element:
        call.line(f"<{element}>")
    for number, record in enumerate(records):
        call.line(event_xml(record) if form == "xml" else event_text(call, record, number))
    if element:
        call.line(f"</{element}>")
    return 0


def _export(call: Call, names: list[str], options: Options) -> int:
    if len(names) != 2:
        return _usage(call)
    doing = (f"Failed to export log {names[0]}.", f"无法导出日志 {names[0]}。")
    try:
        records = _collect(call, names[0], options)
        target = paths.normalise(names[1], call.cwd)
        if call.host.files.exists(target) and not _true(options.get("ow")):
            return _fail(call, doing, 80)
        call.host.files.write(target, evtx_bytes(records, exported=True))
    except WindowsError as exc:
        return _fail(call, doing, exc.code)
    return 0


def _clear(call: Call, names: list[str], options: Options) -> int:
    if len(names) != 1:
        return _usage(call)
    doing = (f"Failed to clear log {names[0]}.", f"无法清除日志 {names[0]}。")
    try:
        host = _host(call, options)
        channel = _channel(call, host, names[0])
        if not call.admin:
            raise WindowsError(5, names[0])
        if "bu" in options:
            target = paths.normalise(options["bu"], call.cwd)
            if call.host.files.exists(target):
                return _fail(call, doing, 80)
            call.host.files.write(target, evtx_bytes(channel.readable()))
        user = host.accounts.find_user(call.user)
        host.eventlogs.clear(
            names[0],
            host.accounts.sid_of(call.user),
            user.name if user else call.user.rpartition("\\")[2],
            host.name,
        )
    except WindowsError as exc:
        return _fail(call, doing, exc.code)
    return 0


def _set(call: Call, names: list[str], options: Options) -> int:
    if len(names) != 1:
        return _usage(call)
    for option in ("fm", "i", "lfn", "l", "k", "ca", "c"):
        if option in options:
            raise NotModelledError(f"wevtutil sl /{option}")
    doing = (
        f"Failed to save configuration or activate log {names[0]}.",
        f"无法保存配置或激活日志 {names[0]}。",
    )
    changes: dict[str, object] = {}
    for option, field in (("e", "enabled"), ("rt", "retention"), ("ab", "auto_backup")):
        if option in options:
            if options[option].lower() not in {"true", "false"}:
                return _usage(call)
            changes[field] = _true(options[option])
    if "ms" in options:
        if not options["ms"].isdecimal():
            return _usage(call)
        # sizes are whole 64 KiB, 1 MiB at least
        changes["max_size"] = max(1048576, -(-int(options["ms"]) // 65536) * 65536)
    try:
        host = _host(call, options)
        if not call.admin:
            raise WindowsError(5, names[0])
        host.eventlogs.configure(names[0], **changes)
    except WindowsError as exc:
        return _fail(call, doing, exc.code)
    return 0


_VERBS: dict[str, Callable[[Call, list[str], Options], int]] = {
    "el": _enum,
    "gl": _get,
    "sl": _set,
    "gli": _info,
    "qe": _query,
    "epl": _export,
    "cl": _clear,
}


@program("wevtutil")
def wevtutil(call: Call) -> int:
    """Query, export, clear and configure event logs."""
    if not call.args:
        return _usage(call)
    word = call.args[0].lower()
    verb = _LONG.get(word, word)
    if verb in {"ep", "gp", "im", "um", "al"}:
        raise NotModelledError(f"wevtutil {verb}")
    if verb not in _VERBS:
        call.error(
            call.text(
                f"Invalid command {call.args[0]}. The parameter is incorrect.",
                f"命令 {call.args[0]} 无效。参数错误。",
            )
        )
        return 87
    try:
        names, options = _parse(call, verb)
    except _OptionError as exc:
        call.error(
            call.text(
                f"Invalid option {exc}. Option name is not recognized. The parameter is incorrect.",
                f"选项 {exc} 无效。无法识别选项名称。参数错误。",
            )
        )
        return 87
    try:
        return _VERBS[verb](call, names, options)
    except WindowsError as exc:
        call.error(call.message(exc.code))
        return exc.code

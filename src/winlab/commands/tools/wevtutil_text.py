"""How wevtutil prints channels, times and events as text."""

from __future__ import annotations

from datetime import datetime

from winlab.commands.call import Call
from winlab.host.eventlogs import Channel
from winlab.host.events import EventRecord, time_text
from winlab.host.host import Host

_LEVELS = {
    0: ("Information", "信息"),
    1: ("Critical", "关键"),
    2: ("Error", "错误"),
    3: ("Warning", "警告"),
    4: ("Information", "信息"),
    5: ("Verbose", "详细"),
}


def local_stamp(host: Host, when: datetime) -> str:
    """Return a time as gli prints it: the host's zone, 100 ns digits, no offset.

    assumed: gli's times are local; the sample on the "wevtutil" page has no zone mark.
    """
    local = host.clock.local(when)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond:06d}0Z"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def channel_lines(channel: Channel) -> list[str]:
    """Return the lines of ``wevtutil gl``; property names are not translated."""
    config = channel.config
    return [
        f"name: {config.name}",
        f"enabled: {_flag(config.enabled)}",
        f"type: {config.type}",
        f"owningPublisher: {config.owning_publisher}",
        f"isolation: {config.isolation}",
        f"channelAccess: {config.access}",
        "logging:",
        f"  logFileName: {config.path}",
        f"  retention: {_flag(config.retention)}",
        f"  autoBackup: {_flag(config.auto_backup)}",
        f"  maxSize: {config.max_size}",
        "publishing:",
        "  fileMax: 1",
    ]


def event_text(call: Call, record: EventRecord, number: int) -> str:
    """Return one event as ``/f:text`` prints it.

    The message of a publisher is not modelled: its place takes the data, as Windows shows events
    whose publisher is not installed.
    """
    level = call.text(*_LEVELS.get(record.level, ("Information", "信息")))
    data = "\r\n".join(f"{k}: {v}" for k, v in record.values().items())
    user = record.user_sid or "N/A"
    lines = [
        f"Event[{number}]:" if call.host.os.build < 17763 else f"Event[{number}]",
        f"  Log Name: {record.channel}",
        f"  Source: {record.provider}",
        f"  Date: {time_text(record.time_created)}",
        f"  Event ID: {record.event_id}",
        f"  Task: {record.task or 'N/A'}",
        f"  Level: {level}",
        "  Opcode: N/A",
        "  Keyword: N/A",
        f"  User: {user}",
        "  User Name: N/A",
        f"  Computer: {record.computer}",
        "  Description: ",
        data,
        "",
    ]
    return "\r\n".join(lines)

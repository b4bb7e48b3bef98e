"""Event channels of one host and the rules of the event log service.

Sources: "Event Log", "EvtClearLog", "wevtutil" on Microsoft Learn; clearing Security writes event
1102 to it, clearing any other log writes 104 to System (provider Microsoft-Windows-Eventlog).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from winlab.host.errors import WindowsError
from winlab.host.events import (
    KEYWORD_AUDIT_SUCCESS,
    EventData,
    EventRecord,
    UserData,
    user_data,
)

EVENTLOG_PROVIDER = "Microsoft-Windows-Eventlog"
EVENTLOG_GUID = "{fc65ddd8-d6ef-4962-83d5-6e5cfe9ce148}"
EVENTLOG_NAMESPACE = "http://manifests.microsoft.com/win/2004/08/windows/eventlog"
_CHUNK = 65536
_HEADER = 4096
_RECORD_ESTIMATE = 640


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConfig:
    """What ``wevtutil gl`` shows. ``max_size`` is bytes, a multiple of 64 KiB."""

    name: str
    path: str
    enabled: bool = True
    type: str = "Admin"
    isolation: str = "Application"
    owning_publisher: str = ""
    access: str = ""
    retention: bool = False
    auto_backup: bool = False
    max_size: int = 20971520


class Channel:
    """One log: its configuration and its records, oldest first."""

    __slots__ = ("config", "created", "damage", "file_size", "next_id", "records", "written")

    def __init__(self, config: ChannelConfig, created: datetime) -> None:
        """Start empty with record id 1 to come."""
        self.config = config
        self.created = created
        self.written = created
        self.records: tuple[EventRecord, ...] = ()
        self.next_id = 1
        self.file_size: int | None = None
        self.damage = ""

    def readable(self) -> tuple[EventRecord, ...]:
        """Return the records (1500 when the log's file is corrupted).

        assumed: no record of a corrupted log is given; new ones are kept and not seen either, until
        the log is cleared.
        """
        if self.damage:
            raise WindowsError(1500, self.config.name)
        return self.records

    @property
    def oldest(self) -> int:
        """The record id of the oldest record; 0 when there is none."""
        return self.records[0].record_id if self.records else 0

    @property
    def size(self) -> int:
        """Bytes of the log file: whole 64 KiB chunks and a header, 68 KiB at least.

        assumed: 640 bytes a record on average, unless the file's real size is known.
        """
        if self.file_size is not None:
            return self.file_size
        chunks = max(1, -(-len(self.records) * _RECORD_ESTIMATE // _CHUNK))
        wanted = max(1, -(-self.config.max_size // _CHUNK))
        return min(chunks, wanted) * _CHUNK + _HEADER


class EventLogs:
    """The channels of one host. Errors: 15007 no such channel, 5 refused."""

    __slots__ = ("_channels", "_clock", "_computer", "_configs", "_touched", "_write")

    def __init__(
        self,
        configs: dict[str, ChannelConfig],
        computer: str,
        created: datetime,
        clock: Callable[[], datetime],
        write: Callable[[str], None],
    ) -> None:
        """``configs`` is the shared base by lower-case name; ``created`` dates the log files."""
        self._configs = configs
        self._channels: dict[str, Channel] = {}
        self._touched = created
        self._computer = computer
        self._clock = clock
        self._write = write

    def names(self) -> list[str]:
        """Return every channel's name in case-insensitive order."""
        known = {**{k: c.name for k, c in self._configs.items()}}
        known.update({k: c.config.name for k, c in self._channels.items()})
        return [known[key] for key in sorted(known)]

    def find(self, name: str) -> Channel | None:
        """Return a channel, or None."""
        key = name.lower()
        if key in self._channels:
            return self._channels[key]
        config = self._configs.get(key)
        if config is None:
            return None
        channel = Channel(config, self._touched)
        self._channels[key] = channel
        return channel

    def channel(self, name: str) -> Channel:
        """Return a channel (15007 when there is none)."""
        found = self.find(name)
        if found is None:
            raise WindowsError(15007, name)
        return found

    def records(self, name: str) -> tuple[EventRecord, ...]:
        """Return a channel's records, oldest first (15007 no such channel, 1500 corrupted)."""
        return self.channel(name).readable()

    def add_channel(self, config: ChannelConfig) -> Channel:
        """Add a channel, or replace the configuration of one."""
        channel = self.find(config.name) or Channel(config, self._clock())
        channel.config = config
        self._channels[config.name.lower()] = channel
        return channel

    def import_records(
        self, name: str, records: Iterable[EventRecord], file_size: int | None = None
    ) -> None:
        """Put real records in the place of a channel's own, ids and all; ``file_size`` in bytes."""
        if self.find(name) is None:
            self.add_channel(ChannelConfig(name=name, path=log_path(name)))
        channel = self.channel(name)
        channel.records = tuple(sorted(records, key=lambda r: r.record_id))
        channel.next_id = channel.records[-1].record_id + 1 if channel.records else 1
        channel.file_size = file_size
        if channel.records:
            channel.written = channel.records[-1].time_created

    def damage(self, name: str, why: str, file_size: int) -> None:
        """Let the file behind a channel be corrupted; ``why`` is for dumps, size in bytes."""
        self.import_records(name, (), file_size)
        self.channel(name).damage = why

    def append(self, record: EventRecord) -> EventRecord:
        """Add a record to its channel under the next record id; a disabled channel drops it."""
        channel = self.channel(record.channel)
        kept = record.numbered(channel.next_id)
        if channel.config.enabled:
            channel.next_id += 1
            channel.records = (*channel.records, kept)
            channel.written = kept.time_created
        return kept

    def extend(self, records: Iterable[EventRecord]) -> None:
        """Add many records, each to its channel; far cheaper than one by one."""
        fresh: dict[str, list[EventRecord]] = {}
        for record in records:
            channel = self.channel(record.channel)
            fresh.setdefault(record.channel.lower(), []).append(record.numbered(channel.next_id))
            channel.next_id += 1
        for key, more in fresh.items():
            channel = self._channels[key]
            channel.records = (*channel.records, *more)
            channel.written = more[-1].time_created

    def log(
        self,
        channel: str,
        provider: str,
        event_id: int,
        *,
        level: int = 4,
        data: EventData | UserData | None = None,
        **fields: Any,
    ) -> EventRecord:
        """Write an event now, as a component of Windows does."""
        record = EventRecord(
            record_id=0,
            time_created=self._clock(),
            provider=provider,
            event_id=event_id,
            channel=self.channel(channel).config.name,
            computer=self._computer,
            level=level,
            data=data,
            **fields,
        )
        return self.append(record)

    def clear(self, name: str, user_sid: str, user: str, domain: str) -> None:
        """Clear a log; Windows notes who did it (1102 in Security, 104 in System otherwise)."""
        channel = self.channel(name)
        self._write(f"event log {channel.config.name}: clear")
        channel.records = ()
        channel.file_size = None
        channel.damage = ""
        channel.written = self._clock()
        security = channel.config.name == "Security"
        items = [
            ("SubjectUserSid", user_sid),
            ("SubjectUserName", user),
            ("SubjectDomainName", domain),
            ("SubjectLogonId", "0x3e7"),
        ]
        if not security:
            items = [
                ("SubjectUserName", user),
                ("SubjectDomainName", domain),
                ("Channel", channel.config.name),
                ("BackupPath", ""),
            ]
        self.log(
            "Security" if security else "System",
            EVENTLOG_PROVIDER,
            1102 if security else 104,
            data=user_data("LogFileCleared", EVENTLOG_NAMESPACE, items),
            task=104,
            keywords=0x4000000000000000 | KEYWORD_AUDIT_SUCCESS if security else 1 << 63,
            provider_guid=EVENTLOG_GUID,
            user_sid=None if security else user_sid,
        )

    def configure(self, name: str, **changes: Any) -> ChannelConfig:
        """Change a channel's configuration by `ChannelConfig` field names (15007 absent)."""
        channel = self.channel(name)
        changed = replace(channel.config, **changes)
        if changed != channel.config:
            self._write(f"event log {channel.config.name}: {', '.join(sorted(changes))}")
            channel.config = changed
        return changed

    def save(self) -> Any:
        """Return the state for `load`; records are shared."""
        return {
            key: (c.config, c.created, c.written, c.records, c.next_id, c.file_size, c.damage)
            for key, c in self._channels.items()
        }

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        self._channels = {}
        for key, (config, created, written, records, next_id, size, damage) in state.items():
            channel = Channel(config, created)
            channel.written, channel.records = written, records
            channel.next_id, channel.file_size, channel.damage = next_id, size, damage
            self._channels[key] = channel

    def dump(self) -> dict[str, Any]:
        """Return counts, ids and sizes of every log that holds or held records."""
        return {
            c.config.name: {
                "records": len(c.records),
                "oldest": c.oldest,
                "next": c.next_id,
                "max_size": c.config.max_size,
                "enabled": c.config.enabled,
                **({"damage": c.damage} if c.damage else {}),
            }
            for _, c in sorted(self._channels.items())
            if c.records
            or c.next_id > 1
            or c.damage
            or c.config != self._configs.get(c.config.name.lower())
        }


def log_path(name: str) -> str:
    """Return the default file of a channel; "/" in a name is written "%4"."""
    return f"%SystemRoot%\\System32\\Winevt\\Logs\\{name.replace('/', '%4')}.evtx"

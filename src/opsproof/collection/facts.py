"""Puts the observation of a collection together. Nothing here judges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from opsproof.collection.listing import Listed
from opsproof.collection.look import Channel, Look, Site
from opsproof.collection.model import Kind, State, state_of
from opsproof.collection.plan import Plan
from opsproof.collection.role import Brought, Left, Settings, Text, seen, utc
from opsproof.evidence.ids import moment, timestamp
from opsproof.evidence.schemas.inspection import Clock
from opsproof.evidence.schemas.log_collection import (
    ChannelLog,
    FileLog,
    HostFacts,
    LeftLog,
    LogSource,
    SiteFacts,
    Transfer,
)
from opsproof.inspection.facts import Exchange, clock_of

LISTED = 200
"""Files and left logs that the facts list; the rest is counted, the cabinets hold them all."""

_UNKNOWN_SITES = SiteFacts(
    name="*",
    site_id=None,
    logging=None,
    format=None,
    central=None,
    period=None,
    directory=None,
    fields=None,
    missing_fields=None,
)

NEEDED_FIELDS = (
    "Date",
    "Time",
    "ClientIP",
    "UserName",
    "Method",
    "UriStem",
    "UriQuery",
    "HttpStatus",
    "HttpSubStatus",
    "UserAgent",
    "TimeTaken",
)
"""Fields of ``logExtFileFlags`` that our web rules read."""


def observation(
    settings: Settings,
    required: Iterable[str],
    look: Text,
    listed: Text,
    answered_at: str,
    plan: Plan,
    brought: Brought | None,
) -> dict[str, Any]:
    """What the ``evidence`` action takes; ``brought`` is None in check mode.

    ``answered_at`` is the controller's time when the first answer was here.
    """
    found, folders = seen(settings, look, listed)
    clock = clock_of(
        look.batch,
        Exchange(answered_at=utc(answered_at), started=look.started, ended=utc(look.end)),
        None,
    )
    facts = _host(settings, frozenset(required), found, folders, clock, plan, brought)
    sites = [_site(site, found.central) for site in found.sites or ()]
    if found.iis_code:
        sites.append(_UNKNOWN_SITES)
    return {
        "facts": msgspec.to_builtins(facts),
        "subjects": [
            {"kind": "site", "id": site.name, "facts": msgspec.to_builtins(site)} for site in sites
        ],
        "clock_offset_ms": clock.offset_ms,
        "artifacts": [] if brought is None else [dict(one) for one in brought.cabinets],
    }


def _host(
    settings: Settings,
    required: frozenset[str],
    look: Look,
    folders: Sequence[Listed],
    clock: Clock,
    plan: Plan,
    brought: Brought | None,
) -> HostFacts:
    now = utc(settings.now)
    left = None if brought is None else brought.left
    real = [one for one in left or () if one.state is not State.UNCHANGED]
    return HostFacts(
        since=timestamp(utc(settings.since)),
        until=plan.until,
        retention_days=settings.retention_days,
        collecting_since=brought.horizon if brought else None,
        covered_days=(now - moment(brought.horizon)).days if brought else None,
        clock=clock,
        channels=tuple(_channel(one, required, brought) for one in look.channels),
        iis_installed=look.sites is not None or look.iis_code != 0,
        central_logging=None if look.iis_code else look.central,
        http_errors_logged=look.httperr,
        sources=(*map(_source, folders), *_hidden(look)),
        unchanged=plan.unchanged + (len(left) - len(real) if left is not None else 0),
        gone=plan.gone[:LISTED],
        left_count=None if left is None else len(real),
        left=None if left is None else tuple(_left(one) for one in real[:LISTED]),
        file_count=None if brought is None else len(brought.staged),
        raw_bytes=None if brought is None else sum(one.bytes for one in brought.staged),
        files=None if brought is None else _files(brought),
        transfer=None if brought is None else _transfer(brought),
        leftover=look.leftover,
    )


def _channel(channel: Channel, required: frozenset[str], brought: Brought | None) -> ChannelLog:
    return ChannelLog(
        channel=channel.name,
        required=channel.name in required,
        state=_channel_state(channel, brought),
        code=channel.code or _code(channel.name, brought),
        enabled=channel.enabled,
        records=channel.records,
        oldest_record=channel.oldest_record,
        reaches_back=channel.reaches_back,
        max_bytes=channel.max_size,
        overwrites=None if channel.retention is None else not channel.retention,
        archives=channel.auto_backup,
    )


def _channel_state(channel: Channel, brought: Brought | None) -> str | None:
    """What became of it. A log that is switched off is so whatever it still held."""
    if channel.state is not State.PLANNED:
        return channel.state
    if brought is None:
        return None
    left = next((one for one in brought.left if _is_channel(one, channel.name)), None)
    return left.state if left else State.COLLECTED


def _code(name: str, brought: Brought | None) -> int:
    return next((one.code for one in brought.left if _is_channel(one, name)), 0) if brought else 0


def _is_channel(one: Left, name: str) -> bool:
    return one.kind == Kind.EVENTS and one.path == name


def _source(listed: Listed) -> LogSource:
    times = [found.modified for found in listed.files]
    return LogSource(
        kind=listed.folder.kind,
        name=listed.folder.name,
        path=listed.folder.path,
        state=listed.state,
        code=listed.code,
        files=len(listed.files),
        bytes=sum(found.size for found in listed.files),
        oldest=_time(min(times, default=None)),
        newest=_time(max(times, default=None)),
    )


def _hidden(look: Look) -> Iterable[LogSource]:
    """The logs of IIS where nobody told the account which folders they are in."""
    if look.iis_code:
        yield LogSource(
            kind=Kind.IIS,
            name="IIS",
            path="",
            state=state_of(look.iis_code),
            code=look.iis_code,
            files=0,
            bytes=0,
            oldest=None,
            newest=None,
        )


def _time(at: datetime | None) -> str | None:
    return None if at is None else timestamp(at)


def _left(one: Left) -> LeftLog:
    return LeftLog(kind=one.kind, path=one.path, state=one.state, code=one.code)


def _files(brought: Brought) -> tuple[FileLog, ...]:
    return tuple(
        FileLog(
            file=one.file,
            kind=one.kind,
            path=one.path,
            sha256=one.sha256,
            bytes=one.bytes,
            since=one.since,
            part=one.part,
        )
        for one in brought.staged[:LISTED]
    )


def _transfer(brought: Brought) -> Transfer:
    return Transfer(
        parts_fetched=brought.parts_fetched,
        parts_resumed=brought.parts_resumed,
        parts_failed=brought.parts_failed,
        retries=brought.retries,
        bytes=brought.bytes_fetched,
    )


def _site(site: Site, central: str) -> SiteFacts:
    return SiteFacts(
        name=site.name,
        site_id=site.id,
        logging=site.enabled,
        format=site.format,
        central=central,
        period=site.period,
        directory=site.directory,
        fields=site.fields,
        missing_fields=tuple(name for name in NEEDED_FIELDS if name not in site.fields),
    )

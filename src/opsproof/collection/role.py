"""The steps of the role ``log_collection``, each from the texts that the host answered with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from opsproof.collection import home as at_home
from opsproof.collection.home import DamagedPartError, HandedOver, Staged, Store
from opsproof.collection.listing import Listed, folders_of, listing_command, read_listing
from opsproof.collection.look import Look, look_command, read_look
from opsproof.collection.model import DataSource, Item, Kind, State
from opsproof.collection.pack import Answer, Packed, read_pack
from opsproof.collection.plan import Home, Plan, make_plan
from opsproof.errors import IncompleteError, OpsproofError, UsageError
from opsproof.evidence.ids import timestamp
from opsproof.evidence.model import Record
from opsproof.inspection.batch import Batch, split_batch

SHORTEST_RETENTION = 183
"""Days for which logs are kept at least (Cybersecurity Law, article 21: six months)."""

ATTEMPTS = 3
"""How often a cabinet is fetched before it counts as not transferred."""


class Settings(Record, frozen=True, kw_only=True):
    """What the role was asked for. Times are RFC 3339; ``sealed`` is empty without a sealed run.

    ``schemas`` is the folder of schema maps that are named without one. ``keep``: a sealed run will
    hold the cabinets; else nobody would remove them.
    """

    host: str
    channels: tuple[str, ...]
    data: tuple[DataSource, ...]
    retention_days: int
    scratch: str
    part_mb: int
    since: str
    now: str
    sealed: str
    store: str
    staging: str
    schemas: str
    keep: bool

    def schema_files(self) -> tuple[str, ...]:
        """The schema maps of all data logs, each once."""
        named = dict.fromkeys(source.schema for source in self.data if source.schema)
        return tuple(name if "/" in name else str(Path(self.schemas) / name) for name in named)

    def check(self) -> None:
        """Raise :class:`UsageError` for what no inventory may ask for."""
        if self.retention_days < SHORTEST_RETENTION:
            raise UsageError(
                f"{self.retention_days} days are less than the law's six months",
                where="log_collection_retention_days",
                remedy=f"name {SHORTEST_RETENTION} or more",
            )
        if not 1 <= self.part_mb <= 1024:
            raise UsageError(
                f"{self.part_mb} MB is no size of a part",
                where="log_collection_part_mb",
                remedy="name 1 to 1024",
            )
        names = [source.name for source in self.data]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(
                f"the name {twice[0]!r} stands twice",
                where="log_collection_data",
                remedy="give every folder its own name",
            )


class Text(Record, frozen=True, kw_only=True):
    """What a command printed, and when it ran by the host's clock (UTC, as win_shell tells it)."""

    stdout: str
    start: str
    end: str

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Text:
        """From a registered result of win_shell."""
        return cls(stdout=answer["stdout"], start=answer["start"], end=answer["end"])

    @property
    def batch(self) -> Batch:
        """Its sections."""
        return split_batch(self.stdout)

    @property
    def started(self) -> datetime:
        """When it began on the host."""
        return utc(self.start)


def utc(text: str) -> datetime:
    """A time of ISO 8601; UTC where it does not say otherwise."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def looking(settings: Settings) -> str:
    """The first command."""
    settings.check()
    return look_command(
        settings.channels,
        asked_at=datetime.now(UTC),
        retention_days=settings.retention_days,
        scratch=settings.scratch,
    )


def listing(settings: Settings, look: Text) -> str:
    """The second command."""
    folders = folders_of(_look(settings, look), settings.data)
    return listing_command(folders, newest_days=settings.retention_days)


def _look(settings: Settings, look: Text) -> Look:
    return read_look(look.batch, settings.channels)


def seen(settings: Settings, look: Text, listed: Text) -> tuple[Look, tuple[Listed, ...]]:
    """Both answers, read."""
    found = _look(settings, look)
    return found, read_listing(listed.batch, folders_of(found, settings.data))


def planning(settings: Settings, look: Text, listed: Text) -> Plan:
    """What is packed on the host."""
    found, files = seen(settings, look, listed)
    return make_plan(
        found,
        files,
        _store(settings).look(_sealed(settings)),
        since=utc(settings.since),
        # Not later than the host's own clock: what it writes after this is the next run's.
        until=min(utc(settings.now), look.started),
        part_bytes=settings.part_mb << 20,
    )


def _sealed(settings: Settings) -> str | None:
    return settings.sealed if settings.keep else None


def _store(settings: Settings) -> Store:
    return Store(Path(settings.store) / settings.host)


Fetch = Callable[[str, Path], None]
"""Brings a file of the host to a path here. Raises ``OSError`` or :class:`OpsproofError`."""


class Left(Record, frozen=True, kw_only=True):
    """A log that did not come, and why; ``code`` is a Win32 code, 0 where there is none."""

    kind: str
    path: str
    source: str
    state: State
    code: int = 0


class Brought(Record, frozen=True, kw_only=True):
    """What one run has of a host before it. ``parts`` are counted; ``retries`` are attempts more."""

    until: str
    staged: tuple[Staged, ...]
    left: tuple[Left, ...]
    cabinets: tuple[dict[str, str], ...]
    parts_fetched: int
    parts_resumed: int
    parts_failed: int
    retries: int
    bytes_fetched: int
    horizon: str


def bring(
    settings: Settings, plan: Plan, answer: Text | None, fetch: Fetch, again: Fetch
) -> Brought:
    """Fetch the cabinets, check them, remember them, and lay their logs out for the audit.

    ``answer`` is None where there was nothing to pack. ``again`` fetches after a failure, over a new
    connection.

    Raises ``OSError`` where the store or the staging folder cannot be written, and
    :class:`IncompleteError` where the host was not asked for what was planned.
    """
    if plan.parts and answer is None:
        raise IncompleteError("nothing was packed though there are logs to bring home")
    store, staging = _store(settings), Path(settings.staging)
    home = _begun(store.load(_sealed(settings)), settings)
    # By the host's clock, where that is behind: no day may end between two collections.
    days_from = timestamp(min(utc(settings.since), utc(home.last or settings.since)))
    store.save(home)
    packed = read_pack(answer.batch, plan) if answer else Answer(scratch="", packed=(), left={})
    resumed = len(home.parts)
    left = [_left(plan.items[n], *why) for n, why in sorted(packed.left.items())]
    left += [_left(item, state) for item, state in plan.left]
    retries = failed = 0
    for part in packed.packed:
        home, tried, came = _fetch_part(store, home, part, plan, settings, fetch, again)
        retries += tried
        if not came:
            failed += 1
            left += [_left(item, State.NOT_TRANSFERRED) for item in part.items.values()]
    oldest = timestamp(utc(settings.now) - timedelta(days=settings.retention_days + 1))
    home = at_home.prune(home, oldest)
    store.save(home)
    staged = store.hand_over(home, staging, settings.host)
    at_home.write_list(
        staging,
        HandedOver(
            host=settings.host,
            since=settings.since,
            until=plan.until,
            schemas=settings.schema_files(),
            short=_short(plan, left),
            sites=plan.sites,
            days_from=days_from,
            files=staged,
        ),
    )
    cabinets = tuple(_cabinet(settings, part.name) for part in home.parts)
    fetched = home.parts[resumed:]
    if not settings.keep:
        store.release(home)
    return Brought(
        until=plan.until,
        staged=staged,
        left=tuple(sorted(left, key=lambda one: (one.kind, one.path))),
        cabinets=cabinets,
        parts_fetched=len(fetched),
        parts_resumed=resumed,
        parts_failed=failed,
        retries=retries,
        bytes_fetched=sum(part.bytes for part in fetched),
        horizon=home.horizon,
    )


def _begun(home: Home, settings: Settings) -> Home:
    """With a beginning: what is missed today is still due tomorrow."""
    if home.horizon:
        return home
    return msgspec.structs.replace(home, horizon=timestamp(utc(settings.since)))


def _left(item: Item, state: State, code: int = 0) -> Left:
    return Left(kind=item.kind, path=item.path, source=item.source, state=state, code=code)


def _short(plan: Plan, left: Iterable[Left]) -> tuple[str, ...]:
    """Names of the data logs of which something did not come."""
    missing = {
        one.source for one in left if one.kind == Kind.DATA and one.state is not State.UNCHANGED
    }
    return tuple(sorted(missing.union(plan.short)))


def _fetch_part(
    store: Store,
    home: Home,
    part: Packed,
    plan: Plan,
    settings: Settings,
    fetch: Fetch,
    again: Fetch,
) -> tuple[Home, int, bool]:
    """The part at home, how many attempts more it took, and whether it came."""
    for attempt in range(ATTEMPTS):
        try:
            (again if attempt else fetch)(part.path, store.incoming(part.index))
            return store.take_in(home, part, plan, settings.now), attempt, True
        except (DamagedPartError, TransferError):
            continue
    store.incoming(part.index).unlink(missing_ok=True)
    return home, ATTEMPTS - 1, False


class TransferError(OpsproofError):
    """The connection broke while a file was on its way."""


def _cabinet(settings: Settings, name: str) -> dict[str, str]:
    kept = Path(settings.staging) / at_home.FOLDER_LISTS / settings.host / name
    return {
        "path": str(kept),
        "name": f"{settings.host}-{name}",
        "media_type": "application/vnd.ms-cab-compressed",
    }

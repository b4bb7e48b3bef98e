"""Facts of the activity ``log_collection``: which logs a host has, and which came home.

Times are RFC 3339 in UTC, sizes bytes unless a name says otherwise. What is None was not collected
(check mode brings nothing home). The states of a log are those of ``opsproof.collection.model.State``.
"""

from __future__ import annotations

from opsproof.evidence.model import Record
from opsproof.evidence.schemas.inspection import Clock


class ChannelLog(Record, frozen=True, kw_only=True):
    """One event log. ``code`` is the Win32 code that the host answered with, 0 where all was well.

    ``required``: the inventory wants it from this host. ``oldest_record`` is its first record's id: 1
    where nothing was ever overwritten. ``reaches_back``: it holds a record older than the retention.
    """

    channel: str
    required: bool
    state: str | None
    code: int
    enabled: bool | None
    records: int | None
    oldest_record: int | None
    reaches_back: bool | None
    max_bytes: int | None
    overwrites: bool | None
    archives: bool | None


class LogSource(Record, frozen=True, kw_only=True):
    """A folder of logs: ``files`` written within the retention, the first and last written of them."""

    kind: str
    name: str
    path: str
    state: str
    code: int
    files: int
    bytes: int
    oldest: str | None
    newest: str | None


class LeftLog(Record, frozen=True, kw_only=True):
    """A log that should have come and did not."""

    kind: str
    path: str
    state: str
    code: int


class FileLog(Record, frozen=True, kw_only=True):
    """A log that came. ``file`` is its name in audit reports, ``part`` the SHA-256 of its cabinet.

    Records from ``since`` on had not been audited before.
    """

    file: str
    kind: str
    path: str
    sha256: str
    bytes: int
    since: str
    part: str


class Transfer(Record, frozen=True, kw_only=True):
    """Cabinets: fetched now, taken over from runs that were never sealed, and not transferred."""

    parts_fetched: int
    parts_resumed: int
    parts_failed: int
    retries: int
    bytes: int


class HostFacts(Record, frozen=True, kw_only=True):
    """One Windows host. Of ``left`` and ``files`` the first are listed and all are counted.

    ``collecting_since``: from then on everything came home that could; ``covered_days`` ago.
    ``central_logging`` is None where IIS does not tell. ``unchanged`` files were at home already.
    ``gone`` were still written when the host was last collected from, and are not there any more.
    ``leftover``: an earlier collection was cut off and had left its folder on the host.
    """

    since: str
    until: str
    retention_days: int
    collecting_since: str | None
    covered_days: int | None
    clock: Clock
    channels: tuple[ChannelLog, ...]
    iis_installed: bool
    central_logging: str | None
    http_errors_logged: bool
    sources: tuple[LogSource, ...]
    unchanged: int
    gone: tuple[str, ...]
    left_count: int | None
    left: tuple[LeftLog, ...] | None
    file_count: int | None
    raw_bytes: int | None
    files: tuple[FileLog, ...] | None
    transfer: Transfer | None
    leftover: bool


class SiteFacts(Record, frozen=True, kw_only=True):
    """How one IIS site logs. ``central`` is the server's mode: Site, CentralW3C or CentralBinary.

    ``missing_fields`` are fields that detection rules read and that the site does not log. Where the
    account may not read IIS' configuration, one site ``*`` stands for all and nothing of it is known.
    """

    name: str
    site_id: int | None
    logging: bool | None
    format: str | None
    central: str | None
    period: str | None
    directory: str | None
    fields: tuple[str, ...] | None
    missing_fields: tuple[str, ...] | None

"""Time on a host: its offset from the lab's clock, its zone and its time source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A Windows time zone without daylight saving; ``minutes`` east of UTC."""

    name: str
    minutes: int
    caption_en: str
    caption_zh: str
    standard_en: str
    standard_zh: str

    def caption(self, locale: str) -> str:
        """Return the name as the control panel shows it."""
        return self.caption_zh if locale == "zh-CN" else self.caption_en

    def standard(self, locale: str) -> str:
        """Return the standard name."""
        return self.standard_zh if locale == "zh-CN" else self.standard_en


ZONES: dict[str, Zone] = {
    z.name: z
    for z in (
        Zone(
            name="China Standard Time",
            minutes=480,
            caption_en="(UTC+08:00) Beijing, Chongqing, Hong Kong, Urumqi",
            caption_zh="(UTC+08:00) 北京，重庆，香港特别行政区，乌鲁木齐",
            standard_en="China Standard Time",
            standard_zh="中国标准时间",
        ),
        Zone(
            name="UTC",
            minutes=0,
            caption_en="(UTC) Coordinated Universal Time",
            caption_zh="(UTC) 协调世界时",
            standard_en="Coordinated Universal Time",
            standard_zh="协调世界时",
        ),
        Zone(
            name="Tokyo Standard Time",
            minutes=540,
            caption_en="(UTC+09:00) Osaka, Sapporo, Tokyo",
            caption_zh="(UTC+09:00) 大阪，札幌，东京",
            standard_en="Tokyo Standard Time",
            standard_zh="东京标准时间",
        ),
    )
}


class HostClock:
    """The clock of one host. ``offset`` is how far it is ahead of the lab's clock.

    ``source`` is what ``w32tm /query /source`` prints; ``reference_offset`` what the host would
    measure against its time source (seconds, None = unreachable).
    """

    __slots__ = ("_lab", "offset", "source", "zone")

    def __init__(self, lab: Callable[[], datetime], zone: Zone) -> None:
        """``lab`` gives the lab's time as aware UTC."""
        self._lab = lab
        self.offset = timedelta(0)
        self.zone = zone
        self.source = "time.windows.com,0x8"

    def now(self) -> datetime:
        """Return the host's time as aware UTC."""
        return self._lab() + self.offset

    def true_now(self) -> datetime:
        """Return the lab's time, which a time server would give."""
        return self._lab()

    def local(self, when: datetime | None = None) -> datetime:
        """Return a time (default: now) in the host's zone."""
        zone = timezone(timedelta(minutes=self.zone.minutes))
        return (when or self.now()).astimezone(zone)

    def save(self) -> Any:
        """Return the state for `load`."""
        return self.offset, self.zone, self.source

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        self.offset, self.zone, self.source = state

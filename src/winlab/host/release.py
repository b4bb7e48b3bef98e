"""Which Windows a host runs, and in which language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Locale:
    """A display language. ``lcid`` is the language id; ``oem`` and ``ansi`` are code page numbers."""

    name: str
    lcid: int
    oem: int
    ansi: int
    country_code: int

    @property
    def chinese(self) -> bool:
        """Whether texts are shown in Simplified Chinese."""
        return self.name == "zh-CN"


LOCALES: dict[str, Locale] = {
    "en-US": Locale(name="en-US", lcid=1033, oem=437, ansi=1252, country_code=1),
    "zh-CN": Locale(name="zh-CN", lcid=2052, oem=936, ansi=936, country_code=86),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OsRelease:
    """A Windows Server release. ``ubr`` is the revision after the build (UBR in the registry)."""

    year: str
    version: str
    build: int
    ubr: int
    release_id: str
    edition: str = "Standard"

    @property
    def caption(self) -> str:
        """Win32_OperatingSystem.Caption; the same text in both languages."""
        return f"Microsoft Windows Server {self.year} {self.edition}"

    @property
    def product_name(self) -> str:
        """ProductName under HKLM's CurrentVersion key."""
        return f"Windows Server {self.year} {self.edition}"

    @property
    def edition_id(self) -> str:
        """EditionID under HKLM's CurrentVersion key."""
        return f"Server{self.edition}"

    @property
    def managed(self) -> bool:
        """Whether ansible-core 2.19 can manage it (Windows Server 2016 and newer)."""
        return self.build >= 14393

    @property
    def ver(self) -> str:
        """The number that ``ver`` prints."""
        return f"{self.version}.{self.ubr}" if self.build >= 10240 else self.version


RELEASES: dict[str, OsRelease] = {
    "2008": OsRelease(
        year="2008", version="6.0.6003", build=6003, ubr=0, release_id="", edition="Standard"
    ),
    "2008R2": OsRelease(year="2008 R2", version="6.1.7601", build=7601, ubr=0, release_id=""),
    "2012": OsRelease(year="2012", version="6.2.9200", build=9200, ubr=0, release_id=""),
    "2012R2": OsRelease(year="2012 R2", version="6.3.9600", build=9600, ubr=0, release_id=""),
    "2016": OsRelease(year="2016", version="10.0.14393", build=14393, ubr=7428, release_id="1607"),
    "2019": OsRelease(year="2019", version="10.0.17763", build=17763, ubr=6414, release_id="1809"),
    "2022": OsRelease(year="2022", version="10.0.20348", build=20348, ubr=2762, release_id="2009"),
}

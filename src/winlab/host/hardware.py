"""The machine below one host's Windows: processor, memory, firmware."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """A (virtual) machine. Memory is in MiB; ``cores`` are logical processors per socket."""

    manufacturer: str = "VMware, Inc."
    model: str = "VMware7,1"
    serial: str = "VMware-42 1a 2b 3c 4d 5e 6f 70-81 92 a3 b4 c5 d6 e7 f8"
    bios_version: str = "VMW71.00V.21100432.B64.2301110304"
    bios_vendor: str = "VMware, Inc."
    bios_date: str = "2023-01-11"
    uuid: str = "3C2B1A42-5E4D-706F-8192-A3B4C5D6E7F8"
    cpu: str = "Intel(R) Xeon(R) Gold 6248R CPU @ 3.00GHz"
    cpu_id: str = "Intel64 Family 6 Model 85 Stepping 7"
    cpu_vendor: str = "GenuineIntel"
    mhz: int = 2993
    sockets: int = 2
    cores: int = 2
    memory_mb: int = 8192
    free_memory_mb: int = 4608
    pagefile_mb: int = 1408
    pagefile_used_mb: int = 96
    virtual: bool = True

    def dump(self) -> dict[str, Any]:
        """Return all fields."""
        return asdict(self)

"""Versions of SQL Server: numbers, banners, what each speaks.

Sources: "Latest updates and version history for SQL Server" (Microsoft Learn), KB3135244 (TLS 1.2
support), [MS-TDS] 1.7 and its product notes (TDS versions).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """One version. ``build`` is what the lab installs, ``tls12`` the first build that speaks TLS 1.2."""

    year: str
    folder: str
    build: tuple[int, int, int, int]
    tls12: tuple[int, int, int, int]
    tds: int
    banner: str
    level: str

    @property
    def major(self) -> int:
        """10 is SQL Server 2008 and 2008 R2."""
        return self.build[0]


_V73A, _V73B, _V74 = 0x730A0003, 0x730B0003, 0x74000004

PRODUCTS = {
    one.year: one
    for one in (
        Product("2008", "MSSQL10", (10, 0, 6000, 29), (10, 0, 6547, 0), _V73A, "2008 (SP4)", "SP4"),
        Product(
            "2008R2",
            "MSSQL10_50",
            (10, 50, 6000, 34),
            (10, 50, 6542, 0),
            _V73B,
            "2008 R2 (SP3)",
            "SP3",
        ),
        Product("2012", "MSSQL11", (11, 0, 7001, 0), (11, 0, 6216, 27), _V74, "2012 (SP4)", "SP4"),
        Product("2014", "MSSQL12", (12, 0, 6024, 0), (12, 0, 4219, 0), _V74, "2014 (SP3)", "SP3"),
        Product("2016", "MSSQL13", (13, 0, 6300, 2), (13, 0, 0, 0), _V74, "2016 (SP3)", "SP3"),
        Product("2019", "MSSQL15", (15, 0, 2000, 5), (15, 0, 0, 0), _V74, "2019 (RTM)", "RTM"),
        Product("2022", "MSSQL16", (16, 0, 1000, 6), (16, 0, 0, 0), _V74, "2022 (RTM)", "RTM"),
    )
}
"""By year. 2008 SP4 and 2008 R2 SP3 came before their TLS 1.2 updates; 2012 SP4 and 2014 SP3 contain them."""


def dotted(build: tuple[int, int, int, int]) -> str:
    """A version as the product writes it: 10.0.6000.29, 10.50.6000.34."""
    return ".".join(str(part) for part in build)

"""What an estate file says of Windows Update: the catalogue, and each host's part in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from winlab.estate.spec import Spec

Kb = Annotated[str, msgspec.Meta(pattern="^[0-9]{6,8}$")]
HResult = Annotated[str, msgspec.Meta(pattern="^0x[0-9A-Fa-f]{8}$")]


class UpdateSpec(Spec, frozen=True, kw_only=True):
    """An update of the catalogue, applicable to ``os`` (all when empty).

    ``supersedes`` and ``requires`` are KB numbers of the same catalogue; ``package`` defaults to a
    name with the KB number; ``stack`` is the servicing stack's package of a combined update; ``id``
    is made from KB and release when left out.
    """

    kb: Kb
    title: str
    os: tuple[str, ...] = ()
    id: str = ""
    categories: tuple[str, ...] = ("Security Updates",)
    package: str = ""
    stack: str = ""
    restart: bool = True
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    removable: bool = True
    hidden: bool = False
    browse_only: bool = False
    supersedes: tuple[Kb, ...] = ()
    requires: tuple[Kb, ...] = ()


class TroubleSpec(Spec, frozen=True, kw_only=True):
    """What goes wrong with one update on one host; ``fails`` are HRESULTs of the first attempts."""

    kb: Kb
    download: HResult | None = None
    fails: tuple[HResult, ...] = ()
    rollbacks: Annotated[int, msgspec.Meta(ge=0)] = 0
    loops: bool = False
    breaks_services: tuple[str, ...] = ()
    restarts_host: bool = False
    id: str = ""


class HostUpdatesSpec(Spec, frozen=True, kw_only=True):
    """A host and its update server. ``approved`` null is all of the catalogue."""

    wsus: Literal["up", "unreachable", "none"] = "up"
    error: HResult = "0x80244022"
    approved: tuple[Kb, ...] | None = None
    installed: tuple[Kb, ...] = ()
    trouble: tuple[TroubleSpec, ...] = ()


def unknown_kbs(
    catalogue: tuple[UpdateSpec, ...], host: HostUpdatesSpec, files: Iterable[str | None]
) -> list[str]:
    """KB numbers that a host, or a file of it, names and the catalogue does not have."""
    named = {*(host.approved or ()), *host.installed, *(item.kb for item in host.trouble)}
    named |= {kb for kb in files if kb is not None}
    return sorted(named - {item.kb for item in catalogue})

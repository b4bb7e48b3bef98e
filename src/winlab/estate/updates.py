"""Windows Update in an estate: one catalogue, and what each host has, is refused and breaks on.

``updates`` of the estate lists what WSUS knows, each update for the releases it is for; ``updates``
of a host says what is installed there, how it meets the server, and which updates go wrong.
"""

from __future__ import annotations

import hashlib

from winlab.estate.schema_updates import HostUpdatesSpec, TroubleSpec, UpdateSpec
from winlab.host import msu
from winlab.host.host import Host
from winlab.host.updates import POLICY, Update, Wsus


def add_updates(
    host: Host, catalogue: tuple[UpdateSpec, ...], spec: HostUpdatesSpec, domain: str
) -> None:
    """Give a host its updates and the policy that points it at the update server."""
    fits = [item for item in catalogue if not item.os or host.os.year in item.os]
    ids = {item.kb: item.id or _guid(f"{item.kb}/{host.os.year}") for item in fits}
    trouble = {item.kb: item for item in spec.trouble}
    ids |= {kb: item.id for kb, item in trouble.items() if item.id and kb in ids}
    updates = [_update(item, ids, trouble.get(item.kb)) for item in fits]
    approved = (
        None if spec.approved is None else frozenset(ids[k] for k in spec.approved if k in ids)
    )
    error = int(spec.error, 16) if spec.wsus == "unreachable" else 0
    host.updates.offer(
        updates,
        [ids[kb] for kb in spec.installed if kb in ids],
        Wsus(error=error, approved=approved),
    )
    if spec.wsus != "none":
        server = f"http://wsus.{domain}:8530"
        host.registry.create_key(f"{POLICY}\\AU")
        host.registry.set_value(POLICY, "WUServer", server)
        host.registry.set_value(POLICY, "WUStatusServer", server)
        host.registry.set_value(f"{POLICY}\\AU", "UseWUServer", 1)
        host.registry.set_value(f"{POLICY}\\AU", "NoAutoUpdate", 1)


def _update(item: UpdateSpec, ids: dict[str, str], trouble: TroubleSpec | None) -> Update:
    wrong = trouble or TroubleSpec(kb=item.kb)
    return Update(
        id=ids[item.kb],
        title=item.title,
        kb=(item.kb,),
        categories=item.categories,
        package=_package(item),
        stack=item.stack,
        restart=item.restart,
        seconds=item.seconds,
        removable=item.removable,
        hidden=item.hidden,
        browse_only=item.browse_only,
        supersedes=tuple(ids[kb] for kb in item.supersedes if kb in ids),
        requires=tuple(ids[kb] for kb in item.requires if kb in ids),
        download_error=int(wrong.download or "0x00000000", 16),
        install_errors=tuple(int(code, 16) for code in wrong.fails),
        rollbacks=wrong.rollbacks,
        loops=wrong.loops,
        breaks_services=wrong.breaks_services,
        restarts_host=wrong.restarts_host,
    )


def update_file(kb: str, catalogue: tuple[UpdateSpec, ...], year: str) -> bytes:
    """The .msu of an update; that for a host's own release if there is one."""
    named = [item for item in catalogue if item.kb == kb]
    item = next((item for item in named if not item.os or year in item.os), named[0])
    packages = [item.stack, _package(item)] if item.stack else [_package(item)]
    return msu.build(msu.Msu(item.kb, tuple(packages)))


def _package(item: UpdateSpec) -> str:
    return item.package or f"Package_for_KB{item.kb}~31bf3856ad364e35~amd64~~10.0.1.1"


def _guid(text: str) -> str:
    """A GUID that depends on ``text`` alone."""
    raw = bytearray(hashlib.sha256(text.encode()).digest()[:16])
    raw[6], raw[8] = (raw[6] & 0x0F) | 0x40, (raw[8] & 0x3F) | 0x80
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

"""Whether the next wave may begin."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from opsproof.patching.facts import GOOD


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """``reasons`` is empty when the next wave may begin; ``failed`` are hosts that did not end well."""

    failed: tuple[str, ...]
    reasons: tuple[str, ...]


def verdict(results: Mapping[str, str | None], most_failed_percent: int) -> Verdict:
    """Judges a wave by its hosts' results; None is a host that never said how it ended.

    A host whose services, sites or ports are worse than before stops everything, whatever the
    rate; so does a wave without hosts, which proves nothing. Otherwise at most
    ``most_failed_percent`` of 100 may fail.
    """
    failed = tuple(sorted(host for host, result in results.items() if result not in GOOD))
    reasons = []
    if not results:
        reasons.append("the wave has no hosts")
    unsound = sorted(host for host, result in results.items() if result == "unsound")
    if unsound:
        reasons.append(f"worse than before: {', '.join(unsound)}")
    if results and len(failed) * 100 > most_failed_percent * len(results):
        reasons.append(
            f"{len(failed)} of {len(results)} hosts failed, at most {most_failed_percent} % may: "
            + ", ".join(f"{host} ({results[host] or 'no result'})" for host in failed)
        )
    return Verdict(failed=failed, reasons=tuple(reasons))

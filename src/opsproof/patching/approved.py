"""The approved list: what may be installed, who allowed it, and the set that the canaries froze."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal

import msgspec

from opsproof.errors import UsageError

Severity = Literal["critical", "important", "moderate", "low"]
"""Microsoft's own four ("Security Update Severity Rating System", MSRC)."""

DEFENDER = "2267602"
"""Microsoft Defender's definitions (win_updates.ps1, ansible.windows 3.3.0: MpCmdRun -SignatureUpdate)."""

_KB = re.compile(r"(?:KB)?([0-9]{6,8})", re.IGNORECASE)
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Approved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One approved update: by KB number, by update id (GUID), or by both.

    ``builds`` are the Windows builds (20348 ...) it is meant for, empty when it is not said;
    ``released`` is the day from which its age counts.
    """

    approver: str
    ticket: str
    severity: Severity
    released: str
    kb: str | None = None
    id: str | None = None
    builds: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        """How records name it: ``KB5068787``, else the update id."""
        return f"KB{self.kb}" if self.kb else str(self.id)


class Canary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the newest evidence of one canary says: (key, update id) pairs that are in there.

    The id is None where it had the update before. ``run`` is the run that says so, empty outside of
    any; ``problem`` why it proves nothing, empty when it proves ``proven``.
    """

    run: str
    approved_sha256: str = ""
    proven: tuple[tuple[str, str | None], ...] = ()
    problem: str = ""


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the canaries have proven: update ids by key of the approved list, and that list's digest.

    No ids means that every canary had the update already, so that none saw its id. ``proven_by``
    names the run of each canary. ``refusals`` say why the set must not be used.
    """

    approved_sha256: str
    updates: dict[str, tuple[str, ...]]
    proven_by: dict[str, str]
    refusals: tuple[str, ...] = ()


def load_approved(data: Any) -> tuple[Approved, ...]:
    """The list as written in an inventory, KB numbers without their prefix, ids in lower case.

    Raises :class:`UsageError` for an entry that names no update, no approver or no ticket, for a
    day that is none, and for a number or an id that stands there twice.
    """
    try:
        entries = msgspec.convert(data, tuple[Approved, ...], strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(str(error), where="patching_approved") from error
    found = tuple(_checked(entry, place) for place, entry in enumerate(entries))
    for names in ([e.kb for e in found if e.kb], [e.id for e in found if e.id]):
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise UsageError(f"{min(twice)} stands there twice", where="patching_approved")
    return found


def _checked(entry: Approved, place: int) -> Approved:
    where = f"patching_approved[{place}]"
    if entry.kb is None and entry.id is None:
        raise UsageError("the entry names no update", where=where, remedy="give kb or id")
    if not entry.approver.strip() or not entry.ticket.strip():
        raise UsageError("an approval names its approver and its ticket", where=where)
    try:
        date.fromisoformat(entry.released)
    except ValueError as error:
        raise UsageError(
            f"released is {entry.released!r}", where=where, remedy="write a day such as 2026-11-10"
        ) from error
    number = _KB.fullmatch(entry.kb) if entry.kb is not None else None
    if entry.kb is not None and number is None:
        raise UsageError(f"{entry.kb!r} is no KB number", where=where)
    if number is not None and number[1] == DEFENDER:
        raise UsageError(
            f"KB{DEFENDER} cannot be installed this way: when it fails, win_updates fetches definitions "
            "from the host's own sources, the internet among them",
            where=where,
            remedy="approve it on the update server for automatic installation",
        )
    identifier = entry.id.lower().strip("{}") if entry.id is not None else None
    if identifier is not None and not _ID.fullmatch(identifier):
        raise UsageError(f"{entry.id!r} is no update id", where=where)
    return msgspec.structs.replace(entry, kb=number.group(1) if number else None, id=identifier)


def digest(approved: Sequence[Approved]) -> str:
    """SHA-256 of the list, independent of its order."""
    lines = sorted(msgspec.json.encode(entry, order="deterministic") for entry in approved)
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


def age_days(entry: Approved, today: date) -> int:
    """Whole days since its release, not below 0."""
    return max(0, (today - date.fromisoformat(entry.released)).days)


def freeze(approved: Sequence[Approved], canaries: Mapping[str, Canary | None]) -> Frozen:
    """The frozen set of all canaries by name; None is one of which nothing is known.

    Every canary must have ended well with this very list: one that did not, or of which nothing is
    known, refuses the set. Only keys of the approved list count.
    """
    keys = {entry.key for entry in approved}
    wanted = digest(approved)
    updates: dict[str, set[str]] = {}
    refusals = [] if canaries else ["there is no canary: name them in the group patching_canary"]
    for host, canary in sorted(canaries.items()):
        refusal = _unproven(host, canary, wanted)
        if canary is None or refusal:
            refusals.append(refusal)
            continue
        for key, identifier in canary.proven:
            if key in keys:
                updates.setdefault(key, set()).update({identifier} if identifier else ())
    return Frozen(
        approved_sha256=wanted,
        updates={key: tuple(sorted(ids)) for key, ids in sorted(updates.items())},
        proven_by={host: canary.run for host, canary in sorted(canaries.items()) if canary},
        refusals=tuple(refusals),
    )


def _unproven(host: str, canary: Canary | None, wanted: str) -> str:
    """Why this canary proves nothing for a list of the digest ``wanted``; empty when it does."""
    if canary is None:
        return f"canary {host}: neither this run nor a sealed one has patched it"
    where = f" in run {canary.run}" if canary.run else ""
    if canary.problem:
        return f"canary {host}{where}: {canary.problem}"
    if canary.approved_sha256 != wanted:
        return f"the approved list is not the one that canary {host} had{where}"
    return ""

"""What of the found updates is installed: the approved ones, exactly, or none at all.

win_updates selects by patterns on one text, the title with all KB numbers behind it, unanchored and
without regard to case (ansible.windows 3.3.0, win_updates.ps1), and takes an empty list for
"everything". So the search selects nothing (:data:`NOTHING`), which shows all that is offered and
accepts no licence terms, and the installation names whole texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from opsproof.errors import IncompleteError
from opsproof.patching.approved import Approved, Frozen, digest

NOTHING = ("(?!)",)
"""An accept_list that no text fits: a search with it selects nothing and changes nothing."""

Standing = Literal["offered", "installed", "not-applicable", "not-offered", "unknown"]

# What .NET's Regex.Escape escapes (Microsoft, "Regex.Escape"); Python reads it the same way.
_SPECIAL = re.compile(r"[\\*+?|{}\[\]()^$.# \t]")


class Found(msgspec.Struct, frozen=True):
    """One update that the source offers; ``kb`` are numbers without the prefix."""

    id: str
    title: str
    kb: tuple[str, ...]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An approved update on one host. ``found`` are the offered updates that it stands for."""

    approved: Approved
    standing: Standing
    found: tuple[Found, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``install`` is what is named to win_updates, empty when ``refusals`` say why nothing is.

    ``others`` counts offered updates that nobody approved.
    """

    entries: tuple[Entry, ...]
    install: tuple[Found, ...]
    refusals: tuple[str, ...]
    others: int
    offered: int

    @property
    def accept_list(self) -> tuple[str, ...]:
        """One pattern an update that fits its whole text and no other's."""
        return tuple(pattern(update) for update in self.install)


def found_in(result: Mapping[str, Any]) -> tuple[Found, ...]:
    """Every update of a win_updates result, selected or filtered, by id.

    Raises :class:`IncompleteError` when the result shows none of the two (the search failed).
    """
    try:
        every = {**result["filtered_updates"], **result["updates"]}
    except KeyError as error:
        raise IncompleteError("win_updates did not say what it found") from error
    return tuple(
        Found(id=str(item["id"]).lower(), title=item["title"], kb=tuple(item["kb"]))
        for _, item in sorted(every.items())
    )


def text_of(update: Found) -> str:
    """The text that win_updates tries its patterns on."""
    return update.title + " ".join(f"KB{number}" for number in update.kb)


def pattern(update: Found) -> str:
    """A pattern that fits the whole text of this update, for .NET and for Python."""
    return "^" + _SPECIAL.sub(lambda found: "\\" + found[0], text_of(update)) + "$"


def make_plan(
    *,
    approved: Sequence[Approved],
    frozen: Frozen | None,
    found: Sequence[Found],
    installed_kbs: Iterable[str],
    build: int,
    tried: Iterable[str] = (),
) -> Plan:
    """Compares what a host is offered with the approved and the frozen list.

    ``installed_kbs`` are numbers without prefix, ``build`` is the Windows build, ``tried`` are
    update ids that this run has installed or failed to install already: they are never named
    twice. Without ``frozen`` (a canary) the approved list alone decides.
    """
    have = set(installed_kbs)
    entries = tuple(_entry(entry, found, have, build) for entry in approved)
    wanted = {update.id: update for entry in entries for update in entry.found}
    refusals = [
        *_not_frozen(entries, approved, frozen),
        *_ambiguous(wanted, found),
    ]
    again = set(tried)
    install = tuple(wanted[key] for key in sorted(wanted) if key not in again)
    return Plan(
        entries=entries,
        install=() if refusals else install,
        refusals=tuple(refusals),
        others=len(found) - len(wanted),
        offered=len(found),
    )


def unexpected(planned: Iterable[str], result: Mapping[str, Any]) -> tuple[str, ...]:
    """Ids that win_updates selected and nobody planned: compared again after installing."""
    named = set(planned)
    return tuple(sorted(key for key in result.get("updates", {}) if key.lower() not in named))


def _entry(entry: Approved, found: Sequence[Found], have: set[str], build: int) -> Entry:
    offered = tuple(update for update in found if _fits(entry, update))
    if offered:
        return Entry(approved=entry, standing="offered", found=offered)
    return Entry(approved=entry, standing=_absent(entry, have, build, bool(found)))


def _absent(entry: Approved, have: set[str], build: int, anything: bool) -> Standing:
    if entry.kb in have:
        return "installed"
    if entry.builds:
        # It is meant for this build and neither there nor offered: the server withholds it.
        return "not-offered" if build in entry.builds else "not-applicable"
    return "not-applicable" if anything else "unknown"


def _fits(entry: Approved, update: Found) -> bool:
    if entry.id is not None and entry.id != update.id:
        return False
    return entry.kb is None or entry.kb in update.kb


def _not_frozen(
    entries: Sequence[Entry], approved: Sequence[Approved], frozen: Frozen | None
) -> list[str]:
    if frozen is None or not any(entry.found for entry in entries):
        return []
    refusals = list(frozen.refusals)
    if frozen.approved_sha256 != digest(approved):
        refusals.append("the approved list is not the one that the canaries had")
    if refusals:
        return refusals
    for entry in entries:
        ids = frozen.updates.get(entry.approved.key)
        for update in entry.found:
            if ids is None:
                refusals.append(f"no canary has proven {entry.approved.key} ({update.id})")
            elif ids and update.id not in ids:
                refusals.append(
                    f"{entry.approved.key} is {update.id} here and {', '.join(ids)} on the canaries"
                )
    return refusals


def _ambiguous(wanted: Mapping[str, Found], found: Sequence[Found]) -> list[str]:
    """Updates that no pattern could leave out: their text is that of an approved one."""
    texts = {text_of(update).lower() for update in wanted.values()}
    return [
        f"{update.id} has the title and the numbers of an approved update and is none"
        for update in found
        if update.id not in wanted and text_of(update).lower() in texts
    ]

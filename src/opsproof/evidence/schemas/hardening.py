"""Facts of the activity ``hardening``: every setting of the baselines as it stands on a host."""

from __future__ import annotations

from typing import Any

from opsproof.evidence.model import Record


class SettingFact(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One setting. ``value`` is a number, a text, or a sorted list of texts; None when not present.

    ``gpo`` names the GPO of the domain that sets it; a setting of the host's own has none.
    """

    present: bool
    value: Any
    gpo: str | None = None


class DomainFact(Record, frozen=True, kw_only=True):
    """The domain of the host, "" for none, and the GPOs that set something on it.

    ``known`` is false where a member does not say which administrative templates GPOs set.
    """

    name: str
    known: bool
    gpos: tuple[str, ...]


class ChangeFact(Record, frozen=True, kw_only=True):
    """A setting that this run changed (or would change), and what stood there before."""

    id: str
    target: str
    before: str
    after: str


class HeldFact(Record, frozen=True, kw_only=True):
    """A setting that was not changed: it would have cut the connection, or is a domain's to set."""

    id: str
    target: str
    reason: str


class HostFacts(Record, frozen=True, kw_only=True):
    """A host after the run. ``settings`` has the id in lower case with underscores as key.

    ``settings``, ``taken_back`` and ``stopped`` are None where the host could not be read since
    something was sent to it: ``changes`` are then what was sent, and nobody knows what stayed.

    ``changes`` are those of this run; with ``applied`` false none of them stayed. ``taken_back`` are
    ids of those that the host took back by itself, because no new session got in. ``stopped`` are
    services, sites, pools and ports that worked before this run changed anything and not after.
    ``restore_sha256`` is of the cabinet that takes them back, None when nothing was changed.
    """

    release: str
    baselines: tuple[str, ...]
    domain: DomainFact
    settings: dict[str, SettingFact] | None
    changes: tuple[ChangeFact, ...]
    held: tuple[HeldFact, ...]
    left_alone: tuple[str, ...]
    applied: bool
    restore_sha256: str | None
    taken_back: tuple[str, ...] | None = ()
    stopped: tuple[str, ...] | None = ()

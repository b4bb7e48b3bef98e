"""From observed state and settings to what must change, and the way back. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from opsproof.policy.baseline import Comparison, Setting, meets
from opsproof.policy.lockout import Connection, Cut, cuts, is_way_in
from opsproof.policy.observed import Observed
from opsproof.policy.origin import Origins
from opsproof.policy.targets import Target, Value


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that is not met: ``before`` (None: nothing there) and ``after`` (None: removed)."""

    setting: Setting
    before: Value | None
    after: Value | None


@dataclass(frozen=True, slots=True)
class Held:
    """A change that is not made because it would cut the connection, and why."""

    change: Change
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do on one host. ``staged`` are those of the changes that decide who gets in."""

    settings: tuple[Setting, ...]
    changes: tuple[Change, ...]
    held: tuple[Held, ...]
    staged: frozenset[str] = frozenset()

    @property
    def stages(self) -> tuple[tuple[Change, ...], ...]:
        """The changes in the order of their pushes: what is harmless, then what decides who gets in.

        Each is confirmed by a session of its own, so that a lock-out takes nothing harmless back.
        """
        first = tuple(one for one in self.changes if one.setting.id not in self.staged)
        second = tuple(one for one in self.changes if one.setting.id in self.staged)
        return tuple(stage for stage in (first, second) if stage)


def plan(
    settings: Iterable[Setting],
    observed: Observed,
    connection: Connection,
    *,
    forced: Collection[str] = (),
) -> Plan:
    """Compare, and hold back what would lock the connecting account out.

    ``forced`` are ids of settings that are tried all the same, in the stage that a new session must
    confirm; what no such session can prove harmless is held back even then.
    """
    wanted = tuple(settings)
    changes = [
        Change(one, before, _after(one, before))
        for one in wanted
        if not meets(one, before := observed.value(one.target))
    ]
    held = {
        one.setting.target.folded: why
        for one in changes
        if (why := not_ours(observed.origins, one.setting.target)) is not None
    }
    tried = {one.setting.target.folded for one in changes if one.setting.id in forced}
    # Holding one change back can leave another that cuts on its own, or lift the reason for it.
    while True:
        rest = {c.setting.target.folded: c.after for c in changes}
        for folded in held:
            rest.pop(folded, None)
        found = cuts(observed, rest, connection)
        more = {
            folded: _why(cut, folded in tried)
            for folded, cut in found.items()
            if folded not in tried or not cut.provable
        }
        if not more:
            break
        held |= more
    made = tuple(one for one in changes if one.setting.target.folded not in held)
    return Plan(
        settings=wanted,
        changes=made,
        held=tuple(
            Held(one, held[one.setting.target.folded])
            for one in changes
            if one.setting.target.folded in held
        ),
        staged=frozenset(
            one.setting.id
            for one in made
            if one.setting.id in forced or is_way_in(one.setting.target, observed.identity)
        ),
    )


def _why(cut: Cut, tried: bool) -> str:
    return f"{cut.why}, and no new session can prove otherwise" if tried else cut.why


def not_ours(origins: Origins, target: Target) -> str | None:
    """Why a local change would not last, or may not."""
    gpo = origins.gpo(target)
    if gpo is not None:
        return f"the domain policy {gpo!r} sets it: change it there"
    if origins.unknown(target):
        return (
            f"the host is a member of {origins.domain} and does not say what Group Policy sets: "
            "see that RSoP logging is on"
        )
    return None


def _after(setting: Setting, before: Value | None) -> Value | None:
    wanted = setting.value
    if setting.comparison is Comparison.CONTAINS:
        if isinstance(wanted, int) and isinstance(before, int):
            return wanted | before
        if isinstance(wanted, tuple) and isinstance(before, tuple):
            have = {text.upper() for text in before}
            return (*before, *(text for text in wanted if text.upper() not in have))
    return wanted


def shown(value: Value | None) -> str:
    """A value for people."""
    if value is None:
        return "(not set)"
    if isinstance(value, tuple):
        return ", ".join(value) or "(nobody)"
    return str(value)


def table(plan_: Plan) -> tuple[str, str]:
    """The differences as two texts, is and should be: what ``--diff`` shows."""
    before: list[str] = []
    after: list[str] = []
    for change in plan_.changes:
        name = f"{change.setting.id} {change.setting.target}"
        stage = "  # in the second stage" if change.setting.id in plan_.staged else ""
        before.append(f"{name}: {shown(change.before)}\n")
        after.append(f"{name}: {shown(change.after)}{stage}\n")
    for held in plan_.held:
        name = f"{held.change.setting.id} {held.change.setting.target}"
        as_is = f"{name}: {shown(held.change.before)}"
        before.append(f"{as_is}\n")
        after.append(f"{as_is}  # held back: {held.why}\n")
    return "".join(before), "".join(after)

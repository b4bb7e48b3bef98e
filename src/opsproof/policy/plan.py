"""From observed state and settings to what must change, and the way back. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from opsproof.policy.baseline import Comparison, Setting, meets
from opsproof.policy.lockout import Connection, cuts, risks
from opsproof.policy.observed import Observed
from opsproof.policy.targets import Value


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
    """What to do on one host. ``risks`` say what the scheduled revert is for."""

    settings: tuple[Setting, ...]
    changes: tuple[Change, ...]
    held: tuple[Held, ...]
    risks: tuple[str, ...]

    @property
    def compliant(self) -> int:
        """How many settings were met already."""
        return len(self.settings) - len(self.changes) - len(self.held)


def plan(settings: Iterable[Setting], observed: Observed, connection: Connection) -> Plan:
    """Compare, and hold back what would lock the connecting account out."""
    wanted = tuple(settings)
    changes = [
        Change(one, before, _after(one, before))
        for one in wanted
        if not meets(one, before := observed.value(one.target))
    ]
    held = {
        one.setting.target.folded: "a domain policy sets it: change the GPO"
        for one in changes
        if one.setting.target.folded in observed.managed
    }
    # Holding one change back can leave another that cuts on its own, or lift the reason for it.
    while True:
        rest = {c.setting.target.folded: c.after for c in changes}
        for folded in held:
            rest.pop(folded, None)
        more = cuts(observed, rest, connection)
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
        risks=tuple(risks({one.setting.target.folded: one.after for one in made})),
    )


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
        before.append(f"{name}: {shown(change.before)}\n")
        after.append(f"{name}: {shown(change.after)}\n")
    for held in plan_.held:
        name = f"{held.change.setting.id} {held.change.setting.target}"
        as_is = f"{name}: {shown(held.change.before)}"
        before.append(f"{as_is}\n")
        after.append(f"{as_is}  # held back: {held.why}\n")
    return "".join(before), "".join(after)

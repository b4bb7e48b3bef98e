"""How two baselines differ, setting by setting, by what they set and not by their ids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from opsproof.policy.baseline import Comparison, Setting


@dataclass(frozen=True, slots=True)
class Difference:
    """One target on which two baselines disagree; None where a baseline does not speak of it."""

    target: str
    left: str | None
    right: str | None


def demand(setting: Setting) -> str:
    """What a setting asks for, short: ``at_least 14``."""
    if setting.comparison is Comparison.ABSENT:
        return "absent"
    value = setting.value
    shown = ", ".join(value) if isinstance(value, tuple) else str(value)
    return f"{setting.comparison.value} {shown}".rstrip()


def differences(left: Iterable[Setting], right: Iterable[Setting]) -> list[Difference]:
    """Every target that the two do not agree on, in the order of its name."""
    ours = {one.target.folded: one for one in left}
    theirs = {one.target.folded: one for one in right}
    found = []
    for folded in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(folded), theirs.get(folded)
        before = None if mine is None else demand(mine)
        after = None if other is None else demand(other)
        if before != after:
            either = mine or other
            found.append(Difference(str(either.target) if either else "", before, after))
    return found

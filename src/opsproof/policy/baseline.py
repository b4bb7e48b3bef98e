"""Baselines: which settings a host must have, as data, and whether a value meets one.

Everything here is pure. Reading and writing the files is in :mod:`opsproof.policy.baseline_yaml`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from opsproof.controls.model import Text
from opsproof.errors import UsageError
from opsproof.evidence.model import Severity
from opsproof.policy.targets import Right, Service, Target, Value


class Comparison(StrEnum):
    """How an observed value is held against the wanted one."""

    EQUAL = "equal"
    AT_LEAST = "at_least"
    AT_MOST_NOT_ZERO = "at_most_not_zero"
    CONTAINS = "contains"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. ``value`` is what is written; None for :attr:`Comparison.ABSENT`.

    ``sources`` say where the value comes from (``ID:PLACE``, the id explained in the file's head);
    ``releases`` are the Windows Server releases it is for, empty for all of the baseline's.
    """

    id: str
    title: Text
    category: str
    target: Target
    comparison: Comparison
    value: Value | None
    severity: Severity
    sources: tuple[str, ...]
    releases: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """The id as a key of facts."""
        return self.id.lower().replace("-", "_")


@dataclass(frozen=True, slots=True)
class Source:
    """A file or public page that settings cite, and what says where it is."""

    id: str
    title: str
    where: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """A set of settings for some releases; ``over`` names the baseline that it is a layer over."""

    id: str
    title: Text
    releases: tuple[str, ...]
    sources: tuple[Source, ...]
    settings: tuple[Setting, ...]
    over: str = ""
    warnings: tuple[str, ...] = field(default=(), compare=False)


def layered(baselines: Iterable[Baseline]) -> tuple[Setting, ...]:
    """The settings of several layers: the last that speaks of a target decides.

    Raises:
        UsageError: two settings of different targets share an id.
    """
    by_target: dict[tuple[str, ...], Setting] = {}
    for baseline in baselines:
        for setting in baseline.settings:
            by_target.pop(setting.target.folded, None)
            by_target[setting.target.folded] = setting
    seen: dict[str, Setting] = {}
    for setting in by_target.values():
        if setting.id in seen:
            raise UsageError(f"two layers use the id {setting.id} for different targets")
        seen[setting.id] = setting
    return tuple(by_target.values())


def for_host(
    settings: Iterable[Setting],
    *,
    release: str,
    overrides: Mapping[str, Value | None],
    skipped: Iterable[str] = (),
) -> tuple[Setting, ...]:
    """What applies to one host: its release's settings, with its own values for some.

    ``overrides`` maps a setting's id to this host's value, None to leave it alone, as ``skipped``
    does. What the findings hold against is the baseline all the same: a deviation needs a waiver.

    Raises:
        UsageError: an id that no setting has.
    """
    chosen = [one for one in settings if not one.releases or release in one.releases]
    known = {one.id for one in settings}
    for name in (*overrides, *skipped):
        if name not in known:
            raise UsageError(
                f"there is no setting {name}",
                where="hardening_overrides",
                remedy="opsproof baseline show lists the ids",
            )
    left_alone = {name for name, value in overrides.items() if value is None} | set(skipped)
    return tuple(
        _overridden(one, overrides[one.id]) if overrides.get(one.id) is not None else one
        for one in chosen
        if one.id not in left_alone
    )


def _overridden(setting: Setting, value: Value | None) -> Setting:
    if type(value) is not type(setting.value) and setting.value is not None:
        raise UsageError(
            f"{value!r} is no value for {setting.id}",
            where="hardening_overrides",
            remedy=f"give one like {setting.value!r}",
        )
    return replace(setting, comparison=Comparison.EQUAL, value=value)


def meets(setting: Setting, observed: Value | None) -> bool:
    """Whether what was observed (None: nothing there) is what the setting wants."""
    wanted = setting.value
    if setting.comparison is Comparison.ABSENT:
        return observed is None or observed == ()
    if isinstance(setting.target, Right) and observed is None:
        # A right that nobody has is not in an export.
        observed = ()
    if observed is None:
        # There is nothing to start where a service is not installed.
        return isinstance(setting.target, Service)
    match setting.comparison:
        case Comparison.AT_LEAST:
            # Audit flags and minutes: -1 is "for ever" in account policy.
            return _number(observed) == -1 or _number(observed) >= _number(wanted)
        case Comparison.AT_MOST_NOT_ZERO:
            return 0 < _number(observed) <= _number(wanted)
        case Comparison.CONTAINS:
            return _contains(observed, wanted)
        case _:
            return _same(observed, wanted)


def _number(value: Value | None) -> int:
    return value if isinstance(value, int) else -2


def _contains(observed: Value, wanted: Value | None) -> bool:
    if isinstance(observed, int) and isinstance(wanted, int):
        return observed & wanted == wanted
    if isinstance(observed, tuple):
        have = {text.upper() for text in observed}
        need = wanted if isinstance(wanted, tuple) else (str(wanted),)
        return all(text.upper() in have for text in need)
    return isinstance(wanted, str) and wanted.lower() in str(observed).lower()


def _same(observed: Value, wanted: Value | None) -> bool:
    if isinstance(observed, tuple) and isinstance(wanted, tuple):
        return sorted(text.upper() for text in observed) == sorted(t.upper() for t in wanted)
    return observed == wanted

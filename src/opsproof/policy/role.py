"""What the role ``hardening`` asks of this package: from an answer of a host to a plan as data."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from opsproof.errors import IncompleteError, RefusedError, UsageError
from opsproof.inspection.batch import Batch, split_batch
from opsproof.policy.baseline import Setting, for_host, layered
from opsproof.policy.baseline_yaml import load_layers
from opsproof.policy.bundle import cabinet, restore_cabinet, touched
from opsproof.policy.command import audit_command
from opsproof.policy.health import read_health
from opsproof.policy.lockout import Connection
from opsproof.policy.observed import Observed, observe
from opsproof.policy.plan import Change, Plan, not_ours, plan, shown, table
from opsproof.policy.targets import SystemAccess, Target, Value

_AUTHS = {"basic", "ntlm", "kerberos", "credssp", "certificate", "negotiate"}


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a host shall have, and how Ansible gets in.

    ``folder`` holds the baselines; ``overrides`` are by setting id; ``stage`` are ids of settings
    to try although they should cut the connection; ``login_after`` is the connecting account's name
    once it is renamed.
    """

    folder: str
    baselines: list[str]
    overrides: dict[str, Any] = {}
    auth: str
    tls: bool
    stage: list[str] = []
    login_after: str = ""


def command(wanted: Wanted, *, now: datetime, confirm: bool = False) -> str:
    """The one line that reads a host."""
    return audit_command(_all(wanted), asked_at=now, confirm=confirm)


def planned(
    wanted: Wanted,
    stdout: str,
    *,
    apply_to: Path | None,
    restore_to: Path | None,
    revert_after: timedelta,
    earlier: str = "",
) -> dict[str, Any]:
    """Compare a host with what it shall have.

    ``apply_to`` and ``restore_to`` are the files that the cabinets are written to when something is
    to be changed. The answer is JSON: ``changes``, ``held``, ``stages`` (ids, in the order of their
    pushes), ``login`` (the connecting account's new name when the plan renames it, else ""),
    ``stopped`` (what worked in the answer ``earlier`` and works no longer), ``moved`` (settings that
    are not what they were in that answer, in the form of ``changes``), ``confirmed`` (false when
    the host had taken a stage back before the command that should confirm it),
    ``before`` and ``after`` (texts for ``--diff``), ``facts`` for the evidence.

    Raises:
        RefusedError: an earlier apply waits for being taken back.
        IncompleteError: the answer cannot be read.
    """
    everything = _all(wanted)
    batch = split_batch(stdout)
    observed = observe(batch, everything)
    if apply_to is not None and observed.revert_pending:
        raise RefusedError(
            "an earlier apply was never confirmed and waits for being taken back",
            remedy="run again when the revert has run",
        )
    chosen = for_host(everything, release=observed.release, overrides=_overrides(wanted))
    auth = "ntlm" if wanted.auth == "negotiate" else wanted.auth
    connection = Connection(auth, wanted.tls, wanted.login_after)
    made = plan(chosen, observed, connection, forced=_forced(wanted, everything))
    restore_sha256 = None
    if made.changes and apply_to is not None and restore_to is not None:
        restore_sha256 = _keep(restore_to, restore_cabinet(made.changes, observed))
        _keep(apply_to, cabinet(made, observed, revert_after=revert_after))
    before, after = table(made)
    return {
        "changes": _changes(made.changes),
        "held": _held(made),
        "stages": [[change.setting.id for change in stage] for stage in made.stages],
        "login": _login(made, observed),
        "stopped": list(_stopped(earlier, batch)),
        "moved": _moved(earlier, observed, everything),
        "confirmed": "confirm" not in batch.sections or batch.section("confirm").ok,
        "before": before,
        "after": after,
        "facts": _facts(wanted, everything, observed)
        | {
            "restore_sha256": restore_sha256,
            "changes": _changes(made.changes),
            "held": _held(made),
        },
    }


def restoring(
    wanted: Wanted, stdout: str, *, point: Path, restore_to: Path | None
) -> dict[str, Any]:
    """What putting a restore point back touches, and the way back from that.

    The way back is what stands there now; it is written to ``restore_to`` when given. The answer is
    what :func:`planned` gives where nothing is held back and no account is renamed.

    Raises:
        UsageError: ``point`` is no cabinet, or the baselines do not know what it puts back.
        IncompleteError: the answer cannot be read.
    """
    everything = _all(wanted)
    observed = observe(split_batch(stdout), everything)
    own = {one.id: one for one in for_host(everything, release=observed.release, overrides={})}
    ids = _touched(point, own)
    changes = [
        Change(one, observed.value(one.target), None)
        for one in own.values()
        if (one.id in ids if ids is not None else not_ours(observed.origins, one.target) is None)
    ]
    back = restore_cabinet(changes, observed)
    kept = None if restore_to is None else _keep(restore_to, back)
    told = [one | {"after": "(as in the restore point)"} for one in _changes(changes)]
    return {
        "changes": told,
        "held": [],
        "login": "",
        "stopped": [],
        "facts": _facts(wanted, everything, observed)
        | {"restore_sha256": kept, "changes": told, "held": []},
    }


def _touched(point: Path, known: Collection[str]) -> frozenset[str] | None:
    try:
        ids = touched(point.read_bytes())
    except UsageError as e:
        raise UsageError(e.what, where=str(point)) from e
    if ids is not None and (strange := sorted(ids.difference(known))):
        named = ", ".join(strange[:5]) + (" ..." if len(strange) > 5 else "")
        raise UsageError(
            f"it puts back {len(strange)} setting(s) that these baselines do not know: {named}",
            where=str(point),
            remedy="give hardening_baselines as they were when it was made",
        )
    return ids


def _stopped(earlier: str, batch: Batch) -> tuple[str, ...]:
    return read_health(split_batch(earlier)).lost_in(read_health(batch)) if earlier else ()


def _moved(earlier: str, observed: Observed, settings: Sequence[Setting]) -> list[dict[str, str]]:
    if not earlier:
        return []
    was = observe(split_batch(earlier), settings)
    return [
        {
            "id": one.id,
            "target": str(one.target),
            "before": shown(was.value(one.target)),
            "after": shown(observed.value(one.target)),
        }
        for one in for_host(settings, release=observed.release, overrides={})
        if was.value(one.target) != observed.value(one.target)
    ]


def pushed(result: Mapping[str, Any]) -> dict[str, Any]:
    """How a stage ended, from the result of the task that sent it.

    ``lost``: no answer came, so nobody knows; ``failed``: the steps that failed, by name, with
    "end" when the stage did not come to its end. A stage that was not sent is neither.
    """
    if result.get("skipped"):
        return {"lost": False, "failed": []}
    if "stdout" not in result:
        return {"lost": True, "failed": []}
    try:
        sections = split_batch(str(result["stdout"])).sections
    except IncompleteError:
        return {"lost": True, "failed": []}
    failed = [name for name, section in sections.items() if not section.ok]
    return {"lost": False, "failed": failed if "done" in sections else [*failed, "end"]}


def too_late(window_end: str, *, minutes: int, now: datetime) -> bool:
    """Whether an apply that begins now may not be over, its way back included, when the window ends.

    ``window_end`` is a time with its offset from UTC, "" for no end.

    Raises:
        UsageError: it is no such time.
    """
    if not window_end:
        return False
    try:
        end = datetime.fromisoformat(window_end)
    except ValueError:
        end = None
    if end is None or end.tzinfo is None:
        raise UsageError(
            f"{window_end!r} is no time with an offset from UTC",
            where="hardening_window_end",
            remedy="write it like 2026-11-28T04:00:00+08:00",
        )
    return now > end - timedelta(minutes=minutes)


def _keep(path: Path, data: bytes) -> str:
    """Write a file; its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def _all(wanted: Wanted) -> tuple[Setting, ...]:
    if wanted.auth not in _AUTHS:
        raise UsageError(f"{wanted.auth!r} is not one of {', '.join(sorted(_AUTHS))}")
    return layered(load_layers(wanted.baselines, Path(wanted.folder)))


def _forced(wanted: Wanted, settings: Sequence[Setting]) -> frozenset[str]:
    for name in wanted.stage:
        if name not in {setting.id for setting in settings}:
            raise UsageError(
                f"there is no setting {name}",
                where="hardening_stage",
                remedy="opsproof baseline show lists the ids",
            )
    return frozenset(wanted.stage)


def _login(made: Plan, observed: Observed) -> str:
    renamed = SystemAccess("NewAdministratorName").folded
    names = [c.after for c in made.changes if c.setting.target.folded == renamed]
    return str(names[0]) if names and observed.identity.builtin_administrator else ""


def _overrides(wanted: Wanted) -> dict[str, Value | None]:
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in wanted.overrides.items()
    }


def _changes(changes: Iterable[Change]) -> list[dict[str, str]]:
    return [
        {
            "id": change.setting.id,
            "target": str(change.setting.target),
            "before": shown(change.before),
            "after": shown(change.after),
        }
        for change in changes
    ]


def _held(made: Plan) -> list[dict[str, str]]:
    return [
        {
            "id": held.change.setting.id,
            "target": str(held.change.setting.target),
            "reason": held.why,
        }
        for held in made.held
    ]


def _facts(wanted: Wanted, settings: Sequence[Setting], observed: Observed) -> dict[str, Any]:
    """Every setting of the release, also those that this host deviates from: nothing vanishes."""
    own = for_host(settings, release=observed.release, overrides={})
    layers = [one.id for one in load_layers(wanted.baselines, Path(wanted.folder))]
    return {
        "release": observed.release,
        "baselines": layers,
        "domain": {
            "name": observed.origins.domain,
            "known": observed.origins.readable,
            "gpos": sorted(set(observed.origins.gpos.values())),
        },
        "settings": {one.slug: _fact(one.target, observed) for one in own},
        "left_alone": sorted(wanted.overrides),
        "applied": False,
    }


def _fact(target: Target, observed: Observed) -> Mapping[str, Any]:
    value, gpo = observed.value(target), observed.origins.gpo(target)
    found = {"present": value is not None, "value": _plain(value)}
    return found if gpo is None else found | {"gpo": gpo}


def _plain(value: Value | None) -> Any:
    return sorted(value) if isinstance(value, tuple) else value


def now() -> datetime:
    """The controller's time."""
    return datetime.now(UTC)

"""What one round of installing and restarting gave, read from the results of Ansible's modules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from opsproof.evidence.schemas.patching import Code, UpdateResult
from opsproof.patching.hresult import code_in, code_of
from opsproof.patching.plan import unexpected
from opsproof.patching.snapshot import Snapshot


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """``codes`` holds, by update id, None for a success and the failure's code otherwise.

    ``lost``: the connection broke and nothing is known of what was ``planned``. ``message`` is
    what the module said of a failure of the whole. ``returned`` None: no restart was made.
    """

    planned: tuple[str, ...]
    codes: dict[str, Code | None]
    lost: bool
    message: str
    unplanned: tuple[str, ...]
    restart_due: bool
    returned: bool | None
    restart_seconds: int | None
    minutes: int


def read_round(record: Mapping[str, Any]) -> Round:
    """A round from what the role kept: planned, install, restart, started_at, finished_at."""
    install, restart = record["install"], record.get("restart") or {"skipped": True}
    seconds = record["finished_at"], record["started_at"]
    took = datetime.fromisoformat(seconds[0]) - datetime.fromisoformat(seconds[1])
    planned = tuple(record["planned"])
    updates = {key.lower(): item for key, item in install.get("updates", {}).items()}
    failed = bool(install.get("failed"))
    made = not restart.get("skipped")
    message = str(install.get("msg") or "")
    codes = {
        key: _code(updates[key], install)
        for key in planned
        if key in updates and _told(updates[key], failed=failed)
    }
    whole = code_in(message) if failed else None
    if whole is not None:
        # It failed before it came to an update, with a code of its own.
        codes = {key: codes.get(key, whole) for key in planned}
    return Round(
        planned=planned,
        codes=codes,
        lost=bool(install.get("unreachable")) or not codes,
        message=message if failed or install.get("unreachable") else "",
        unplanned=unexpected(planned, install),
        restart_due=bool(install.get("reboot_required")),
        returned=None if not made else not (restart.get("failed") or restart.get("unreachable")),
        restart_seconds=int(restart.get("elapsed", 0)) if made else None,
        minutes=-(-int(took.total_seconds()) // 60),
    )


def _told(update: Mapping[str, Any], *, failed: bool) -> bool:
    """Whether the module said what became of it."""
    return bool(update.get("installed") or "failure_hresult_code" in update or failed)


def _code(update: Mapping[str, Any], install: Mapping[str, Any]) -> Code | None:
    if "failure_hresult_code" in update:
        return code_of(int(update["failure_hresult_code"]), str(update.get("failure_msg", "")))
    if update.get("installed"):
        return None
    return code_in(install.get("msg")) or code_of(0x80240035)


def became(
    identifier: str,
    rounds: Sequence[Round],
    offered_after: Iterable[str] | None,
    after: Snapshot | None,
    kbs: Iterable[str],
) -> tuple[UpdateResult, Code | None, Round | None]:
    """What became of one update: the result, its code, and the round that tried it last.

    ``offered_after`` are ids that the last search found, None when it could not be made; ``kbs``
    the update's numbers, looked for among the fixes of ``after``.
    """
    tries = [one for one in rounds if identifier in one.planned]
    if not tries:
        return "not-started", None, None
    last = tries[-1]
    if identifier not in last.codes:
        return "unknown", code_in(last.message), last
    code = last.codes[identifier]
    if code is not None:
        return "failed", code, last
    if last.restart_due and not last.returned:
        return "restart-due", None, last
    if offered_after is None:
        known = after is not None and bool(set(kbs) & set(after.fixes))
        return ("installed" if known else "unknown"), None, last
    if identifier in set(offered_after):
        return _came_back(identifier, last, after)
    return "installed", None, last


def _came_back(
    identifier: str, last: Round, after: Snapshot | None
) -> tuple[UpdateResult, Code | None, Round]:
    """An update that was installed and is offered again: taken back at boot, or never there."""
    told = [
        event.hresult for event in (after.events if after else ()) if event.update == identifier
    ]
    if told and told[0]:
        return "rolled-back", code_of(told[0]), last
    if not told and last.returned:
        return "rolled-back", None, last
    # The newest word of Windows is a success, and yet it is offered again.
    return "update-loop", code_of(-1), last

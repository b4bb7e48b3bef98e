"""Taking one bad update out again, with the care of putting it in.

Combined updates (servicing stack and cumulative update in one) cannot be removed by ``wusa
/uninstall``; DISM removes the package of the cumulative update (Microsoft, "Remove a cumulative
update": DISM with the name of the LCU package). That name (``Package_for_RollupFix~...``) does not
hold the KB number, so it has to be given; win_hotfix looks for it in vain (win_hotfix.ps1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from opsproof.errors import UsageError
from opsproof.evidence.schemas.patching import (
    Code,
    HostFacts,
    HostResult,
    Partner,
    Restart,
    Source,
    Standing,
    UpdateResult,
    UpdateRow,
)
from opsproof.patching.approved import Approved, age_days, digest, load_approved
from opsproof.patching.ends import health_after, stamp, standing_before
from opsproof.patching.hresult import code_in
from opsproof.patching.snapshot import Differences, Snapshot

_PACKAGE = re.compile(r"[A-Za-z0-9_.~-]{1,200}")


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """``package`` None: nothing is removed, and ``refusal`` says why unless it is simply not there."""

    package: str | None
    refusal: str | None = None


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one removal when it ends; ``hotfix`` and ``restart`` are module results."""

    wave: str
    service: str
    check: bool
    update: Approved
    window_end: str | None
    started_at: datetime
    finished_at: datetime
    before: Snapshot | None
    after: Snapshot | None
    target: Target | None
    blocked: tuple[str, ...]
    partners: tuple[Partner, ...]
    too_late: bool
    hotfix: Mapping[str, Any] | None
    restart: Mapping[str, Any] | None
    differences: Differences | None


def load_removal(data: Mapping[str, Any]) -> tuple[Approved, str | None]:
    """The update to take out and its package's name, if one is given.

    Raises :class:`UsageError` when no update, approver or ticket is named, or when the package's
    name could be anything else than a name.
    """
    given = dict(data)
    package = given.pop("package", None) or None
    if not given.get("kb"):
        raise UsageError("no update is named", where="patching_remove", remedy="give its kb")
    if package is not None and not _PACKAGE.fullmatch(package):
        raise UsageError(f"{package!r} is no package", where="patching_remove")
    [update] = load_approved([given])
    return update, package


def target_of(update: Approved, package: str | None, before: Snapshot) -> Target:
    """The package to remove on this host."""
    if package is not None:
        state = before.packages.get(package)
        if state == "Installed":
            return Target(package=package)
        return Target(package=None, refusal=f"the package is {state}" if state else None)
    named = re.compile(rf"KB{update.kb}(?![0-9])", re.IGNORECASE)
    found = [name for name, state in before.packages.items() if named.search(name)]
    found = [name for name in found if before.packages[name] == "Installed"]
    if len(found) > 1:
        return Target(package=None, refusal=f"several packages are called {update.key}")
    if not found and update.kb in before.fixes:
        cumulative = [n for n, state in before.packages.items() if _cumulative(n, state)]
        told = f", such as {', '.join(cumulative)}" if cumulative else ""
        return Target(
            package=None,
            refusal=f"{update.key} is installed, and no package is called so: give its name{told}",
        )
    return Target(package=found[0] if found else None)


def _cumulative(name: str, state: str) -> bool:
    """Whether it is an installed cumulative update, whose package's name holds no KB number."""
    return name.startswith("Package_for_RollupFix~") and state == "Installed"


def removal_facts(story: Removal) -> HostFacts:
    """The facts of a removal: those of patching with one update."""
    result, reasons, row_result, code = _ended(story)
    restart = story.restart or {"skipped": True}
    made = not restart.get("skipped")
    before, target = story.before, story.target
    return HostFacts(
        wave=story.wave,
        service=story.service,
        result=result,
        reasons=reasons,
        build=before.build if before else None,
        approved_sha256=digest([story.update]),
        approved=1,
        frozen=None,
        window_end=story.window_end,
        started_at=stamp(story.started_at),
        finished_at=stamp(story.finished_at),
        rounds=1 if story.hotfix is not None else 0,
        source=Source(
            selection="managed_server",
            server=before.wsus_server if before else None,
            used=bool(before and before.wsus_used),
            searched=None,
            code=None,
            offered=None,
            unapproved=None,
        ),
        before=standing_before(before, None),
        partners=story.partners,
        updates=(
            UpdateRow(
                key=story.update.key,
                id=target.package if target else None,
                title=None,
                severity=story.update.severity,
                approver=story.update.approver,
                ticket=story.update.ticket,
                released=story.update.released,
                age_days=age_days(story.update, story.started_at.astimezone(UTC).date()),
                before=_standing(target),
                after=_after(row_result),
                result=row_result,
                code=code,
                minutes=-(-int((story.finished_at - story.started_at).total_seconds()) // 60),
                restarted=made and not _failed(restart),
            ),
        ),
        unplanned=(),
        restart=None
        if story.hotfix is None
        else Restart(
            due=bool(story.hotfix.get("reboot_required")),
            done=made and not _failed(restart),
            seconds=int(restart.get("elapsed", 0)) if made else None,
            boot_time=story.after.boot_time if story.after else None,
        ),
        health=health_after(story.after, story.differences),
    )


def _standing(target: Target | None) -> Standing:
    if target is None:
        return "unknown"
    return "installed" if target.package or target.refusal else "not-applicable"


def _after(result: UpdateResult) -> Standing:
    if result in ("removed", "not-applicable"):
        return "not-applicable"
    return "unknown" if result == "unknown" else "installed"


def lost(hotfix: Mapping[str, Any]) -> bool:
    """Whether the connection broke before win_hotfix answered, so that nobody knows what it did.

    win_hotfix says ``reboot_required`` however it ends (ansible.windows 3.3.0, win_hotfix.ps1).
    """
    return _failed(hotfix) and "reboot_required" not in hotfix


def _failed(result: Mapping[str, Any]) -> bool:
    return bool(result.get("failed") or result.get("unreachable"))


def _ended(story: Removal) -> tuple[HostResult, tuple[str, ...], UpdateResult, Code | None]:
    """Result of the host, reasons, result of the update and its code; the first that is true."""
    hotfix, restart = story.hotfix, story.restart or {"skipped": True}
    if story.before is None or story.target is None:
        return "not-collected", ("the host could not be read before",), "unknown", None
    if story.target.refusal:
        return "refused", (story.target.refusal,), "not-started", None
    if story.target.package is None:
        return "current", (), "not-applicable", None
    if hotfix is None:
        if story.blocked:
            return "blocked", story.blocked, "not-started", None
        if story.too_late:
            late = f"no removal begins so late before {story.window_end}"
            return "window-over", (late,), "not-started", None
        if story.check:
            return "planned", (), "planned", None
        return "not-collected", ("nothing was tried",), "not-started", None
    if lost(hotfix):
        return "connection-lost", (str(hotfix.get("msg", ""))[:300],), "unknown", None
    if _failed(hotfix):
        message = str(hotfix.get("msg", ""))
        return "update-failed", (message[:300],), "not-removable", code_in(message)
    if _failed(restart):
        return "did-not-return", ("the host did not come back",), "unknown", None
    if hotfix.get("reboot_required") and restart.get("skipped"):
        return "blocked", story.blocked, "restart-due", None
    if story.after is None or story.differences is None:
        return "not-collected", ("the host could not be read afterwards",), "unknown", None
    if story.target.package in story.after.packages:
        return "update-failed", ("the package is still there",), "not-removable", None
    if not story.differences.sound:
        return "unsound", ("worse than before the removal",), "removed", None
    return "removed", (), "removed", None

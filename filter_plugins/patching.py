"""Filters of the role patching, thin over ``opsproof.patching``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from ansible.errors import AnsibleFilterError

from opsproof.evidence.schemas.patching import HostFacts, Partner
from opsproof.filters import guarded
from opsproof.inspection.batch import split_batch
from opsproof.patching.approved import Canary, Frozen, freeze, load_approved
from opsproof.patching.command import snapshot_command
from opsproof.patching.facts import GOOD, Story, canary_of, facts_of, message
from opsproof.patching.plan import NOTHING, found_in, make_plan
from opsproof.patching.preflight import Limits, blocking, may_start, moment, partner_out, turns
from opsproof.patching.removal import Removal, load_removal, lost, removal_facts, target_of
from opsproof.patching.rounds import read_round
from opsproof.patching.snapshot import Snapshot, compare, read_snapshot
from opsproof.patching.waves import verdict


def _now() -> datetime:
    return datetime.now(UTC)


def _command(since: str) -> str:
    # The host's clock may be some minutes off.
    earlier = moment(since, "since") - timedelta(minutes=5)
    return snapshot_command(asked_at=_now(), since=earlier)


def _snapshot(answer: Mapping[str, Any]) -> Any:
    return msgspec.to_builtins(read_snapshot(split_batch(answer["stdout"]), _now()))


def _blocking(snapshot: Any, limits: Any, last_backup: str) -> Any:
    return list(
        blocking(
            msgspec.convert(snapshot, Snapshot),
            msgspec.convert(limits, Limits),
            last_backup=last_backup or None,
            now=_now(),
        )
    )


def _plan(
    search: Mapping[str, Any],
    approved: Any,
    frozen: Any,
    snapshot: Any,
    rounds: Sequence[Mapping[str, Any]],
) -> Any:
    """The plan with its patterns; an empty one when the search gave nothing to plan with."""
    if search.get("failed") or search.get("unreachable"):
        return None
    seen = msgspec.convert(snapshot, Snapshot)
    plan = make_plan(
        approved=load_approved(approved),
        frozen=None if frozen is None else msgspec.convert(frozen, Frozen),
        found=found_in(search),
        installed_kbs=seen.fixes,
        build=seen.build,
        tried=[key for one in rounds for key in one["planned"]],
    )
    return msgspec.to_builtins(plan) | {"accept_list": list(plan.accept_list)}


def _freeze(
    approved: Any, canaries: Mapping[str, Any], carried: Mapping[str, Any], run: str
) -> Any:
    """The frozen set: of each canary its facts of this run, else what sealed runs say of it."""
    seen: dict[str, Canary | None] = {}
    for host, facts in canaries.items():
        if facts:
            seen[host] = canary_of(facts, run)
        else:
            earlier = carried.get(host)
            seen[host] = None if earlier is None else msgspec.convert(earlier, Canary)
    return msgspec.to_builtins(freeze(load_approved(approved), seen))


def _turns(batch: Sequence[str], services: Sequence[str]) -> Any:
    return turns(batch, dict(zip(batch, services, strict=True)))


def _partners(probes: Sequence[Mapping[str, Any]], health: Mapping[str, str]) -> Any:
    """Partners from the results of wait_for, one a host and port; the first port is WinRM's."""
    found = []
    for host in sorted({probe["item"]["host"] for probe in probes}):
        mine = [probe for probe in probes if probe["item"]["host"] == host]
        silent = [p["item"]["port"] for p in mine if p.get("state") != "started"]
        login = [p["item"]["port"] for p in mine if p["item"]["login"]]
        found.append(
            Partner(
                host=host,
                answers=not set(login) & set(silent),
                silent_ports=tuple(sorted(set(silent) - set(login))),
                health=health.get(host, "untouched"),  # type: ignore[arg-type]  # the role's words
            )
        )
    return msgspec.to_builtins(found)


def _partner_out(partners: Any) -> Any:
    return list(partner_out(msgspec.convert(partners, tuple[Partner, ...])))


def _may_start(window_end: str, minutes: int) -> bool:
    return may_start(_now(), window_end or None, minutes)


def _compare(after: Any, before: Any, resting: Sequence[str]) -> Any:
    found = compare(msgspec.convert(before, Snapshot), msgspec.convert(after, Snapshot), resting)
    return msgspec.to_builtins(found) | {"sound": found.sound}


def _facts(story: Mapping[str, Any]) -> Any:
    """Facts, whether they are good, and the line that says why they are not."""
    given = dict(story)
    given["approved"] = msgspec.to_builtins(load_approved(given["approved"]))
    given["plans"] = [plan for plan in given["plans"] if plan]
    given["rounds"] = msgspec.to_builtins([read_round(one) for one in given["rounds"]])
    given["finished_at"] = _now().isoformat()
    for plan in given["plans"]:
        plan.pop("accept_list", None)
    if given["differences"] is not None:
        given["differences"].pop("sound", None)
    for name in ("window_end", "last_backup"):
        given[name] = given[name] or None
    return _told(facts_of(msgspec.convert(given, Story)), given["before"])


def _told(facts: HostFacts, before: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "facts": msgspec.to_builtins(facts),
        "good": facts.result in GOOD,
        "message": message(facts),
        "clock_offset_ms": before["clock_offset_ms"] if before else None,
    }


def _target(snapshot: Any, removal: Mapping[str, Any]) -> Any:
    update, package = load_removal(removal)
    return msgspec.to_builtins(target_of(update, package, msgspec.convert(snapshot, Snapshot)))


def _removal_facts(story: Mapping[str, Any]) -> Any:
    given = dict(story)
    update, _ = load_removal(given.pop("removal"))
    given["update"] = msgspec.to_builtins(update)
    given["finished_at"] = _now().isoformat()
    given["window_end"] = given["window_end"] or None
    if given["differences"] is not None:
        given["differences"].pop("sound", None)
    return _told(removal_facts(msgspec.convert(given, Removal)), given["before"])


def _result(registered: Mapping[str, Any]) -> Any:
    """A registered result as the module meant it: `failed_when: false` covers its failure up.

    A module that failed says so by a message and, as win_updates and win_reboot do, in
    ``failed_when_result``; what is kept has neither log nor invocation.
    """
    kept = {
        key: registered[key]
        for key in (
            "changed", "elapsed", "failed", "filtered_updates", "msg", "reboot_required",
            "rebooted", "skipped", "unreachable", "updates",
        )
        if key in registered
    }  # fmt: skip
    if kept.get("msg") and not kept.get("skipped"):
        kept["failed"] = True
    return kept


def _gone(one: Mapping[str, Any]) -> bool:
    """Whether a round ended without the host: it cannot be asked any more."""
    read = read_round(one)
    return read.lost or read.returned is False


def _probes(
    partners: Sequence[Any], ports: Sequence[int] | None = None, login: bool = False
) -> Any:
    """Hosts and ports to knock at, from hosts with their ports beside, or from pairs."""
    pairs = zip(partners, ports, strict=True) if ports is not None else partners
    return [{"host": host, "port": int(port), "login": login} for host, port in pairs]


def _verdict(results: Mapping[str, str | None], most_failed_percent: int) -> Any:
    return msgspec.to_builtins(verdict(results, most_failed_percent))


def _nothing(value: Any) -> Any:
    del value
    return list(NOTHING)


def _planned(plans: Sequence[Mapping[str, Any] | None]) -> Any:
    """Ids that the newest plan names; none when it refuses or there is none."""
    newest = plans[-1] if plans else None
    return [] if newest is None else [update["id"] for update in newest["install"]]


class FilterModule:
    """The role's filters, by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Ansible's entry point."""
        functions: dict[str, Callable[..., Any]] = {
            "patching_command": _command,
            "patching_snapshot": _snapshot,
            "patching_blocking": _blocking,
            "patching_plan": _plan,
            "patching_planned": _planned,
            "patching_freeze": _freeze,
            "patching_turns": _turns,
            "patching_partners": _partners,
            "patching_partner_out": _partner_out,
            "patching_may_start": _may_start,
            "patching_compare": _compare,
            "patching_facts": _facts,
            "patching_verdict": _verdict,
            "patching_nothing": _nothing,
            "patching_result": _result,
            "patching_gone": _gone,
            "patching_lost": lost,
            "patching_probes": _probes,
            "patching_target": _target,
            "patching_removal_facts": _removal_facts,
        }
        return guarded(functions, AnsibleFilterError)

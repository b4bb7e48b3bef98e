"""The roles log_collection and log_audit with tasks broken, and in what each break shows.

Breaks that show in different things share a host: what a host's run looks like must then differ from
that of the whole roles in just these things.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
WHOLE = "whole"
HELD = ("held", "held-too")
"""Hosts whose stores another run holds: of these roles, the one that is not broken must refuse."""

ROLES = ("log_collection", "log_audit")


@dataclass(frozen=True)
class Mutant:
    """What is broken, in which file below ``roles``, and the things in which it shows."""

    host: str
    file: str
    old: str
    new: str
    shows: frozenset[str]


def _in(role: str, file: str, host: str, old: str, new: str, *shows: str) -> Mutant:
    return Mutant(host, f"{role}/{file}", old, new, frozenset(shows))


def _collect(host: str, old: str, new: str, *shows: str, file: str = "tasks/collect.yml") -> Mutant:
    return _in("log_collection", file, host, old, new, *shows)


def _audit(host: str, old: str, new: str, *shows: str, file: str = "tasks/audit.yml") -> Mutant:
    return _in("log_audit", file, host, old, new, *shows)


_EVIDENCE, _VARS = "tasks/evidence.yml", "vars/main.yml"

COLLECTED = frozenset(
    {"channels", "required", "sources", "files", "left", "since", "cabinets", "clock", "sites"}
)
AUDITED = frozenset({"report", "unreadable", "accepted", "examined", "titles", "computers"})

RUN: dict[str, Mutant] = {
    "demands no event log": _collect(
        "told", "required=log_collection_channels", "required=[]", "required", file=_EVIDENCE
    ),
    "hands no cabinet over": _collect(
        "told", "{{ __log_collection.artifacts }}", "{{ [] }}", "cabinets", file=_EVIDENCE
    ),
    "does not tell of sites": _collect(
        "told", "{{ __log_collection.subjects }}", "{{ [] }}", "sites", file=_EVIDENCE
    ),
    "does not tell the clock": _collect(
        "told", "{{ __log_collection.clock_offset_ms }}", "{{ none }}", "clock", file=_EVIDENCE
    ),
    "says that looking changes something": _collect(
        "told",
        "  register: __log_collection_look\n"
        "  # It only reads.\n  check_mode: false\n  changed_when: false\n",
        "  register: __log_collection_look\n  check_mode: false\n",
        "changed",
    ),
    "keeps what nobody seals": _collect(
        "told", "{{ opsproof_staging is defined }}", "{{ true }}", "store", file=_VARS
    ),
    "keeps one book with sealed runs": _collect(
        "told", "/.unsealed", "", "book", file=_VARS
    ),
    "forgets the optional logs": _collect(
        "less",
        "{{ log_collection_channels + log_collection_optional_channels }}",
        "{{ log_collection_channels }}",
        "channels",
        file=_VARS,
    ),
    "shows hits that somebody accepted": _audit(
        "less", '"{{ log_audit_suppressions }}"', "[]", "accepted", "titles"
    ),
    "takes a renamed computer for two": _audit(
        "less", '"{{ log_audit_computer_aliases }}"', "{}", "computers"
    ),
    "does not keep the report": _audit(
        "less",
        "{{ __log_audit_artifacts if __log_audit_inputs.files > 0 else [] }}",
        "{{ [] }}",
        "report",
    ),
    "leaves raw logs here": _audit(
        "less", "when: opsproof_staging is not defined and not log_audit_keep", "when: false", "raw", "store"
    ),
    "audits what was audited before": _audit(
        "less", 'since: "{{ __log_audit_inputs.since }}"', 'since: ""', "examined"
    ),
    "forgets the data logs": _collect(
        "late", '"{{ log_collection_data }}"', "[]", "sources", "files", "titles", file=_VARS
    ),
    "audits data logs without their maps": _audit(
        "blind",
        "{{ __log_audit_inputs.schemas + log_audit_schemas }}",
        "{{ log_audit_schemas }}",
        "unreadable",
        "titles",
    ),
    "goes without the project's rules": _audit(
        "blind", '"{{ role_path }}/../../rules"', '"{{ role_path }}/../../rules/data"', "titles",
        "computers", "accepted", file="defaults/main.yml",
    ),
    "leaves its folder on the host": _collect(
        "less", "        state: absent\n", "        state: directory\n", "leftover"
    ),
    "packs nothing": _collect(
        "unpacked", "when: __log_collection_plan.parts | length > 0", "when: false",
        "failed", "collection", "audit", "book", *COLLECTED, *AUDITED,
    ),
    "says of a run what holds of a look": _collect(
        "blind",
        "(none if ansible_check_mode else __log_collection_brought.brought)",
        "none",
        "files",
        "left",
        "cabinets",
        file=_EVIDENCE,
    ),
    "begins where it should end": _collect(
        "late", '"{{ log_collection_since }}"', '"{{ log_collection_until }}"', "since", "examined",
        "titles", "computers", "accepted",
    ),
    "does not audit": _audit(
        "mute", "when: __log_audit_inputs.files > 0", "when: false", "failed", "audit", *AUDITED
    ),
    "hands nothing over": _collect(
        "mute",
        "      ansible.builtin.include_tasks: evidence.yml\n  always:",
        "      ansible.builtin.meta: noop\n  always:",
        "collection",
        *COLLECTED,
    ),
    "collects into a store that another run holds": _collect(
        HELD[0], "  when: not ansible_check_mode\n\n", "  when: false\n\n",
        "failed", "audit", "store", "raw", *AUDITED,
    ),
    "audits a store that another run holds": _audit(
        HELD[1], "  when: opsproof_staging is not defined and not ansible_check_mode\n", "  when: false\n",
        "failed", "collection", "audit", "book", *COLLECTED, *AUDITED,
    ),
}  # fmt: skip

REHEARSAL: dict[str, Mutant] = {
    "does not look in check mode": _collect(
        "told",
        "  register: __log_collection_look\n  # It only reads.\n  check_mode: false\n",
        "  register: __log_collection_look\n",
        "failed",
    ),
    "does not list in check mode": _collect(
        "less",
        "  register: __log_collection_listing\n  check_mode: false\n",
        "  register: __log_collection_listing\n",
        "failed",
    ),
    "packs and fetches in check mode": _collect(
        "late", "  when: not ansible_check_mode\n  block:", "  block:", "collection"
    ),
    "hands nothing over in check mode": _collect(
        "blind", "  when: ansible_check_mode\n", "  when: false\n", "collection"
    ),
    "audits in check mode": _audit(
        "mute", "  when: not ansible_check_mode\n  block:", "  block:", "failed"
    ),
    "does not say that nothing was audited": _audit(
        "unpacked", "  when: ansible_check_mode\n", "  when: false\n", "audit"
    ),
}


def hosts(mutants: dict[str, Mutant]) -> list[str]:
    """The whole roles' host, and those of the mutants."""
    return [WHOLE, *sorted({mutant.host for mutant in mutants.values()})]


def write(folder: Path, mutants: dict[str, Mutant]) -> None:
    """Copies of both roles, a pair a host: ``log_collection_HOST`` and ``log_audit_HOST``."""
    for name in ("rules", "schemas"):
        (folder.parent / name).symlink_to(PROJECT / name)
    for host in hosts(mutants):
        for role in ROLES:
            shutil.copytree(PROJECT / "roles" / role, folder / f"{role}_{host}")
        _forget_once(folder / f"log_audit_{host}/tasks/audit.yml")
    for name, mutant in mutants.items():
        role, _, file = mutant.file.partition("/")
        path = folder / f"{role}_{mutant.host}" / file
        text = path.read_text(encoding="utf-8")
        assert text.count(mutant.old) == 1, f"{name}: {mutant.file} no longer holds it once"
        path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")


def _forget_once(tasks: Path) -> None:
    """Run every task for the one host of a copy.

    Hosts run at their own pace here, and then Ansible still gives what a ``run_once`` task of one host
    says, or that it failed, to every host.
    """
    text = tasks.read_text(encoding="utf-8")
    assert "run_once: true\n" in text
    tasks.write_text(text.replace("run_once: true\n", "run_once: false\n"), encoding="utf-8")

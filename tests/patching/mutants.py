"""The role with one task broken, each on a host whose story then ends in another way."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.patching.story import PROJECT


@dataclass(frozen=True)
class Mutant:
    """What is broken, in which file of the role, and the host that shows it."""

    host: str
    file: str
    old: str
    new: str


MUTANTS: dict[str, Mutant] = {
    "installs whatever is offered": Mutant(
        "canary",
        "tasks/round.yml",
        '    accept_list: "{{ (__patching_plans | last).accept_list }}"\n',
        "",
    ),
    "searches with what fits everything": Mutant(
        "approves-others",
        "tasks/search.yml",
        "    accept_list: \"{{ '' | patching_nothing }}\"\n",
        "",
    ),
    "lets win_updates restart": Mutant(
        "fails", "tasks/round.yml", "    reboot: false\n", "    reboot: true\n"
    ),
    "does not search again": Mutant(
        "rolls-back",
        "tasks/round.yml",
        "  when: not (__patching_rounds | last | patching_gone)\n",
        "  when: false\n",
    ),
    "does not compare with before": Mutant(
        "breaks-service",
        "tasks/turn.yml",
        "    - not (__patching_rounds | last | patching_gone)\n",
        "    - false\n",
    ),
    "does not look at the clock": Mutant(
        "late",
        "tasks/turn.yml",
        "{{ not (patching_window_end | patching_may_start(minutes=patching_last_start_minutes)) }}",
        "{{ false }}",
    ),
    "does not look after partners": Mutant(
        "lonely", "tasks/partners.yml", "{{ __patching_told | patching_partner_out }}", "{{ [] }}"
    ),
    "does not hold the host against what it needs": Mutant(
        "restart-due",
        "tasks/preflight.yml",
        "{{ __patching_seen | patching_blocking("
        "limits=__patching_limits, last_backup=patching_last_backup) }}",
        "{{ [] }}",
    ),
    "hides that it ended badly": Mutant(
        "unreachable-wsus", "tasks/end.yml", "  when: not __patching_end.good\n", "  when: false\n"
    ),
}


def write_mutants(folder: Path) -> dict[str, str]:
    """Copies of the role, one a mutant; the name of the copy by host."""
    names = {}
    for number, (name, mutant) in enumerate(MUTANTS.items()):
        role = folder / f"mutant_{number}"
        shutil.copytree(PROJECT / "roles/patching", role)
        path = role / mutant.file
        text = path.read_text(encoding="utf-8")
        assert text.count(mutant.old) == 1, f"{name}: {mutant.file} no longer holds it"
        path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        names[mutant.host] = role.name
    assert len(names) == len(MUTANTS), "a host shows one mutant"
    return names

"""Breaks one task of the role at a time: its verification must notice, or it verifies nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.conftest import PROJECT, Lab

pytestmark = pytest.mark.e2e

Mutation = tuple[str, str, str]

MUTATIONS: dict[str, Mutation] = {
    "asks for one service only": (
        "tasks/collect.yml",
        "  ansible.windows.win_service_info:\n",
        "  ansible.windows.win_service_info:\n    name: W32Time\n",
    ),
    "leaves its exports behind": (
        "tasks/collect.yml",
        "            state: absent\n",
        "            state: directory\n",
    ),
    "exports one log less": (
        "defaults/main.yml",
        "  - channel: Security\n",
        "  - channel: Setup\n",
    ),
}


@pytest.fixture
def verify(running: Lab, tmp_path: Path) -> Callable[[Mutation | None], int]:
    """Runs the scenario's verify play with a copy of the role, mutated or not."""

    def run(mutation: Mutation | None) -> int:
        role = tmp_path / "roles/inspection"
        shutil.copytree(PROJECT / "roles/inspection", role)
        (tmp_path / "rules").symlink_to(PROJECT / "rules")
        if mutation is not None:
            name, old, new = mutation
            text = (role / name).read_text()
            assert text.count(old) == 1, f"{name} no longer holds {old!r}"
            (role / name).write_text(text.replace(old, new))
        kept, scratch = tmp_path / "kept", tmp_path / "scratch"
        kept.mkdir()
        scratch.mkdir()
        return running.run(
            "ansible-playbook", "-i", running.inventory, PROJECT / "molecule/inspection/verify.yml",
            env={
                "ANSIBLE_ROLES_PATH": str(tmp_path / "roles"),
                "MOLECULE_EPHEMERAL_DIRECTORY": str(kept),
                "MOLECULE_PROJECT_DIRECTORY": str(PROJECT),
                "MOLECULE_SCENARIO_DIRECTORY": str(PROJECT / "molecule/inspection"),
                "OPSPROOF_HOSTS": "app-auth-01:sql-01",
                "TMPDIR": str(scratch),
            },
        ).returncode  # fmt: skip

    return run


def test_the_role_as_it_is_passes_and_keeps_no_raw_logs_here(
    verify: Callable[[Mutation | None], int], tmp_path: Path
) -> None:
    assert verify(None) == 0
    assert not list((tmp_path / "scratch").rglob("*.cab"))


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_a_broken_task_turns_verification_red(
    verify: Callable[[Mutation | None], int], mutation: Mutation
) -> None:
    assert verify(mutation) != 0

from __future__ import annotations

from pathlib import Path

import pytest

from opsproof.errors import UsageError
from opsproof.run.playbook import find


def write(project: Path, name: str, text: str) -> None:
    (project / "playbooks" / f"{name}.yml").write_text(text, encoding="utf-8")


def test_a_name_is_a_file_of_the_playbooks_folder(project: Path) -> None:
    found = find("daily", project)
    assert (found.name, found.project) == ("daily", project)
    assert found.path == project / "playbooks" / "daily.yml"
    assert found.activities == ("probe",)
    assert not found.gated


def test_a_path_names_the_same_playbook(project: Path) -> None:
    assert find("playbooks/daily.yml", project) == find("daily", project)


def test_an_unknown_name_lists_those_that_there_are(project: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find("dayly", project)
    assert "there is no such playbook (one of daily, or a path)" in str(caught.value)


def test_roles_are_found_wherever_a_play_names_them(project: Path) -> None:
    write(
        project,
        "many",
        """
- hosts: web
  roles: [one, {role: two}, {name: one}]
  tasks:
    - block:
        - ansible.builtin.import_role: {name: three}
      rescue:
        - include_role: {name: four}
  vars:
    secret: !vault |
      $ANSIBLE_VAULT;1.1;AES256
      6162
- ansible.builtin.import_playbook: daily.yml
- hosts: other
""",
    )
    found = find("many", project)
    assert [play.activities for play in found.plays] == [
        ("one", "two", "three", "four"),
        ("probe",),
        (),
    ]


def test_one_play_that_changes_things_gates_the_whole(project: Path) -> None:
    write(project, "change", "- {hosts: all, vars: {opsproof_gate: change}}\n")
    write(project, "outer", "- import_playbook: change.yml\n- hosts: all\n")
    assert find("outer", project).gated


def test_an_unknown_gate_is_refused_not_ignored(project: Path) -> None:
    write(project, "odd", "- {hosts: all, vars: {opsproof_gate: chnage}}\n")
    with pytest.raises(UsageError, match=r"opsproof_gate is 'chnage' \(one of none, change\)"):
        find("odd", project)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hosts: all\n", "a playbook is a list of plays"),
        ("", "a playbook is a list of plays"),
        ("[]", "it holds no play"),
        ("- {", "while parsing"),
        ("- import_playbook: bad.yml\n", "in a circle"),
    ],
)
def test_what_is_no_playbook_is_refused(project: Path, text: str, message: str) -> None:
    write(project, "bad", text)
    with pytest.raises(UsageError) as caught:
        find("bad", project)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "changed",
    [
        "playbooks/daily.yml",
        "roles/probe/tasks/main.yml",
        "roles/base/tasks/main.yml",
        "roles/probe/files/new",
    ],
)
def test_the_digest_covers_playbook_roles_and_their_dependencies(
    project: Path, changed: str
) -> None:
    (project / "roles" / "base" / "tasks").mkdir(parents=True)
    (project / "roles" / "base" / "tasks" / "main.yml").write_text("[]\n")
    (project / "roles" / "probe" / "meta").mkdir()
    (project / "roles" / "probe" / "meta" / "main.yml").write_text("dependencies: [base]\n")
    before = find("daily", project)
    path = project / changed
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    after = find("daily", project)
    assert after.content_sha256 != before.content_sha256
    assert (after.sha256 == before.sha256) == (not changed.startswith("playbooks"))


def test_the_digest_ignores_other_roles_and_compiled_python(project: Path) -> None:
    before = find("daily", project)
    (project / "roles" / "other" / "tasks").mkdir(parents=True)
    (project / "roles" / "other" / "tasks" / "main.yml").write_text("[]\n")
    (project / "roles" / "probe" / "__pycache__").mkdir()
    (project / "roles" / "probe" / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert find("daily", project) == before

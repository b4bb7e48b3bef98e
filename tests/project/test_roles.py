"""Every role has the same bones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from scripts.role_docs import updated

PROJECT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent for path in (PROJECT / "roles").glob("*/tasks"))

MOST_TASK_LINES = 130
ROUTING = {"ansible.builtin.include_tasks", "ansible.builtin.import_tasks"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_there_are_roles() -> None:
    assert ROLES


@pytest.fixture(params=ROLES, ids=lambda role: role.name)
def role(request: pytest.FixtureRequest) -> Path:
    path = request.param
    assert isinstance(path, Path)
    return path


def test_main_only_routes(role: Path) -> None:
    for task in load(role / "tasks/main.yml"):
        modules = {key for key in task if "." in key}
        assert modules <= ROUTING, task["name"]


def test_task_files_stay_short(role: Path) -> None:
    for path in (role / "tasks").glob("*.yml"):
        assert len(path.read_text().splitlines()) <= MOST_TASK_LINES, path


def test_specification_and_defaults_agree(role: Path) -> None:
    options = load(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = load(role / "defaults/main.yml")
    assert set(options) == set(defaults)
    for name, option in options.items():
        assert name.startswith(f"{role.name}_")
        if "default" in option:
            assert option["default"] == defaults[name], name
            assert type(option["default"]) is type(defaults[name]), name


def test_private_variables_are_in_vars(role: Path) -> None:
    for name in load(role / "vars/main.yml"):
        assert name.startswith(f"__{role.name}_")


def test_the_readme_table_is_fresh(role: Path) -> None:
    readme = (role / "README.md").read_text(encoding="utf-8")
    specification = load(role / "meta/argument_specs.yml")["argument_specs"]["main"]
    assert readme == updated(readme, specification), "run scripts/role_docs.py"


def test_no_role_writes_to_a_folder_of_the_checkout(role: Path) -> None:
    """Two runs would share it. Reports are kept for good, under names of their own."""
    for path in role.glob("*/*.yml"):
        for text in re.findall(r"role_path[^\n]*", path.read_text(encoding="utf-8")):
            named = re.search(r"/\.\./\.\./([\w.]+)", text)
            assert named is None or named[1] in {"baselines", "reports", "rules", "schemas"}, path


def test_no_task_loops_over_a_windows_module(role: Path) -> None:
    def tasks(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        flat = []
        for item in items:
            flat.append(item)
            for part in ("block", "rescue", "always"):
                flat += tasks(item.get(part, []))
        return flat

    for path in (role / "tasks").glob("*.yml"):
        for task in tasks(load(path)):
            remote = any(key.split(".")[-1].startswith("win_") for key in task)
            looped = any(key == "loop" or key.startswith("with_") for key in task)
            assert not (remote and looped), f"{path.name}: {task['name']}"

"""What holds for the repository as a whole."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml

from opsproof.run.executor import CALLBACKS

PROJECT = Path(__file__).resolve().parents[2]


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True
    ).stdout
    paths = [PROJECT / name for name in listed.split("\0") if name]
    assert paths, "git lists no files: this test needs a checkout"
    return [path for path in paths if path.is_file()]


def test_galaxy_requirements_are_the_installed_collections() -> None:
    wanted = yaml.safe_load((PROJECT / "requirements.yml").read_text())["collections"]
    assert wanted
    root = distribution("ansible").locate_file("ansible_collections")
    for collection in wanted:
        manifest = Path(str(root), *collection["name"].split("."), "MANIFEST.json")
        installed = json.loads(manifest.read_text())["collection_info"]["version"]
        assert collection["version"] == installed, collection["name"]


def test_ansible_finds_the_callbacks_that_runs_load_too() -> None:
    """They live in the package; plain ansible-playbook and Molecule know them from ansible.cfg."""
    settings = configparser.ConfigParser()
    settings.read(PROJECT / "ansible.cfg")
    assert PROJECT / settings["defaults"]["callback_plugins"] == CALLBACKS
    assert (CALLBACKS / "preload.py").is_file()


def test_the_lock_has_hashes_and_names_no_index() -> None:
    lock = (PROJECT / "requirements.lock").read_text()
    assert "--index-url" not in lock
    assert "http" not in lock
    for requirement in re.split(r"\n(?=\S)", lock.strip()):
        if not requirement.startswith("#"):
            assert "--hash=sha256:" in requirement, requirement.splitlines()[0]


def test_nothing_speaks_of_a_particular_machine() -> None:
    """No home folder, no checkout path, no package host."""
    patterns = re.compile(
        rb"/(?:home|Users)/[a-z][a-z0-9]+/|/root/|/work/|files\.pythonhosted|pypi\.org|deb\.debian"
    )
    for path in tracked():
        if path == Path(__file__):
            continue
        found = patterns.search(path.read_bytes())
        assert found is None, f"{path.relative_to(PROJECT)}: {found and found.group()!r}"


def test_no_certificate_check_is_switched_off() -> None:
    patterns = re.compile(
        r"cert_validation:\s*[\"']?ignore|validate_certs:\s*(?:false|no)\b|verify\s*=\s*False|CERT_NONE"
    )
    for path in tracked():
        if path != Path(__file__) and path.suffix in {".py", ".yml", ".yaml", ".cfg", ".toml"}:
            found = patterns.search(path.read_text(encoding="utf-8", errors="replace"))
            assert found is None, f"{path.relative_to(PROJECT)}: {found and found.group()}"


@pytest.mark.parametrize("name", ["LICENSE", "README.md", "README.zh.md", "ansible.cfg", ".ci/run"])
def test_a_newcomer_finds(name: str) -> None:
    assert (PROJECT / name).stat().st_size > 0

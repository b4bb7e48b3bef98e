from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from opsproof.errors import UsageError
from opsproof.run import provenance

ROOT = Path(__file__).parents[2]


def test_versions_name_every_tool_and_pinned_collection() -> None:
    found = provenance.versions(ROOT)
    pinned = provenance.pinned_collections(ROOT)
    assert {"opsproof", "ansible-core", "ansible-runner", "python", "openssl"} <= set(found)
    assert pinned
    assert {name: found[name] for name in pinned} == pinned


def test_a_folder_without_git_has_no_commit(tmp_path: Path) -> None:
    assert provenance.commit(tmp_path) == provenance.Commit(None, False)


def test_the_commit_and_whether_files_differ_from_it(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        command = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@y", *words]
        subprocess.run(command, check=True, capture_output=True)

    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "x")
    clean = provenance.commit(tmp_path)
    assert clean.id is not None
    assert len(clean.id) == 40
    assert not clean.dirty
    (tmp_path / "untracked").write_text("1")
    assert not provenance.commit(tmp_path).dirty
    (tmp_path / "file").write_text("2")
    assert provenance.commit(tmp_path) == provenance.Commit(clean.id, True)


def test_the_operator_behind_sudo_is_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert provenance.operator({"SUDO_USER": "wang"}) == "wang"
    assert provenance.operator({}) == "root"


def test_requirements_that_are_no_list_of_collections_are_refused(tmp_path: Path) -> None:
    (tmp_path / "requirements.yml").write_text("collections: [{name: x}]\n")
    with pytest.raises(UsageError, match="it is not a list of collections with versions"):
        provenance.pinned_collections(tmp_path)
    assert provenance.pinned_collections(tmp_path / "none") == {}

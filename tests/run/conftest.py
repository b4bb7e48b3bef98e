from __future__ import annotations

from pathlib import Path

import pytest
from tests.run.sample_project import write_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sample project, as working folder, with a temporary folder of its own."""
    folder = tmp_path / "project"
    write_project(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return folder

from __future__ import annotations

from pathlib import Path

import pytest
from tests.evidence import samples

from opsproof.evidence.keys import Keys


@pytest.fixture(scope="session")
def keys() -> Keys:
    return samples.keys()


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"

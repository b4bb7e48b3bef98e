"""A drill that the verbs work on."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.signatures import drills

from opsproof.evidence.keys import create_demo_keys
from opsproof.signatures import simulate
from opsproof.signatures.simulate import Drill


@pytest.fixture
def drill(tmp_path: Path) -> Drill:
    lab = drills.lab_of("ecdsa")
    create_demo_keys(tmp_path / "keys", now=lab.now)
    return simulate.simulate(tmp_path, lab, records=30, seed=9, damaged_percent=60)

"""The Molecule scenarios of the roles that only look at hosts, against a lab of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.scenarios import LOOKING, pass_every_step

pytestmark = pytest.mark.e2e


def test_every_scenario_passes_every_step(tmp_path: Path) -> None:
    assert {"inspection", "estate"} <= LOOKING
    pass_every_step(LOOKING, tmp_path)

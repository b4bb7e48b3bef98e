"""The project's own rules, compiled once."""

from __future__ import annotations

import pytest
from tests.rules.cases import RULES

from opsproof.logs.rules.compiled import RuleSet
from opsproof.logs.rules.load import load


@pytest.fixture(scope="session")
def rules() -> RuleSet:
    return load([RULES])

"""Compiled rules of tests stay out of the user's cache; rules and logs of several tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.logs.samples import RULES, WEB, failures

from opsproof.logs.rules.compiled import RuleSet
from opsproof.logs.rules.load import compile_texts
from winlab.host.evtx_writer import evtx_bytes


@pytest.fixture(autouse=True, scope="package")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return compile_texts([("rules.yml", RULES.encode())])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "logs"
    made.mkdir()
    (made / "security.evtx").write_bytes(evtx_bytes(failures(1, 2, 3, 4)))
    (made / "W3SVC1_u_ex260105.log").write_text(WEB)
    return made

from __future__ import annotations

from pathlib import Path

import pytest
from tests.reports.estate import MORNING, Sealing, lab, missed, partial_run, troubled

from opsproof.evidence.keys import Keys, ensure_keys


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return ensure_keys(tmp_path_factory.mktemp("report-keys") / "keys")


@pytest.fixture
def sealing(tmp_path: Path, keys: Keys) -> Sealing:
    return Sealing(tmp_path / "reports", keys)


@pytest.fixture(scope="session")
def sealed_days(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Path:
    """A quiet day, then the troubled one with a retry: read only."""
    reports = tmp_path_factory.mktemp("sealed") / "reports"
    sealing = Sealing(reports, keys)
    sealing.run(lab(), start=MORNING.replace(day=21), nonce="1111")
    run = sealing.run(troubled(), change=partial_run(missed=missed("weekly-review")))
    again = {"app-icert-02": lab()["app-icert-02"]}
    sealing.run(
        again, start=MORNING.replace(hour=2), nonce="2222", change=partial_run(retry_of=run.name)
    )
    return reports

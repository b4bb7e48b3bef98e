"""What killed runs left in the reports folder, and where it goes once it has been reported.

Rule: a partial folder of a dead process is named in the record of the next run that is sealed
(``interrupted`` in run.json). Only after that sealing it moves to ``reports/interrupted/ID``, so a
reporting run that is killed itself loses nothing. It stays there, unsealed and so no evidence, for
:data:`KEPT`, then it is removed by a later run.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from opsproof.evidence.seal import RUNS, partial_path
from opsproof.run.lock import try_lock

INTERRUPTED = "interrupted"
KEPT = timedelta(days=183)
"""Six months, the time for which network logs are kept by law."""


def put_away(reports: Path, ids: Iterable[str], now: datetime) -> list[Path]:
    """Moves the partial folders of these runs; answers where they are now.

    One that a living process holds again, or that is gone, is left alone.
    """
    moved = []
    shelf = reports / INTERRUPTED
    for run_id in ids:
        partial = partial_path(reports, RUNS, run_id)
        if not partial.is_dir():
            continue
        held = try_lock(partial)
        if held is None:
            continue
        shelf.mkdir(mode=0o700, exist_ok=True)
        moved.append(partial.rename(shelf / run_id))
        os.close(held)
    _expire(shelf, now)
    return moved


def _expire(shelf: Path, now: datetime) -> None:
    limit = f"{now - KEPT:%Y%m%dT%H%M%SZ}"
    for folder in sorted(shelf.glob("[0-9]*Z-*")) if shelf.is_dir() else ():
        if folder.name.partition("-")[0] < limit:
            shutil.rmtree(folder)

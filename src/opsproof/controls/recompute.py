"""Findings from what a bundle holds, and nothing else: used when sealing and again by ``verify``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from opsproof.controls.load import parse_controls
from opsproof.controls.model import Control
from opsproof.controls.scope import INPUT, Known, evaluate_run
from opsproof.controls.waivers import parse_waivers
from opsproof.errors import IncompleteError
from opsproof.evidence.ids import moment
from opsproof.evidence.model import Finding, Observation, Run

CONTROLS = "controls/"
WAIVERS = "waivers.yml"


def evaluate_inputs(
    run: Run, observations: Sequence[Observation], inputs: Mapping[str, bytes]
) -> list[Finding]:
    """All findings of a run, from its observations and the copies below ``inputs/``.

    Used: ``controls/*.yml``, ``known.json`` and, where there are waivers, ``waivers.yml``; ``now``
    is ``run.evaluated_at``.

    Raises:
        IncompleteError: one of these is not there.
        YamlError, CanonicalError: one of these cannot be read.
    """
    files = {
        name.removeprefix(CONTROLS): data
        for name, data in inputs.items()
        if name.startswith(CONTROLS) and name.endswith(".yml")
    }
    for name, there in ((CONTROLS, files), (INPUT, INPUT in inputs)):
        if not there:
            raise IncompleteError("is missing, so that nothing can be evaluated", where=name)
    controls = _controls(tuple(sorted(files.items())))
    waivers = parse_waivers(inputs.get(WAIVERS, b""))
    known = Known.from_bytes(inputs[INPUT])
    return evaluate_run(run, controls, observations, known, waivers, moment(run.evaluated_at))


@lru_cache(maxsize=64)
def _controls(files: tuple[tuple[str, bytes], ...]) -> tuple[Control, ...]:
    """Parse once what hundreds of bundles of a ledger carry alike."""
    return tuple(parse_controls(dict(files)))

"""The controls of a run, as its bundle keeps them: titles, remedies and clause mapping."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache

from opsproof.controls.load import parse_controls
from opsproof.controls.model import Control, Text
from opsproof.controls.waivers import parse_waivers
from opsproof.reports.model import Bilingual, Clause, ControlRecord, WaiverRecord

CONTROLS_INPUT = "controls/"
WAIVERS_INPUT = "waivers.yml"


def controls_of(inputs: Mapping[str, bytes]) -> dict[str, ControlRecord]:
    """By control id, from the files below ``inputs/controls/`` of a bundle.

    Raises:
        YamlError: a file there is not one of controls.
    """
    return {
        control.id: ControlRecord(
            id=control.id,
            sha256=control.sha256,
            file=f"inputs/{CONTROLS_INPUT}{name}",
            owner=control.owner.path if control.owner else "",
            owner_remedy=_both(control.owner.remedy) if control.owner else {},
            activity=control.activity,
            subject=control.subject.value,
            severity=control.severity.value,
            title=_both(control.title),
            remedy=_both(control.remedy),
            demands=control.demands,
            clauses=tuple(Clause(id=c.id, reviewed=c.reviewed) for c in control.clauses),
        )
        for name, data in _files(inputs).items()
        for control in _parsed(name, data)
    }


@lru_cache(maxsize=32)
def _parsed(name: str, data: bytes) -> tuple[Control, ...]:
    """Parse once what the bundles of a sheet carry alike."""
    return tuple(parse_controls({name: data}, where="inputs/controls"))


def waivers_of(inputs: Mapping[str, bytes]) -> list[WaiverRecord]:
    """The waivers that a run applied, from ``inputs/waivers.yml``; none when there is no file.

    Raises:
        YamlError: the file is not one of waivers.
    """
    return [
        WaiverRecord(**asdict(waiver))
        for waiver in parse_waivers(inputs.get(WAIVERS_INPUT, b""), name="inputs/waivers.yml")
    ]


def controls_digest(bundles: Sequence[Mapping[str, bytes]]) -> str:
    """SHA-256 over the ``sha256sum`` lines of all control files; empty when there are none."""
    lines = sorted(
        f"{hashlib.sha256(data).hexdigest()}  {name}\n"
        for inputs in bundles
        for name, data in _files(inputs).items()
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest() if lines else ""


def _files(inputs: Mapping[str, bytes]) -> dict[str, bytes]:
    return {
        path.removeprefix(CONTROLS_INPUT): data
        for path, data in inputs.items()
        if path.startswith(CONTROLS_INPUT) and path.endswith(".yml")
    }


def _both(text: Text) -> Bilingual:
    return {"zh-CN": text.zh, "en": text.en}

"""The data that verdicts follow from: controls, waivers, and the register of subjects."""

from __future__ import annotations

from pathlib import Path

import msgspec

from opsproof.controls.load import parse_controls
from opsproof.controls.model import Control
from opsproof.controls.recompute import CONTROLS, WAIVERS
from opsproof.controls.waivers import Waiver, parse_waivers
from opsproof.errors import UsageError
from opsproof.evidence.model import SubjectKind
from opsproof.yaml_file import read_yaml


class Rules(msgspec.Struct, frozen=True):
    """Controls and waivers, and the files that they were read from by path below ``inputs/``.

    ``register`` maps a host to ``(activity, kind, id)`` of the subjects that ``register.yml`` beside
    the inventory says must exist there::

        subjects:
          - {activity: inspection, kind: site, id: portal, host: app-01}
    """

    controls: tuple[Control, ...]
    waivers: tuple[Waiver, ...]
    register: dict[str, list[tuple[str, SubjectKind, str]]]
    files: dict[str, bytes]


def load_rules(project: Path, beside: Path) -> Rules:
    """Reads ``controls/*.yml`` of the project and what lies beside the inventory's sources.

    Detection rules below ``rules/`` are kept as they are: hits, and so facts, follow from them.

    Raises :class:`UsageError` naming file and line: a run must not start with rules that are wrong.
    """
    folder = project / "controls"
    found = {path.name: path.read_bytes() for path in sorted(folder.glob("*.yml"))}
    if not found:
        raise UsageError("it holds no controls", where=str(folder))
    controls = parse_controls(found, where=str(folder))
    files = {f"{CONTROLS}{name}": data for name, data in found.items()}
    path = beside / WAIVERS
    files |= {
        rule.relative_to(project).as_posix(): rule.read_bytes()
        for rule in sorted((project / "rules").rglob("*.y*ml"))
    }
    files[WAIVERS] = path.read_bytes() if path.is_file() else b"[]\n"
    waivers = parse_waivers(files[WAIVERS], name=str(path), controls=(one.id for one in controls))
    return Rules(tuple(controls), tuple(waivers), _register(beside / "register.yml"), files)


def _register(path: Path) -> dict[str, list[tuple[str, SubjectKind, str]]]:
    if not path.is_file():
        return {}
    try:
        entries = msgspec.convert(read_yaml(path), _Register).subjects
    except msgspec.ValidationError as error:
        raise UsageError(str(error), where=str(path)) from error
    found: dict[str, list[tuple[str, SubjectKind, str]]] = {}
    for entry in entries:
        found.setdefault(entry.host, []).append((entry.activity, entry.kind, entry.id))
    return found


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    activity: str
    kind: SubjectKind
    id: str
    host: str


class _Register(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    subjects: tuple[_Entry, ...]

"""Checks of one run's bundle: records, links between them, artifacts, and the findings anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from opsproof.controls import EVALUATOR, evaluate_inputs
from opsproof.errors import IncompleteError, OpsproofError
from opsproof.evidence import cms
from opsproof.evidence.bundle import ARTIFACTS, FINDINGS, OBSERVATIONS
from opsproof.evidence.canonical import canonical
from opsproof.evidence.ids import FINDING, OBSERVATION, content_id
from opsproof.evidence.model import Artifact, Finding, Observation
from opsproof.evidence.reader import Bundle, load_bundle
from opsproof.evidence.records import RUN_FILE
from opsproof.evidence.sums import sha256_file
from opsproof.evidence.verify.folder import Folder
from opsproof.evidence.verify.result import Verification

_SHOWN = 5


@dataclass(frozen=True)
class Bureau:
    """The bureau's certificate and private key, with which artifacts can be opened."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


def check_run(folder: Folder, bureau: Bureau | None, result: Verification) -> None:
    """Check that the records of a bundle are whole and that its findings follow from them."""
    try:
        bundle = load_bundle(folder.path)
    except IncompleteError as error:
        result.incomplete(_relative(folder, error.where), error.what)
        return
    except OpsproofError as error:
        result.tampered(_relative(folder, error.where), error.what)
        return
    _check_ids(folder, bundle, result)
    _check_artifacts(folder, bundle, bureau, result)
    _check_findings(folder, bundle, result)


def _check_ids(folder: Folder, bundle: Bundle, result: Verification) -> None:
    records: list[tuple[str, str, Iterable[Observation | Finding]]] = [
        (OBSERVATIONS, OBSERVATION, bundle.observations),
        (FINDINGS, FINDING, bundle.findings),
    ]
    known = {observation.id for observation in bundle.observations}
    for name, prefix, entries in records:
        seen: set[str] = set()
        for number, entry in enumerate(entries, 1):
            place = folder.place(f"{name}:{number}")
            result.done["record id"] += 1
            if entry.id != content_id(prefix, entry):
                result.tampered(place, f"the id {entry.id} does not follow from the content")
            if entry.id in seen:
                result.tampered(place, f"{entry.id} stands there twice")
            if entry.run != bundle.run.id:
                result.tampered(place, f"{entry.id} is of run {entry.run}")
            seen.add(entry.id)
    for number, finding in enumerate(bundle.findings, 1):
        for name in sorted(set(finding.evidence) - known):
            result.tampered(folder.place(f"{FINDINGS}:{number}"), f"rests on {name}, not here")


def _check_artifacts(
    folder: Folder, bundle: Bundle, bureau: Bureau | None, result: Verification
) -> None:
    named: dict[str, Artifact] = {}
    for observation in bundle.observations:
        for artifact in observation.artifacts:
            if artifact.stored_as:
                named[artifact.stored_as] = artifact
    there = {
        path.relative_to(folder.path).as_posix() for path in folder.path.glob(f"{ARTIFACTS}/*")
    }
    for name in sorted(there - set(named)):
        result.tampered(folder.place(name), "no observation names this artifact")
    for name, artifact in sorted(named.items()):
        if name in there:
            _check_artifact(folder, name, artifact, bureau, result)
        elif name not in folder.pruned:
            # A file that the hash list names was reported as missing already.
            place = folder.place(name)
            if place not in {problem.where for problem in result.problems}:
                result.incomplete(place, "an observation names it and it is missing")


def _check_artifact(
    folder: Folder, name: str, artifact: Artifact, bureau: Bureau | None, result: Verification
) -> None:
    path, place = folder.path / name, folder.place(name)
    stored = sha256_file(path)
    if f"{ARTIFACTS}/{stored}" != name:
        result.tampered(place, "is not what its name says")
        return
    result.done["artifact name"] += 1
    if artifact.stored == "plain":
        if stored != artifact.sha256:
            result.tampered(place, f"is not {artifact.name} as it was collected")
        return
    if bureau is None:
        result.skip(
            "the content of encrypted artifacts: only the bureau's key opens them (--bureau-key)"
        )
        return
    try:
        raw = cms.decrypt(path.read_bytes(), bureau.certificate, bureau.key)
    except OpsproofError as error:
        result.skip(f"the content of {place}: {error.what}")
        return
    result.done["artifact content"] += 1
    if hashlib.sha256(raw).hexdigest() != artifact.sha256 or len(raw) != artifact.size:
        result.tampered(place, f"does not hold {artifact.name} as it was collected")


def _check_findings(folder: Folder, bundle: Bundle, result: Verification) -> None:
    if bundle.run.evaluator != EVALUATOR:
        result.skip(
            f"the findings of {bundle.run.id}: they were made by evaluator {bundle.run.evaluator}, "
            f"this tool has {EVALUATOR}"
        )
        return
    try:
        again = evaluate_inputs(bundle.run, bundle.observations, bundle.inputs)
    except IncompleteError as error:
        result.incomplete(folder.place(f"inputs/{error.where}"), error.what)
        return
    except (OpsproofError, ValueError) as error:
        result.tampered(folder.place("inputs"), f"cannot be evaluated: {error}")
        return
    differing = [
        (number, sealed, computed)
        for number, (sealed, computed) in enumerate(zip_longest(bundle.findings, again), 1)
        if sealed is None or computed is None or canonical(sealed) != canonical(computed)
    ]
    for number, sealed, computed in differing[:_SHOWN]:
        result.tampered(folder.place(f"{FINDINGS}:{number}"), _difference(sealed, computed))
    if len(differing) > _SHOWN:
        more = len(differing) - _SHOWN
        result.tampered(folder.place(FINDINGS), f"{more} more findings do not follow")
    result.done["finding recomputed"] += len(again)


def _difference(sealed: Finding | None, computed: Finding | None) -> str:
    if sealed is None:
        assert computed is not None
        return f"the finding {computed.control} about {computed.subject.key} is missing"
    if computed is None or (sealed.control, sealed.subject) != (computed.control, computed.subject):
        return f"the finding {sealed.control} about {sealed.subject.key} does not belong here"
    return (
        f"the finding {sealed.control} about {sealed.subject.key} does not follow: "
        f"it says {sealed.state}, the facts say {computed.state}"
    )


def _relative(folder: Folder, where: str) -> str:
    return folder.place(where.removeprefix(f"{folder.path}/")) if where else folder.place(RUN_FILE)

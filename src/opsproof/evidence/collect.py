"""What a role hands over: facts checked, cleaned and made into observations.

The ``evidence`` action is thin over :func:`collect`; the runner reads its result from the job
events with :func:`read_result`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from opsproof.errors import UsageError
from opsproof.evidence.canonical import canonical
from opsproof.evidence.ids import OBSERVATION, content_id, timestamp
from opsproof.evidence.model import Artifact, Observation, Subject, SubjectKind
from opsproof.evidence.redaction import Redactor, as_records
from opsproof.evidence.schemas import FactsError, validate
from opsproof.evidence.sums import sha256_file

LARGEST_OBSERVATION = 256 * 1024
"""Bytes of canonical JSON; ansible-runner drops results a little above twice that (design.md)."""

RESULT_KEY = "opsproof_evidence"


class _Arg(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    pass


class SubjectArg(_Arg, kw_only=True):
    """A subject beside the host itself, with its facts."""

    kind: SubjectKind
    id: str
    facts: dict[str, Any]


class ArtifactArg(_Arg, kw_only=True):
    """A file on the controller that the facts were read from."""

    path: str
    name: str
    media_type: str


class CollectArgs(_Arg, kw_only=True):
    """The arguments of the ``evidence`` action.

    ``facts`` are those of the host, None when only ``subjects`` are handed over. ``schema`` is
    ``ACTIVITY/1``. ``clock_offset_ms``: host clock minus controller clock, milliseconds.
    """

    activity: str
    collector: str
    facts: dict[str, Any] | None = None
    subjects: list[SubjectArg] = []
    artifacts: list[ArtifactArg] = []
    clock_offset_ms: int | None = None
    schema: str | None = None


class StagedFile(msgspec.Struct, frozen=True, kw_only=True):
    """Where on the controller the file of an artifact lies until it is in the bundle."""

    sha256: str
    path: str


@dataclass(frozen=True)
class Collected:
    """Observations of one host, and the files behind them."""

    observations: tuple[Observation, ...]
    files: tuple[StagedFile, ...]

    def to_result(self) -> dict[str, Any]:
        """The value of ``opsproof_evidence`` in the action's result."""
        built: dict[str, Any] = msgspec.to_builtins(
            {"observations": self.observations, "files": self.files}
        )
        return built


def collect(
    arguments: Mapping[str, Any],
    *,
    run_id: str,
    host: str,
    now: datetime,
    secrets: Iterable[str] = (),
) -> Collected:
    """Check and clean what a role hands over.

    ``secrets`` are exact values that must not appear, such as the connection's password.

    Raises:
        FactsError: an argument or a fact does not fit, naming its path; or one observation is
            larger than 256 KB.
        OSError: a file cannot be read.
    """
    try:
        args = msgspec.convert(_plain(arguments), CollectArgs)
    except msgspec.ValidationError as error:
        raise FactsError(str(error), where="arguments") from error
    if args.schema not in (None, f"{args.activity}/1"):
        raise FactsError(f"the schema {args.schema!r} is not known", where=args.activity)
    redactor = Redactor(secrets)
    artifacts, files = _artifacts(args.artifacts, redactor)
    wanted = [(Subject(kind=a.kind, id=a.id, host=host), a.facts) for a in args.subjects]
    if args.facts is not None:
        wanted.insert(0, (Subject(kind=SubjectKind.HOST, id=host, host=host), args.facts))
    if not wanted:
        raise FactsError("neither facts nor subjects were handed over", where="arguments")
    keys = Counter(subject.key for subject, _ in wanted)
    if twice := sorted(key for key, count in keys.items() if count > 1):
        raise FactsError(f"the subject {twice[0]} was handed over twice", where="arguments")
    observations = tuple(
        _observation(args, subject, facts, artifacts, redactor, run_id, now)
        for subject, facts in wanted
    )
    return Collected(observations, files)


def read_result(result: Mapping[str, Any]) -> Collected | None:
    """What an action's result in a job event holds; None when it is not of the evidence action.

    Raises:
        UsageError: it is damaged (ansible-runner replaces a result that is too large by ``{}``).
    """
    value = result.get(RESULT_KEY)
    if value is None:
        return None
    try:
        observations = msgspec.convert(value["observations"], tuple[Observation, ...])
        files = msgspec.convert(value["files"], tuple[StagedFile, ...])
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise UsageError(f"a job event holds damaged evidence: {error}") from error
    if not observations:
        raise UsageError("a job event holds evidence without observations")
    return Collected(observations, files)


def _observation(
    args: CollectArgs,
    subject: Subject,
    raw: dict[str, Any],
    artifacts: tuple[Artifact, ...],
    redactor: Redactor,
    run_id: str,
    now: datetime,
) -> Observation:
    where = "facts" if subject.kind is SubjectKind.HOST else f"subjects[{subject.id}].facts"
    facts, counts = redactor.value(validate(args.activity, subject.kind, raw, where=where))
    observation = Observation(
        id="",
        run=run_id,
        activity=args.activity,
        subject=subject,
        collected_at=timestamp(now),
        clock_offset_ms=args.clock_offset_ms,
        collector=args.collector,
        facts=facts,
        artifacts=artifacts,
        redactions=as_records(counts),
    )
    size = len(canonical(observation))
    if size > LARGEST_OBSERVATION:
        raise FactsError(
            f"the observation has {size} bytes, more than {LARGEST_OBSERVATION}",
            where=f"{args.activity}/{subject.key}",
            remedy="hand the bulk over as an artifact",
        )
    return msgspec.structs.replace(observation, id=content_id(OBSERVATION, observation))


def _plain(value: Any) -> Any:
    """The value in Python's own types: ansible-core 2.19 hands over subclasses that carry tags."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _artifacts(
    wanted: Iterable[ArtifactArg], redactor: Redactor
) -> tuple[tuple[Artifact, ...], tuple[StagedFile, ...]]:
    artifacts: list[Artifact] = []
    files: dict[str, StagedFile] = {}
    for number, entry in enumerate(wanted):
        path = Path(entry.path)
        if not path.is_file():
            raise FactsError(f"{path} is not a file", where=f"artifacts[{number}].path")
        sha256 = sha256_file(path)
        artifacts.append(
            Artifact(
                name=redactor.text(entry.name)[0],
                media_type=entry.media_type,
                size=path.stat().st_size,
                sha256=sha256,
            )
        )
        files[sha256] = StagedFile(sha256=sha256, path=str(path))
    ordered = sorted(artifacts, key=lambda artifact: (artifact.name, artifact.sha256))
    return tuple(ordered), tuple(files[sha256] for sha256 in sorted(files))

"""Building the bundle of one run: add what was seen, write the verdicts, seal."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath

import msgspec
from cryptography import x509

from opsproof.controls.recompute import evaluate_inputs
from opsproof.errors import IncompleteError, OpsproofError, UsageError
from opsproof.evidence import cms
from opsproof.evidence.canonical import canonical_line, jsonable
from opsproof.evidence.collect import Collected
from opsproof.evidence.files import write_durably
from opsproof.evidence.ids import OBSERVATION, RUN_ID, content_id
from opsproof.evidence.keys import Signer
from opsproof.evidence.ledger import EntryKind
from opsproof.evidence.model import Artifact, Finding, Observation, Record, Run
from opsproof.evidence.redaction import Redactor, as_records
from opsproof.evidence.seal import (
    RUNS,
    Checkpoint,
    Place,
    claim_partial,
    no_checkpoint,
    partial_path,
    seal,
)

OBSERVATIONS = "observations.jsonl"
FINDINGS = "findings.jsonl"
INPUTS = "inputs"
ARTIFACTS = "artifacts"


class BundleBuilder:
    """Builds ``reports/runs/.ID.partial`` and seals it as ``reports/runs/ID``.

    The folder exists, and is locked, from construction on: a process that dies leaves it behind
    for the next run to report.
    """

    def __init__(
        self,
        reports: Path,
        run_id: str,
        *,
        bureau: x509.Certificate | None = None,
        secrets: Iterable[str] = (),
        checkpoint: Checkpoint = no_checkpoint,
    ) -> None:
        """Create the partial folder.

        ``bureau`` is the certificate that artifacts are encrypted for, ``secrets`` are values that
        must not appear anywhere.

        Raises:
            UsageError: the run id is malformed.
            FileExistsError: a folder of this id exists already.
        """
        if not RUN_ID.fullmatch(run_id):
            raise UsageError(f"{run_id!r} is not a run id")
        self.reports = reports
        self.run_id = run_id
        self.path = partial_path(reports, RUNS, run_id)
        self._bureau = bureau
        self._redactor = Redactor(secrets)
        self._checkpoint = checkpoint
        self._observations: dict[str, Observation] = {}
        self._artifacts: dict[str, Artifact] = {}
        self._inputs: dict[str, bytes] = {}
        self._run: Run | None = None
        for path in (reports / RUNS / run_id, self.path):
            if path.exists():
                raise FileExistsError(path)
        self._lock = claim_partial(self.path)
        checkpoint("created")

    def add_observation(self, observation: Observation) -> Observation:
        """Take an observation in; returns it as it will be stored: redacted, with its final id.

        Raises:
            UsageError: it belongs to another run.
        """
        if observation.run != self.run_id:
            raise UsageError(f"observation {observation.id} is of run {observation.run}")
        facts, counts = self._redactor.value(jsonable(observation.facts))
        before = Counter({entry.rule: entry.count for entry in observation.redactions})
        stored = msgspec.structs.replace(
            observation, facts=facts, redactions=as_records(counts + before)
        )
        stored = msgspec.structs.replace(stored, id=content_id(OBSERVATION, stored))
        if stored.id not in self._observations:
            self._observations[stored.id] = stored
            with (self.path / OBSERVATIONS).open("ab") as stream:
                stream.write(canonical_line(stored))
        self._checkpoint("observation")
        return stored

    def add_collected(self, collected: Collected, *, encrypt: bool = True) -> list[Observation]:
        """Take in what an ``evidence`` action handed over: its files, then its observations.

        Raises:
            OpsproofError: a staged file is gone or not the one that was collected.
        """
        paths = {file.sha256: Path(file.path) for file in collected.files}
        stored: list[Observation] = []
        for observation in collected.observations:
            artifacts = tuple(
                self.add_artifact(paths[artifact.sha256], artifact, encrypt)
                for artifact in observation.artifacts
            )
            stored.append(
                self.add_observation(msgspec.structs.replace(observation, artifacts=artifacts))
            )
        return stored

    def add_artifact(self, source: Path, artifact: Artifact, encrypt: bool = True) -> Artifact:
        """Copy a raw file in, named by the SHA-256 of what is stored; returns how it is stored.

        ``encrypt`` is for what cannot be redacted (raw logs). The same raw file is stored once.

        Raises:
            OpsproofError: the file is not the one that the artifact describes.
            UsageError: it must be encrypted and the builder has no certificate.
        """
        if known := self._artifacts.get(artifact.sha256):
            return msgspec.structs.replace(artifact, stored=known.stored, stored_as=known.stored_as)
        if not source.is_file():
            raise IncompleteError("is missing", where=str(source))
        raw = source.read_bytes()
        if hashlib.sha256(raw).hexdigest() != artifact.sha256 or len(raw) != artifact.size:
            raise OpsproofError("is not the file that was collected", where=str(source))
        if encrypt and self._bureau is None:
            raise UsageError("there is no certificate to encrypt for", where=str(source))
        data = cms.encrypt(raw, self._bureau) if encrypt and self._bureau else raw
        stored_as = f"{ARTIFACTS}/{hashlib.sha256(data).hexdigest()}"
        (self.path / ARTIFACTS).mkdir(exist_ok=True)
        write_durably(self.path / stored_as, data)
        self._checkpoint("artifact")
        stored = msgspec.structs.replace(
            artifact, stored="encrypted" if encrypt else "plain", stored_as=stored_as
        )
        self._artifacts[artifact.sha256] = stored
        return stored

    def add_input(self, relative: str, data: bytes) -> None:
        """Keep a copy of something that the verdicts depend on, below ``inputs/``.

        Raises:
            UsageError: the path leads elsewhere, or the file holds a secret value.
        """
        path = PurePosixPath(relative)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise UsageError(f"{relative!r} is not a path below {INPUTS}")
        if self._redactor.holds_secret(data.decode("utf-8", "replace")):
            raise UsageError("holds a secret value", where=relative, remedy="move it to the vault")
        target = self.path / INPUTS / path
        target.parent.mkdir(parents=True, exist_ok=True)
        write_durably(target, data)
        self._inputs[path.as_posix()] = data
        self._checkpoint("input")

    @property
    def inputs(self) -> dict[str, bytes]:
        """What :meth:`add_input` took, by path: for ``controls.evaluate_inputs``."""
        return dict(self._inputs)

    @property
    def observations(self) -> list[Observation]:
        """What was taken in so far, in the order of the file."""
        return sorted(
            self._observations.values(),
            key=lambda o: (o.subject.host, o.activity, o.subject.kind, o.subject.id, o.id),
        )

    def write(self, run: Run, findings: Sequence[Finding]) -> None:
        """Write verdicts and the run's record; may be repeated until sealing.

        Where secrets had to be taken out of what the record says about hosts, the findings are
        evaluated again: they must follow from what is sealed, and must not hold what was taken out.

        Raises:
            UsageError: the record or a finding is of another run.
        """
        for name in [run.id, *(finding.run for finding in findings)]:
            if name != self.run_id:
                raise UsageError(f"run {name} does not belong into bundle {self.run_id}")
        self._run = self._clean(run)
        if self._run.hosts != run.hosts:
            findings = evaluate_inputs(self._run, self.observations, self._inputs)
        write_durably(self.path / OBSERVATIONS, _lines(self.observations))
        self._checkpoint("findings")
        write_durably(self.path / FINDINGS, _lines(findings))
        write_durably(self.path / self._run.file_name, canonical_line(self._run))
        self._checkpoint("written")

    def seal(self, signer: Signer, *, now: datetime) -> Path:
        """Seal and return the bundle's final path; the ledger has its line then.

        Raises:
            UsageError: :meth:`write` was not called.
            IncompleteError: the ledger's last line is torn.
        """
        if self._run is None:
            raise UsageError("nothing was written", where=str(self.path))
        run = self._run

        def placed(place: Place) -> Run:
            return msgspec.structs.replace(
                run,
                seq=place.seq,
                previous=place.previous,
                sealed_at=place.sealed_at,
                adopted=tuple(sorted({*run.adopted, *place.adopted})),
            )

        target = seal(
            self.reports,
            RUNS,
            EntryKind.RUN,
            self.run_id,
            signer,
            now=now,
            place=placed,
            checkpoint=self._checkpoint,
        )
        self.close()
        return target

    def close(self) -> None:
        """Give the folder's lock back; what was not sealed counts as interrupted from now on."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _clean(self, run: Run) -> Run:
        clean, counts = self._redactor.value(msgspec.to_builtins(run))
        before = Counter({entry.rule: entry.count for entry in run.redactions})
        record = msgspec.convert(clean, Run)
        return msgspec.structs.replace(record, redactions=as_records(counts + before))


def _lines(records: Iterable[Record]) -> bytes:
    return b"".join(canonical_line(record) for record in records)

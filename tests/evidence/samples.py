"""Sealed evidence for tests: small runs with every kind of file that a bundle can hold."""

from __future__ import annotations

import atexit
import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from opsproof.controls import Known, KnownSubject, evaluate_inputs
from opsproof.evidence.bundle import BundleBuilder
from opsproof.evidence.ids import timestamp
from opsproof.evidence.keys import Keys, ensure_keys
from opsproof.evidence.model import (
    Artifact,
    Observation,
    Outcome,
    Run,
    RunHost,
    Subject,
    SubjectKind,
)
from opsproof.evidence.seal import Checkpoint, no_checkpoint

NOW = datetime(2026, 11, 22, 9, 15, tzinfo=UTC)
RAW = b"ElfFile\x00 raw log of app-01 \r\n" * 40
PLAIN = b"letter,free\nC:,9\n"

CONTROLS = """\
activity: sample
controls:
  - id: SMP-DISK-001
    title: {zh: 磁盘, en: Disk}
    remedy: {zh: 清理, en: Clean up}
    subject: host
    severity: high
    demands: [B-1]
    clauses:
      - {id: "gbt22239-2019:8.1.7.5.a", reviewed: false}
    test: {every: disks, holds: {path: free_percent, at_least: 10}}
  - id: SMP-SITE-001
    title: {zh: 站点, en: Site}
    remedy: {zh: 启动, en: Start it}
    subject: site
    severity: critical
    demands: [C-1]
    clauses: []
    test: {path: state, equals: Started}
""".encode()

WAIVERS = b"""\
- control: SMP-DISK-001
  subject: app-02/host/*
  reason: a disk is ordered
  approver: Wang
  expires: 2026-12-31
"""


def keys(name: str = "keys") -> Keys:
    """Demo keys, made once per process: an RSA key takes most of a second."""
    return _keys(name)[1]


def key_folder(name: str = "keys") -> Path:
    return _keys(name)[0]


@cache
def _keys(name: str) -> tuple[Path, Keys]:
    temporary = TemporaryDirectory(prefix="opsproof-test-keys-")
    atexit.register(temporary.cleanup)
    folder = Path(temporary.name) / name
    return folder, ensure_keys(folder, now=NOW)


def subject(kind: SubjectKind, name: str, host: str) -> Subject:
    return Subject(kind=kind, id=name, host=host)


def observation(
    run: str, about: Subject, facts: dict[str, object], *files: Artifact
) -> Observation:
    return Observation(
        id="",
        run=run,
        activity="sample",
        subject=about,
        collected_at=timestamp(NOW),
        clock_offset_ms=-3,
        collector="sample 1",
        facts=facts,
        artifacts=files,
    )


def artifact(name: str, data: bytes) -> Artifact:
    return Artifact(
        name=name,
        media_type="application/octet-stream",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def run_record(run_id: str, now: datetime = NOW, **changes: object) -> Run:
    fields: dict[str, object] = {
        "id": run_id,
        "kind": "daily",
        "inventory": "lab",
        "playbook": "playbooks/daily.yml",
        "started_at": timestamp(now),
        "finished_at": timestamp(now),
        "evaluated_at": timestamp(now),
        "status": "successful",
        "rc": 0,
        "operator": "engineer",
        "host": "controller",
        "hosts": {
            "app-01": host(Outcome.OK),
            "app-02": host(Outcome.OK),
            "app-03": host(Outcome.UNREACHABLE, "connection refused"),
        },
    }
    return Run(**{**fields, **changes})  # type: ignore[arg-type]


def host(outcome: Outcome, reason: str = "") -> RunHost:
    seen = outcome is not Outcome.UNREACHABLE
    return RunHost(outcome=outcome, planned=True, seen=seen, activities=("sample",), reason=reason)


def known() -> Known:
    return Known(
        subjects=(
            KnownSubject(
                activity="sample",
                subject=subject(SubjectKind.SITE, "portal", "app-03"),
                source="register",
            ),
        )
    )


def fill(builder: BundleBuilder, scratch: Path, now: datetime = NOW) -> None:
    """Everything but sealing."""
    raw, plain = scratch / "raw", scratch / "plain"
    raw.write_bytes(RAW)
    plain.write_bytes(PLAIN)
    log = builder.add_artifact(raw, artifact("Security.evtx", RAW))
    table = builder.add_artifact(plain, artifact("disks.csv", PLAIN), encrypt=False)
    run = builder.run_id
    for name, free in (("app-01", 9), ("app-02", 8)):
        facts: dict[str, object] = {"disks": [{"letter": "C:", "free_percent": free}]}
        about = subject(SubjectKind.HOST, name, name)
        builder.add_observation(observation(run, about, facts, log, table))
    about = subject(SubjectKind.SITE, "portal", "app-01")
    builder.add_observation(observation(run, about, {"state": "Started"}))
    builder.add_input("controls/sample.yml", CONTROLS)
    builder.add_input("waivers.yml", WAIVERS)
    builder.add_input("known.json", known().to_bytes())
    record = run_record(run, now)
    builder.write(record, evaluate_inputs(record, builder.observations, builder.inputs))


def sealed_run(
    reports: Path,
    number: int = 1,
    *,
    signer: Keys | None = None,
    checkpoint: Checkpoint = no_checkpoint,
) -> Path:
    """Seal run ``number``; numbers are a day apart."""
    now = NOW + timedelta(days=number - 1)
    run_id = f"{now:%Y%m%dT%H%M%SZ}-daily-{number:04x}"
    used = signer or keys()
    builder = BundleBuilder(reports, run_id, bureau=used.bureau, checkpoint=checkpoint)
    with TemporaryDirectory() as scratch:
        fill(builder, Path(scratch), now)
    return builder.seal(used.signer, now=now)

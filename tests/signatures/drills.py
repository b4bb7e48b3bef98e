"""Drills shared by tests: keys are made once, data sets are cheap."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.signatures.conftest import NOW

from opsproof.signatures import basedata, simulate
from opsproof.signatures.algorithms import Algorithm
from opsproof.signatures.analyse import Analysis, Job, analyse
from opsproof.signatures.database import Database
from opsproof.signatures.lab import Lab, Signer
from opsproof.signatures.model import Diagnosis
from opsproof.signatures.plan import Plan
from opsproof.signatures.planner import make_plan
from opsproof.signatures.signing import Signed
from opsproof.signatures.simulate import Drill
from opsproof.signatures.workbook import Workbook

SHAPES = [
    ("rsa", "raw", "base64", "international", "serial-hex"),
    ("rsa", "cms-detached", "base64", "international", "embedded"),
    ("rsa", "raw", "hex-upper", "international", "sha1"),
    ("rsa-pss", "raw", "base64", "international", "serial-hex"),
    ("rsa-pss", "raw", "hex-lower", "international", "sha256"),
    ("rsa-pss", "cms-detached", "base64", "international", "serial-hex"),
    ("rsa-pss", "cms-attached", "binary", "international", "embedded"),
    ("ecdsa", "raw", "base64", "international", "serial-hex"),
    ("ecdsa", "rs", "base64", "international", "serial-decimal"),
    ("ecdsa", "cms-attached", "base64", "international", "sha256"),
    ("ecdsa", "raw", "binary", "international", "serial-hex"),
    ("sm2", "raw", "base64", "international", "serial-hex"),
    ("sm2", "rs", "hex-lower", "international", "serial-hex"),
    ("sm2", "cms-detached", "base64", "chinese", "embedded"),
    ("sm2", "cms-attached", "base64", "chinese", "serial-hex"),
    ("sm2", "cms-attached", "hex-upper", "international", "serial-hex"),
]
"""Every kind of stored signature that is read: family, form, encoding, flavour, how its
certificate is named."""

_labs: dict[str, Lab] = {}


def lab_of(family: str) -> Lab:
    if family == "sm2":
        pytest.importorskip("gmssl_pyx", reason="the extra sm2 is not installed")
    if family not in _labs:
        _labs[family] = simulate.new_lab(family, NOW)
    return _labs[family]


@dataclass(frozen=True)
class LabService:
    """A signing service that holds its key in memory; ``calls`` counts what it signed."""

    signer: Signer
    calls: list[bytes]

    def sign(self, message: bytes, algorithms: tuple[Algorithm, ...], at: datetime) -> Signed:
        assert at.tzinfo is not None
        assert self.signer.algorithm in algorithms
        self.calls.append(message)
        signature = self.signer.key.sign(self.signer.algorithm, message)
        return Signed(signature, self.signer.certificate, self.signer.algorithm)


def service_of(drill: Drill) -> LabService:
    return LabService(drill.lab.good[0], [])


def job_of(drill: Drill, *, base: bool = True) -> Job:
    folder = drill.folder
    return Job(
        url=drill.url,
        profile=drill.profile,
        certificates=(folder / "signers.pem",),
        trusted=(folder / "ca.pem",),
        revocations=(folder / "ca.crl",),
        require_revocation=False,
        now=NOW,
        workbook=folder / "workbook.db",
        base_delivered=base,
    )


def analysed(drill: Drill, *, base: bool = True, **options: Any) -> tuple[Job, Analysis]:
    job = job_of(drill, base=base)
    workbook = Workbook(job.workbook, fresh=True)
    if base:
        database = Database(drill.url, drill.profile)
        rows = basedata.read(drill.folder / "base.csv", drill.profile)
        workbook.add_base(rows, database.key_form)
        database.close()
    workbook.close()
    return job, analyse(job, **options)


def planned(drill: Drill, *, fresh: bool = True, base: bool = True) -> tuple[Job, Plan]:
    job, analysis = analysed(drill, base=base)
    service = service_of(drill) if fresh else None
    path: Path = drill.folder / "plan.jsonl"
    return job, make_plan(job, analysis, path, service=service, now=NOW)


def found_by_key(job: Job) -> dict[int, Diagnosis]:
    workbook = Workbook(job.workbook)
    found = {one.key[0]: one for one in workbook.found()}
    workbook.close()
    return found

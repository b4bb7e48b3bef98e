"""Settings of many hosts: what sealing them and making the sheet costs in CPU time, memory and bytes.

    python -m bench findings_scale
    HOSTS=2000 python -m bench findings_scale

No lab: facts are made up, one setting in ten deviates, and a second run moves which ones. The
canonical form is measured beside the reference implementation, rfc8785, in the same run.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import rfc8785

from opsproof.controls.recompute import evaluate_inputs
from opsproof.controls.scope import INPUT, Known
from opsproof.evidence.bundle import BundleBuilder
from opsproof.evidence.canonical import canonical, jsonable
from opsproof.evidence.ids import timestamp
from opsproof.evidence.keys import Keys, ensure_keys
from opsproof.evidence.model import (
    Finding,
    Observation,
    Outcome,
    Run,
    RunHost,
    Subject,
    SubjectKind,
)
from opsproof.policy.baseline import Comparison, Setting, for_host, layered
from opsproof.policy.baseline_yaml import load_layers
from opsproof.reports.daily import daily_sheet
from opsproof.reports.html import render, template_sha256
from opsproof.reports.shelf import data_of
from opsproof.reports.sources import read_day

PROJECT = Path(__file__).resolve().parents[1]
DEVIATING = 10
"""One setting in so many."""


def settings() -> Sequence[Setting]:
    """What a member server of 2022 has."""
    layers = load_layers(["member-server"], PROJECT / "baselines")
    return for_host(layered(layers), release="2022", overrides={})


def facts(wanted: Sequence[Setting], host: int, turn: int) -> dict[str, Any]:
    """One host's facts; which settings deviate depends on host and turn."""
    found: dict[str, Any] = {}
    for number, one in enumerate(wanted):
        value: Any = sorted(one.value) if isinstance(one.value, tuple) else one.value
        if (host * 7 + number * 3 + turn) % DEVIATING == 0:
            value = value + 1 if isinstance(value, int) else "else"
        there = one.comparison is not Comparison.ABSENT
        found[one.slug] = {"present": there, "value": value if there else None}
    return {
        "release": "2022",
        "baselines": ["member-server"],
        "domain": {"name": "", "known": True, "gpos": []},
        "settings": found,
        "changes": [],
        "held": [],
        "left_alone": [],
        "applied": False,
        "restore_sha256": None,
    }


def sealed(reports: Path, keys: Keys, hosts: int, day: int) -> tuple[Path, list[Finding], float]:
    """Seal one run of all hosts; its folder, its findings, and CPU seconds without making facts up."""
    start = datetime(2026, 11, day, 0, 30, tzinfo=UTC)
    run_id, wanted = f"{start:%Y%m%dT%H%M%SZ}-harden-aaaa", settings()
    made = [facts(wanted, host, day) for host in range(hosts)]
    names = [f"host-{host:05}" for host in range(hosts)]
    inputs = {
        "controls/hardening.yml": (PROJECT / "controls" / "hardening.yml").read_bytes(),
        INPUT: Known().to_bytes(),
    }
    began = time.process_time()
    builder = BundleBuilder(reports, run_id, bureau=keys.bureau)
    for name, data in inputs.items():
        builder.add_input(name, data)
    seen = [
        builder.add_observation(
            Observation(
                id="",
                run=run_id,
                activity="hardening",
                subject=Subject(kind=SubjectKind.HOST, id=name, host=name),
                collected_at=timestamp(start),
                clock_offset_ms=0,
                collector="hardening/1",
                facts=found,
            )
        )
        for name, found in zip(names, made, strict=True)
    ]
    planned = RunHost(outcome=Outcome.OK, planned=True, seen=True, activities=("hardening",))
    run = Run(
        id=run_id,
        kind="harden",
        inventory="bench",
        playbook="playbooks/harden.yml",
        started_at=timestamp(start),
        finished_at=timestamp(start),
        evaluated_at=timestamp(start),
        status="completed",
        rc=0,
        operator="bench",
        host="bench",
        hosts=dict.fromkeys(names, planned),
    )
    findings = evaluate_inputs(run, seen, inputs)
    builder.write(run, findings)
    folder = builder.seal(keys.signer, now=start + timedelta(minutes=2))
    return folder, findings, time.process_time() - began


def main() -> int:
    """Print what it costs; there is no limit to keep."""
    hosts = int(os.environ.get("HOSTS", "100"))
    with tempfile.TemporaryDirectory() as name:
        reports = Path(name) / "reports"
        keys = ensure_keys(Path(name) / "keys")
        sealed(reports, keys, hosts, 21)
        folder, findings, seconds = sealed(reports, keys, hosts, 22)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(
            f"{hosts} hosts, {len(findings)} findings: sealed in {seconds:.1f} CPU s, {_mb(size)}"
        )
        _compare(findings[:5000])
        del findings
        _sheet(reports)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory at most {peak:.0f} MiB")
    return 0


def _compare(findings: Sequence[Finding]) -> None:
    """The canonical form, ours and the reference's, in turns, so that both see the same machine."""
    ours = theirs = 0.0
    for start in range(0, len(findings), 500):
        part = findings[start : start + 500]
        at = time.process_time()
        mine = [canonical(finding) for finding in part]
        ours += time.process_time() - at
        at = time.process_time()
        reference = [rfc8785.dumps(jsonable(finding)) for finding in part]
        theirs += time.process_time() - at
        assert mine == reference
    print(
        f"canonical form: {theirs:.2f} against {ours:.2f} CPU s = {theirs / max(ours, 1e-9):.0f} x"
    )


def _sheet(reports: Path) -> None:
    at = time.process_time()
    day = read_day(reports, datetime(2026, 11, 22, tzinfo=UTC).date())
    read = time.process_time()
    sheet = daily_sheet(day, template_sha256=template_sha256())
    data = data_of(sheet)
    page = render(sheet, "zh-CN").encode()
    done = time.process_time()
    print(
        f"sheet with changes since the run before: read in {read - at:.1f}, made in {done - read:.1f} "
        f"CPU s; data {_mb(len(data))}, page {_mb(len(page))}"
    )


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


if __name__ == "__main__":
    raise SystemExit(main())

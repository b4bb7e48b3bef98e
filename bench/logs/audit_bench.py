"""The log audit against its limits: ``python -m bench logs``.

Corpora are generated (``bench/logs/corpus.py``: unique records, 15-field W3C lines) and the real
files of ``../shared/data`` where they are. Rules are SigmaHQ's from there, else our own. Every case
runs in a process of its own, so that memory is that case's. Sizes: ``BENCH_MB`` (10^6 bytes, 200).

Other tools are measured where they are: ``ZIRCOLITE`` names Zircolite's script, ``goaccess`` is
looked for on the path. Neither is a dependency; absence is said.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bench.logs.corpus import write_web, write_windows

_DATA = Path(__file__).parents[3] / "shared" / "data"
_SIGMA = _DATA / "sigma" / "rules"
_OURS = Path(__file__).parents[2] / "rules"
_MEGABYTES = int(os.environ.get("BENCH_MB", "200"))

_LIMITS = {
    "evtx unique: times parsing to objects": 6,
    "evtx repetitive: times parsing to objects": 2,
    "correlations of 2,000,000 events: seconds": 5,
    "memory: MB": 500,
}


def rules() -> list[Path]:
    return [_SIGMA if _SIGMA.is_dir() else _OURS]


def audit_file(path: str, processes: str) -> dict[str, Any]:
    from opsproof.logs.audit import audit
    from opsproof.logs.options import Options
    from opsproof.logs.rules.load import default_cache, load

    loaded = load(rules(), default_cache())
    begin = time.perf_counter()
    report = audit([Path(path)], loaded, options=Options(processes=int(processes)))
    return {
        "seconds": time.perf_counter() - begin,
        "records": report.counts.records,
        "hits": report.counts.hits,
        "rules": len(loaded.rules),
    }


def parse_file(path: str) -> dict[str, Any]:
    import evtx
    import msgspec

    decoder = msgspec.json.Decoder()
    count = 0
    begin = time.perf_counter()
    for record in evtx.PyEvtxParser(path, number_of_threads=1).records_json():
        decoder.decode(record["data"])  # type: ignore[index]
        count += 1
    return {"seconds": time.perf_counter() - begin, "records": count}


def correlate() -> dict[str, Any]:
    from opsproof.evidence.model import Severity
    from opsproof.logs.correlate import Entries, bursts, windows
    from opsproof.logs.rules.compiled import Correlation, Input, Meta

    source = np.random.default_rng(1)
    count = 2_000_000
    group, moment = source.integers(0, 5000, count), source.integers(0, 7 * 86_400_000_000, count)
    order = np.lexsort((moment, group))
    which, value = source.integers(0, 3, count), source.integers(0, 5000, count)
    entries = Entries(group[order], moment[order], which[order], value[order])
    meta = Meta("id", "", {"en": ""}, Severity.LOW, "", "", "", {}, (), (), (), (), True)
    inputs = tuple(Input(str(number), ()) for number in range(3))
    found: dict[str, Any] = {}
    for kind in ("event_count", "value_count", "value_sum", "temporal", "temporal_ordered"):
        asked = Correlation(
            meta,
            kind,
            inputs,
            (),
            3_600_000_000,
            count=10 if "count" in kind else 3,
        )
        begin = time.perf_counter()
        bursts(asked, entries, windows(asked, entries))
        found[kind] = round(time.perf_counter() - begin, 2)
    return {"seconds": max(found.values()), "by type": found}


_CASES: dict[str, Callable[..., dict[str, Any]]] = {
    "audit": audit_file,
    "parse": parse_file,
    "correlate": correlate,
}


def run(case: str, *arguments: str) -> dict[str, Any]:
    """One case in a process of its own; adds the peak memory of it and its largest worker."""
    command = [sys.executable, "-m", "bench.logs.audit_bench", case, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def outside(command: list[str]) -> float:
    """Seconds that another tool takes."""
    begin = time.perf_counter()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def repeat(unique: Path, path: Path, megabytes: int) -> None:
    """The first chunks of a log again and again: what a chatty service's log looks like."""
    content = unique.read_bytes()
    header, chunks = content[:4096], content[4096 : 4096 + 64 * 65536]
    with path.open("wb") as file:
        file.write(header)
        for _ in range(megabytes * 1_000_000 // len(chunks)):
            file.write(chunks)


def measure(folder: Path) -> dict[str, float]:
    """All figures by name, told as they come."""
    unique, same, web = folder / "u.evtx", folder / "r.evtx", folder / "u_ex260105.log"
    write_windows(unique, _MEGABYTES)
    repeat(unique, same, _MEGABYTES)
    write_web(web, _MEGABYTES)
    figures: dict[str, float] = {}
    memory = 0.0
    for name, path in (("unique", unique), ("repetitive", same)):
        parsed = run("parse", str(path))
        for processes in ("1", "2"):
            audited = run("audit", str(path), processes)
            memory = max(memory, audited["megabytes"])
            speed = path.stat().st_size / 1e6 / audited["seconds"]
            print(
                f"evtx {name}, {processes} processes: {audited['seconds']:.2f} s, {speed:.0f} MB/s, "
                f"{audited['records']} records, {audited['rules']} rules, "
                f"{audited['megabytes']:.0f} MB; parsing to objects {parsed['seconds']:.2f} s"
            )
            ratio = audited["seconds"] / parsed["seconds"]
            key = f"evtx {name}: times parsing to objects"
            figures[key] = min(ratio, figures.get(key, ratio))
    for processes in ("1", "2"):
        audited = run("audit", str(web), processes)
        memory = max(memory, audited["megabytes"])
        speed = web.stat().st_size / 1e6 / audited["seconds"]
        print(
            f"w3c, {processes} processes: {audited['seconds']:.2f} s, {speed:.0f} MB/s, "
            f"{audited['records']} lines, {audited['megabytes']:.0f} MB"
        )
    found = run("correlate")
    print(f"correlations of 2,000,000 events: {found['by type']}")
    figures["correlations of 2,000,000 events: seconds"] = found["seconds"]
    figures["memory: MB"] = memory
    compare(unique, web)
    return figures


def compare(unique: Path, web: Path) -> None:
    """Other tools on the same files, where they are."""
    zircolite = os.environ.get("ZIRCOLITE")
    if zircolite:
        command = [sys.executable, zircolite, "--evtx", str(unique), "--ruleset", str(rules()[0])]
        print(f"zircolite: {outside(command):.1f} s")
    else:
        print("zircolite: not measured, ZIRCOLITE does not name it")
    goaccess = shutil.which("goaccess")
    if goaccess:
        command = [goaccess, str(web), "--log-format=W3C", "-o", "json"]
        print(f"goaccess: {outside(command):.1f} s")
    else:
        print("goaccess: not measured, it is not installed")


def main() -> int:
    """Measure everything; 1 where a limit is not kept."""
    with tempfile.TemporaryDirectory(prefix="opsproof-bench-") as folder:
        figures = measure(Path(folder))
    worst = 0
    for name, limit in _LIMITS.items():
        kept = figures[name] <= limit
        worst |= not kept
        print(f"{'kept' if kept else 'NOT KEPT'}: {name} {figures[name]:.2f} (limit {limit})")
    return int(worst)


def case(name: str, *arguments: str) -> None:
    """Run one case in this process and print its result as JSON."""
    result = _CASES[name](*arguments)
    mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    count = int(arguments[1]) if name == "audit" and arguments[1] != "1" else 0
    result["megabytes"] = (mine + count * workers) / 1000
    print(json.dumps(result))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        case(*sys.argv[1:])
    else:
        sys.exit(main())

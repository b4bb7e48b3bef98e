"""The log audit against its limits: ``python -m bench logs``.

Corpora are generated (``bench/logs/corpus.py``): unique events; events of a chatty service, the same
ones again and again with times and ids of their own; W3C lines of the 15 fields of IIS 10. Rules are
our own, and SigmaHQ's where ``../shared/data`` is. Every case runs in a process of its own, so that
memory is that case's; what is compared runs in turn, and the best of ``BENCH_ROUNDS`` (4) counts.

``one core`` compares CPU seconds, ``as run`` seconds on the clock with as many processes as cores.
Parsing means: every event as JSON by the ``evtx`` wheel, decoded to Python objects by msgspec, on the
same number of cores. Sizes: ``BENCH_MB`` (10^6 bytes, 200); ``BENCH_LARGE=1`` also audits 1 GB of
events, 10 GB of W3C lines, and 1 GB of them that have nothing in common, for their memory (PSS of all
processes), which takes half an hour and 11 GB of disk.

Other tools are measured where they are: ``ZIRCOLITE`` names Zircolite's script, ``goaccess`` is
looked for on the path. Neither is a dependency; absence is said. Beside Zircolite, and where it is
absent, stands the same way of working: a query a rule on SQLite, by pySigma's backend.
"""

from __future__ import annotations

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

from bench.logs.cases import DATA, rules, run, watched
from bench.logs.corpus import write_repetitive, write_scan, write_web, write_windows

from opsproof.logs.options import cores

_MEGABYTES = int(os.environ.get("BENCH_MB", "200"))
_ROUNDS = int(os.environ.get("BENCH_ROUNDS", "4"))
_LARGE = bool(os.environ.get("BENCH_LARGE"))
_OTHERS = 25_000_000
"""Bytes that the slow tools get: they take minutes for all, and are no slower for less."""


class Limits:
    """Told figures, and whether all were within their limits."""

    def __init__(self) -> None:
        self.kept = True

    def tell(
        self, name: str, figure: float, unit: str, *, most: float = 0, least: float = 0
    ) -> None:
        """Print one figure with its limit, if it has one."""
        kept = (not most or figure <= most) and (not least or figure >= least)
        limit = f" (limit {most:g})" if most else f" (at least {least:g})" if least else ""
        self.kept = self.kept and kept
        print(f"{name}: {figure:.1f} {unit}{limit}{'' if kept else '  NOT KEPT'}", flush=True)


def best(*cases: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
    """The cases in turn, several rounds; of each the least seconds and CPU seconds, most memory."""
    found: list[dict[str, Any]] = [{} for _ in cases]
    for _ in range(_ROUNDS):
        for place, case in enumerate(cases):
            new, old = case(), found[place]
            for name in ("seconds", "cpu"):
                new[name] = min(new[name], old.get(name, new[name]))
            new["megabytes"] = max(new.get("megabytes", 0), old.get("megabytes", 0))
            found[place] = new
    return found


def _case(*arguments: str) -> Callable[[], dict[str, Any]]:
    return lambda: run(*arguments)


def outside(command: list[str], folder: Path) -> dict[str, Any]:
    """What another tool takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    subprocess.run(
        command, check=False, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    seconds = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu": used}


def measure_events(name: str, path: Path, limit: float, limits: Limits) -> float:
    """Our audit against merely parsing; returns the memory at the peak."""
    many = str(cores())
    parsed, audited, parsed_many, audited_many = best(
        _case("parse", str(path), "1"),
        _case("audit", str(path), "1"),
        _case("parse", str(path), many),
        _case("audit", str(path), many),
    )
    size = path.stat().st_size / 1e6
    print(
        f"evtx {name}: {size:.0f} MB, {audited['records']} records, {audited['rules']} rules, "
        f"{audited['hits']} hits; audited {size / audited['cpu']:.0f} MB a CPU second, "
        f"{size / audited_many['seconds']:.0f} MB/s with {many} processes; "
        f"parsed {size / parsed['cpu']:.0f} MB a CPU second"
    )
    ratio = audited["cpu"] / parsed["cpu"]
    limits.tell(f"evtx {name}, one core", ratio, "x parsing", most=limit)
    ratio = audited_many["seconds"] / parsed_many["seconds"]
    limits.tell(f"evtx {name}, as run on {many} cores", ratio, "x parsing", most=limit)
    return max(float(audited["megabytes"]), float(audited_many["megabytes"]))


def measure_web(path: Path, limits: Limits) -> float:
    """Our audit against GoAccess; returns the memory at the peak."""
    many, memory = str(cores()), 0.0
    part = path.with_name("part_u_ex260105.log")
    with path.open("rb") as whole:
        part.write_bytes(whole.read(_OTHERS).rpartition(b"\n")[0] + b"\n")
    goaccess = shutil.which("goaccess")
    command = [goaccess or "", str(part), "--log-format=W3C", "--no-global-config"]
    command += ["--no-progress", "-o", str(path.with_name("goaccess.json"))]
    size, least = path.stat().st_size / 1e6, part.stat().st_size / 1e6
    if goaccess is None:
        print("goaccess: not measured, it is not installed")
    for name, ruled, factor in (("statistics", "none", 25), ("all rules", "rules", 8)):
        cases = [_case("audit", str(path), count, ruled) for count in ("1", many)]
        if goaccess is not None:
            cases.append(lambda: outside(command, path.parent))
        alone, together, *other = best(*cases)
        memory = max(memory, alone["megabytes"], together["megabytes"])
        print(
            f"w3c {name}: {size:.0f} MB, {alone['records']} lines, {alone['rules']} rules, "
            f"{alone['hits']} hits; {size / alone['cpu']:.0f} MB a CPU second, "
            f"{size / together['seconds']:.0f} MB/s with {many} processes"
        )
        for one in other:
            print(f"goaccess: {least:.0f} MB, {least / one['cpu']:.1f} MB a CPU second")
            ratio = size / alone["cpu"] / (least / one["cpu"])
            limits.tell(f"w3c {name}, one core", ratio, "x goaccess")
            ratio = size / together["seconds"] / (least / one["seconds"])
            limits.tell(f"w3c {name}, as run on {many} cores", ratio, "x goaccess", least=factor)
    return memory


def measure_queries(path: Path, limits: Limits) -> None:
    """Our audit against a query a rule, and Zircolite where it is."""
    part = path.with_name("part.evtx")
    with path.open("rb") as whole:
        part.write_bytes(whole.read(4096 + _OTHERS // 65536 * 65536))
    audited, queried = best(_case("audit", str(part), "1"), _case("sqlite", str(part)))
    size = part.stat().st_size / 1e6
    print(
        f"a query a rule on SQLite: {size:.0f} MB, {queried['rules']} rules, {queried['cpu']:.1f} "
        f"CPU seconds; audited in {audited['cpu']:.2f}"
    )
    ratio = queried["cpu"] / audited["cpu"]
    limits.tell("evtx, one core, against a query a rule on SQLite", ratio, "x")
    script = os.environ.get("ZIRCOLITE")
    if not script:
        print("zircolite: not measured, ZIRCOLITE does not name it")
        return
    ruleset = [one for folder in rules() for one in ("--ruleset", str(folder))]
    command = [sys.executable, script, "--evtx", str(part), *ruleset, "--nolog"]
    taken = outside(command, Path(script).parent)
    limits.tell("evtx", taken["seconds"] / audited["seconds"], "x zircolite", least=12)


def measure_real(limits: Limits) -> None:
    """The real files of ``../shared/data``: small, so that starting counts."""
    if not DATA.is_dir():
        print("real files: not measured, ../shared/data is not there")
        return
    for folder in ("evtx", "iis"):
        found = run("audit", str(DATA / folder), "1")
        size = sum(file.stat().st_size for file in (DATA / folder).iterdir()) / 1e6
        name = f"real {folder}: {size:.1f} MB, {found['records']} records, {found['hits']} hits"
        limits.tell(name, found["cpu"] * 1000, "ms of one core")


def measure_large(folder: Path, limits: Limits) -> None:
    """Memory for files as large as they come."""
    many = str(cores())
    for name, write, megabytes, made in (
        ("evtx of 1 GB", write_windows, 1000, 500),
        ("w3c of 10 GB", write_web, 10_000, 500),
        ("w3c of 1 GB, all new in every line", write_scan, 1000, 1000),
    ):
        path = folder / f"large_u_ex260105.{name[:3]}"
        write(path, made)
        _lengthen(path, megabytes * 1_000_000, 4096 if name.startswith("evtx") else 0)
        found = watched("audit", str(path), many)
        print(f"{name}: {found['records']} records, {found['hits']} hits, {found['seconds']:.0f} s")
        limits.tell(f"memory for {name}, {many} processes", found["megabytes"], "MB", most=500)
        path.unlink()


def _lengthen(path: Path, size: int, head: int) -> None:
    """Repeat what stands behind the head until the file is as large as asked."""
    step, stop = 1 << 24, path.stat().st_size
    with path.open("rb") as source, path.open("ab") as target:
        while target.tell() < size:
            source.seek(head)
            while source.tell() < stop:
                target.write(source.read(min(step, stop - source.tell())))


def main() -> int:
    """Measure everything; 1 where a limit is not kept."""
    limits = Limits()
    with tempfile.TemporaryDirectory(prefix="opsproof-bench-") as made:
        folder = Path(made)
        unique, same, web = folder / "u.evtx", folder / "r.evtx", folder / "u_ex260105.log"
        write_windows(unique, _MEGABYTES)
        write_repetitive(same, _MEGABYTES)
        write_web(web, _MEGABYTES)
        # Starting processes must not be what is measured.
        _lengthen(web, 3 * _MEGABYTES * 1_000_000, 0)
        memory = measure_events("unique", unique, 6, limits)
        memory = max(memory, measure_events("repetitive", same, 2, limits))
        same.unlink()
        measure_queries(unique, limits)
        memory = max(memory, measure_web(web, limits))
        measure_real(limits)
        found = run("correlate")
        print(f"correlations of 2,000,000 events, CPU seconds: {found['by type']}")
        limits.tell("correlations of 2,000,000 events", found["cpu"], "s", most=5)
        limits.tell(f"memory for {_MEGABYTES} MB", memory, "MB", most=500)
        if _LARGE:
            measure_large(folder, limits)
        else:
            print(
                "memory for 1 GB of events and 10 GB of lines: not measured, BENCH_LARGE is not set"
            )
    return 0 if limits.kept else 1


if __name__ == "__main__":
    sys.exit(main())

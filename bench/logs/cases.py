"""What the log benchmarks run, each case in a process of its own: ``python -m bench.logs.cases NAME ...``.

A case prints one JSON object: ``seconds`` on the clock, ``cpu`` seconds of itself and its children,
``megabytes`` of memory at the peak (its own, and its largest child's for each child it may have).
"""

from __future__ import annotations

import json
import os
import re
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from bench.memory import Memory

DATA = Path(__file__).parents[3] / "shared" / "data"
_SIGMA = DATA / "sigma" / "rules"
_OURS = Path(__file__).parents[2] / "rules"
_HEADER, _CHUNK = 4096, 65536


def rules() -> list[Path]:
    """SigmaHQ's rules where they are, and always our own."""
    return [_SIGMA, _OURS] if _SIGMA.is_dir() else [_OURS]


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def timed(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the work returns, with its seconds and CPU seconds."""
    begin, spent = time.perf_counter(), _cpu()
    result = work()
    return {**result, "seconds": time.perf_counter() - begin, "cpu": _cpu() - spent}


def audit_file(path: str, processes: str, ruled: str = "rules") -> dict[str, Any]:
    """Our audit; with ``none`` for ``ruled`` only statistics and completeness."""
    from opsproof.logs.audit import audit
    from opsproof.logs.options import Options
    from opsproof.logs.rules.load import compile_texts, default_cache, load

    loaded = load(rules(), default_cache()) if ruled == "rules" else compile_texts([])

    def work() -> dict[str, Any]:
        report = audit([Path(path)], loaded, options=Options(processes=int(processes)))
        counts = report.counts
        return {"records": counts.records, "hits": counts.hits, "rules": len(loaded.rules)}

    return timed(work)


def parse_file(path: str, processes: str) -> dict[str, Any]:
    """Merely parsing: every event as JSON by the ``evtx`` wheel, decoded to Python objects.

    With several processes each takes a stretch of chunks, as an audit would.
    """
    count = int(processes)

    def work() -> dict[str, Any]:
        if count == 1:
            return {"records": _parse(path, 0, None)}
        chunks = -(-(Path(path).stat().st_size - _HEADER) // _CHUNK)
        edges = [chunks * number // count for number in range(count + 1)]
        with ProcessPoolExecutor(count) as pool:
            parts = list(pool.map(_parse, [path] * count, edges[:-1], edges[1:]))
        return {"records": sum(parts)}

    return timed(work)


def _parse(path: str, first: int, last: int | None) -> int:
    import evtx
    import msgspec

    decoder = msgspec.json.Decoder()
    descriptor = None
    if last is not None:
        descriptor = os.memfd_create("bench")
        with Path(path).open("rb") as file:
            os.write(descriptor, file.read(_HEADER))
            file.seek(_HEADER + first * _CHUNK)
            for _ in range(last - first):
                os.write(descriptor, file.read(_CHUNK))
        path = f"/proc/self/fd/{descriptor}"
    count = 0
    for record in evtx.PyEvtxParser(path, number_of_threads=1).records_json():
        decoder.decode(record["data"])  # type: ignore[index]
        count += 1
    if descriptor is not None:
        os.close(descriptor)
    return count


def sqlite_file(path: str) -> dict[str, Any]:
    """A query a rule on SQLite, by pySigma's own backend: how Zircolite works, without its reports.

    Reading rules is not timed, as it is not for our audit.
    """
    import evtx
    import msgspec
    from sigma.backends.sqlite import sqlite
    from sigma.collection import SigmaCollection

    from opsproof.logs.readers.evtx_fields import flatten

    backend: Any = sqlite.sqliteBackend
    queries = []
    for folder in rules():
        for file in sorted(folder.rglob("*.yml")):
            try:
                made = backend().convert(SigmaCollection.from_yaml(file.read_bytes()))
            except Exception:  # noqa: BLE001, S112 - what the backend cannot say it is not measured by
                continue
            queries += [str(one).split(" WHERE ", 1)[1] for one in made if " WHERE " in str(one)]
    msgspec.json.Decoder()

    def work() -> dict[str, Any]:
        rows = [
            flatten(record["data"]).fields  # type: ignore[index]
            for record in evtx.PyEvtxParser(path, number_of_threads=1).records_json()
        ]
        names = {name.lower(): name for row in rows for name in row}
        for query in queries:
            for name in re.findall(r"[A-Za-z_][A-Za-z_0-9]*", query):
                names.setdefault(name.lower(), name)
        columns = [name for name in names.values() if re.fullmatch(r"\w+", name)][:1900]
        table = sqlite3.connect(":memory:")
        table.create_function("regexp", 2, lambda one, text: bool(re.search(one, text or "")))
        table.execute(f"CREATE TABLE logs ({', '.join(f'[{name}] TEXT' for name in columns)})")
        marks = ", ".join("?" * len(columns))
        table.executemany(
            f"INSERT INTO logs VALUES ({marks})",  # noqa: S608 - our own columns
            ([row.get(name) for name in columns] for row in rows),
        )
        hits = 0
        for query in queries:
            try:
                hits += len(table.execute(f"SELECT * FROM logs WHERE {query}").fetchall())  # noqa: S608 - rules
            except sqlite3.Error:
                continue
        return {"records": len(rows), "hits": hits, "rules": len(queries)}

    return timed(work)


def correlate() -> dict[str, Any]:
    """Every type of correlation on two million events of five thousand groups."""
    from opsproof.evidence.model import Severity
    from opsproof.logs.aside import folder
    from opsproof.logs.correlate import Bursts, Entries, windows
    from opsproof.logs.rules.compiled import Correlation, Input, Meta

    source = np.random.default_rng(1)
    count = 2_000_000
    group, moment = source.integers(0, 5000, count), source.integers(0, 7 * 86_400_000_000, count)
    order = np.lexsort((moment, group))
    which, value = source.integers(0, 3, count), source.integers(0, 5000, count)
    columns = (group[order], moment[order], which[order], value[order])
    entries = Entries.of(folder(), *columns)
    meta = Meta("id", "", {"en": ""}, Severity.LOW, "", "", "", {}, (), (), (), (), True)
    inputs = tuple(Input(str(number), ()) for number in range(3))
    cases: dict[str, dict[str, Any]] = {
        "event_count": {"count": 10},
        "value_count": {"count": 10},
        "value_sum": {"count": 3},
        "value_avg": {"count": 2600},
        "value_percentile": {"count": 4000, "percentile": 90},
        "temporal": {"count": 3},
        "temporal, extended": {"expression": ["&", 0, ["|", 1, ["!", 2]]]},
        "temporal_ordered": {"count": 3},
    }
    found: dict[str, float] = {}
    for name, asked in cases.items():
        kind: Any = name.split(",")[0]
        one = Correlation(meta, kind, inputs, (), 3_600_000_000, **asked)

        def work(one: Correlation = one) -> dict[str, Any]:
            return {"bursts": len(Bursts(entries, windows(one, entries)))}

        found[name] = round(timed(work)["cpu"], 2)
    return {"seconds": max(found.values()), "cpu": max(found.values()), "by type": found}


CASES: dict[str, Callable[..., dict[str, Any]]] = {
    "audit": audit_file,
    "parse": parse_file,
    "sqlite": sqlite_file,
    "correlate": correlate,
}


def run(case: str, *arguments: str) -> dict[str, Any]:
    """One case in a process of its own."""
    command = [sys.executable, "-m", "bench.logs.cases", case, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def watched(case: str, *arguments: str) -> dict[str, Any]:
    """One case in a process of its own; ``megabytes`` is what all its processes together held."""
    command = [sys.executable, "-m", "bench.logs.cases", case, *arguments]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        Memory(process.pid) as memory,
    ):
        told, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    result: dict[str, Any] = json.loads(told)
    return {**result, "megabytes": memory.peak}


def main_case(name: str, *arguments: str) -> None:
    """Run one case in this process and print its result."""
    result = CASES[name](*arguments)
    mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    # An audit works in its own process too: of the processes it is told, one is no child.
    children = int(arguments[1]) - 1 if len(arguments) > 1 else 0
    result["megabytes"] = (mine + children * child) / 1000
    print(json.dumps(result))


if __name__ == "__main__":
    main_case(*sys.argv[1:])

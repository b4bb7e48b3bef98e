"""Ten million records end to end in bounded memory, beside a plain loop and a script with openssl.

Usage: python -m bench.signatures.large_bench [--records 200000] [--workers N] [--folder DIR]. The
figure of the requirement is ``--records 10000000``: 6 GB of disk in DIR. A few thousand signed
records stand for all; each row is fetched and verified anew, none is looked up. About one in a
thousand is damaged and must come out in its class. Ends with 1 when all processes together ever
held more than 400 MB (PSS: a shared page counts once) or a class is wrong. The thread that watches
makes the workers fresh interpreters, which share less memory than copies do: the worse case.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.memory import Memory
from bench.signatures.tables import repeated
from bench.signatures.verify_bench import cpu, openssl_script, plain_loop

from opsproof.signatures.analyse import analyse
from opsproof.signatures.database import Database
from opsproof.signatures.workbook import Workbook
from opsproof.workers import cores

MOST_MB = 400


def progress(begun: float) -> Callable[[int, int], None]:
    """A line to stderr now and then: ten million take a while."""
    last = [begun]

    def told(done: int, total: int) -> None:
        now = time.monotonic()
        if now - last[0] >= 20:
            last[0] = now
            rate = done / (now - begun)
            left = (total - done) / rate / 60
            sys.stderr.write(f"{done:,} of {total:,}, {rate:,.0f}/s, {left:.0f} min left\n")

    return told


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--folder", type=Path, help="where the table is made; else a temporary one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="large-") as name:
        folder = Path(name)
        job, _, truth = repeated(folder, "rsa", given.records, damaged=True)
        size = (folder / "records.db").stat().st_size / 1e9
        print(f"{given.records:,} records, {size:.1f} GB, {given.workers} workers", flush=True)
        Workbook(job.workbook, fresh=True).close()
        begun, spent = time.monotonic(), cpu()
        with Memory() as memory:
            found = analyse(job, workers=given.workers, progress=progress(begun))
        spent, took = cpu() - spent, time.monotonic() - begun
        print(f"end to end: {given.records / spent:,.0f} /CPU s, {given.records / took:,.0f} /s")
        print(f"most memory: {memory.peak:.0f} MB in {memory.processes} processes")
        spent = cpu()
        count = plain_loop(job)
        print(f"plain loop per row: {count / (cpu() - spent):,.0f} /CPU s (a sample of {count})")
        database = Database(job.url, job.profile)
        rows = [job.checker().row(cells) for cells in next(iter(database.stream(batch=50)))]
        database.close()
        spent = cpu()
        count = openssl_script(rows, job, folder)
        print(f"script that calls openssl: {count / (cpu() - spent):,.0f} /CPU s (a sample)")
    classes = {one: count for one, count in found.classes.items() if count}
    print(f"classes: { {one.value: count for one, count in classes.items()} }")
    if classes != truth:
        print(f"wrong classes; the truth: { {one.value: count for one, count in truth.items()} }")
    if memory.peak > MOST_MB:
        print(f"more than {MOST_MB} MB")
    return int(classes != truth or memory.peak > MOST_MB)


if __name__ == "__main__":
    sys.exit(main())

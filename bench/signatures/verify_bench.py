"""End-to-end analysis against OpenSSL, a bare verify loop and a plain loop per row, in one run.

Usage: python -m bench.signatures.verify_bench [--records 200000] [--family rsa|sm2] [--workers N].
Rates are records a CPU second, taken in turns so that other work on the machine hits all alike; the
shares are medians over the rounds. By the clock, the whole analysis with a process a core, begun anew
each time, takes turns with ``openssl speed -multi CORES``: the share is the median of three rounds or
more. That line needs an idle machine, and tables of 200,000 records or more: the start counts too.
Ends with 1 when a limit is missed (RSA: 50 % of ``openssl speed``, by the CPU and by the clock, and
75 % of the bare loop; SM2: 90 % of the bare loop).
"""

from __future__ import annotations

import argparse
import base64
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from asn1crypto import pem
from bench.signatures.tables import repeated

from opsproof.signatures import simulate
from opsproof.signatures.analyse import Job, analyse
from opsproof.signatures.check import Row
from opsproof.signatures.database import Database
from opsproof.signatures.lab import Signer
from opsproof.signatures.model import RecordClass
from opsproof.signatures.workbook import Workbook
from opsproof.workers import cores

LIMITS = {"rsa": {"openssl speed": 0.50, "bare loop": 0.75}, "sm2": {"bare loop": 0.90}}
CLOCK_LIMIT = 0.50
CLOCK_ROUNDS = 3


def cpu() -> float:
    """CPU seconds of this process and its ended children."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    below = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime


def measured(work: Callable[[], int]) -> float:
    """Records a CPU second."""
    spent = cpu()
    count = work()
    return count / (cpu() - spent)


def end_to_end(job: Job, workers: int) -> int:
    """The whole analysis from the database; every record must come out valid."""
    Workbook(job.workbook, fresh=True).close()
    found = analyse(job, workers=workers)
    assert found.classes == {RecordClass.VALID: found.records}, found.classes
    return found.records


def bare_loop(signer: Signer, count: int) -> Callable[[], int]:
    """Nothing but the library's verification, over a few hundred signatures again and again."""
    messages = [f"record {number} of the archive".encode() * 4 for number in range(200)]
    signatures = [signer.key.sign(signer.algorithm, message) for message in messages]
    verify = signer.certificate.key.verifier(signer.algorithm)

    def work() -> int:
        for number in range(count):
            assert verify(messages[number % 200], signatures[number % 200])
        return count

    return work


def plain_loop(job: Job, most: int = 1000) -> int:
    """A loop per row with the strict check and nothing prepared or kept; its first rows only."""
    checker, database = job.checker(), Database(job.url, job.profile)
    count = 0
    try:
        for batch in database.stream(batch=1):
            for cells in batch:
                assert checker.check(checker.row(cells)).failed is None
                count += 1
            if count >= most:
                break
    finally:
        database.close()
    return count


def openssl_script(rows: Iterable[Row], job: Job, folder: Path) -> int:
    """What a script does: openssl once a record, which must hold."""
    checker = job.checker()
    count = 0
    for row in rows:
        [certificate] = checker.referenced(row.reference)
        (folder / "key.pem").write_bytes(pem.armor("PUBLIC KEY", certificate.spki))
        (folder / "m").write_bytes(checker.message(row.values) or b"")
        (folder / "s").write_bytes(base64.b64decode(str(row.signature)))
        words = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "s", "m"]
        subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, check=True)
        count += 1
    return count


def openssl_speed(*more: str) -> float:
    """Verifications a second by ``openssl speed``: a CPU second, or with ``-multi`` a second.

    openssl-speed(1): without ``-elapsed`` it divides by its own CPU time, which other work on the
    machine does not change; with ``-multi`` it adds up what its processes did by the clock.
    """
    words = ["openssl", "speed", "-seconds", "1", *more, "-mr", "rsa2048"]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    [line] = [line for line in text.splitlines() if line.startswith("+F2:")]
    return float(line.rsplit(":", 1)[1])


def by_the_clock(job: Job, many: int, times: int) -> list[float]:
    """The whole analysis with ``many`` processes as a share of OpenSSL's, round by round."""
    shares = []
    for _ in range(times):
        begun = time.perf_counter()
        rate = end_to_end(job, many) / (time.perf_counter() - begun)
        shares.append(rate / openssl_speed("-multi", str(many)))
    return shares


def rounds(
    job: Job, signer: Signer, family: str, records: int, given: argparse.Namespace
) -> dict[str, list[float]]:
    """CPU rates of the competitors, one after the other in every round."""
    rates: dict[str, list[float]] = {}
    bare = bare_loop(signer, records)
    for _ in range(given.rounds):
        rates.setdefault("bare loop", []).append(measured(bare))
        rates.setdefault("end to end", []).append(measured(lambda: end_to_end(job, given.workers)))
        if family == "rsa":
            rates.setdefault("openssl speed", []).append(openssl_speed())
    return rates


def compare(family: str, given: argparse.Namespace) -> bool:
    """Measure one family and print it; whether all limits are kept."""
    # One SM2 verification takes as long as forty of RSA.
    many = cores()
    records = given.records if family == "rsa" else given.records // 40
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job, signer, _ = repeated(folder, family, records, damaged=False)
        rates = rounds(job, signer, family, records, given)
        rates["plain loop per row"] = [measured(lambda: plain_loop(job))]
        if family == "rsa":
            database = Database(job.url, job.profile)
            rows = [job.checker().row(cells) for cells in next(iter(database.stream(batch=50)))]
            database.close()
            script = measured(lambda: openssl_script(rows, job, folder))
            rates["script that calls openssl"] = [script]
            clock = by_the_clock(job, many, max(CLOCK_ROUNDS, given.rounds))
    print(f"{family}: {records} records, {given.workers} workers, {given.rounds} rounds")
    for rate, found in rates.items():
        print(f"{rate:28} {statistics.median(found):12,.0f} /CPU s")
    kept = True
    if family == "rsa":
        share, low, high = statistics.median(clock), min(clock), max(clock)
        kept = share >= CLOCK_LIMIT
        print(
            f"{many} processes, by the clock / openssl speed -multi {many}: {share:.0%} "
            f"({low:.0%} to {high:.0%}; wanted: {CLOCK_LIMIT:.0%})"
        )
    for peer, limit in LIMITS[family].items():
        pairs = zip(rates["end to end"], rates[peer], strict=True)
        share = statistics.median(one / other for one, other in pairs)
        kept = kept and share >= limit
        print(f"end to end / {peer}: {share:.0%} (wanted: {limit:.0%})")
    return kept


def main() -> int:
    """Measure and print one line a competitor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--family", choices=sorted(LIMITS), help="only this one")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    families = [given.family] if given.family else simulate.families()
    kept = [compare(family, given) for family in families if family in LIMITS]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())

"""End-to-end analysis against OpenSSL, a bare verify loop and a plain loop per row, in one run.

Usage: python -m bench.signatures.verify_bench [--records 20000] [--family rsa|sm2] [--workers N].
Rates are records a CPU second and processor, so that other work on the machine counts little; the
wall-clock rate stands beside them. Ends with 1 when a limit is missed (RSA: 50 % of ``openssl speed
-multi`` and 75 % of the bare loop; SM2: 90 % of the bare loop).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from asn1crypto import pem

from opsproof.signatures import simulate
from opsproof.signatures.analyse import Job, analyse
from opsproof.signatures.check import Row
from opsproof.signatures.database import Database
from opsproof.signatures.lab import Signer
from opsproof.signatures.model import RecordClass
from opsproof.signatures.simulate import Drill
from opsproof.signatures.workbook import Workbook

LIMITS = {"rsa": {"openssl speed": 0.50, "bare loop": 0.75}, "sm2": {"bare loop": 0.90}}


def cpu() -> float:
    """CPU seconds of this process and its ended children."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    below = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime


def measured(work: Callable[[], int]) -> tuple[float, float]:
    """Records a CPU second and records a second."""
    begun, spent = time.perf_counter(), cpu()
    count = work()
    return count / (cpu() - spent), count / (time.perf_counter() - begun)


def job_of(drill: Drill) -> Job:
    folder = drill.folder
    return Job(
        url=drill.url,
        profile=drill.profile,
        certificates=(folder / "signers.pem",),
        trusted=(folder / "ca.pem",),
        revocations=(folder / "ca.crl",),
        require_revocation=False,
        now=datetime.now(UTC),
        workbook=folder / "workbook.db",
        base_delivered=False,
    )


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


def plain_loop(job: Job) -> int:
    """A loop per row with the strict check and nothing prepared or kept."""
    checker, database = job.checker(), Database(job.url, job.profile)
    count = 0
    for batch in database.stream(batch=1):
        for cells in batch:
            assert checker.check(checker.row(cells)).failed is None
            count += 1
            if count == 1000:
                database.close()
                return count
    database.close()
    return count


def openssl_script(rows: Iterable[Row], job: Job, signer: Signer, folder: Path) -> int:
    """What a script does: openssl once a record."""
    key = pem.armor("PUBLIC KEY", signer.certificate.spki)
    (folder / "key.pem").write_bytes(key)
    checker = job.checker()
    count = 0
    for row in rows:
        message = checker.message(row.values)
        (folder / "m").write_bytes(message or b"")
        (folder / "s").write_bytes(b"0")
        words = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "s", "m"]
        subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        count += 1
    return count


def openssl_speed(workers: int) -> float:
    """Verifications a second and processor by ``openssl speed -multi``; counted by its own CPU time."""
    spent = cpu()
    words = ["openssl", "speed", "-seconds", "2", "-multi", str(workers), "-mr", "rsa2048"]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    [line] = [line for line in text.splitlines() if line.startswith("+F2:")]
    wall = float(line.rsplit(":", 1)[1])
    # Signing and verifying each run for two seconds on every processor that was free.
    share = min(1.0, (cpu() - spent) / (4.0 * workers))
    return wall / workers / share


def main() -> int:
    """Measure and print one line a competitor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--family", choices=sorted(LIMITS), default="rsa")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    lab = simulate.new_lab(given.family, datetime.now(UTC).replace(microsecond=0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drill = simulate.simulate(folder, lab, records=given.records, seed=1, damaged_percent=0)
        job = job_of(drill)
        rates = {
            "bare loop": measured(bare_loop(lab.good[0], given.records)),
            "end to end": measured(lambda: end_to_end(job, given.workers)),
            "plain loop per row": measured(lambda: plain_loop(job)),
        }
        if given.family == "rsa":
            speed = openssl_speed(given.workers)
            rates["openssl speed"] = (speed, speed * given.workers)
            database = Database(job.url, job.profile)
            rows = [job.checker().row(cells) for cells in next(iter(database.stream(batch=50)))]
            database.close()
            rates["script that calls openssl"] = measured(
                lambda: openssl_script(rows, job, lab.good[0], folder)
            )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{given.records} records, {given.family}, {given.workers} workers, {peak} MiB at most")
    for rate, (cpu_rate, wall_rate) in rates.items():
        print(f"{rate:28} {cpu_rate:12,.0f} /CPU s {wall_rate:12,.0f} /s")
    missed = 0
    for peer, limit in LIMITS[given.family].items():
        share = rates["end to end"][0] / rates[peer][0]
        missed += share < limit
        print(f"end to end / {peer}: {share:.0%} (wanted: {limit:.0%})")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

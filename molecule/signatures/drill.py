"""What a drill needs around the role: a damaged database, keys, tickets, and faults.

Usage: python drill.py prepare|approve|change|kill|contents FOLDER [PLAN-SHA256 TICKET]. It works on a
drill of its own in FOLDER; only the certificate of the signing service comes from the lab.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from opsproof.evidence.keys import create_demo_keys
from opsproof.signatures import simulate

TABLE = "exam score"


def prepare(folder: Path) -> None:
    """A drill as on the first day; a folder that has one stays as it is."""
    if (folder / "truth.jsonl").exists():
        return
    now = datetime.now(UTC).replace(microsecond=0)
    lab = simulate.new_lab("rsa", now, good=2)
    simulate.simulate(folder, lab, records=60, seed=3, damaged_percent=60)
    create_demo_keys(folder / "keys", now=now)
    (folder / "calendar.yml").write_text("{}\n")
    state = json.loads((Path(os.environ["WINLAB_STATE"]) / "state.json").read_text())
    signing = state["signing"]
    [url] = signing["urls"]
    run("certificate", "--signing-url", url, "--signing-key", "archive", "--signing-ca", state["ca"],
        into=folder / "service.pem", OPSPROOF_SIGNING_TOKEN_FILE=signing["token_file"])  # fmt: skip
    facts = {"url": url, "ca": signing["ca"], "tls_ca": state["ca"]}
    (folder / "service.json").write_text(json.dumps(facts))


def approve(folder: Path, sha256: str, ticket: str) -> None:
    """What the bureau does: a ticket for a plan, signed with OpenSSL and nothing of ours."""
    now = datetime.now(UTC)
    path = folder / ticket
    document = {
        "id": "CHG-202611-000007",
        "kind": "change",
        "approver": "Wang, information department",
        "approved_at": now.isoformat(),
        "scope": {"hosts": ["drill"], "activities": ["signatures"]},
        "window": {
            "from": (now - timedelta(minutes=1)).isoformat(),
            "to": (now + timedelta(hours=2)).isoformat(),
        },
        "content_sha256": sha256,
        "freeze_override": {"approver": "Wang", "reason": "drill"},
    }
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    run("ticket", str(path), into=folder / "ticket.bytes")
    sign = ["openssl", "cms", "-sign", "-binary", "-in", "ticket.bytes", "-signer", "approvers.pem"]
    sign += ["-inkey", "approver.key", "-outform", "DER", "-out", "ticket.p7s"]
    subprocess.run(sign, cwd=folder, check=True)
    run("ticket", str(path), "--signature", str(folder / "ticket.p7s"))


def change(folder: Path) -> None:
    """Somebody changes the first record that the plan would write."""
    for line in (folder / "work/plan.jsonl").read_text().splitlines()[1:-1]:
        entry = json.loads(line)
        if entry["action"] == "write":
            with database(folder) as connection:
                connection.execute(
                    f'update "{TABLE}" set note = ? where id = ?',  # noqa: S608 - a constant
                    ("changed by somebody", entry["key"][0]),
                )
            return


def kill(folder: Path, ticket: str) -> None:
    """Begin to apply, and be killed as soon as the first batch is on its way."""
    work = folder / "work"
    words = [*options(folder), "--ticket", str(folder / ticket)]
    words += [
        "--approvers",
        str(folder / "approvers.pem"),
        "--calendar",
        str(folder / "calendar.yml"),
    ]
    words += ["--bureau", str(folder / "keys/bureau.pem"), "--quiet"]
    code = (
        "import sys; from functools import partial; from opsproof.signatures import apply, correction;"
        "correction.Applier = partial(apply.Applier, batch=2);"
        "from opsproof.cli.main import main; main()"
    )
    images = len(list(work.glob("before/*/*.p7m")))
    process = subprocess.Popen(
        [sys.executable, "-c", code, "signatures", "apply", *words], stdout=subprocess.DEVNULL
    )
    while process.poll() is None and len(list(work.glob("before/*/*.p7m"))) < images + 2:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    if process.wait() != -signal.SIGKILL:
        raise SystemExit("it ended before it could be killed")


def contents(folder: Path) -> None:
    """The digest of all that the table holds, on the standard output."""
    with database(folder) as connection:
        rows = list(connection.execute(f'select * from "{TABLE}" order by id'))  # noqa: S608 - a constant
    sys.stdout.write(hashlib.sha256(repr(rows).encode()).hexdigest())


def database(folder: Path) -> sqlite3.Connection:
    """The drill's table as a business system would reach it."""
    return sqlite3.connect(folder / "records.db")


def options(folder: Path) -> list[str]:
    """The command line's options for this drill."""
    words = ["--profile", str(folder / "profile.yml"), "--work", str(folder / "work")]
    words += ["--database", f"sqlite:///{folder / 'records.db'}"]
    for name in ("signers.pem", "service.pem"):
        words += ["--certificates", str(folder / name)]
    trusted = [folder / "ca.pem", Path(json.loads((folder / "service.json").read_text())["ca"])]
    for path in trusted:
        words += ["--trusted", str(path)]
    return [*words, "--crl", str(folder / "ca.crl")]


def run(*words: str, into: Path | None = None, **environment: str) -> None:
    """One command of ``opsproof signatures``."""
    done = subprocess.run(
        ["opsproof", "signatures", *words],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    if into is not None:
        into.write_bytes(done.stdout)


def main(words: list[str]) -> None:
    """Do what the first word says."""
    verbs: dict[str, Any] = {
        "prepare": prepare,
        "approve": approve,
        "change": change,
        "kill": kill,
        "contents": contents,
    }
    folder = Path(words[1])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    verbs[words[0]](folder, *words[2:])


if __name__ == "__main__":
    main(sys.argv[1:])

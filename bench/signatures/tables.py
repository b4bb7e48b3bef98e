"""Tables for the benchmarks: a few thousand signed records stand for as many as are wanted.

Every row is fetched and verified anew by what is measured; nothing looks a record up.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import yaml

from opsproof.signatures import simulate
from opsproof.signatures.analyse import Job
from opsproof.signatures.lab import Signer
from opsproof.signatures.model import RecordClass
from opsproof.signatures.profile import load_profile

SIGNED = 4000
_REPEAT = """insert into big with recursive n(i) as (select 1 union all select i + 1 from n where
i < :records) select i, s.* from n join "exam score" s on s.id = 1 + i % :signed"""
# Class, damage, and the step from one damaged row to the next; a later one takes precedence.
DAMAGE = (
    (
        RecordClass.ENCODING_DAMAGE,
        "update big set sign_value = replace(replace(sign_value, '+', '-'), '/', '_')"
        " where row_no % :step = 0 and row_no % :other <> 0 and sign_value glob '*[+/]*'",
        1009,
        49_999,
    ),
    (
        RecordClass.MISSING,
        "update big set sign_value = null where row_no % :step = 0 and row_no % :other <> 0",
        49_999,
        999_983,
    ),
    (
        RecordClass.NOT_RECOVERABLE,
        "update big set sign_value = 'AAAA' || sign_value where row_no % :step = 0 and :other",
        999_983,
        1,
    ),
)


def repeated(
    folder: Path, family: str, records: int, *, damaged: bool
) -> tuple[Job, Signer, dict[RecordClass, int]]:
    """A table of ``records`` rows in SQLite, one of its signers, and the rows in each class."""
    lab = simulate.new_lab(family, datetime.now(UTC).replace(microsecond=0))
    small = simulate.simulate(folder, lab, records=SIGNED, seed=1, damaged_percent=0)
    document = simulate.profile_document(family, "raw", "base64", "international")
    document["table"]["name"] = "big"
    document["key"] = ["row_no"]
    (folder / "profile.yml").write_text(yaml.safe_dump(document, allow_unicode=True))
    truth: dict[RecordClass, int] = {}
    connection = sqlite3.connect(folder / "records.db")
    with connection:
        connection.execute(
            "create table big(row_no integer primary key, id, ticket_no, candidate, subject, score,"
            " held_on, note, sign_value, cert_serial, signed_at)"
        )
        connection.execute(_REPEAT, {"records": records, "signed": SIGNED})
        for found, change, step, other in DAMAGE if damaged else ():
            truth[found] = connection.execute(change, {"step": step, "other": other}).rowcount
    connection.close()
    truth[RecordClass.VALID] = records - sum(truth.values())
    job = Job(
        url=small.url,
        profile=load_profile(folder / "profile.yml"),
        certificates=(folder / "signers.pem",),
        trusted=(folder / "ca.pem",),
        revocations=(folder / "ca.crl",),
        require_revocation=False,
        now=datetime.now(UTC),
        workbook=folder / "workbook.db",
        base_delivered=False,
    )
    return job, lab.good[0], {found: count for found, count in truth.items() if count}

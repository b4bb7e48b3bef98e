"""How tests store what a plan says, and look at what is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.signatures import drills

from opsproof.evidence.keys import Keys, load_rsa_key
from opsproof.signatures import simulate
from opsproof.signatures.analyse import Job
from opsproof.signatures.apply import Applier, Point, Result, named
from opsproof.signatures.database import Database, make_engine
from opsproof.signatures.model import image_digest
from opsproof.signatures.plan import Plan
from opsproof.signatures.simulate import Drill


def drill_key(folder: Path) -> rsa.RSAPrivateKey:
    return load_rsa_key(folder / "bureau.key")


def applied(
    job: Job,
    plan: Plan,
    keys: Keys,
    folder: Path,
    *,
    at: Callable[[Point], None] = lambda _: None,
    batch: int = 7,
) -> Result:
    database = Database(job.url, job.profile)
    try:
        return Applier(
            plan, job.profile, database, job.checker(), folder, keys.bureau, batch, at
        ).apply()
    finally:
        database.close()


def contents(drill: Drill) -> dict[int, tuple[Any, ...]]:
    engine = make_engine(drill.url)
    table = sa.table("exam score", *(sa.column(name) for name in drill.profile.columns))
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(sa.select(table))]
    engine.dispose()
    return {row[0]: row for row in rows}


def make(folder: Path, url: str, *, seed: int = 3, records: int = 40) -> Drill:
    return simulate.simulate(
        folder,
        drills.lab_of("ecdsa"),
        records=records,
        seed=seed,
        url=url,
        damaged_percent=70,
    )


def assert_only_right_values(drill: Drill, job: Job, before: dict[int, tuple[Any, ...]]) -> None:
    """Everything that differs from before verifies over unchanged data; no row came or went."""
    after = contents(drill)
    checker = job.checker()
    data = len(drill.profile.fields)
    assert set(after) == set(before)
    changed = [key for key in after if after[key] != before[key]]
    for key in changed:
        assert after[key][:data] == before[key][:data]
        assert checker.check(checker.row(after[key])).failed is None


def digest_of(drill: Drill, plan: Plan) -> str:
    """Over what the table really holds of a plan's records."""
    stored = contents(drill)
    digest = hashlib.sha256()
    for entry in plan.writes():
        digest.update(image_digest(named(drill.profile, stored[entry.key[0]])).encode())
    return digest.hexdigest()

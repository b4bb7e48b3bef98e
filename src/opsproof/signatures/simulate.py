"""Damaged data sets with known truth, for training, drills and tests.

:func:`simulate` fills a folder: a SQLite database (or another one by URL), base data, a profile,
certificates and a CRL, what is true of every record (``truth.jsonl``), a data log of the interface with
its patterns, and the key of an approver who signs tickets. Nothing of it is for production.
"""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa
import yaml
from asn1crypto import pem
from cryptography.hazmat.primitives import serialization
from sqlalchemy.dialects import mssql

from opsproof.evidence.files import write_durably
from opsproof.signatures import drill_logs, lab, sm2
from opsproof.signatures.algorithms import Algorithm
from opsproof.signatures.database import make_engine
from opsproof.signatures.drill_rows import Maker, Truth
from opsproof.signatures.lab import Lab, Signer
from opsproof.signatures.model import RecordClass
from opsproof.signatures.profile import Profile, load_profile

ALGORITHMS: Final = {
    "rsa": Algorithm.RSA_PKCS1_SHA256,
    "rsa-pss": Algorithm.RSA_PSS_SHA256,
    "ecdsa": Algorithm.ECDSA_SHA256,
    "sm2": Algorithm.SM2_SM3,
}
DAMAGED: Final = tuple(one for one in RecordClass if one is not RecordClass.NOT_VERIFIABLE)


@dataclass
class Drill:
    """A data set and where its parts are."""

    folder: Path
    url: str = field(repr=False)
    profile: Profile
    lab: Lab
    truth: list[Truth]

    @property
    def counts(self) -> dict[str, int]:
        """Records by class."""
        return dict(sorted(Counter(one.record_class.value for one in self.truth).items()))


def new_lab(family: str, now: datetime, *, good: int = 3) -> Lab:
    """Keys and certificates; the authority is valid around ``now`` (aware).

    ``family`` is one of :data:`ALGORITHMS`.
    """
    algorithm = ALGORITHMS[family]
    kind = algorithm.family
    ca = lab.authority(f"lab {kind} CA", kind, serial=1, at=now)
    other = lab.authority("lab unknown CA", kind, serial=1, at=now)

    def signer(name: str, serial: int, begin: int, end: int, issuer: Signer = ca) -> Signer:
        key = lab.new_key(kind)
        certificate = lab.issue(
            f"lab {name}",
            key,
            issuer,
            serial=serial,
            not_before=now + timedelta(days=begin),
            not_after=now + timedelta(days=end),
        )
        return Signer(key, certificate, algorithm)

    return Lab(
        family=family,
        ca=ca,
        good=tuple(signer(f"signer {n}", 0x5A01 + n, -700, 700) for n in range(good)),
        expired=signer("expired", 0x5B01, -700, -200),
        future=signer("future", 0x5B02, -10, 700),
        revoked=signer("revoked", 0x5B03, -700, 700),
        untrusted=signer("untrusted", 0x5B04, -700, 700, other),
        approver=_approver(now),
        revoked_at=now - timedelta(days=150),
        now=now,
    )


def simulate(
    folder: Path,
    lab_keys: Lab,
    *,
    records: int,
    seed: int,
    url: str | None = None,
    form: str = "raw",
    encoding: str = "base64",
    flavour: str = "international",
    reference: str = "serial-hex",
    damaged_percent: int = 40,
    classes: Sequence[RecordClass] = DAMAGED,
) -> Drill:
    """Make a data set of ``records`` rows, of which about ``damaged_percent`` are wrong.

    Where messages embed the certificate (``reference``), no record can name a wrong one.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    document = profile_document(lab_keys.family, form, encoding, flavour, reference)
    path = folder / "profile.yml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    maker = Maker(load_profile(path), lab_keys, random.Random(seed))  # noqa: S311 - drills repeat
    wanted = [one for one in classes if one is not RecordClass.VALID]
    if reference == "embedded":
        wanted = [one for one in wanted if one is not RecordClass.WRONG_REFERENCE]
    rows = maker.rows(records, damaged_percent, wanted)
    where = url or f"sqlite:///{folder / 'records.db'}"
    store(where, maker.profile, rows)
    _write_base(folder / "base.csv", maker.profile, maker.base)
    _write_keys(folder, lab_keys)
    told = ((one.key, one.record_class) for one in maker.truth)
    drill_logs.write_log(folder, told, lab_keys.now, seed)
    lines = [json.dumps(msgspec.to_builtins(one), ensure_ascii=False) for one in maker.truth]
    (folder / "truth.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Drill(folder, where, maker.profile, lab_keys, maker.truth)


def profile_document(
    family: str, form: str, encoding: str, flavour: str, reference: str = "serial-hex"
) -> dict[str, Any]:
    """The profile of the drill's business system."""
    embedded = reference == "embedded"
    certificate = {"by": reference, "column": "cert_serial", "upper": True}
    return {
        "id": "drill-scores",
        "title": {"zh": "演练成绩库", "en": "Drill score database"},
        "database": "drill",
        "table": {"name": "exam score"},
        "key": ["id"],
        "fields": [
            {"name": "id", "column": "id", "type": "integer"},
            {"name": "ticket", "column": "ticket_no"},
            {"name": "name", "column": "candidate"},
            {"name": "subject", "column": "subject"},
            {"name": "score", "column": "score", "type": "decimal", "scale": 1},
            {"name": "held", "column": "held_on", "type": "date"},
            {"name": "note", "column": "note"},
        ],
        "serialisation": {"layout": "pairs", "separator": "&"},
        "variants": {
            "together": 2,
            "settings": {
                "encoding": ["gb18030", "gbk", "utf-16-le"],
                "dates": ["%Y/%m/%d", "%Y%m%d"],
                "decimals": ["trimmed"],
                "blanks": ["strip-trailing"],
                "line_ends": ["lf"],
                "width": ["half", "full"],
                "unicode": ["nfd"],
                "separator": ["|"],
                "fields": [["ticket", "id", "name", "subject", "score", "held", "note"]],
            },
        },
        "signature": {
            "column": "sign_value",
            "encoding": encoding,
            "form": form,
            "flavour": flavour,
            "algorithms": [ALGORITHMS[family].value],
        },
        "certificate": {"by": "embedded"} if embedded else certificate,
        "signed_at": {"column": "signed_at", "zone": "Asia/Shanghai"},
        "base": {
            "signature": "signature",
            "certificate": None if embedded else "certificate",
            "signed_at": "signed_at",
        },
    }


def store(url: str, profile: Profile, rows: Iterable[dict[str, Any]]) -> None:
    """Create the drill's table anew and fill it."""
    binary = profile.signature.encoding == "binary"
    # What SQLAlchemy makes of Text on SQL Server 2008 holds one code page only.
    text = sa.Text().with_variant(mssql.NVARCHAR(None), "mssql")
    varbinary = mssql.VARBINARY("max")  # type: ignore[no-untyped-call]  # it has no annotations
    blob = sa.LargeBinary().with_variant(varbinary, "mssql")
    table = sa.Table(
        profile.table.name,
        sa.MetaData(),
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, text) for name in ("ticket_no", "candidate", "subject")),
        sa.Column("score", text),
        sa.Column("held_on", text),
        sa.Column("note", text),
        sa.Column("sign_value", blob if binary else text),
        sa.Column("cert_serial", text),
        sa.Column("signed_at", text),
        schema=profile.table.schema,
    )
    engine = make_engine(url)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            table.drop(connection, checkfirst=True)
            table.create(connection)
            part: list[dict[str, Any]] = []
            for row in rows:
                texts = {"score": str(row["score"]), "held_on": str(row["held_on"])}
                part.append(row | texts)
                if len(part) == 1000:
                    connection.execute(table.insert(), part)
                    part = []
            if part:
                connection.execute(table.insert(), part)
    finally:
        engine.dispose()


def pem_bytes(signers: Iterable[Signer]) -> bytes:
    """Certificates as PEM."""
    return b"".join(pem.armor("CERTIFICATE", one.certificate.der) for one in signers)


def _write_base(path: Path, profile: Profile, rows: Sequence[dict[str, Any]]) -> None:
    names = [one.name for one in profile.fields]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*names, "signature", "certificate", "signed_at"])
        writer.writeheader()
        writer.writerows(rows)


def _write_keys(folder: Path, keys: Lab) -> None:
    (folder / "signers.pem").write_bytes(pem_bytes(keys.certificates))
    (folder / "ca.pem").write_bytes(pem_bytes([keys.ca]))
    (folder / "approvers.pem").write_bytes(pem_bytes([keys.approver]))
    private = keys.approver.key.private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_durably(folder / "approver.key", private, mode=0o600)
    revoked = [(keys.revoked.certificate.serial, keys.revoked_at)]
    (folder / "ca.crl").write_bytes(lab.issue_crl(keys.ca, revoked, this_update=keys.now))


def _approver(now: datetime) -> Signer:
    key = lab.new_key("ecdsa")
    return Signer(
        key,
        lab.issue(
            "lab approver",
            key,
            None,
            serial=0xA1,
            not_before=now - timedelta(days=365),
            not_after=now + timedelta(days=3650),
        ),
    )


def families() -> list[str]:
    """The kinds of keys that drills can be made with here."""
    return [one for one in ALGORITHMS if one != "sm2" or sm2.available()]

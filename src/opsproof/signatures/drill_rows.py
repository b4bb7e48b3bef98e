"""The rows of a drill: right ones, and those that some fault made wrong, with what is true of each."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from opsproof.signatures import cms, damage, forms
from opsproof.signatures.check import reference_of
from opsproof.signatures.encodings import encode
from opsproof.signatures.lab import Lab, Signer
from opsproof.signatures.model import RecordClass
from opsproof.signatures.profile import Profile
from opsproof.signatures.serialise import Variant, compile_writer, variants
from opsproof.signatures.values import Value, plain

_SURNAMES: Final = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_NAMES: Final = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀英霞平刚桂"
_SUBJECTS: Final = ("语文", "数学", "英语", "物理", "化学", "生物")
ZONE: Final = ZoneInfo("Asia/Shanghai")


@dataclass
class Truth:
    """What is true of one record."""

    key: int
    record_class: RecordClass
    fault: str = ""
    base_signature: bool = False


class Maker:
    """Makes rows one by one; damage that needs two rows is done at the end."""

    def __init__(self, profile: Profile, keys: Lab, rng: random.Random) -> None:
        """Make rows for a profile, signed by who is in ``keys``; equal seeds, equal rows."""
        self.profile = profile
        self.keys = keys
        self.rng = rng
        self.write = compile_writer(profile.fields, profile.serialisation)
        self.variants: list[Variant] = list(variants(profile))
        self.truth: list[Truth] = []
        self.base: list[dict[str, Any]] = []

    def rows(
        self, records: int, damaged_percent: int, wanted: Sequence[RecordClass]
    ) -> list[dict[str, Any]]:
        """All rows as columns; fills ``truth`` and ``base`` too."""
        rows: list[dict[str, Any]] = []
        good: list[dict[str, Any]] = []
        swapping: list[int] = []
        for number in range(1, records + 1):
            kind = RecordClass.VALID
            if wanted and self.rng.randrange(100) < damaged_percent:
                kind = self.rng.choice(wanted)
            if kind is RecordClass.DUPLICATE and not good:
                kind = RecordClass.VALID
            row, base, fault = self._row(number, kind, good)
            self.truth.append(Truth(number, kind, fault, bool(base["signature"])))
            self.base.append(base)
            rows.append(row)
            if kind is RecordClass.SWAPPED:
                swapping.append(number - 1)
            elif kind is RecordClass.VALID:
                good.append(row)
        self._swap(rows, swapping)
        return rows

    def _swap(self, rows: list[dict[str, Any]], places: list[int]) -> None:
        """Neighbours among the chosen change signatures; a last odd one stays right."""
        if len(places) % 2:
            self.truth[places.pop()].record_class = RecordClass.VALID
        column = self.profile.signature.column
        for one, two in zip(places[::2], places[1::2], strict=True):
            rows[one][column], rows[two][column] = rows[two][column], rows[one][column]

    def _row(
        self, number: int, kind: RecordClass, good: list[dict[str, Any]]
    ) -> tuple[dict[str, Any], dict[str, Any], str]:
        values = self._values(number)
        signer, at = self._signer(kind)
        message = self.write(values)
        right = self._value(signer, message, at)
        columns: dict[str, Any] = {
            field.column: value for field, value in zip(self.profile.fields, values, strict=True)
        }
        columns["sign_value"] = right
        columns["cert_serial"] = reference_of(signer.certificate, self.profile.certificate)
        columns["signed_at"] = at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")
        base = {
            field.name: plain(value)
            for field, value in zip(self.profile.fields, values, strict=True)
        }
        base |= {"signature": "", "certificate": "", "signed_at": ""}
        fault = self._damage(kind, columns, values, message, signer, at, good)
        if kind is RecordClass.BASE_DIFFERS:
            base["score"] = str(Decimal(str(base["score"])) + 1)
        elif kind is not RecordClass.VALID and self.rng.randrange(2):
            self._sign_base(base, message)
        return columns, base, fault

    def _sign_base(self, base: dict[str, Any], message: bytes) -> None:
        signer = self.rng.choice(self.keys.good)
        at = self.keys.now - timedelta(days=self.rng.randrange(20, 100))
        value = self._value(signer, message, at)
        base["signature"] = value if isinstance(value, str) else value.hex()
        base["certificate"] = reference_of(signer.certificate, self.profile.certificate)
        base["signed_at"] = at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")

    def _signer(self, kind: RecordClass) -> tuple[Signer, datetime]:
        """Who signed, and when: one to a hundred days ago unless the class says otherwise."""
        at = self.keys.now - timedelta(days=self.rng.randrange(20, 100), hours=3)
        special = {
            RecordClass.EXPIRED: self.keys.expired,
            RecordClass.NOT_YET_VALID: self.keys.future,
            RecordClass.REVOKED: self.keys.revoked,
            RecordClass.UNTRUSTED: self.keys.untrusted,
        }
        return special.get(kind) or self.rng.choice(self.keys.good), at

    def _value(self, signer: Signer, message: bytes, at: datetime) -> str | bytes:
        """Half of all signed messages have signed attributes, as both are met."""
        column = self.profile.signature
        if column.form.startswith("cms") and zlib.crc32(message) % 2:
            attributes = cms.signed_attributes(message, signer.algorithm.digest, column.flavour, at)
            data = cms.write(
                signer.key.sign(signer.algorithm, attributes),
                signer.algorithm,
                signer.certificate,
                flavour=column.flavour,
                content=message if column.form == "cms-attached" else None,
                attributes=attributes,
            )
            return encode(data, column.encoding)
        raw = signer.key.sign(signer.algorithm, message)
        data = forms.rewrap(
            forms.Raw(raw, "plain"), column, signer.algorithm, signer.certificate, message
        )
        return encode(data, column.encoding)

    def _damage(
        self,
        kind: RecordClass,
        columns: dict[str, Any],
        values: tuple[Value, ...],
        message: bytes,
        signer: Signer,
        at: datetime,
        good: list[dict[str, Any]],
    ) -> str:
        column, rng, fault = self.profile.signature, self.rng, ""
        value = columns["sign_value"]
        if kind is RecordClass.ENCODING_DAMAGE:
            value, fault = damage.damaged_text(value, rng)
        elif kind is RecordClass.WRONG_CONTAINER:
            value, fault = damage.other_container(signer, message, column, rng)
        elif kind is RecordClass.OTHER_SERIALISATION:
            value, fault = self._other(values, message, signer, at)
        elif kind is RecordClass.WRONG_REFERENCE:
            others = [one for one in self.keys.good if one is not signer]
            columns["cert_serial"] = reference_of(
                rng.choice(others).certificate, self.profile.certificate
            )
        elif kind is RecordClass.DUPLICATE:
            source = rng.choice(good)
            value, columns["cert_serial"] = source["sign_value"], source["cert_serial"]
        elif kind is RecordClass.MISSING:
            value = rng.choice([None, "", "  "]) if column.encoding != "binary" else None
        elif kind is RecordClass.NOT_RECOVERABLE:
            raw = signer.key.sign(signer.algorithm, message + b"?")
            value = damage.destroyed(raw, column.encoding, rng)
        columns["sign_value"] = value
        return fault

    def _other(
        self, values: tuple[Value, ...], message: bytes, signer: Signer, at: datetime
    ) -> tuple[str | bytes, str]:
        while True:
            variant = self.rng.choice(self.variants)
            try:
                other = variant.write(values)
            except UnicodeEncodeError:
                continue
            if other != message:
                return self._value(signer, other, at), variant.name

    def _values(self, number: int) -> tuple[Value, ...]:
        rng = self.rng
        name = rng.choice(_SURNAMES) + "".join(rng.choice(_NAMES) for _ in range(rng.randint(1, 2)))
        note = rng.choice(["", "缓考", "Café ", "备注Ａ１ \r\n补登", "O'Brien; DROP TABLE x --"])
        return (
            number,
            f"2026{rng.randrange(10**8):08d}",
            name,
            rng.choice(_SUBJECTS),
            Decimal(rng.randrange(0, 1500)) / 10 + Decimal("0.0"),
            date(2026, 6, 7) + timedelta(days=rng.randrange(3)),
            note,
        )

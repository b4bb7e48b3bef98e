"""A profile: what one business system signs, how it writes it down, and where it is stored.

Profiles are YAML files. Nothing about a business system is code: fields, serialisations, code pages
and formats, the container of the signature and the reference to the certificate are all data.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from opsproof.evidence.canonical import canonical
from opsproof.logs import times
from opsproof.signatures.algorithms import Algorithm
from opsproof.signatures.certificates import Allowed
from opsproof.signatures.errors import ProfileError
from opsproof.yaml_file import read_yaml

_MOST_TOGETHER = 3
_LONGEST_NAME = 128
_LONGEST_SIGNER_ID = 8191  # GB/T 32918.2 section 5.5: its length in bits is written in two bytes
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all parts: unknown keys are refused."""


class TableName(_Part, frozen=True):
    """Where the records are; names exactly as the database spells them."""

    name: str
    schema: str | None = None


class Field(_Part, frozen=True):
    """One signed field. ``scale`` are the decimals of a ``decimal``.

    ``padded`` text comes from a CHAR column: its trailing blanks are the column's and not data. A
    ``datetime`` of a column with offsets is the moment as clocks in ``zone`` show it.
    """

    name: str
    column: str
    type: Literal["text", "integer", "decimal", "date", "datetime", "boolean"] = "text"
    scale: int = 0
    padded: bool = False
    zone: str = "Asia/Shanghai"


class Serialisation(_Part, frozen=True):
    """How the fields become the bytes that are signed.

    ``dates`` and ``datetimes`` are strftime patterns. ``decimals``: ``fixed`` keeps all decimals of
    the scale, ``trimmed`` drops final zeros. ``pad`` fills text fields with blanks up to a length.
    """

    fields: tuple[str, ...] = ()
    layout: Literal["values", "pairs", "json"] = "values"
    assign: str = "="
    separator: str = "|"
    prefix: str = ""
    suffix: str = ""
    encoding: Literal[
        "utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le", "utf-16-be"
    ] = "utf-8"
    dates: str = "%Y-%m-%d"
    datetimes: str = "%Y-%m-%d %H:%M:%S"
    decimals: Literal["fixed", "trimmed"] = "fixed"
    booleans: tuple[str, str] = ("0", "1")
    null: str = ""
    blanks: Literal["keep", "strip-trailing", "strip"] = "keep"
    pad: dict[str, int] = {}
    line_ends: Literal["keep", "lf", "crlf"] = "keep"
    width: Literal["keep", "half", "full"] = "keep"
    unicode: Literal["keep", "nfc", "nfd", "nfkc"] = "keep"


class Variants(_Part, frozen=True):
    """Other serialisations that have been in use: for each setting of a serialisation its other
    values; up to ``together`` settings differ at a time."""

    together: int = 1
    settings: dict[str, list[Any]] = {}


class SignatureColumn(_Part, frozen=True):
    """How a signature is stored.

    ``form``: ``raw`` is the RSA integer or DER of two integers, ``rs`` is r || s, ``cms-*`` a signed
    message in the identifiers of ``flavour``.
    """

    column: str
    encoding: Literal["base64", "hex-lower", "hex-upper", "binary"] = "base64"
    form: Literal["raw", "rs", "cms-detached", "cms-attached"] = "raw"
    flavour: Literal["international", "chinese"] = "international"
    algorithms: tuple[Algorithm, ...] = (Algorithm.RSA_PKCS1_SHA256,)


Reference: TypeAlias = Literal["serial-hex", "serial-decimal", "sha1", "sha256", "embedded"]


class CertificateReference(_Part, frozen=True):
    """How a record names its signer's certificate; ``embedded`` needs a signed message.

    The certificate must be at hand; with ``any_of_ca`` an embedded one may be anybody's whom a trusted CA
    knows. ``purposes`` are identifiers of an extended key usage that allow signing here beside the
    usual ones (:mod:`opsproof.purposes`). ``weak_keys`` takes RSA keys of 1024 bits and more, ``sha1``
    certificates and revocation lists that are signed over SHA-1 (as does an algorithm of the signature
    that is over it): old systems have both.
    """

    by: Reference
    column: str | None = None
    upper: bool = False
    any_of_ca: bool = False
    purposes: tuple[str, ...] = ()
    weak_keys: bool = False
    sha1: bool = False


class SignedAt(_Part, frozen=True):
    """Which column says when a record was signed; times without an offset are in ``zone``."""

    column: str
    zone: str = "Asia/Shanghai"


class BaseData(_Part, frozen=True):
    """Names of the base data's columns that hold a signature, its certificate and its time.

    ``columns`` maps a field to another column name. ``empty`` says what an empty cell of CSV or XLSX
    is for a text field, which these files cannot tell: the empty text or NULL. ``sheet`` is the one of
    a workbook that has several.
    """

    signature: str | None = None
    certificate: str | None = None
    signed_at: str | None = None
    columns: dict[str, str] = {}
    empty: Literal["text", "null"] = "text"
    sheet: str | None = None


class Profile(_Part, frozen=True):
    """One business system's records. ``key`` are the columns that name a record."""

    id: str
    title: dict[str, str]
    database: str
    table: TableName
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    serialisation: Serialisation
    signature: SignatureColumn
    certificate: CertificateReference
    signed_at: SignedAt | None = None
    signer_id: str = "1234567812345678"
    variants: Variants = Variants()
    base: BaseData = BaseData()

    @property
    def sha256(self) -> str:
        """Digest of what the profile says, whatever its file looks like."""
        return hashlib.sha256(canonical(msgspec.to_builtins(self))).hexdigest()

    @property
    def allowed(self) -> Allowed:
        """What certificates may be here that they may not be elsewhere."""
        how = self.certificate
        sha1 = how.sha1 or any(one.digest == "sha1" for one in self.signature.algorithms)
        return Allowed(frozenset(how.purposes), how.weak_keys, sha1, how.any_of_ca)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, each once: key, fields, signature, reference, time."""
        extra = [self.signature.column]
        if self.certificate.column is not None:
            extra.append(self.certificate.column)
        if self.signed_at is not None:
            extra.append(self.signed_at.column)
        return tuple(dict.fromkeys([*self.key, *(one.column for one in self.fields), *extra]))

    @property
    def written_columns(self) -> frozenset[str]:
        """Columns that a correction may write: signature, certificate, time; no key and no field."""
        found = {self.signature.column, self.certificate.column}
        if self.signed_at is not None:
            found.add(self.signed_at.column)
        return frozenset(one for one in found if one is not None) - self.data_columns

    @property
    def unsigned_key(self) -> tuple[str, ...]:
        """Columns of the key that no signature speaks of."""
        signed = {one.column for one in self.fields}
        return tuple(column for column in self.key if column not in signed)

    @property
    def data_columns(self) -> frozenset[str]:
        """Columns that signatures speak of; these are never written."""
        return frozenset([*self.key, *(one.column for one in self.fields)])


def load_profile(path: Path) -> Profile:
    """Read and check a profile. Raises :class:`UsageError` naming what is wrong with it."""
    try:
        profile = msgspec.convert(read_yaml(path), Profile)
    except OSError as error:
        raise ProfileError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except msgspec.ValidationError as error:
        raise ProfileError(str(error), where=str(path)) from error
    for problem in problems(profile):
        raise ProfileError(problem, where=str(path))
    return profile


def problems(profile: Profile) -> list[str]:
    """What the shape alone does not rule out; empty when the profile is sound."""
    names = [one.name for one in profile.fields]
    found = []
    if not profile.key or not names:
        found.append("key and fields must not be empty")
    if len(set(names)) != len(names):
        found.append("a field name is there twice")
    stored = [*profile.columns, profile.table.name, profile.table.schema or "x"]
    found += [
        f"{name!r} is no name of a table or column"
        for name in stored
        if not name or len(name) > _LONGEST_NAME or not name.isprintable()
    ]
    unknown = set(profile.serialisation.fields) - set(names)
    if unknown:
        found.append(f"the serialisation names unknown fields: {', '.join(sorted(unknown))}")
    embedded = profile.certificate.by == "embedded"
    if embedded != (profile.certificate.column is None):
        found.append("certificate.column is needed for every reference but 'embedded'")
    if embedded and not profile.signature.form.startswith("cms"):
        found.append("an embedded certificate needs a signed message (form cms-...)")
    if profile.certificate.any_of_ca and not embedded:
        found.append("certificate.any_of_ca is for embedded certificates only")
    found += [
        f"certificate.purposes: {one!r} is no object identifier such as 1.3.6.1.5.5.7.3.4"
        for one in profile.certificate.purposes
        if not _OID.fullmatch(one)
    ]
    written = {profile.signature.column, profile.certificate.column}
    if written & profile.data_columns:
        found.append("the columns of signature and certificate must not be key or field")
    if not profile.signature.algorithms:
        found.append("signature.algorithms must not be empty")
    own = profile.signer_id
    if not own.isprintable() or not 0 < len(own.encode()) <= _LONGEST_SIGNER_ID:
        found.append(f"signer_id must be text of 1 to {_LONGEST_SIGNER_ID} bytes")
    zones = {one.zone for one in profile.fields}
    zones |= {profile.signed_at.zone} if profile.signed_at is not None else set()
    found += [f"{one!r} is no time zone" for one in sorted(zones) if times.zone(one) is None]
    found += _serialisation_problems(profile)
    return [*found, *_variant_problems(profile, set(names))]


def _serialisation_problems(profile: Profile) -> list[str]:
    """Whatever would give two records the same bytes, so that one's signature is the other's.

    Not asked of variants: what is signed in one of these is never right, only known to be old.
    """
    spec, found = profile.serialisation, []
    written = [one for one in profile.fields if one.name in (spec.fields or (one.name,))]
    if spec.layout == "json":  # quotes text, and writes true and false
        return []
    if not spec.separator and len(written) > 1:
        found.append("serialisation.separator must not be empty: AB and C would be as A and BC")
    if len(set(spec.booleans)) < 2 and any(one.type == "boolean" for one in written):
        found.append("serialisation.booleans must be two different texts")
    return found


def _variant_problems(profile: Profile, names: set[str]) -> list[str]:
    if not 1 <= profile.variants.together <= _MOST_TOGETHER:
        return [f"variants.together must be 1 to {_MOST_TOGETHER}"]
    found = []
    for setting, values in profile.variants.settings.items():
        for value in values:
            try:
                one = replaced(profile.serialisation, {setting: value})
            except msgspec.ValidationError as error:
                found.append(f"variants.settings.{setting}: {error}")
                continue
            if set(one.fields) - names:
                found.append(f"variants.settings.{setting} names unknown fields")
    return found


def replaced(serialisation: Serialisation, settings: dict[str, Any]) -> Serialisation:
    """The serialisation with some settings changed; ``msgspec.ValidationError`` if unfit."""
    return msgspec.convert(msgspec.to_builtins(serialisation) | settings, Serialisation)

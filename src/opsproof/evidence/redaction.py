"""Secrets and personal numbers are taken out before anything is hashed; each removal is counted.

Rules are data. A match is replaced by ``[redacted:RULE]``; where a rule has a group ``keep``, that
part stays in front of it so that a reader still sees what kind of thing was there. Repetitions
before a keyword are bounded, so that hostile text costs linear time.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from opsproof.evidence.model import Redaction

EXACT = "exact-secret"
SHORTEST_SECRET = 4
"""Values below this length (characters) are not searched for: they would eat ordinary text."""


@dataclass(frozen=True, slots=True)
class Rule:
    """``pattern`` finds what must go; ``checks`` may be ``id-card`` to verify a check digit."""

    id: str
    pattern: re.Pattern[str]
    check: str = ""


_VALUE = r"(?:\"[^\"\r\n]*\"|'[^'\r\n]*'|[^\s;,&\"']+)"

_NO_WORD = r"(?![A-Z]?[a-z]+(?![A-Za-z0-9._~+/=-]*[A-Za-z0-9]))"
"""Ordinary words follow too, as in "basic authentication"; a token all of small letters does not."""

RULES: tuple[Rule, ...] = (
    Rule(
        "private-key",
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----[\s\S]*?"
            r"(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----|\Z)"
        ),
    ),
    Rule(
        "bearer-token",
        re.compile(rf"(?P<keep>\b(?i:Bearer)\s+){_NO_WORD}[A-Za-z0-9._~+/-]{{8,}}=*"),
    ),
    Rule(
        "basic-auth",
        re.compile(rf"(?P<keep>\b(?i:Basic)\s+){_NO_WORD}[A-Za-z0-9+/]{{8,}}={{0,2}}"),
    ),
    Rule(
        "json-web-token",
        re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    ),
    Rule(
        "url-password",
        re.compile(
            r"(?P<keep>\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@]{1,100}:)[^\s/@]{1,200}(?=@)",
            re.IGNORECASE,
        ),
    ),
    Rule(
        # In a connection string a value reaches to the semicolon, blanks included.
        "connection-string",
        re.compile(
            r"(?P<keep>(?:(?<=;)\s*|\b)(?:password|pwd)\s*=\s*)(?!\[redacted:)"
            r"(?:\"[^\"]*\"|'[^']*'|[^;\"'\r\n]{1,200})(?=;)",
            re.IGNORECASE,
        ),
    ),
    Rule(
        "connection-string",
        re.compile(r"(?P<keep>;\s*(?:password|pwd)\s*=\s*)[^;\r\n]+", re.IGNORECASE),
    ),
    Rule(
        "named-secret",
        re.compile(
            r"(?P<keep>\b[\w.-]{0,40}(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?token"
            r"|client[_-]?secret|口令|密码)(?:[_-]?hash)?[0-9]*[\"']?\s*[:=:=]\s*)" + _VALUE,
            re.IGNORECASE,
        ),
    ),
    Rule(
        "command-line-password",
        re.compile(
            r"(?P<keep>(?:^|\s)[-/]{1,2}(?:password|passwd|pass|pwd|p)[\s:=]+)" + _VALUE,
            re.IGNORECASE,
        ),
    ),
    Rule(
        "net-user-password",
        re.compile(r"(?P<keep>\bnet1?(?:\.exe)?\s+user\s+\S+\s+)(?![/*])" + _VALUE, re.IGNORECASE),
    ),
    Rule("id-card", re.compile(r"(?<![0-9A-Za-z])[1-9][0-9]{16}[0-9Xx](?![0-9A-Za-z])"), "id-card"),
    Rule("mobile-number", re.compile(r"(?<![0-9A-Za-z.:-])1[3-9][0-9]{9}(?![0-9A-Za-z.:-])")),
)


class Redactor:
    """Applies the rules, and exact secret values, to every string of a JSON value.

    ``secrets`` are searched as they are, percent-encoded and in base64 of UTF-8 and UTF-16.
    """

    def __init__(self, secrets: Iterable[str] = (), rules: Sequence[Rule] = RULES) -> None:
        """Secrets shorter than :data:`SHORTEST_SECRET` are left out."""
        self._rules = rules
        forms = {form for secret in secrets for form in _forms(secret)}
        # Longest first: one secret may be a part of another.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._exact = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str) -> tuple[str, Counter[str]]:
        """The text without secrets, and how often each rule removed something."""
        counts: Counter[str] = Counter()
        if self._exact:
            text, found = self._exact.subn(f"[redacted:{EXACT}]", text)
            counts[EXACT] += found
        for rule in self._rules:
            text = rule.pattern.sub(partial(_replace, rule, counts), text)
        return text, +counts

    def value(self, value: Any) -> tuple[Any, Counter[str]]:
        """:meth:`text` for every string in a JSON value, keys of mappings included."""
        counts: Counter[str] = Counter()
        return self._walk(value, counts), counts

    def holds_secret(self, text: str) -> bool:
        """Whether one of the exact secret values is in the text."""
        return bool(self._exact and self._exact.search(text))

    def _walk(self, value: Any, counts: Counter[str]) -> Any:
        if isinstance(value, str):
            text, found = self.text(value)
            counts += found
            return text
        if isinstance(value, (list, tuple)):
            return [self._walk(item, counts) for item in value]
        if isinstance(value, dict):
            return self._mapping(value, counts)
        return value

    def _mapping(self, value: dict[str, Any], counts: Counter[str]) -> dict[str, Any]:
        clean: dict[str, Any] = {}
        for key, item in value.items():
            name = unique = self._walk(key, counts)
            number = 1
            while unique in clean:
                number += 1
                unique = f"{name}#{number}"
            named = isinstance(item, str) and item and f"{key}={item}"
            if named and self._names_secret(key):
                counts["named-secret"] += 1
                clean[unique] = "[redacted:named-secret]"
            else:
                clean[unique] = self._walk(item, counts)
        return clean

    def _names_secret(self, key: str) -> bool:
        """Whether a key alone says that its text is a secret, as in ``{"password": "..."}``."""
        rule = next((rule for rule in self._rules if rule.id == "named-secret"), None)
        return bool(rule and rule.pattern.fullmatch(f"{key}=x"))


def as_records(counts: Counter[str]) -> tuple[Redaction, ...]:
    """Counts as the records that an observation carries, sorted by rule."""
    return tuple(Redaction(rule=rule, count=count) for rule, count in sorted(counts.items()))


def _replace(rule: Rule, counts: Counter[str], match: re.Match[str]) -> str:
    if rule.check == "id-card" and not _is_id_card(match[0]):
        return match[0]
    keep = match.groupdict().get("keep") or ""
    if match[0][len(keep) :].strip("\"'").startswith("[redacted:"):
        return match[0]
    counts[rule.id] += 1
    return f"{keep}[redacted:{rule.id}]"


def _is_id_card(number: str) -> bool:
    """Check digit of a citizen identity number, GB 11643-1999 (ISO 7064 MOD 11-2)."""
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(number[:17]))
    return "10X98765432"[total % 11] == number[17].upper()


def _forms(secret: str) -> set[str]:
    if len(secret) < SHORTEST_SECRET:
        return set()
    encoded = {
        base64.b64encode(secret.encode(charset)).decode() for charset in ("utf-8", "utf-16-le")
    }
    return {secret, quote(secret, safe=""), *encoded}

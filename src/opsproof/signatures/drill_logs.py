"""A drill's data log: what the signing and verification interface said of the damaged records.

It is written as the lab's application writes its own (``schemas/sign-verify.yml``), with the record in
a further column, and comes with the patterns that read it.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import yaml

from opsproof.signatures.model import RecordClass

LOG: Final = "sign_interface.csv"
PATTERNS: Final = "log-patterns.yml"
ENCODING: Final = "gb18030"

_ZONE: Final = ZoneInfo("Asia/Shanghai")
_HEADER: Final = [
    "时间",
    "系统",
    "操作",
    "结果",
    "错误",
    "密钥",
    "用户",
    "来源",
    "文件大小",
    "耗时",
    "记录",
]
_ERRORS: Final = {
    RecordClass.MISSING: "签名服务超时",
    RecordClass.EXPIRED: "证书已过期",
    RecordClass.REVOKED: "证书已吊销",
}
# The signature of these verifies: nobody at the interface notices them.
_UNSEEN: Final = frozenset({RecordClass.VALID, RecordClass.BASE_DIFFERS})


def write_log(
    folder: Path, records: Iterable[tuple[int, RecordClass]], now: datetime, seed: int
) -> None:
    """Write log and patterns for the keys and classes of records; ``now`` is aware."""
    with (folder / LOG).open("w", encoding=ENCODING, newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_HEADER)
        writer.writerows(_rows(records, now, random.Random(seed)))  # noqa: S311 - drills repeat
    (folder / PATTERNS).write_text(
        yaml.safe_dump(_patterns(), allow_unicode=True, sort_keys=False, width=120),
        encoding="utf-8",
    )


def _patterns() -> list[dict[str, str]]:
    fields = r"(?:[^,]*,){6}"
    known = [{"kind": "other", "pattern": "^[^,]*,[^,]*,(?:签名|验签),成功,|^时间,"}]
    return known + [
        {
            "kind": kind,
            "pattern": rf"^(?P<time>[^,]*),[^,]*,{word},失败,{fields}(?P<key>[0-9]*)$",
        }
        for kind, word in (("verification-failed", "验签"), ("signing-failed", "签名"))
    ]


def _rows(
    records: Iterable[tuple[int, RecordClass]], now: datetime, rng: random.Random
) -> Iterator[list[str]]:
    """Every fifth right record was looked at well; one in fifty failed once, and is right."""
    at = now - timedelta(days=1)
    for key, record_class in records:
        lines: list[tuple[str, str, str]] = []
        if record_class is RecordClass.MISSING:
            lines.append(("签名", "失败", _ERRORS[record_class]))
        if record_class not in _UNSEEN:
            error = _ERRORS.get(record_class, "签名值不匹配")
            lines += [("验签", "失败", error)] * rng.randint(1, 3)
        elif not rng.randrange(5):
            lines.append(
                ("验签", "失败", "密码机忙") if not rng.randrange(10) else ("验签", "成功", "")
            )
        for operation, result, error in lines:
            at += timedelta(seconds=rng.randrange(1, 4))
            time = at.astimezone(_ZONE).strftime("%Y-%m-%d %H:%M:%S")
            size, took = str(rng.randrange(10, 30)), str(rng.randrange(20, 60))
            yield [time, "阅卷", operation, result, error, "K-2026-01", "zhou", "10.20.0.41",
                   size, took, str(key)]  # fmt: skip

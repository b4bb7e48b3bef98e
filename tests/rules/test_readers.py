"""Rules meet what the readers make of files as applications and HTTP.sys write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsproof.logs.audit import audit
from opsproof.logs.options import Options
from opsproof.logs.rules.compiled import RuleSet
from opsproof.logs.schema import load_schemas

_MAP = """\
product: sign-verify
match: "sign_*.csv"
encoding: gb18030
zone: Asia/Shanghai
time: {column: 时间, format: "%Y-%m-%d %H:%M:%S"}
columns:
  操作: {name: operation, values: {解密: decrypt, 签名: sign, 验签: verify}}
  结果: {name: result, values: {成功: ok, 失败: failed}}
  用户: user
  密钥: key_id
  地址: client
  大小: {name: bytes, unit: kb}
"""
_HEAD = "时间,操作,结果,用户,密钥,地址,大小\n"


@pytest.mark.parametrize(
    ("lines", "titles"),
    [
        (["2026-11-20 10:00:00,解密,成功,张,K1,10.0.0.5,10"], set()),
        (
            ["2026-11-20 10:00:00,验签,失败,李,K2,10.0.0.6,10"],
            {"Verification of a signature failed"},
        ),
        (["2026-11-20 10:00:00,签名,成功,李,K2,10.0.0.6,102400"], {"Large file"}),
        (
            [f"2026-11-20 10:00:{second:02d},解密,成功,张,K1,10.0.0.5,10" for second in range(50)],
            {"Continuous decryption"},
        ),
        # 20:59 and 21:00 at the site are 12:59 and 13:00 UTC; the 21st is a Saturday.
        (["2026-11-20 20:59:59,签名,成功,张,K1,10.0.0.5,10"], set()),
        (
            ["2026-11-20 21:00:00,签名,成功,张,K1,10.0.0.5,10"],
            {"Key used at night or on a weekend"},
        ),
        (
            ["2026-11-21 12:00:00,签名,成功,张,K1,10.0.0.5,10"],
            {"Key used at night or on a weekend"},
        ),
    ],
)
def test_data_log_by_its_map(
    rules: RuleSet, tmp_path: Path, lines: list[str], titles: set[str]
) -> None:
    (tmp_path / "map.yml").write_text(_MAP, encoding="utf-8")
    log = tmp_path / "sign_1.csv"
    log.write_text(_HEAD + "".join(f"{line}\n" for line in lines), encoding="gb18030")
    options = Options(schemas=load_schemas([tmp_path / "map.yml"]))
    report = audit([log], rules, options=options)
    assert not report.unreadable
    assert {hit.title for hit in report.hits} == titles


def test_log_of_http_sys(rules: RuleSet, tmp_path: Path) -> None:
    head = (
        "#Software: Microsoft HTTP API 2.0\n#Version: 1.0\n#Date: 2026-11-20 10:00:00\n"
        "#Fields: date time c-ip c-port s-ip s-port cs-version cs-method cs-uri sc-status s-siteid"
        " s-reason s-queuename\n"
    )
    lines = [
        "2026-11-20 10:00:00 10.0.0.7 5000 10.0.0.1 80 HTTP/1.1 GET / 503 1 AppOffline portal\n",
        "2026-11-20 10:00:01 10.0.0.7 5001 10.0.0.1 80 - - - - - Timer_ConnectionIdle -\n",
    ]
    log = tmp_path / "httperr1.log"
    log.write_text(head + "".join(lines), encoding="ascii")
    (hit,) = audit([log], rules).hits
    assert hit.title == "Application pool does not answer"
    assert hit.burst is not None
    assert [member.record_id for member in hit.burst.members] == [5]

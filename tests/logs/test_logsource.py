"""What a rule's log source means for data logs: one application's, or any."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsproof.logs.audit import Options, audit
from opsproof.logs.model import Reason
from opsproof.logs.rules.load import compile_texts
from opsproof.logs.schema import Schema, Time

WEB = "#Fields: date time c-ip cs-username\n2026-01-05 10:00:00 203.0.113.9 anna\n"
RULE = """\
title: Anna
id: 6f1f3c0e-0000-4000-8000-00000000000a
logsource: {{category: data_log{product}}}
detection: {{s: {{user: anna}}, condition: s}}
"""


def schema(product: str) -> Schema:
    return Schema(
        product=product, match=f"{product.lower()}*.csv", time=Time("t"), columns={"u": "user"}
    )


@pytest.mark.parametrize(
    ("product", "files"),
    [
        ("", ["pay.csv", "sign.csv"]),
        (", product: sign", ["sign.csv"]),
        (", product: SIGN", ["sign.csv"]),
    ],
)
def test_a_rule_is_for_one_application_or_for_all(
    tmp_path: Path, product: str, files: list[str]
) -> None:
    for hour, name in enumerate(("pay", "sign")):
        (tmp_path / f"{name}.csv").write_text(f"t,u\n2026-01-05 1{hour}:00:00,anna\n")
    (tmp_path / "u_ex260105.log").write_text(WEB)
    rules = compile_texts([("a.yml", RULE.format(product=product).encode())])
    options = Options(schemas=(schema("Sign"), schema("pay")))
    report = audit([tmp_path], rules, options=options)
    assert [hit.file.partition("/")[2] for hit in report.hits] == files
    assert [rule.hits for rule in report.rules_run] == [len(files)]


def test_without_data_logs_the_rule_is_named_as_not_run(tmp_path: Path) -> None:
    (tmp_path / "u_ex260105.log").write_text(WEB)
    report = audit([tmp_path], compile_texts([("a.yml", RULE.format(product="").encode())]))
    assert [(one.reason, one.detail) for one in report.rules_not_run] == [
        (Reason.NO_SOURCE, "no data log among the files")
    ]


@pytest.mark.parametrize("product", ["", "product: windows, ", "product: iis, "])
def test_a_rule_for_web_servers_may_name_windows_or_iis(tmp_path: Path, product: str) -> None:
    (tmp_path / "u_ex260105.log").write_text(WEB)
    rule = RULE.replace("{{category: data_log{product}}}", f"{{{product}category: webserver}}")
    text = rule.replace(
        "{{s: {{user: anna}}, condition: s}}", "{s: {cs-username: anna}, condition: s}"
    )
    assert len(audit([tmp_path], compile_texts([("r.yml", text.encode())])).hits) == 1

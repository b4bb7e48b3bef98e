"""The two pages in every sealed folder that tell a stranger how to check it without our tool.

Tests run the commands as they stand here with the machine's own coreutils and OpenSSL.
"""

from __future__ import annotations

CHECK_SHA256 = "sha256sum -c SHA256SUMS"
CHECK_SM3 = "cksum -a sm3 -c SM3SUMS"
CHECK_ONE_SM3 = "openssl dgst -sm3 run.json"
CHECK_SIGNATURE = (
    "openssl cms -verify -binary -inform DER -in SHA256SUMS.p7s -content SHA256SUMS"
    " -CAfile ca.pem -purpose any -out /dev/null"
)
DECRYPT = (
    "openssl cms -decrypt -binary -inform DER -in artifacts/NAME"
    " -recip bureau.pem -inkey bureau.key -out NAME.raw"
)

_ENGLISH = """# Evidence {id}

This folder is sealed: it does not change any more. You can check it with tools that every Linux
machine has; nothing of the company that made it is needed. Work in this folder.

1. No file was changed since sealing (SHA-256, then SM3 by GB/T 32905-2016):

       {sha256}
       {sm3}

   Where `cksum` is older than version 9, compare single files: `{one_sm3}`.
   `SHA256SUMS` lists every file but itself and `SHA256SUMS.p7s`. A file that it does not list does
   not belong here: `find . -type f | wc -l` gives the number of its lines plus two.

2. Who sealed it. Take `ca.pem` from the bureau's own copy, never from this folder:

       {signature}

   It must say `CMS Verification successful`. `signer.pem` only shows which certificate was used;
   without a `ca.pem` from elsewhere the signature proves that nothing changed, not who signed.
   Certificates with the word `demo` in their names come from a demonstration and prove nothing;
   their `ca.pem`, `bureau.pem` and `bureau.key` lie in `.keys` of the project that made them.

3. Raw files (for example event logs) are encrypted for the bureau (CMS EnvelopedData). With the
   bureau's key:

       {decrypt}

   `observations.jsonl` names, for each, the SHA-256 of the raw file: compare with `sha256sum`.

4. Its place among the others: `seq` and `previous` in `run.json` (or `record.json`) are those of
   its line in `ledger.jsonl`, where `sums_sha256` is the SHA-256 of `SHA256SUMS` and `previous` the
   SHA-256 of the line before without its line end. Reports print length and SHA-256 of the last
   line: compare with your paper.

What this cannot show: that a fact was true when it was collected.
"""

_CHINESE = """# 证据 {id}

本目录已封存，内容不再改变。核验只需要任何 Linux 系统自带的工具，不需要运维公司的任何软件。
请在本目录中执行以下命令。

1. 封存后没有文件被改动（先 SHA-256，后 SM3，GB/T 32905-2016）：

       {sha256}
       {sm3}

   `cksum` 低于 9 版时，可逐个文件比较：`{one_sm3}`。
   `SHA256SUMS` 列出除它自身和 `SHA256SUMS.p7s` 以外的全部文件；未列出的文件不属于本证据：
   `find . -type f | wc -l` 的结果应等于其行数加二。

2. 由谁封存。`ca.pem` 请使用甲方自己保存的副本，不要使用本目录中的证书：

       {signature}

   应显示 `CMS Verification successful`。`signer.pem` 只说明使用了哪张证书；没有另行取得的 `ca.pem`，
   签名只能证明内容未被改动，不能证明签名人是谁。名称中带有 `demo` 的证书仅供演示，不具证明力，
   其 `ca.pem`、`bureau.pem`、`bureau.key` 位于生成它们的项目的 `.keys` 目录。

3. 原始文件（例如事件日志）已用甲方证书加密（CMS EnvelopedData）。使用甲方私钥解密：

       {decrypt}

   `observations.jsonl` 记有每个原始文件的 SHA-256，可用 `sha256sum` 比较。

4. 在全部证据中的位置：`run.json`（或 `record.json`）中的 `seq`、`previous` 与 `ledger.jsonl` 中对应行一致；
   该行的 `sums_sha256` 是 `SHA256SUMS` 的 SHA-256，`previous` 是上一行（不含换行符）的 SHA-256。
   报表上印有台账的行数和最后一行的 SHA-256，请与纸质件核对。

本证据不能证明的事项：所采集的内容在采集时是否属实。
"""


def render(record_id: str) -> dict[str, str]:
    """``file name -> text`` of the pages of one sealed folder."""
    fields = {
        "id": record_id,
        "sha256": CHECK_SHA256,
        "sm3": CHECK_SM3,
        "one_sm3": CHECK_ONE_SM3,
        "signature": CHECK_SIGNATURE,
        "decrypt": DECRYPT,
    }
    return {
        "README.md": _ENGLISH.format(**fields),
        "README.zh.md": _CHINESE.format(**fields),
    }

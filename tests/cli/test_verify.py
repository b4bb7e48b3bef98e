from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.evidence import samples

from opsproof.cli.verify import command
from opsproof.errors import ExitCode, UsageError
from opsproof.evidence.ledger import Ledger


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reports = tmp_path_factory.mktemp("cli") / "reports"
    for number in (1, 2):
        samples.sealed_run(reports, number)
    return reports


@pytest.fixture
def reports(sealed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sealed, tmp_path / "reports"))


def verify(*arguments: str | Path) -> Result:
    runner = CliRunner()
    return runner.invoke(command, [str(a) for a in arguments], standalone_mode=False)


def test_whole_evidence_ends_with_0_and_says_what_was_not_checked(reports: Path) -> None:
    result = verify(reports)
    assert result.return_value is ExitCode.OK
    assert result.output.splitlines()[-1] == f"{reports}: nothing wrong found"
    assert "not checked: who signed: " in result.output
    assert f"head: {Ledger(reports).head}" in result.output


def test_tampering_ends_with_5_and_names_the_file(reports: Path) -> None:
    folder = min((reports / "runs").iterdir())
    path = folder / "findings.jsonl"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"fail", b"pass"))
    result = verify(reports)
    assert result.return_value is ExitCode.TAMPERED
    assert result.output.splitlines()[0] == (
        f"tampered: runs/{folder.name}/findings.jsonl: was changed after sealing (SHA-256 differs)"
    )
    assert result.output.splitlines()[-1] == f"{reports}: TAMPERED"


def test_a_cut_tail_ends_with_6(reports: Path) -> None:
    head = Ledger(reports).head
    shutil.rmtree(max((reports / "runs").iterdir()))
    ledger = reports / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().splitlines(keepends=True)[0])
    assert verify(reports).return_value is ExitCode.OK
    result = verify(reports, "--head", str(head))
    assert result.return_value is ExitCode.INCOMPLETE
    assert "its tail was cut" in result.output


def test_json_has_the_shared_top_keys_and_the_same_content(reports: Path) -> None:
    (reports / "runs" / "extra").write_text("x")
    result = verify(reports, "--format", "json", "--ca", samples.key_folder() / "ca.pem")
    document = json.loads(result.output)
    assert sorted(document) == ["generated_at", "items", "schema", "summary", "tool"]
    assert document["schema"] == "verify/1"
    assert document["items"] == [
        {"what": "does not belong here", "where": "runs/extra", "verdict": "tampered"}
    ]
    assert document["summary"]["exit_code"] == result.return_value == 5


def test_the_bureau_can_open_the_artifacts(reports: Path) -> None:
    result = verify(reports, "--bureau-key", samples.key_folder() / "bureau.key")
    assert "checked: artifact content: 2" in result.output
    assert result.return_value is ExitCode.OK


def test_another_key_leaves_the_content_unchecked(reports: Path) -> None:
    result = verify(reports, "--bureau-key", samples.key_folder("other") / "bureau.key")
    assert "cannot be decrypted with this key" in result.output
    assert result.return_value is ExitCode.OK


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--head", "x"], "'x' is not a head (write it as LENGTH:SHA256)"),
        (["--bureau-key", "KEYS/signer.key"], "is not an RSA key"),
    ],
)
def test_usage_errors(reports: Path, arguments: list[str], text: str) -> None:
    folder = str(samples.key_folder())
    result = verify(reports, *(a.replace("KEYS", folder) for a in arguments))
    assert isinstance(result.exception, UsageError)
    assert text in str(result.exception)


def test_the_process_ends_with_the_code_and_needs_no_ansible(reports: Path) -> None:
    (reports / "runs" / "extra").write_text("x")
    program = (
        "import sys; from opsproof.cli.main import main\n"
        "try: main()\n"
        "finally: print(sorted(m for m in sys.modules if m.startswith('ansible')))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, "verify", str(reports)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == ExitCode.TAMPERED
    assert ended.stdout.splitlines()[-1] == "[]"
    assert ended.stderr == ""


def test_a_ca_file_that_is_none_is_a_usage_error(reports: Path, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate\n", encoding="utf-8")
    error = verify(reports, "--ca", path).exception
    assert isinstance(error, UsageError)
    assert str(error) == f"{path}: holds no PEM certificate"

"""The commands of the README inside a bundle work as printed, with the machine's own tools."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.evidence import samples

from opsproof.evidence import readme
from opsproof.evidence.sums import both_hashes


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = samples.sealed_run(tmp_path_factory.mktemp("readme") / "reports", 1)
    for name in ("ca.pem", "bureau.pem", "bureau.key"):
        shutil.copy(samples.key_folder() / name, folder.parent / name)
    return folder


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False
    )


def at_hand(command: str) -> str:
    """The command with the auditor's own files, which lie beside the bundle."""
    return re.sub(r"\b(ca\.pem|bureau\.pem|bureau\.key)\b", r"../\1", command)


def test_sha256sum_accepts_every_line(bundle: Path) -> None:
    done = shell(readme.CHECK_SHA256, bundle)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len((bundle / "SHA256SUMS").read_text().splitlines())


def test_cksum_accepts_every_sm3_line(bundle: Path) -> None:
    if shell("cksum --help | grep -q sm3", bundle).returncode:
        pytest.skip("cksum of this machine is older than coreutils 9")
    assert shell(readme.CHECK_SM3, bundle).returncode == 0


def test_openssl_prints_the_sm3_that_is_listed(bundle: Path) -> None:
    done = shell(readme.CHECK_ONE_SM3, bundle)
    listed = both_hashes(bundle / "run.json")[1]
    assert done.stdout.split()[-1] == listed
    assert f"SM3 (run.json) = {listed}" in (bundle / "SM3SUMS").read_text()


def test_openssl_accepts_the_signature(bundle: Path) -> None:
    done = shell(at_hand(readme.CHECK_SIGNATURE), bundle)
    assert (done.returncode, done.stderr) == (0, "CMS Verification successful\n")


def test_openssl_refuses_the_signature_of_other_sums(bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle.parent, tmp_path / "runs")) / bundle.name
    path = copy / "SHA256SUMS"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data.replace(b"run.json", b"ran.json"))
    assert shell(at_hand(readme.CHECK_SIGNATURE), copy).returncode != 0


def test_openssl_decrypts_an_artifact(bundle: Path, tmp_path: Path) -> None:
    name = max((bundle / "artifacts").iterdir(), key=lambda path: path.stat().st_size).name
    out = tmp_path / "raw"
    command = at_hand(readme.DECRYPT).replace("NAME.raw", str(out)).replace("NAME", name)
    assert shell(command, bundle).returncode == 0
    assert out.read_bytes() == samples.RAW


def test_the_number_of_files_is_the_number_of_lines_plus_two(bundle: Path) -> None:
    lines = len((bundle / "SHA256SUMS").read_text().splitlines())
    assert shell("find . -type f | wc -l", bundle).stdout.strip() == str(lines + 2)


def test_both_pages_hold_the_same_commands() -> None:
    pages = readme.render("20261122T091500Z-daily-0001")
    commands = [re.findall(r"^       (.+)$", text, re.MULTILINE) for text in pages.values()]
    assert commands[0] == commands[1]
    assert len(commands[0]) == 4
    assert all("20261122T091500Z-daily-0001" in text for text in pages.values())

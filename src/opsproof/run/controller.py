"""Whether this machine can run and prove anything: tools, collections, locale, disk, keys."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from opsproof.errors import OpsproofError
from opsproof.evidence.keys import load_keys
from opsproof.run import provenance
from opsproof.run.checks import Check, failed, ok, warning
from opsproof.run.environment import tool

LEAST_FREE_MB = 200
COMFORTABLE_FREE_MB = 2048
_SOON = timedelta(days=30)


def check_controller(
    project: Path, reports: Path, keys: Path, env: Mapping[str, str], now: datetime
) -> list[Check]:
    """All checks of the controller, in a fixed order; reads and changes nothing."""
    return [
        _openssl(),
        _ansible(),
        *_collections(project),
        _locale(env),
        _disk(reports),
        *_keys(keys, now),
    ]


def _openssl() -> Check:
    version = provenance.openssl_version()
    if version is None:
        return failed("openssl", "not found", "install the package openssl")
    if int(version.partition(".")[0]) < 3:
        return warning(
            "openssl", f"{version} checks no SM3", "install OpenSSL 3, or check SM3SUMS elsewhere"
        )
    return ok("openssl", version)


def _ansible() -> Check:
    command = Path(tool("ansible-playbook"))
    if not command.is_file():
        return failed("ansible", f"there is no {command.name} beside this Python", "make setup")
    return ok("ansible", f"ansible-core {provenance.versions(command.parent)['ansible-core']}")


def _collections(project: Path) -> Iterator[Check]:
    for name, wanted in provenance.pinned_collections(project).items():
        found = provenance.installed_collection(name)
        if found == wanted:
            yield ok(f"collection {name}", wanted)
        else:
            yield failed(
                f"collection {name}",
                f"{found or 'not installed'}, pinned is {wanted}",
                "make setup",
            )


def _locale(env: Mapping[str, str]) -> Check:
    done = subprocess.run(
        [sys.executable, "-c", "import locale; locale.setlocale(locale.LC_ALL, '')"],
        env={"PATH": env.get("PATH", ""), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        return failed("locale", "C.UTF-8 is missing", "install the locale C.UTF-8")
    return ok("locale", "C.UTF-8")


def _disk(reports: Path) -> Check:
    folder = next(
        path for path in (reports.absolute(), *reports.absolute().parents) if path.is_dir()
    )
    free = shutil.disk_usage(folder).free // 2**20
    detail = f"{free} MB free for reports"
    if free < LEAST_FREE_MB:
        return failed("disk", detail, f"free at least {LEAST_FREE_MB} MB, or give --reports")
    if free < COMFORTABLE_FREE_MB:
        return warning("disk", detail, f"free {COMFORTABLE_FREE_MB} MB")
    return ok("disk", detail)


def _keys(folder: Path, now: datetime) -> Iterator[Check]:
    try:
        keys = load_keys(folder)
    except OpsproofError as error:
        yield failed("keys", str(error), error.remedy or "make setup, or set OPSPROOF_KEYS")
        return
    if keys.demo:
        yield warning(
            "keys", "demonstration keys prove nothing", f"put your own keys into {folder}"
        )
    else:
        yield ok("keys", "signer and bureau certificate found")
    mode = (folder / "signer.key").stat().st_mode & 0o777
    if mode & 0o077:
        yield failed("key file", f"signer.key has mode {mode:04o}", "chmod 600 signer.key")
    yield _expiry("signer certificate", keys.signer.certificate, now)
    yield _expiry("bureau certificate", keys.bureau, now)


def _expiry(name: str, certificate: x509.Certificate, now: datetime) -> Check:
    end = certificate.not_valid_after_utc
    detail = f"valid until {end:%Y-%m-%d}"
    if end <= now:
        return failed(name, detail, "renew it")
    return warning(name, detail, "renew it") if end - now < _SOON else ok(name, detail)

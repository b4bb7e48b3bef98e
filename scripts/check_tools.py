"""Programs that a few tests need and pip cannot bring: installs them when it may, else says what is skipped.

Only as root on a Debian system with a package source that answers; never fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

WANTED = {"postgresql": ("PostgreSQL", Path("/usr/lib/postgresql").glob("*/bin/initdb"))}


def install(packages: Sequence[str]) -> bool:
    """Whether apt-get has installed the packages."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    commands = (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages],
    )
    return all(
        subprocess.run(command, check=False, capture_output=True, env=environment).returncode == 0
        for command in commands
    )


def main() -> None:
    """Looks, installs what is missing, tells what stays missing."""
    missing = {package: name for package, (name, found) in WANTED.items() if not any(found)}
    may = os.geteuid() == 0 and shutil.which("apt-get") is not None
    if missing and not (may and install(list(missing))):
        for package, name in missing.items():
            print(f"{name} is not here: its tests are skipped (apt-get install {package})")


if __name__ == "__main__":
    main()

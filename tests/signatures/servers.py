"""A PostgreSQL server of the tests' own, in a temporary folder, on a socket and no port."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
from pathlib import Path


class PostgresServer:
    """Started by ``pg_ctl`` as an unprivileged user where the tests run as root."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._bin = binaries
        self._user = "nobody" if os.geteuid() == 0 else None
        self._number = itertools.count(1)
        if self._user is not None:
            shutil.chown(folder, self._user)

    def start(self) -> None:
        name = self.name
        self.run("initdb", "-D", str(self.data), "-U", name, "-A", "trust", "-E", "UTF8", "-N")
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c max_connections=40"
        self.run("pg_ctl", "-D", str(self.data), "-w", "-o", options, "-l", str(self.log), "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop")

    @property
    def name(self) -> str:
        return self._user or pwd.getpwuid(os.geteuid()).pw_name

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def new_database(self) -> str:
        name = f"drill{next(self._number)}"
        self.run("createdb", "-h", str(self.folder), "-U", self.name, name)
        return f"postgresql+psycopg://{self.name}@/{name}?host={self.folder}"

    def run(self, program: str, *words: str) -> None:
        subprocess.run(
            [str(self._bin / program), *words],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            user=self._user,
            cwd=self.folder,
        )


def binaries() -> Path | None:
    """Where ``initdb`` and ``pg_ctl`` are: on the PATH or where Debian keeps them."""
    found = shutil.which("pg_ctl")
    if found is not None and shutil.which("initdb") is not None:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((one for one in versions if (one / "initdb").exists()), None)

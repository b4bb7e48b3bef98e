"""The state folder of a running lab: where it is, how to reach it, and whether it still lives.

``state.json`` is what clients read; ``lock`` is held (flock) by the lab's process for as long as it
lives, so that a dead lab never looks alive and a reused process id is never killed.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from winlab.estate.errors import LabError

ENVIRONMENT = "WINLAB_STATE"
DEFAULT = ".lab"


def state_folder(given: str | Path | None = None) -> Path:
    """Return the absolute state folder: as given, else $WINLAB_STATE, else ``./.lab``."""
    return Path(given or os.environ.get(ENVIRONMENT) or DEFAULT).absolute()


@dataclass(frozen=True)
class StateFolder:
    """Names inside one state folder."""

    root: Path

    @property
    def state(self) -> Path:
        """What clients read: addresses, ports, files."""
        return self.root / "state.json"

    @property
    def control(self) -> Path:
        """The control socket."""
        return self.root / "control.sock"

    @property
    def lock(self) -> Path:
        """Held by the lab's process while it lives; holds its process id."""
        return self.root / "lock"

    @property
    def log(self) -> Path:
        """What the lab's process says."""
        return self.root / "winlab.log"

    @property
    def ca(self) -> Path:
        """The lab CA's certificate, PEM."""
        return self.root / "ca.pem"

    @property
    def password(self) -> Path:
        """The password of the lab's account, one line, readable by the owner alone."""
        return self.root / "password"

    @property
    def signing_ca(self) -> Path:
        """The certificate of the authority of signing keys, PEM."""
        return self.root / "signing-ca.pem"

    @property
    def signing_token(self) -> Path:
        """The token of the signing servers, one line, readable by the owner alone."""
        return self.root / "signing-token"

    def create(self) -> None:
        """Make the folder, 0700; LabError when that cannot be."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise LabError(
                f"{self.root}: cannot make the state folder ({exc.strerror})",
                remedy=f"set {ENVIRONMENT} to a folder you may write",
            ) from exc

    def write(self, path: Path, text: str, mode: int = 0o600) -> None:
        """Write a file whole or not at all, with these rights."""
        partial = path.with_name(f".{path.name}.partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
        partial.replace(path)

    def read(self) -> dict[str, Any] | None:
        """Return state.json, or None when there is none or it is unreadable."""
        try:
            loaded = json.loads(self.state.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return loaded if isinstance(loaded, dict) else None

    def owner(self) -> int | None:
        """Return the process id of the lab that lives here, None when none does.

        Raises LabError when the folder cannot be used.
        """
        try:
            with self.lock.open("r+", encoding="utf-8") as held:
                if _try_lock(held):
                    return None
                held.seek(0)
                return int(held.read().strip() or 0) or None
        except (FileNotFoundError, ValueError):
            return None
        except OSError as exc:
            raise LabError(
                f"{self.root}: cannot use the state folder ({exc.strerror})",
                remedy=f"set {ENVIRONMENT} to a folder of your own",
            ) from exc

    def claim(self) -> IO[str]:
        """Take the lock for this process and clean what a dead lab left behind.

        Keep the returned file open. Raises LabError when another lab lives here.
        """
        self.create()
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        held = os.fdopen(descriptor, "r+", encoding="utf-8")
        if not _try_lock(held):
            held.close()
            raise LabError(f"a lab already runs in {self.root}", remedy="run winlab down first")
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        self.clean()
        return held

    def clean(self) -> None:
        """Remove what describes a running lab; the log and the lock file stay."""
        held = (self.state, self.control, self.ca, self.password)
        for path in (*held, self.signing_ca, self.signing_token):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.root / "tls", ignore_errors=True)


def _try_lock(held: IO[str]) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

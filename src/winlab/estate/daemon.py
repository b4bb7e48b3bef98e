"""The lab's process: serves until it is told to stop.

Run as ``python -m winlab.estate.daemon STATE ESTATE [READY_FD]``: with a descriptor it goes to the
background, and writes one line of JSON to it, that it is ready or why not.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import secrets
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from winlab.estate.control import ControlServer
from winlab.estate.lab import Lab
from winlab.estate.schema import load_estate
from winlab.estate.state import StateFolder
from winlab.server.errors import LabError

_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def new_password() -> str:
    """Return a password that meets Windows' complexity rule: 20 letters and digits, and ``-``."""
    parts = ["".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4)]
    return "Lab-" + "-".join(parts) + "-7"


async def serve(folder: StateFolder, estate_file: Path, ready: Callable[[], None]) -> None:
    """Serve an estate from a state folder until SIGTERM, SIGINT or the control socket's "stop".

    ``ready`` is called once everything listens and state.json is written. Raises `LabError` and
    `EstateError` before that.
    """
    with folder.claim() as held:
        password = new_password()
        lab = Lab(
            load_estate(estate_file), password=password, file=estate_file, seed=str(folder.root)
        )
        stop = asyncio.Event()

        async def handle(request: Any) -> Any:
            if request["do"] == "stop":
                stop.set()
                return {"pid": os.getpid()}
            return await lab.handle(request)

        control = ControlServer(folder.control, handle)
        await lab.start()
        try:
            await control.start()
            _announce(folder, lab, password)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop.set)
            # Thousands of hosts that stay, and requests that make little garbage in cycles: collect seldom.
            gc.freeze()
            gc.set_threshold(50_000, 20, 100)
            ready()
            await stop.wait()
        finally:
            await control.stop()
            await lab.stop()
            folder.clean()
            held.truncate(0)


def _announce(folder: StateFolder, lab: Lab, password: str) -> None:
    folder.write(folder.ca, lab.ca_pem.decode(), 0o644)
    folder.write(folder.password, password + "\n")
    signing = lab.signing_urls()
    if signing:
        folder.write(folder.signing_ca, lab.signing_ca.pem.decode(), 0o644)
        folder.write(folder.signing_token, lab.signing_ca.token + "\n")
    state = {
        "schema": "lab-state/1",
        "pid": os.getpid(),
        "estate": str(lab.file),
        "started_at": lab.started_at.isoformat(timespec="seconds"),
        "control": str(folder.control),
        "ca": str(folder.ca),
        "user": lab.estate.user,
        "password_file": str(folder.password),
        "signing": {
            "urls": signing,
            "ca": str(folder.signing_ca),
            "token_file": str(folder.signing_token),
        },
        "hosts": lab.describe(),
    }
    folder.write(folder.state, json.dumps(state, ensure_ascii=False, indent=1))


def main(arguments: list[str]) -> int:
    """Serve; the exit code is 0, or that of the error, which goes to the ready descriptor."""
    # A grandchild has no parent that could leave it as a zombie, or be waited for.
    if len(arguments) > 2 and os.fork():
        return 0
    folder, estate = StateFolder(Path(arguments[0])), Path(arguments[1])
    descriptor = int(arguments[2]) if len(arguments) > 2 else None

    def tell(message: dict[str, Any]) -> None:
        if descriptor is not None:
            with contextlib.suppress(OSError), os.fdopen(descriptor, "w") as out:
                out.write(json.dumps(message) + "\n")

    try:
        asyncio.run(serve(folder, estate, lambda: tell({"ready": True})))
    except LabError as exc:
        tell(
            {
                "error": exc.what,
                "where": exc.where,
                "remedy": exc.remedy,
                "code": int(exc.exit_code),
            }
        )
        sys.stderr.write(f"{exc}\n")
        return int(exc.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

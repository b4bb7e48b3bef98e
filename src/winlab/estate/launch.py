"""Starting and stopping the lab's process from another one."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from opsproof.errors import ExitCode
from winlab.estate.control import ask
from winlab.estate.errors import EstateError
from winlab.estate.state import StateFolder
from winlab.server.errors import LabError

_POLL_SECONDS = 0.05


def start(folder: StateFolder, estate: Path, timeout: float) -> dict[str, Any]:
    """Start the lab in the background and return its state once all hosts listen.

    Returns the state of the running lab when it serves this estate already. Raises `LabError` when
    another estate runs here, when the lab cannot start, or after ``timeout`` seconds.
    """
    if folder.owner() is not None:
        return _running(folder, estate, timeout)
    folder.create()
    ours, theirs = os.pipe()
    with folder.log.open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", "winlab.estate.daemon", folder.root, estate, str(theirs)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(theirs,),
            start_new_session=True,
            check=False,
        )
    os.close(theirs)
    message = _first_message(ours, timeout)
    state = folder.read()
    if message.get("ready") and state is not None:
        return state
    if "error" in message:
        where, what, remedy = message["where"], message["error"], message["remedy"]
        if message["code"] == ExitCode.USAGE:
            raise EstateError(where, "", what, remedy)
        raise LabError(what, where=where, remedy=remedy)
    pid = folder.owner()
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        raise LabError(
            f"the lab did not listen within {timeout:g} seconds",
            where=str(folder.log),
            remedy="look into the log, or give it more time with --timeout",
        )
    raise LabError(
        "the lab ended while it started", where=str(folder.log), remedy="look into the log"
    )


def _first_message(descriptor: int, timeout: float) -> dict[str, Any]:
    with os.fdopen(descriptor, "rb") as stream:
        if not select.select([stream], [], [], timeout)[0]:
            return {}
        line = stream.readline()
    try:
        loaded = json.loads(line)
    except ValueError:
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _running(folder: StateFolder, estate: Path, timeout: float) -> dict[str, Any]:
    deadline = time.monotonic() + timeout
    while (state := folder.read()) is None and folder.owner() is not None:
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS)
    if state is None:
        raise LabError(
            "another lab is starting or stopping here",
            where=str(folder.root),
            remedy="try again in a moment",
        )
    if Path(state["estate"]) != estate:
        raise LabError(
            f"a lab with another estate runs here ({state['estate']})",
            where=str(folder.root),
            remedy="run winlab down first, or give another --state",
        )
    return state


def foreground(folder: StateFolder, estate: Path) -> int:
    """Serve in this process until interrupted; return the exit code."""
    from winlab.estate import daemon

    return daemon.main([str(folder.root), str(estate)])


def stop(folder: StateFolder, timeout: float) -> int | None:
    """Stop the lab that lives here and return its process id, None when none did.

    The process is asked through its control socket, else by SIGTERM. The lock proves that the id
    belongs to the lab: a dead lab holds none, so a reused id is never signalled.
    """
    pid = folder.owner()
    if pid is None:
        folder.clean()
        return None
    try:
        ask(folder.control, {"do": "stop"}, timeout=5)
    except LabError:
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while folder.owner() is not None:
        if time.monotonic() > deadline:
            raise LabError(
                f"the lab (pid {pid}) did not end within {timeout:g} seconds",
                where=str(folder.root),
                remedy="look into winlab.log there",
            )
        time.sleep(_POLL_SECONDS)
    return pid

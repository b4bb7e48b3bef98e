"""Starts Ansible so that it never outlives the run that started it.

``python child.py PARENT PIDFILE PROGRAM ARGUMENT...`` asks the kernel for SIGTERM when the parent
dies (prctl(2), PR_SET_PDEATHSIG: kept across exec), writes its process id and becomes PROGRAM.
ansible-playbook passes SIGTERM on to its workers, which live in sessions of their own. Without
this, killing a run with SIGKILL would leave Ansible changing hosts with nobody watching.

Imports nothing of the package: it runs before every playbook and must start fast.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
NOT_FOUND = 127


def main(arguments: list[str]) -> int:
    """Becomes the program, or says in one line why it cannot and returns 127 (as a shell does)."""
    parent, pid_file, program, *rest = arguments
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it died before we asked
        return NOT_FOUND
    Path(pid_file).write_text(str(os.getpid()), encoding="ascii")
    try:
        os.execv(program, [program, *rest])  # noqa: S606 - no shell is the point
    except OSError as error:
        sys.stderr.write(f"cannot start {program}: {error.strerror}\n")
        return NOT_FOUND


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

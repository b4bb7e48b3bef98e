"""Runs one playbook under ansible-runner, in a private folder, and feeds its events.

ansible-runner is used as its classes, not through ``run()``: that writes settings and variables
to files, installs signal handlers and may call ``sys.exit``. Here it gets no environment but the
scrubbed one, keeps no output file and no event file, and its folder goes when the run ends.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
from ansible_runner.config.runner import RunnerConfig
from ansible_runner.exceptions import AnsibleRunnerException
from ansible_runner.runner import Runner

from opsproof.errors import OpsproofError
from opsproof.run import child
from opsproof.run.environment import tool

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CALLBACKS = Path(__file__).with_name("callbacks")
"""Folder of the callback plugins that every run loads."""

GRACE_SECONDS = 10
"""How long Ansible may take to stop on its own before it is killed."""

_KEPT_FROM_RUNNER = (
    "ANSIBLE_CALLBACK_PLUGINS",
    "ANSIBLE_RETRY_FILES_ENABLED",
    "ANSIBLE_STDOUT_CALLBACK",
    "AWX_ISOLATED_DATA_DIR",
    "RUNNER_OMIT_EVENTS",
    "RUNNER_ONLY_FAILED_EVENTS",
)


class Job(msgspec.Struct, frozen=True):
    """One ansible-playbook call. ``hosts`` narrows it, as an explicit list, when given.

    ``folder`` (mode 0700) is the job's own: whoever made it removes it.
    """

    playbook: Path
    inventory: Path
    project: Path
    folder: Path
    env: dict[str, str]
    variables: dict[str, Any]
    limit: str | None = None
    hosts: tuple[str, ...] = ()
    check: bool = False
    forks: int | None = None


class JobEnd(msgspec.Struct, frozen=True):
    """How ansible-playbook ended: its exit status, and whether we were asked to stop it."""

    rc: int
    interrupted: bool


@dataclass
class Stop:
    """A wish to stop, set by SIGINT, SIGTERM and SIGHUP while :meth:`listening`."""

    asked_at: float | None = None
    _pid_file: Path | None = field(default=None, repr=False)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Takes these signals over for as long as the block runs."""
        before = {number: signal.signal(number, self._ask) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def watch(self, pid_file: Path | None) -> None:
        """Names the file in which the running Ansible left its process id; None: it has ended."""
        self._pid_file = pid_file

    @property
    def asked(self) -> bool:
        """Whether somebody wants the run to end."""
        return self.asked_at is not None

    def must_kill(self) -> bool:
        """True once Ansible has had its time to end by itself; ansible-runner then kills it."""
        return self.asked_at is not None and time.monotonic() - self.asked_at > GRACE_SECONDS

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked_at is None:
            self.asked_at = time.monotonic()
        if self._pid_file is not None and self._pid_file.is_file():
            # SIGTERM, not SIGINT: ansible-core passes both on to its workers, and a second SIGINT
            # from an impatient person would break its own clean-up.
            _signal(int(self._pid_file.read_text(encoding="ascii") or 0), signal.SIGTERM)


def run(job: Job, feed: Callable[[Mapping[str, Any]], None], stop: Stop) -> JobEnd:
    """Runs the job to its end; every event goes to ``feed`` as it comes, and nowhere else."""
    pid_file = job.folder / "pid"
    config = _configure(job, pid_file)
    stop.watch(pid_file)
    if stop.asked:
        return JobEnd(254, True)

    def take(event: Mapping[str, Any]) -> bool:
        feed(event)
        return False  # do not keep it as a file

    runner = Runner(config, event_handler=take, cancel_callback=stop.must_kill)
    try:
        runner.run()
    except AnsibleRunnerException as error:
        raise OpsproofError(str(error), where="ansible-runner") from error
    finally:
        stop.watch(None)
        if stop.asked:
            _kill_session(pid_file)
    return JobEnd(254 if runner.rc is None else int(runner.rc), stop.asked)


def _configure(job: Job, pid_file: Path) -> Any:
    for name in ("data", "tmp"):
        (job.folder / name).mkdir(mode=0o700)
    values = job.folder / "variables.json"
    values.write_text(json.dumps(job.variables, ensure_ascii=False), encoding="utf-8")
    arguments = ["-e", f"@{values}", *(["--check"] if job.check else [])]
    limit = job.limit
    if job.hosts:
        names = job.folder / "hosts"
        names.write_text("".join(f"{host}\n" for host in job.hosts), encoding="utf-8")
        limit = f"@{names}"
    config = RunnerConfig(
        private_data_dir=str(job.folder / "data"),
        project_dir=str(job.project),
        playbook=str(job.playbook),
        inventory=str(job.inventory),
        limit=limit,
        forks=job.forks,
        cmdline=shlex.join(arguments),
        ident="run",
        rotate_artifacts=0,
        quiet=True,
        suppress_env_files=True,
    )
    config.prepare()
    own = {name: config.env[name] for name in _KEPT_FROM_RUNNER if name in config.env}
    # ansible-runner names its own folder, and then that of the project's ansible.cfg does not count.
    own["ANSIBLE_CALLBACK_PLUGINS"] = f"{CALLBACKS}:{own['ANSIBLE_CALLBACK_PLUGINS']}"
    temporary = str(job.folder / "tmp")
    # The second is for modules that run here: a service account may have no home to write to. The
    # Windows shells have a setting of their own (shell_windows documentation fragment).
    config.env = {
        **job.env,
        **own,
        "ANSIBLE_LOCAL_TEMP": temporary,
        "ANSIBLE_REMOTE_TMP": temporary,
    }
    config.pexpect_timeout = 1  # how often the wish to stop is looked at, in seconds
    config.suppress_output_file = True
    program, *rest = config.command
    config.command = [
        sys.executable, "-I", str(child.__file__), str(os.getpid()), str(pid_file), tool(program), *rest
    ]  # fmt: skip
    return config


def _kill_session(pid_file: Path) -> None:
    """Whatever of Ansible is left after it was asked to stop: its workers have own sessions."""
    if not pid_file.is_file():
        return
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        marker = f"AWX_ISOLATED_DATA_DIR={pid_file.parent / 'data'}".encode()
        if marker in environment:
            _signal(int(folder.name), signal.SIGKILL)


def _signal(pid: int, number: int) -> None:
    if pid > 1:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return

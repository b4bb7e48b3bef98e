"""ansible-playbook itself, over winrm and psrp, against hosts in this process."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from winlab.exec.process import Process, ProcessResult
from winlab.exec.run import execute
from winlab.host.host import Host, HostSpec
from winlab.host.logons import Logon
from winlab.host.policy_logon import NtlmPolicy
from winlab.server.lab import LabServer
from winlab.server.ports import Fault
from winlab.session.quotas import WinrmSettings

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent
PASSWORD = "Lab-Pass-1"


class OneHost:
    """The least that the server needs around a host: it answers, and it reboots."""

    def __init__(self, name: str, address: str, release: str, locale: str) -> None:
        spec = HostSpec(name=name, release=release, locale=locale, admin_password=PASSWORD)
        self.host = Host(spec, lambda: datetime.now(UTC))
        self.name, self.address = self.host.name, address
        self.settings = WinrmSettings(basic=True, allow_unencrypted=True)
        self.ntlm = NtlmPolicy()
        self._down: tuple[float, float] | None = None
        self.reboots = 0

    def password_of(self, user: str) -> str | None:
        return self.host.accounts.password_of(user)

    def lets_in(self, port: int) -> bool:
        """Whoever knocks."""
        del port
        return True

    def logged_on(self, logon: Logon) -> None:
        """Nobody reads the log here."""

    def execute(self, process: Process) -> ProcessResult:
        result = execute(self.host, process)
        if result.goes_down_after is not None:
            begin = time.monotonic() + result.goes_down_after
            self._down = (begin, begin + 0.5)
        return result

    def fault(self) -> Fault | None:
        return None

    def is_up(self) -> bool:
        if self._down is None or time.monotonic() < self._down[0]:
            return True
        if time.monotonic() < self._down[1]:
            return False
        self._down = None
        self.host.reboot()
        self.reboots += 1
        return True

    def count(
        self, *, requests: int = 0, commands: int = 0, bytes_in: int = 0, bytes_out: int = 0
    ) -> None:
        """Nothing is counted here."""


@contextmanager
def serving(hosts: list[OneHost]) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = LabServer(hosts)
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(30)
        yield
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture
def hosts() -> list[OneHost]:
    first, second = 64 + secrets.randbelow(128), secrets.randbelow(256)
    return [
        OneHost("overrs", f"127.{first}.{second}.1", "2019", "zh-CN"),
        OneHost("overpsrp", f"127.{first}.{second}.2", "2022", "en-US"),
    ]


def inventory(hosts: list[OneHost]) -> str:
    rs, psrp = hosts
    return f"""
[all]
overrs ansible_host={rs.address} ansible_connection=winrm ansible_winrm_transport=basic
overpsrp ansible_host={psrp.address} ansible_connection=psrp ansible_psrp_auth=ntlm

[all:vars]
ansible_port=5985
ansible_winrm_scheme=http
ansible_psrp_protocol=http
ansible_user=Administrator
ansible_password={PASSWORD}
"""


def material(folder: Path) -> None:
    (folder / "files" / "tree").mkdir(parents=True)
    (folder / "templates").mkdir()
    (folder / "files" / "one.txt").write_text("one\n")
    (folder / "files" / "tree" / "数据.txt").write_text("unicode\n")
    (folder / "files" / "tree" / "big.bin").write_bytes(bytes(range(256)) * 5000)
    (folder / "templates" / "note.j2").write_text("{{ inventory_hostname }}\n")
    (folder / "play.yml").write_text((HERE / "everything.yml").read_text(encoding="utf-8"))


def test_every_module_over_both_transports(tmp_path: Path, hosts: list[OneHost]) -> None:
    material(tmp_path)
    (tmp_path / "hosts.ini").write_text(inventory(hosts))
    (tmp_path / "ansible.cfg").write_text("[defaults]\ninternal_poll_interval = 0.01\n")
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "-i",
        str(tmp_path / "hosts.ini"),
        "-e",
        f"fetched={tmp_path / 'fetched'} second_password=Other-Pass-1",
        str(tmp_path / "play.yml"),
    ]
    environment = {
        **{key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ},
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
        "ANSIBLE_FORKS": "2",
        "ANSIBLE_NOCOLOR": "1",
    }
    with serving(hosts):
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
    assert done.returncode == 0, done.stdout + done.stderr
    for one in hosts:
        name = "overrs" if one.name == "OVERRS" else "overpsrp"
        place = tmp_path / "fetched" / name / "C:" / "Windows" / "Temp" / "opsproof" / "tree"
        assert (place / "big.bin").read_bytes() == bytes(range(256)) * 5000
        assert one.reboots == 1
        assert not one.host.files.exists("C:\\Windows\\Temp\\opsproof")
        left = one.host.files.list("C:\\Users\\Administrator\\AppData\\Local\\Temp")
        # win_template makes a folder that it leaves behind, on Windows too: win_copy, which it
        # calls, makes and removes its own. Nothing else leaves any.
        folders = [item for item in left if item.name.startswith("ansible-tmp-")]
        assert len(folders) == 1
        assert one.host.files.list(folders[0].path) == []
        assert set(one.host.unmodelled) == {"the PowerShell script 'Get-Date'"}

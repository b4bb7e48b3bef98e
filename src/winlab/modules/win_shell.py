"""ansible.windows.win_shell (win_shell.ps1, ansible.windows 3.3.0).

With ``executable: cmd`` the lab runs the line; PowerShell runs only what the lab models.
"""

from __future__ import annotations

import codecs
from typing import Any

from winlab.host.errors import NotModelledError
from winlab.modules.kit.commands import run_line
from winlab.modules.kit.context import ModuleEnd
from winlab.modules.kit.legacy import LegacyModule
from winlab.modules.kit.registry import Registered
from winlab.modules.kit.runtimes import Runtime, runtime
from winlab.modules.kit.spec import Option


def run(module: LegacyModule) -> None:
    """Run one command line."""
    line = module.get("_raw_params", kind="str", required=True).strip()
    chdir = module.get("chdir", kind="path")
    executable = module.get("executable", kind="path")
    creates = module.get("creates", kind="path")
    removes = module.get("removes", kind="path")
    stdin = module.get("stdin", kind="str")
    encoding = module.get("output_encoding_override", kind="str")
    files, cwd = module.host.files, module.context.working_directory
    if creates and files.exists(creates, cwd):
        raise _skipped(line, f"skipped, since {creates} exists")
    if removes and not files.exists(removes, cwd):
        raise _skipped(line, f"skipped, since {removes} does not exist")
    module.result.update(changed=True, cmd=line)
    if chdir and not files.exists(chdir, cwd):
        module.result.update(changed=False, rc=2)
        module.fail(f"invalid working directory path '{chdir}'")
    clock = runtime(module.context)
    out, err, rc = _run(module, line, executable, chdir, stdin, encoding)
    _report(module, clock, out, err, rc)


def _skipped(line: str, message: str) -> ModuleEnd:
    told = {"msg": message, "cmd": line, "changed": False, "skipped": True, "rc": 0}
    return ModuleEnd(told, 0)


def _run(
    module: LegacyModule,
    line: str,
    executable: str | None,
    chdir: str | None,
    stdin: str | None,
    encoding: str | None,
) -> tuple[str, str, int]:
    name = (executable or "powershell").replace("/", "\\").rpartition("\\")[2].lower()
    name = name.removesuffix(".exe")
    context = module.context
    if name == "powershell":
        done = context.powershell(context, line) if context.powershell else None
        if done is None:
            first = line.splitlines()[0] if line else ""
            raise NotModelledError(f"the PowerShell script '{first[:60]}'")
        return done.stdout, done.stderr, done.rc
    if name != "cmd":
        raise NotModelledError(f"win_shell with executable {executable}")
    # A PSRP process has no console: its children get one of their own, with the OEM code page.
    codepage = module.host.locale.oem if context.psrp else 65001
    given = f"{stdin}\r\n" if stdin and not stdin.endswith("\r\n") else stdin or ""
    answer = run_line(context, line, cwd=chdir, stdin=given.encode(), codepage=codepage)
    codec = _codec(module, encoding)
    return answer.stdout.decode(codec, "replace"), answer.stderr.decode(codec, "replace"), answer.rc


def _codec(module: LegacyModule, encoding: str | None) -> str:
    if not encoding:
        return "utf-8"
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        module.result.update(changed=False, rc=2)
        module.fail(
            f'Exception calling "CreateProcess" with "6" argument(s): "\'{encoding}\' is not a '
            'supported encoding name.\\r\\nParameter name: name"'
        )


def _report(module: LegacyModule, clock: Runtime, out: str, err: str, rc: int) -> None:
    told: dict[str, Any] = {"stdout": out, "stderr": err, "rc": rc, **clock.stop()}
    module.result.update(told)
    if rc != 0:
        module.fail("non-zero return code")
    module.exit()


MODULE = Registered(
    "win_shell",
    legacy=run,
    check_mode=False,
    internal={"_raw_params": Option(), "_uses_shell": Option(type="bool")},
    action_only=("free_form",),
)

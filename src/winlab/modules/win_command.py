"""ansible.windows.win_command (win_command.ps1, ansible.windows 3.3.0)."""

from __future__ import annotations

import codecs
import re
from typing import NoReturn

from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.commands import run_executable
from winlab.modules.kit.dotnet import calling
from winlab.modules.kit.registry import Registered
from winlab.modules.kit.runtimes import runtime
from winlab.modules.kit.spec import Rules

_GROUP = (("_raw_params", "argv", "cmd"),)


def run(module: BasicModule) -> None:
    """Run one program without a shell."""
    params, cwd = module.params, module.context.working_directory
    line = params["cmd"] or (params["_raw_params"] or "").strip() or _joined(params["argv"] or [""])
    module.result.update(cmd=line, rc=0)
    files = module.host.files
    if params["creates"] and files.exists(params["creates"], cwd):
        module.result.update(msg=f"skipped, since {params['creates']} exists", skipped=True)
        module.exit()
    if params["removes"] and not files.exists(params["removes"], cwd):
        module.result.update(msg=f"skipped, since {params['removes']} does not exist", skipped=True)
        module.exit()
    if params["chdir"] and not files.exists(params["chdir"], cwd):
        module.result["rc"] = 2
        module.fail(
            f"Failed to run: '{line}': Could not find specified -WorkingDirectory "
            f"'{params['chdir']}'"
        )
    _run(module, line)


def _joined(argv: list[str]) -> str:
    return " ".join(_escaped(argument) for argument in argv)


def _escaped(argument: str) -> str:
    """ConvertTo-EscapedArgument of the collection's Process.psm1."""
    if not argument:
        return '""'
    if not re.search(r'[\s"]', argument):
        return argument
    text = argument.replace('"', '\\"')
    text = re.sub(r'(\\+)\\"', r'\1\1\\"', text)
    text = re.sub(r"(\\+)$", r"\1\1", text)
    return f'"{text}"'


def _not_found(module: BasicModule, line: str) -> NoReturn:
    host = module.host
    missing = host.text("The system cannot find the file specified", "系统找不到指定的文件。")
    inner = f"CreateProcessW() failed ({missing}, Win32ErrorCode 2 - 0x00000002)"
    module.result["rc"] = 2
    module.fail(f"Failed to run: '{line}': {calling('CreateProcess', 7, inner, host.locale.name)}")


def _run(module: BasicModule, line: str) -> None:
    params, context = module.params, module.context
    # A PSRP process has no console: its children get one of their own, with the OEM code page.
    codepage = module.host.locale.oem if context.psrp else 65001
    codec = _codec(module, line)
    clock = runtime(context)
    answer = run_executable(
        context,
        line,
        cwd=params["chdir"],
        stdin=(params["stdin"] or "").encode(),
        codepage=codepage,
    )
    if answer is None:
        _not_found(module, line)
    module.result.update(
        changed=True,
        stdout=answer.stdout.decode(codec, "replace"),
        stderr=answer.stderr.decode(codec, "replace"),
        rc=answer.rc,
        **clock.stop(),
    )
    if answer.rc != 0:
        module.fail("non-zero return code")
    module.exit()


def _codec(module: BasicModule, line: str) -> str:
    encoding = module.params["output_encoding_override"]
    if not encoding:
        return "utf-8"
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        module.result["rc"] = 2
        inner = f"'{encoding}' is not a supported encoding name.\r\nParameter name: name"
        module.fail(
            f"Failed to run: '{line}': "
            f"{calling('CreateProcess', 7, inner, module.host.locale.name)}"
        )


MODULE = Registered(
    "win_command",
    basic=run,
    check_mode=False,
    rules=Rules(required_one_of=_GROUP, mutually_exclusive=_GROUP),
)

"""ansible.windows.slurp (slurp.ps1, ansible.windows 3.3.0)."""

from __future__ import annotations

import base64

from winlab.host.errors import WindowsError
from winlab.modules.kit.dotnet import ModuleCrash, calling, io_message
from winlab.modules.kit.legacy import LegacyModule
from winlab.modules.kit.registry import Registered


def run(module: LegacyModule) -> None:
    """Return a file in base64."""
    source = module.get("src", kind="path", aliases=["path"], required=True)
    files, cwd = module.host.files, module.context.working_directory
    if files.is_folder(source, cwd):
        module.fail(f"Path {source} is a directory")
    if not files.is_file(source, cwd):
        module.fail(f"Path {source} is not found")
    try:
        content = files.read(source, cwd)
    except WindowsError as error:
        locale = module.host.locale.name
        text = calling("ReadAllBytes", 1, io_message(error, source, locale), locale)
        raise ModuleCrash(text) from error
    module.result["content"] = base64.b64encode(content).decode()
    module.result["encoding"] = "base64"
    module.exit()


MODULE = Registered("slurp", legacy=run)

"""ansible.windows.win_tempfile (win_tempfile.ps1, ansible.windows 3.3.0)."""

from __future__ import annotations

from winlab.host import paths
from winlab.host.errors import WindowsError
from winlab.modules.kit.basic import BasicModule
from winlab.modules.kit.dotnet import io_message
from winlab.modules.kit.registry import Registered
from winlab.modules.kit.values import expand_variables

_ALPHABET = "abcdefghijklmnopqrstuvwxyz012345"


def run(module: BasicModule) -> None:
    """Make an empty file or folder with a random name (Path.GetRandomFileName, 8.3)."""
    params, environment = module.params, module.context.environment
    name = _random_name(module)
    prefix = expand_variables(params["prefix"] or "", environment)
    suffix = expand_variables(params["suffix"] or "", environment)
    path = paths.normalise(paths.join(params["path"], f"{prefix}{name}{suffix}"))
    module.result.update(changed=True, state=params["state"])
    if not module.check_mode:
        try:
            _make(module, path)
        except WindowsError as error:
            text = io_message(error, path, module.host.locale.name)
            module.fail(f"No random temporary file worked in 5 attempts. Error: {text}")
    module.result["path"] = path
    module.exit()


def _make(module: BasicModule, path: str) -> None:
    if module.params["state"].lower() == "directory":
        module.host.files.mkdir(path)
    else:
        module.host.files.write(path, b"")


def _random_name(module: BasicModule) -> str:
    source = module.host.ids.guid().encode()
    letters = "".join(_ALPHABET[byte % 32] for byte in source[:11])
    return f"{letters[:8]}.{letters[8:]}"


MODULE = Registered("win_tempfile", basic=run)
